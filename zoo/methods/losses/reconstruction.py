"""Pixel losses."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.media.clip import MOUTH

LIP_MARGIN = 0.25
"""How far the lip region reaches beyond the outermost lip points, in mouth widths."""


def lip_weights(
    landmarks: Float[Tensor, "batch 68 2"], size: tuple[int, int], weight: float
) -> Float[Tensor, "batch 1 H W"]:
    """``weight`` inside the box around the lip points and 1 elsewhere (LipGAN project page, "Weighted L1").

    Args:
        landmarks: pixels of the crop.
        size: height and width of the crop.
        weight: alpha, at least 1.
    """
    lips = landmarks[:, MOUTH]
    low, high = lips.amin(1), lips.amax(1)
    margin = LIP_MARGIN * (high - low)[:, :1]
    low, high = low - margin, high + margin
    ys = torch.arange(size[0], device=lips.device).view(1, -1, 1)
    xs = torch.arange(size[1], device=lips.device).view(1, 1, -1)
    rows = (ys >= low[:, 1, None, None]) & (ys <= high[:, 1, None, None])
    columns = (xs >= low[:, 0, None, None]) & (xs <= high[:, 0, None, None])
    return torch.where(rows & columns, weight, 1.0)[:, None]


def weighted_l1(
    pred: Float[Tensor, "batch 3 H W"], target: Float[Tensor, "batch 3 H W"], weights: Float[Tensor, "batch 1 H W"]
) -> Float[Tensor, ""]:
    """Mean absolute difference times ``weights``; with weights of 1 the plain L1 (mean absolute error)."""
    return ((pred - target).abs() * weights).mean()
