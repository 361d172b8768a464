"""NewMethod's network: a plain module that knows nothing of training."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from zoo.methods.nn.blocks import ConvBlock, ConvResidual, UpBlock

SIZE = 64
"""Height and width in pixels of the square around the lips."""

COLUMNS = 27
"""Columns of 12.5 ms of the log-mel around a frame: 375 ms."""


class Network(nn.Module):
    """Encoder and decoder with skips over the still; the sound enters where the picture is smallest.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        c = [width, 2 * width, 4 * width, 4 * width]
        self.face = nn.ModuleList(
            [
                ConvBlock(3, c[0], 5),
                ConvBlock(c[0], c[1], stride=2),
                ConvBlock(c[1], c[2], stride=2),
                ConvBlock(c[2], c[3], stride=2),
            ]
        )
        self.sound = nn.Sequential(
            ConvBlock(1, c[0], stride=(2, 1)),
            ConvBlock(c[0], c[1], stride=2),
            ConvBlock(c[1], c[2], stride=2),
            ConvBlock(c[2], c[3], stride=2),
            nn.Flatten(),
            nn.Linear(c[3] * 5 * 4, c[3]),
            nn.ReLU(),
        )
        self.mix = nn.Sequential(ConvBlock(2 * c[3], c[3]), ConvResidual(c[3]), ConvResidual(c[3]))
        self.up = nn.ModuleList(
            [UpBlock(c[3], c[2], 2), UpBlock(2 * c[2], c[1], 2), UpBlock(2 * c[1], c[0], 2)],
        )
        self.out = nn.Conv2d(2 * c[0], 4, 3, padding=1)

    def forward(
        self, still: Float[Tensor, "batch 3 64 64"], features: Float[Tensor, "batch 1 80 27"]
    ) -> Float[Tensor, "batch 3 64 64"]:
        """Draw one frame per still.

        Args:
            still: who is to talk, RGB in [0, 1].
            features: log-mel of the sound around the frame.

        Returns:
            RGB in [0, 1]: new colours where the network says that something moves, the still elsewhere.
        """
        skips, x = [], 2 * still - 1
        for stage in self.face:
            x = stage(x)
            skips.append(x)
        sound = self.sound(features)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = self.mix(torch.cat([x, sound], dim=1))
        skips.pop()
        for stage in self.up:
            x = torch.cat([stage(x), skips.pop()], dim=1)
        drawn = self.out(x).sigmoid()
        colours, moves = drawn[:, :3], drawn[:, 3:]
        return moves * colours + (1 - moves) * still
