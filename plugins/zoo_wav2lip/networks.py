"""Wav2Lip's generator and visual-quality discriminator as plain modules."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.methods.nn.blocks import ConvBlock, ConvResidual, Pair, UpBlock, scaled

SIZE = 96
"""Height and width of Wav2Lip's faces in pixels."""

COLUMNS = 16
"""Columns of mel of an audio window: 0.2 s."""

LEAKY = 0.01
"""Slope of the discriminator's LeakyReLU (code)."""


def _stage(cin: int, cout: int, residuals: int, kernel: Pair = 3, stride: Pair = 1) -> nn.Sequential:
    return nn.Sequential(ConvBlock(cin, cout, kernel, stride), *[ConvResidual(cout) for _ in range(residuals)])


class Generator(nn.Module):
    """Face encoder, audio encoder and a decoder with a skip connection at each of seven sizes.

    At ``width=1`` it has the published 36,298,035 parameters in 352 tensors.

    Args:
        width: factor on the channel counts.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        c = {n: scaled(n, width, least=8) for n in (16, 32, 64, 128, 256, 384, 512)}
        self.face_encoder = nn.ModuleList(
            [
                _stage(6, c[16], 0, kernel=7),
                _stage(c[16], c[32], 2, stride=2),
                _stage(c[32], c[64], 3, stride=2),
                _stage(c[64], c[128], 2, stride=2),
                _stage(c[128], c[256], 2, stride=2),
                _stage(c[256], c[512], 1, stride=2),
                nn.Sequential(ConvBlock(c[512], c[512], 3, padding=0), ConvBlock(c[512], c[512], 1)),
            ]
        )
        self.audio_encoder = nn.Sequential(
            *_stage(1, c[32], 2),
            *_stage(c[32], c[64], 2, stride=(3, 1)),
            *_stage(c[64], c[128], 2, stride=3),
            *_stage(c[128], c[256], 1, stride=(3, 2)),
            ConvBlock(c[256], c[512], 3, padding=0),
            ConvBlock(c[512], c[512], 1),
        )
        # Output channels, residual blocks and growth of each step up; what it gives is joined with a skip.
        steps = [(512, 1, 1), (512, 2, 2), (384, 2, 2), (256, 2, 2), (128, 2, 2), (64, 2, 2)]
        skips = [c[n] for n in (512, 512, 256, 128, 64, 32, 16)]
        self.decoder = nn.ModuleList([ConvBlock(c[512], c[512], 1)])
        cin = c[512] + skips[0]
        for (channels, residuals, stride), skip in zip(steps, skips[1:], strict=True):
            cout = c[channels]
            up = nn.Sequential(UpBlock(cin, cout, stride), *[ConvResidual(cout) for _ in range(residuals)])
            self.decoder.append(up)
            cin = cout + skip
        self.output = nn.Sequential(ConvBlock(cin, c[32]), nn.Conv2d(c[32], 3, 1), nn.Sigmoid())

    def forward(
        self, faces: Float[Tensor, "batch 6 96 96"], mel: Float[Tensor, "batch 1 80 16"]
    ) -> Float[Tensor, "batch 3 96 96"]:
        """Draw one frame each.

        Args:
            faces: RGB in [0, 1]: the target with its lower half black, then the reference (the code's order).
            mel: log-mel of 0.2 s (:class:`zoo.methods.nn.frontend.Mel`).

        Returns:
            RGB in [0, 1].
        """
        skips, x = [], faces
        for stage in self.face_encoder:
            x = stage(x)
            skips.append(x)
        x = self.audio_encoder(mel)
        for stage in self.decoder:
            x = torch.cat([stage(x), skips.pop()], dim=1)
        return self.output(x)


class QualityDiscriminator(nn.Module):
    """Is this lower half of a face a photo? It knows nothing of the sound.

    At ``width=1`` it has the published 14,113,793 parameters in 28 tensors.

    Args:
        width: factor on the channel counts.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        c = [scaled(n, width, least=8) for n in (32, 64, 128, 256, 512)]
        shapes: list[tuple[int, int, int, Pair, int]] = [
            (3, c[0], 7, 1, 3),
            (c[0], c[1], 5, (1, 2), 2),
            (c[1], c[1], 5, 1, 2),
            (c[1], c[2], 5, 2, 2),
            (c[2], c[2], 5, 1, 2),
            (c[2], c[3], 5, 2, 2),
            (c[3], c[3], 5, 1, 2),
            (c[3], c[4], 3, 2, 1),
            (c[4], c[4], 3, 1, 1),
            (c[4], c[4], 3, 2, 1),
            (c[4], c[4], 3, 1, 1),
            (c[4], c[4], 3, 1, 0),
            (c[4], c[4], 1, 1, 0),
        ]
        layers = [nn.Sequential(nn.Conv2d(*shape), nn.LeakyReLU(LEAKY)) for shape in shapes]
        self.face_encoder = nn.Sequential(*layers)
        self.verdict = nn.Conv2d(c[4], 1, 1)

    def forward(self, lower: Float[Tensor, "batch 3 48 96"]) -> Float[Tensor, " batch"]:
        """Logits that lower halves (RGB in [0, 1]) are real; the published sigmoid is part of the loss here."""
        return self.verdict(self.face_encoder(lower)).flatten()


def lower_half(faces: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 h W"]:
    """What the discriminator sees of faces."""
    return faces[..., faces.shape[-2] // 2 :, :]
