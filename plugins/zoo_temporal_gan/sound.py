"""What the temporal GAN hears: raw windows at the rate of its sound encoder, and the noise beside them."""

from __future__ import annotations

import torch
from jaxtyping import Float32
from torch import Tensor
from torchaudio.functional import resample

from zoo.media.clip import SAMPLE_RATE
from zoo.support.errors import ConfigError
from zoo_temporal_gan.networks import prime_factors

LARGEST_STRIDE = 13
"""Largest prime factor of a window in milliseconds: it becomes a stride, and half a kernel, of the sound encoder."""


def check_sound(window_s: float, sample_rate: int) -> None:
    """Refuse what the sound encoder cannot be built for.

    Args:
        window_s: seconds of an audio window.
        sample_rate: samples per second.

    Raises:
        ConfigError: no whole milliseconds or kHz, or a prime factor above :data:`LARGEST_STRIDE`.
    """
    steps = round(window_s * 1000)
    if sample_rate % 1000:
        raise ConfigError(
            f"model.sample_rate: {sample_rate} is not a whole number of kHz, which the sound encoder needs; "
            "16000 takes the sound as it is"
        )
    if abs(steps - window_s * 1000) > 1e-6 or max(prime_factors(steps)) > LARGEST_STRIDE:
        raise ConfigError(
            f"model.window_s: {window_s} s cannot be divided for the sound encoder; give whole milliseconds without a "
            f"prime factor above {LARGEST_STRIDE}, such as 0.16, 0.2 or 0.35"
        )


def context_samples(window_s: float) -> int:
    """Samples at the zoo's 16 kHz that one frame hears."""
    return round(window_s * SAMPLE_RATE)


def at_rate(windows: Float32[Tensor, "N S"], sample_rate: int) -> Float32[Tensor, "N S2"]:
    """Windows at 16 kHz brought to another rate, each by itself, so that a stream hears what a whole clip does."""
    return windows if sample_rate == SAMPLE_RATE else resample(windows, SAMPLE_RATE, sample_rate)


class NoiseSource:
    """The noise of generated clips, frame by frame: the same for every clip and wherever a clip is cut into parts.

    Args:
        dim: elements per frame.
        std: standard deviation.
        seed: the same seed gives the same noise on every device.
    """

    def __init__(self, dim: int, std: float, seed: int) -> None:
        self.dim, self.std = dim, std
        self._random = torch.Generator().manual_seed(seed)

    def take(self, frames: int) -> Float32[Tensor, "T noise"]:
        """The noise of the next frames."""
        # Frame by frame: one call for all would draw other numbers than a call for each.
        return self.std * torch.stack([torch.randn(self.dim, generator=self._random) for _ in range(frames)])
