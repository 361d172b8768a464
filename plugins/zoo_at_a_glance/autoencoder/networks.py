"""The mouth autoencoder as a plain module."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from zoo_at_a_glance.networks import Residual, channels, conv2d


class Autoencoder(nn.Module):
    """Frame by frame: three convolutions, six residual blocks (the encoder), and back (Sec. 4.1; sizes: code).

    Args:
        width: factor on the channel counts.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        c = [channels(n, width) for n in (64, 128, 256)]
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            conv2d(3, c[0], 7, padding=0),
            conv2d(c[0], c[1], stride=2),
            conv2d(c[1], c[2], stride=2),
            *[Residual(c[2]) for _ in range(6)],
        )
        self.decoder = nn.Sequential(
            _up(c[2], c[1]), _up(c[1], c[0]), nn.ReflectionPad2d(3), nn.Conv2d(c[0], 3, 7), nn.Tanh()
        )

    def forward(self, pictures: Float[Tensor, "batch 3 64 64"]) -> Float[Tensor, "batch 3 64 64"]:
        """The pictures again, through the encoder's ``(256 * width, 16, 16)``; RGB in [-1, 1]."""
        return self.decoder(self.encoder(pictures))

    def features(self, video: Float[Tensor, "B T 3 64 64"]) -> Float[Tensor, "B T C 16 16"]:
        """What the perceptual loss compares; RGB in [-1, 1]."""
        return self.encoder(video.flatten(0, 1)).unflatten(0, video.shape[:2])


def _up(cin: int, cout: int) -> nn.Sequential:
    up = nn.ConvTranspose2d(cin, cout, 3, 2, padding=1, output_padding=1, bias=False)
    return nn.Sequential(up, nn.BatchNorm2d(cout), nn.ReLU(inplace=True))
