"""Networks that are trained faster, with the same results within rounding."""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

BF16: Final = "bf16-mixed"
"""Lightning's precision of fast runs: weights in single precision, convolutions and products in bfloat16."""


def is_planar(network: nn.Module) -> bool:
    """Whether a network has weights, and none for three dimensions: then it can be laid out channels-last."""
    solid = (nn.Conv3d, nn.ConvTranspose3d)
    return any(True for _ in network.parameters()) and not any(isinstance(part, solid) for part in network.modules())


def speed_up(module: nn.Module) -> None:
    """Lay the networks of a method out channels-last, and compile each when it is first run.

    A network that is run through methods of its own, such as ``encode`` and ``draw``, is compiled part by part.
    Everything happens in place: parameters, their names and optimisers stay as they are.

    Args:
        module: its direct children are the networks.
    """
    for network in module.children():
        if not any(True for _ in network.parameters()):
            continue
        if is_planar(network):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for part in (network, *network.children()):
            part.compile()  # costs nothing where it is never called, or called from within a compiled one
