"""LPIPS, the learned perceptual distance (Zhang et al., CVPR 2018), with the heads of the package ``lpips``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float64, Num
from torch import Tensor, nn

from zoo.evaluation.metrics.backbones import backbone_weights
from zoo.evaluation.metrics.pairs import PairMetric, require_pair
from zoo.support.errors import DataError, ZooError

Net = Literal["alex", "vgg", "squeeze"]

NETWORKS: Mapping[str, str] = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
"""What torchvision calls them."""

BATCH = 25
"""Frames that go through the network at once."""


def lpips(
    pred: Num[Tensor | np.ndarray, "T 3 H W"],
    target: Num[Tensor | np.ndarray, "T 3 H W"],
    *,
    net: Net = "alex",
    backbone: str | os.PathLike[str] | None = None,
) -> Float64[Tensor, " T"]:
    """Learned perceptual distance, frame by frame: weighted distances between the features of two pictures.

    Args:
        pred: generated frames, RGB, 0..255; float32 inside. At least 64 pixels a side are sensible.
        target: real frames.
        net: whose features: ``alex`` (the authors' default), ``vgg`` or ``squeeze``; heads of version 0.1.
        backbone: file of torchvision's ImageNet state dict of it; None takes it from torchvision's cache. Nothing is
            downloaded.

    Returns:
        0 or more, lower is better; 0 for identical pictures. All black against all white (64x64, ``alex``) is 0.8140.

    Raises:
        ZooError: the package ``lpips`` is not installed, or there are no such weights.
        ValueError: an unknown net, shapes that differ, or values that are no grey levels 0..255.

    Example:
        >>> lpips(made, real, backbone="alexnet-owt-7be5be79.pth").mean()  # doctest: +SKIP
        tensor(0.1234, dtype=torch.float64)
    """
    _require_net(net)
    pictures, real = require_pair(pred, target, "lpips")
    network = load_lpips(net, None if backbone is None else str(backbone)).to(pictures.device)
    values = []
    # In full precision, whatever the surrounding training loop prefers.
    with torch.no_grad(), torch.autocast(pictures.device.type, enabled=False):
        for a, b in zip(_batches(pictures), _batches(real), strict=True):
            scaled = (pixels.float() / 127.5 - 1 for pixels in (a, b.to(a.device)))
            values.append(network(*scaled).flatten().double().cpu())
    return torch.cat(values) if values else torch.zeros(0, dtype=torch.float64)


def _batches(pictures: Tensor) -> list[Tensor]:
    return [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]


def _require_net(net: str) -> None:
    if net not in get_args(Net):
        raise ValueError(f"lpips: net must be one of {', '.join(get_args(Net))}; got {net!r}")


@lru_cache(maxsize=3)
def load_lpips(net: Net, backbone: str | None = None) -> nn.Module:
    """The network of the package ``lpips``, which takes RGB in [-1, 1], with the backbone of :func:`lpips`.

    Raises:
        ZooError: the package ``lpips`` is not installed, or there are no such weights.
    """
    try:
        import lpips as package
    except ImportError as error:
        raise ZooError("lpips: needs the package lpips: pip install lpips") from error
    weights = backbone_weights(NETWORKS[net], backbone, metric="lpips")
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):  # it draws weights that are replaced below
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        network: nn.Module = package.LPIPS(net=net, pnet_rand=True, verbose=False)
    trunk: nn.Module = network.get_submodule("net")
    try:  # its layers are those of torchvision in slices: slice2.3.weight is features.3.weight
        trunk.load_state_dict({key: weights["features." + key.split(".", 1)[1]] for key in trunk.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise DataError(f"lpips: {backbone or 'the file in the cache'} holds no weights of {NETWORKS[net]}") from error
    return network.eval()


class LPIPS(PairMetric):
    """Mean of :func:`lpips` over the frames of a clip, and of that over clips; ``observe`` compares RGB face crops.

    Args:
        net: see :func:`lpips`.
        backbone: see :func:`lpips`; its name goes into the signature where it is given.
    """

    name = "lpips"
    higher_is_better = False
    colour = True

    def __init__(self, net: Net = "alex", backbone: str | os.PathLike[str] | None = None) -> None:
        _require_net(net)
        named = {} if backbone is None else {"backbone": Path(backbone).name}
        super().__init__(net=net, version="0.1", **named)
        self.net, self.backbone = net, backbone

    def statistics(self, pred: Tensor, target: Tensor) -> tuple[float, ...]:
        """Sum over frames and how many."""
        return float(lpips(pred, target, net=self.net, backbone=self.backbone).sum()), float(len(pred))
