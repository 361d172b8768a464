"""Settings of the temporal GAN and of its static baseline, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import setting


class Preset(NamedTuple):
    """The three sizes in which the paper and the authors' released model differ.

    Attributes:
        identity_dim: elements of the identity encoding.
        window_s: seconds of sound that one frame hears.
        sample_rate: samples per second that the sound encoder is built for.
    """

    identity_dim: int
    window_s: float
    sample_rate: int


PRESETS = {"paper": Preset(50, 0.16, 16_000), "released": Preset(128, 0.2, 50_000)}
"""Paper, sections 2.1 and 2.1.1 (it tells no rate: the zoo's own); the authors' released model for GRID."""


@dataclass
class StaticGANConfig(AdversarialConfig):
    """Settings of the static baseline; the defaults are the paper's, as far as it tells."""

    preset: str = setting(
        "paper",
        "sizes of the paper or of the authors' released model, for the settings that are none",
        "paper 2.1; released model",
        choices=tuple(PRESETS),
    )
    identity_dim: int | None = setting(
        None, "elements of the identity encoding; none: 50 (paper) or 128 (released)", "paper 2.1.1", least=1
    )
    window_s: float | None = setting(
        0.35,
        "seconds of sound that one frame hears; none: as the preset says",
        "paper 3.3: a sliding window like that of Speech2Vid, whose window is 0.35 s",
        least=0.04,
    )
    sample_rate: int | None = setting(
        None,
        "samples per second of the sound encoder; none: 16000 (paper) or 50000 (released), resampled from 16000",
        "released model; the paper tells none",
        least=1000,
    )
    noise_dim: int = setting(10, "elements of the noise; 0: none", "paper 2.1.3", least=0)
    noise_std: float = setting(0.33, "standard deviation of the Gaussian noise", "released model", least=0)
    noise_seed: int = setting(0, "seed of the noise of generated clips, the same for every clip", "ours", least=0)
    height: int = setting(
        128,
        "height of the faces in pixels; the width is 3/4 of it",
        "released model: 128x96",
        choices=(32, 64, 128, 256),
    )
    width: float = setting(
        1.0, "factor on the channels of all picture networks; 1 is the published network", "ours", least=0.01
    )
    l1_weight: float = setting(400.0, "lambda, weight of the L1 loss on the lower half", "paper 2.3", least=0)
    upper_weight: float = setting(
        0.0, "share of lambda that the upper half gets, 0: nothing but the discriminators", "paper 2.3: 0", least=0
    )
    lip_weight: float = setting(
        1.0, "weight of the lip region in the L1 against 1 elsewhere", "ours: 1 is the paper's", least=1
    )
    frame_weight: float = setting(1.0, "weight of the frame discriminator for the generator", "eq. 1", least=0)
    generator_loss: str = setting(
        "non-saturating",
        "what the generator makes small: non-saturating is -log D, minimax log(1 - D)",
        "Goodfellow et al. 2014; eq. 1 and 3 as printed: minimax",
        choices=("non-saturating", "minimax"),
    )
    sampled_frames: int = setting(
        1, "frames per clip and step that S(x) draws for the frame discriminator", "paper 2.3 tells no number", least=1
    )
    learning_rate: float = setting(2e-4, "Adam's learning rate of the generator", "paper 2.3")
    frame_learning_rate: float = setting(1e-3, "Adam's learning rate of the frame discriminator", "paper 2.3")
    decay_from: int = setting(20, "epochs before those two learning rates decay", "paper 2.3", least=0)
    decay_rate: float = setting(0.1, "share of the learning rate lost in each later epoch", "paper 2.3", least=0)
    beta1: float = setting(0.9, "Adam's first moment", "Adam's default; the paper tells none", least=0)
    mirror: float = setting(0.5, "share of training clips that are mirrored", "paper 3.1", least=0)


@dataclass
class TemporalGANConfig(StaticGANConfig):
    """Settings of the temporal GAN; the defaults are the paper's network and training."""

    window_s: float | None = setting(
        None, "seconds of sound that one frame hears; none: 0.16 (paper) or 0.2 (released)", "paper 2.1", least=0.04
    )
    frames: int | None = setting(
        None,
        "frames per training sequence; none: whole clips, whatever their length",
        "paper 2.3: whole videos",
        least=2,
    )
    sequence_weight: float = setting(1.0, "weight of the sequence discriminator for the generator", "eq. 1", least=0)
    sequence_learning_rate: float = setting(
        5e-5, "Adam's learning rate of the sequence discriminator; it does not decay", "paper 2.3"
    )


def sizes(config: StaticGANConfig) -> Preset:
    """The sizes that are meant: those given, else those of the preset."""
    preset = PRESETS[config.preset]
    return Preset(
        preset.identity_dim if config.identity_dim is None else config.identity_dim,
        preset.window_s if config.window_s is None else config.window_s,
        preset.sample_rate if config.sample_rate is None else config.sample_rate,
    )
