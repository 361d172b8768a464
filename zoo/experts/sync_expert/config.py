"""Settings of the sync expert, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.registry.spec import setting


@dataclass
class SyncExpertConfig:
    """Settings of the sync expert; the defaults are the published network and training."""

    width: float = setting(1.0, "factor on all channel counts; 1 is the published network", "ours")
    loss: str = setting(
        "bce",
        "bce (binary cross-entropy of the cosine), matching (which of the clip's sounds?), or both added",
        "code, color_syncnet_train.py: bce; code, syncnet_trainer: matching, which does not stick at chance",
        choices=("bce", "matching", "both"),
    )
    windows: int = setting(8, "windows of five frames, end to end, drawn from a clip at once", "ours", least=2)
    learning_rate: float = setting(1e-4, "Adam's learning rate (the highest, where it changes)", "code")
    warmup: float = setting(0.0, "share of the steps in which the learning rate rises", "ours")
    decay: bool = setting(False, "let the learning rate fall to zero along a cosine", "ours")
    weight_decay: float = setting(0.0, "AdamW's weight decay", "code: none")
    flip: float = setting(0.0, "share of clips that are mirrored", "ours")
    jitter: float = setting(0.0, "random change of brightness and contrast, 0..1", "ours")
    shift: int = setting(0, "random shift of the crop in pixels", "ours", least=0)
    channels_last: bool = setting(True, "memory layout of the networks; the same numbers, mostly faster", "ours")
