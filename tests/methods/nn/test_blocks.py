"""Blocks of the convolutional networks."""

import pytest
import torch

from zoo.methods.nn.blocks import ConvResidual, scaled


@pytest.mark.parametrize(
    ("channels", "width", "least", "expected"),
    [(512, 1.0, 16, 512), (512, 0.25, 16, 128), (32, 0.25, 16, 16), (32, 0.25, 8, 8), (96, 0.3, 8, 29)],
)
def test_scaled(channels: int, width: float, least: int, expected: int):
    assert scaled(channels, width, least=least) == expected


def test_conv_residual_is_relu_of_normalised_convolution_plus_input():
    torch.manual_seed(0)
    block = ConvResidual(4).eval()
    conv, norm = block.body
    norm.running_mean += 0.3
    norm.running_var *= 2
    x = torch.randn(2, 4, 5, 6)
    before = x.clone()
    y = (conv(x) - 0.3) / torch.sqrt(torch.tensor(2 + norm.eps)) + x
    assert torch.allclose(block(x), y.clamp(min=0), atol=1e-5)
    assert torch.equal(x, before)  # the input is needed again: nothing in place
    assert sum(p.numel() for p in block.parameters()) == 4 * 4 * 9 + 4 + 8
