"""Settings of the lip reader, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.registry.spec import setting


@dataclass
class LipReaderConfig:
    """Settings of LipNet; the defaults are the paper's layout at 128x64 pixels."""

    size: int = setting(128, "side of the face crop; its lower half is read", "code: 128x64", choices=(64, 128))
    width: float = setting(1.0, "factor on channels and hidden units; 1 is the published network", "ours")
    standardise: bool = setting(
        False, "take each clip's mean picture away, so that speakers look alike, and scale what is left", "ours"
    )
    batch_norm: bool = setting(
        False, "batch normalisation after each convolution", "a later implementation; paper: none"
    )
    dropout: float = setting(0.5, "share of channels that is dropped", "code, lipnet.lua")
    learning_rate: float = setting(1e-4, "Adam's learning rate (the highest, where it changes)", "code, exp/0001.lua")
    warmup: float = setting(0.0, "share of the steps in which the learning rate rises", "ours")
    decay: bool = setting(False, "let the learning rate fall to zero along a cosine", "ours")
    weight_decay: float = setting(0.0, "AdamW's weight decay", "code: none")
    words: float = setting(
        0.925,
        "in epoch n, the share words ** n of the clips is cut to single words",
        "code, lipnet.lua: single words are further samples with weight 0.925 ** n",
    )
    letters: float = setting(
        0.0,
        "weight of a second loss where word times are known: which letter is on, each as long as the others",
        "ours",
    )
    flip: float = setting(0.5, "share of clips that are mirrored", "code, dataloader.lua: every clip both ways")
    jitter: float = setting(0.0, "random change of brightness and contrast, 0..1", "ours")
    shift: int = setting(0, "random shift of the crop in pixels", "ours", least=0)
    repeat: float = setting(0.05, "share of frames that are doubled or left out", "code, TemporalJitter.lua: 0.05")
