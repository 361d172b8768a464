"""Front ends that turn sound into features inside the method, so that training and inference cannot differ."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks
from torchaudio.transforms import MelSpectrogram


def _pre_emphasis(wave: Float32[Tensor, "*batch S"], coefficient: float) -> Float32[Tensor, "*batch S"]:
    return torch.cat([wave[..., :1], wave[..., 1:] - coefficient * wave[..., :-1]], dim=-1)


class Mel(nn.Module):
    """Log-mel spectrogram of LipGAN's Python code and of Wav2Lip.

    16 kHz, windows of 800 samples (50 ms, periodic Hann), hop 200 (12.5 ms), 80 Slaney mels from 55 to 7600 Hz on
    magnitudes, pre-emphasis 0.97, ``20 log10`` with a floor of 1e-5, reference 20 dB,
    -100..0 dB mapped to -4..4 and clipped.
    Every column rests on real samples: there is no padding inside.

    Args:
        columns: number of columns ``L``.
    """

    window, hop, bands = 800, 200, 80

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.samples = self.window + self.hop * (columns - 1)
        self.spectrogram = MelSpectrogram(
            sample_rate=16_000,
            n_fft=self.window,
            hop_length=self.hop,
            f_min=55.0,
            f_max=7600.0,
            n_mels=self.bands,
            power=1.0,
            center=False,
            norm="slaney",
            mel_scale="slaney",
        )

    def forward(self, wave: Float32[Tensor, "batch samples"]) -> Float32[Tensor, "batch 1 80 L"]:
        """Features of windows of ``self.samples`` samples in [-1, 1].

        Returns:
            ``(batch, 1, 80, L)`` in [-4, 4], low bands first.
        """
        magnitude = self.spectrogram(_pre_emphasis(wave.float(), 0.97))
        decibel = 20 * torch.log10(magnitude.clamp(min=1e-5)) - 20
        return (8 * (decibel + 100) / 100 - 4).clamp(-4, 4)[:, None]


class Mfcc(nn.Module):
    """HTK-style MFCC of LipGAN's MATLAB code and of Speech2Vid.

    16 kHz, 25 ms Hamming windows every 10 ms, pre-emphasis 0.97, 40 triangular HTK-mel filters from 300 to 3700 Hz on
    magnitudes, natural logarithm, DCT-II, lifter 22, coefficients 1 to 12 (C0 dropped).

    Args:
        columns: number of columns ``L``.
    """

    window, hop, fft, filters, coefficients, lifter = 400, 160, 512, 40, 12, 22

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.samples = self.window + self.hop * (columns - 1)
        banks = melscale_fbanks(self.fft // 2 + 1, 300.0, 3700.0, self.filters, 16_000, norm=None, mel_scale="htk")
        order = torch.arange(1, self.coefficients + 1)[:, None]
        centres = torch.arange(self.filters) + 0.5
        dct = math.sqrt(2 / self.filters) * torch.cos(math.pi / self.filters * order * centres)
        lift = 1 + self.lifter / 2 * torch.sin(math.pi * order / self.lifter)
        self.register_buffer("banks", banks, persistent=False)
        self.register_buffer("dct", dct * lift, persistent=False)
        self.register_buffer("hamming", torch.hamming_window(self.window, periodic=False), persistent=False)

    banks: Tensor
    dct: Tensor
    hamming: Tensor

    def forward(self, wave: Float32[Tensor, "batch samples"]) -> Float32[Tensor, "batch 1 12 L"]:
        """Features of windows of ``self.samples`` samples in [-1, 1]; natural-log units, lifted.

        Returns:
            ``(batch, 1, 12, L)``, coefficient 1 first.
        """
        pieces = _pre_emphasis(wave.float(), 0.97).unfold(-1, self.window, self.hop) * self.hamming
        magnitude = torch.fft.rfft(pieces, n=self.fft).abs()
        logs = (magnitude @ self.banks).clamp(min=1e-6).log()
        return (logs @ self.dct.mT).mT[:, None]
