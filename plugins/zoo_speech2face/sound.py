"""The audio frequencies of a frame: magnitudes of an FFT in bands, or raw samples (paper, section 4)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks


class Frequencies(nn.Module):
    """Log-magnitudes of 512-sample FFTs in 26 bands from 60 to 7600 Hz, the mean of three 20 ms apart."""

    fft, hop, columns, bands = 512, 320, 3, 26
    banks: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.samples = self.fft + self.hop * (self.columns - 1)
        banks = melscale_fbanks(self.fft // 2 + 1, 60.0, 7600.0, self.bands, 16_000, norm="slaney")
        self.register_buffer("banks", banks, persistent=False)
        self.register_buffer("window", torch.hann_window(self.fft), persistent=False)

    def forward(self, wave: Float32[Tensor, "N samples"]) -> Float32[Tensor, "N 26"]:
        """Of audio windows in [-1, 1]."""
        parts = wave.unfold(1, self.fft, self.hop) * self.window
        return torch.log10(torch.fft.rfft(parts).abs() @ self.banks + 1e-3).mean(1)


class Raw(nn.Module):
    """The 640 samples of a frame themselves."""

    samples = bands = 640

    def forward(self, wave: Float[Tensor, "N 640"]) -> Float[Tensor, "N 640"]:
        """As they are."""
        return wave


FRONTENDS = {"fft": Frequencies, "raw": Raw}
"""By the setting ``sound``."""

LOUDNESS, LARGEST_GAIN = 0.1, 30.0
"""Root mean square that the loud frames of a clip get, and the largest gain (ours): silence stays silent."""


def levelled(windows: Float32[Tensor, "B T samples"]) -> Float32[Tensor, "B T samples"]:
    """Clips of equal loudness: that of the frame which one in twenty is louder than.

    Args:
        windows: of sound in [-1, 1], one per frame.

    Example:
        >>> import torch
        >>> loud = torch.full((1, 4, 8), 0.5)
        >>> torch.allclose(levelled(loud), levelled(loud / 10))
        True
    """
    loudness = windows.square().mean(2).sqrt().quantile(0.95, dim=1)
    return windows * (LOUDNESS / loudness).clamp_max(LARGEST_GAIN)[:, None, None]
