"""Weights of torchvision networks that metrics look through: from a file of the user's, and never downloaded."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor
from torchvision import models

from zoo.support.checkpoint import Unreadable, read_tensors
from zoo.support.errors import DataError


def backbone_weights(network: str, path: str | os.PathLike[str] | None, *, metric: str) -> dict[str, Tensor]:
    """The ImageNet weights of a torchvision network.

    Args:
        network: its name in torchvision, such as ``alexnet``.
        path: a file of its state dict; None is the one that torchvision keeps in its cache.
        metric: who needs it, for messages.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    url = models.get_model_weights(network)["IMAGENET1K_V1"].url  # type: ignore[attr-defined]
    file = Path(path) if path is not None else Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)
    if not file.is_file():
        raise DataError(f"{metric}: no {network} weights in {file}: download {url} to there")
    try:
        found = read_tensors(file)
    except Unreadable as error:
        raise DataError(f"{metric}: {file} is not a file of PyTorch weights: download {url} again") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise DataError(f"{metric}: {file} is not a state dict of {network}: download {url}")
    return found
