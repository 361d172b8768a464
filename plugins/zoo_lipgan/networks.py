"""LipGAN's generator and discriminator as plain modules."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.methods.nn.blocks import ConvBlock, Pair, Residual, UpBlock, scaled
from zoo.methods.nn.frontend import Mel, Mfcc

SIZE = 96
"""Height and width of LipGAN's faces in pixels."""

FRONTENDS: dict[str, tuple[type[Mel] | type[Mfcc], int]] = {"mel": (Mel, 27), "mfcc": (Mfcc, 35)}
"""The two published front ends and their columns: 80x27 log-mel and 12x35 MFCC, about 350 ms each."""


def _stage(cin: int, cout: int, residuals: int, kernel: Pair = 3, stride: Pair = 1) -> nn.Sequential:
    return nn.Sequential(ConvBlock(cin, cout, kernel, stride), *[Residual(cout) for _ in range(residuals)])


def audio_encoder(frontend: str, width: float) -> nn.Sequential:
    """Features ``(batch, 1, 80, 27)`` or ``(batch, 1, 12, 35)`` to ``(batch, 512 * width, 1, 1)``."""
    c = [scaled(n, width, least=8) for n in (32, 64, 128, 256, 512)]
    if frontend == "mel":
        stages: list[nn.Module] = [
            _stage(1, c[0], 2),
            _stage(c[0], c[1], 2, stride=3),
            _stage(c[1], c[2], 2, stride=(3, 1)),
            _stage(c[2], c[3], 2, stride=3),
            ConvBlock(c[3], c[4], 3, padding=0),
        ]
    else:
        stages = [
            _stage(1, c[2], 3),
            nn.ZeroPad2d((0, 0, 1, 0)),
            _stage(c[2], c[3], 2, stride=(1, 2)),
            _stage(c[3], c[4], 2, stride=2),
            _stage(c[4], c[4], 1, stride=2),
            ConvBlock(c[4], c[4], (4, 5), padding=0),
        ]
    return nn.Sequential(*stages, ConvBlock(c[4], c[4], 1))


class Generator(nn.Module):
    """Face encoder, audio encoder and a decoder with six skip connections (residual variant).

    Args:
        frontend: ``mel`` or ``mfcc``.
        width: factor on the channel counts.
    """

    def __init__(self, frontend: str = "mel", width: float = 1.0) -> None:
        super().__init__()
        c = {n: scaled(n, width, least=8) for n in (16, 32, 64, 128, 256, 512)}
        self.face_encoder = nn.ModuleList(
            [
                _stage(6, c[32], 0, kernel=7),
                _stage(c[32], c[64], 2, kernel=5, stride=2),
                _stage(c[64], c[128], 3, stride=2),
                _stage(c[128], c[256], 2, stride=2),
                _stage(c[256], c[512], 2, stride=2),
                _stage(c[512], c[512], 0, stride=2),
                nn.Sequential(ConvBlock(c[512], c[512], 3, padding=0), ConvBlock(c[512], c[512], 1)),
            ]
        )
        self.audio_encoder = audio_encoder(frontend, width)
        # Output channels, residual blocks and growth of each step up; its skip doubles the channels for the next one.
        steps = [(512, 0, 3), (512, 2, 2), (256, 2, 2), (128, 2, 2), (64, 2, 2), (32, 0, 2)]
        self.decoder = nn.ModuleList()
        cin = 2 * c[512]
        for channels, residuals, stride in steps:
            cout = c[channels]
            self.decoder.append(nn.Sequential(UpBlock(cin, cout, stride), *[Residual(cout) for _ in range(residuals)]))
            cin = 2 * cout
        self.output = nn.Sequential(
            ConvBlock(cin, c[16]), ConvBlock(c[16], c[16]), nn.Conv2d(c[16], 3, 1), nn.Sigmoid()
        )

    def forward(
        self, faces: Float[Tensor, "batch 6 96 96"], features: Float[Tensor, "batch 1 bands columns"]
    ) -> Float[Tensor, "batch 3 96 96"]:
        """Draw one frame.

        Args:
            faces: RGB in [0, 1]: the reference, then the target with its lower half black (the code's order).
            features: of :data:`FRONTENDS`.

        Returns:
            RGB in [0, 1].
        """
        skips, x = [], faces
        for stage in self.face_encoder:
            x = stage(x)
            skips.append(x)
        x = torch.cat([skips.pop(), self.audio_encoder(features)], dim=1)
        for stage in self.decoder:
            x = torch.cat([stage(x), skips.pop()], dim=1)
        return self.output(x)


class _NormBlock(nn.Sequential):
    """Convolution, instance normalisation where there is more than one position, LeakyReLU 0.2."""

    def __init__(self, cin: int, cout: int, kernel: Pair, stride: Pair, padding: Pair, norm: bool = True) -> None:
        layers: list[nn.Module] = [nn.Conv2d(cin, cout, kernel, stride, padding)]
        if norm:
            layers.append(nn.InstanceNorm2d(cout, affine=True))
        super().__init__(*layers, nn.LeakyReLU(0.2))


class Discriminator(nn.Module):
    """A face stream and a sound stream; their distance tells how far the mouth is from the sound.

    Args:
        frontend: ``mel`` or ``mfcc``.
        width: factor on the channel counts.
    """

    def __init__(self, frontend: str = "mel", width: float = 1.0) -> None:
        super().__init__()
        c = {n: scaled(n, width, least=8) for n in (32, 64, 128, 256, 512)}
        self.face = nn.Sequential(
            _NormBlock(3, c[64], 7, 2, 3),
            _NormBlock(c[64], c[128], 5, 2, 2),
            _NormBlock(c[128], c[256], 3, 2, 1),
            _NormBlock(c[256], c[512], 3, 2, 1),
            _NormBlock(c[512], c[512], 3, 2, 1),
            nn.Conv2d(c[512], c[512], 3),
        )
        if frontend == "mel":
            sound: list[nn.Module] = [
                _NormBlock(1, c[32], 3, 1, 1),
                _NormBlock(c[32], c[64], 3, 3, 1),
                _NormBlock(c[64], c[128], 3, (3, 1), 1),
                _NormBlock(c[128], c[256], 3, 3, 1),
                _NormBlock(c[256], c[512], 3, 1, 0, norm=False),
            ]
        else:
            sound = [
                _NormBlock(1, c[64], 3, 1, 1),
                _NormBlock(c[64], c[128], 3, 1, 1),
                nn.ZeroPad2d((0, 0, 1, 0)),
                _NormBlock(c[128], c[256], 3, (1, 2), 1),
                _NormBlock(c[256], c[256], 3, 1, 1),
                _NormBlock(c[256], c[256], 3, 2, 1),
                _NormBlock(c[256], c[512], 3, 2, 1),
                _NormBlock(c[512], c[512], (4, 5), 1, 0, norm=False),
            ]
        self.sound = nn.Sequential(*sound, nn.Conv2d(c[512], c[512], 1))

    def forward(
        self, frames: Float[Tensor, "batch 3 96 96"], features: Float[Tensor, "batch 1 bands columns"]
    ) -> Float[Tensor, " batch"]:
        """Euclidean distance, 0 to 2, between the unit embeddings of faces (RGB in [0, 1]) and sounds; in float32."""
        face = F.normalize(self.face(frames).flatten(1).float())
        sound = F.normalize(self.sound(features).flatten(1).float())
        return (face - sound).square().sum(1).clamp(min=1e-12).sqrt()
