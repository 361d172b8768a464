"""The two encoders of Wav2Lip's sync expert as plain modules."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.methods.nn.blocks import ConvBlock, ConvResidual, scaled

FRAMES = 5
"""Frames per window."""

COLUMNS = 16
"""Columns of mel per window: 0.2 s."""


def face_encoder(width: float) -> nn.Sequential:
    """``(batch, 15, 48, 96)`` to ``(batch, 512 * width, 1, 1)``."""
    c = [scaled(n, width, least=8) for n in (32, 64, 128, 256, 512)]
    return nn.Sequential(
        ConvBlock(3 * FRAMES, c[0], 7),
        ConvBlock(c[0], c[1], 5, (1, 2), padding=1),
        *[ConvResidual(c[1]) for _ in range(2)],
        ConvBlock(c[1], c[2], 3, 2),
        *[ConvResidual(c[2]) for _ in range(3)],
        ConvBlock(c[2], c[3], 3, 2),
        *[ConvResidual(c[3]) for _ in range(2)],
        ConvBlock(c[3], c[4], 3, 2),
        *[ConvResidual(c[4]) for _ in range(2)],
        ConvBlock(c[4], c[4], 3, 2),
        ConvBlock(c[4], c[4], 3, padding=0),
        ConvBlock(c[4], c[4], 1),
    )


def sound_encoder(width: float) -> nn.Sequential:
    """``(batch, 1, 80, 16)`` to ``(batch, 512 * width, 1, 1)``."""
    c = [scaled(n, width, least=8) for n in (32, 64, 128, 256, 512)]
    return nn.Sequential(
        ConvBlock(1, c[0]),
        *[ConvResidual(c[0]) for _ in range(2)],
        ConvBlock(c[0], c[1], 3, (3, 1)),
        *[ConvResidual(c[1]) for _ in range(2)],
        ConvBlock(c[1], c[2], 3, 3),
        *[ConvResidual(c[2]) for _ in range(2)],
        ConvBlock(c[2], c[3], 3, (3, 2)),
        *[ConvResidual(c[3]) for _ in range(2)],
        ConvBlock(c[3], c[4], 3, padding=0),
        ConvBlock(c[4], c[4], 1),
    )


class SyncNetwork(nn.Module):
    """Both encoders. At ``width=1`` it has the published 16,435,072 parameters.

    Args:
        width: factor on the channel counts.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.dim = scaled(512, width, least=8)
        self.face_encoder = face_encoder(width)
        self.sound_encoder = sound_encoder(width)

    def embed_faces(self, faces: Float[Tensor, "batch 15 48 96"]) -> Float[Tensor, "batch D"]:
        """Lower halves of five 96x96 faces, RGB in [0, 1], frame by frame; unit float32 vectors, no entry negative."""
        return F.normalize(self.face_encoder(faces).flatten(1).float())

    def embed_sounds(self, mel: Float[Tensor, "batch 1 80 16"]) -> Float[Tensor, "batch D"]:
        """Log-mel of 0.2 s (:class:`zoo.methods.nn.frontend.Mel`); unit float32 vectors, no entry negative."""
        return F.normalize(self.sound_encoder(mel).flatten(1).float())
