"""NewGan's discriminator: a plain module that knows nothing of training."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo_new_method.networks import SIZE


class Discriminator(nn.Module):
    """Strided convolutions over a frame and the still of the same speaker.

    Args:
        width: channels of the first layer; each further one has twice as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [6, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = []
        for cin, cout in pairwise(channels):
            layers += [nn.Conv2d(cin, cout, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * (SIZE // 16) ** 2, 1))

    def forward(
        self, frame: Float[Tensor, "batch 3 64 64"], still: Float[Tensor, "batch 3 64 64"]
    ) -> Float[Tensor, " batch"]:
        """Logits that a frame is real, in float32.

        Args:
            frame: real or generated, RGB in [0, 1].
            still: another frame of the speaker, RGB in [0, 1].
        """
        return self.body(2 * torch.cat([frame, still], dim=1) - 1).float().squeeze(1)
