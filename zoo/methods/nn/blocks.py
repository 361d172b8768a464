"""Convolution blocks of the LipGAN family (LipGAN, Wav2Lip)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

Pair = int | tuple[int, int]


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation, ReLU.

    Args:
        cin: input channels.
        cout: output channels.
        kernel: kernel size.
        stride: stride.
        padding: zeros on each side; ``None`` is half the kernel ("same" at stride 1).
    """

    def __init__(self, cin: int, cout: int, kernel: Pair = 3, stride: Pair = 1, padding: Pair | None = None) -> None:
        if padding is None:
            padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
        super().__init__(nn.Conv2d(cin, cout, kernel, stride, padding), nn.BatchNorm2d(cout), nn.ReLU(inplace=True))


def scaled(channels: int, width: float, *, least: int = 16) -> int:
    """A channel count of a published network, thinned by ``width``."""
    return max(least, round(channels * width))


class ConvResidual(nn.Module):
    """One 3x3 convolution with batch normalisation, the input added, ReLU (Wav2Lip)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.relu = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch C H W"]) -> Float[Tensor, "batch C H W"]:
        """Same shape out as in."""
        return self.relu(self.body(x) + x)


class UpBlock(nn.Sequential):
    """Transposed convolution that multiplies height and width by ``stride``, batch normalisation, ReLU."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        spare = stride - 1 if stride == 2 else 0
        padding = 1 if stride == 2 else 0
        up = nn.ConvTranspose2d(cin, cout, 3, stride, padding=padding, output_padding=spare)
        super().__init__(up, nn.BatchNorm2d(cout), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two convolution blocks, the input added, ReLU (LipGAN)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBlock(channels, channels), ConvBlock(channels, channels))
        self.relu = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch C H W"]) -> Float[Tensor, "batch C H W"]:
        """Same shape out as in."""
        return self.relu(self.body(x) + x)
