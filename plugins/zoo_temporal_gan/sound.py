"""What the temporal GAN hears: raw windows at the rate of its sound encoder, and the noise beside them."""

from __future__ import annotations

import torch
from jaxtyping import Float32
from torch import Tensor
from torchaudio.functional import resample

from zoo.clip import SAMPLE_RATE


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
