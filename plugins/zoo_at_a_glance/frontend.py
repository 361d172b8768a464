"""The log-mel front end of At a Glance: 64 columns of 128 bands for 0.64 s."""

from __future__ import annotations

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

FRAMES = 16
"""Frames per window (Sec. 5.1)."""

COLUMNS = 64
"""Columns of the spectrogram per window, four to a frame (Sec. 5.1)."""


class LogMel(nn.Module):
    """Logarithm of a power mel spectrogram, ``(time, mel)``.

    16 kHz, Hann windows of 372 samples (23.2 ms: the published 1024 at 44.1 kHz) every 160 (10 ms), so that each frame
    has four columns, the first 5 ms after it appears; 128 Slaney mels from 0 to 8000 Hz; natural logarithm on the scale
    of 16-bit samples with a floor of 1, divided by 10, less 1.
    Every column rests on real samples: there is no padding inside.
    """

    window, hop, fft, bands = 372, 160, 1024, 128

    banks: Tensor
    hann: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.samples = self.window + self.hop * (COLUMNS - 1)
        banks = melscale_fbanks(
            self.fft // 2 + 1, 0.0, 8000.0, self.bands, 16_000, norm="slaney", mel_scale="slaney"
        )  # fmt: skip
        self.register_buffer("banks", banks, persistent=False)
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)

    @property
    def context(self) -> int:
        """Samples that one frame hears: its own 640 and what the outer windows reach beyond."""
        return self.samples - self.hop * COLUMNS + self.hop * COLUMNS // FRAMES

    def forward(self, wave: Float32[Tensor, "batch samples"]) -> Float32[Tensor, "batch 1 64 128"]:
        """Features of windows of ``self.samples`` samples in [-1, 1].

        Returns:
            Time by mel, about -1 (silence) to 1.3 (a loud vowel), low bands first.
        """
        pieces = (32768 * wave.float()).unfold(-1, self.window, self.hop) * self.hann
        power = torch.fft.rfft(pieces, n=self.fft).abs().square()
        return ((power @ self.banks).clamp(min=1).log() / 10 - 1)[:, None]
