"""SSIM, the structural similarity (Wang et al., "Image Quality Assessment", IEEE TIP 13(4), 2004)."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float64, Num
from torch import Tensor

from zoo.evaluation.metrics.pairs import PairMetric, require_pair

Variant = Literal["wang", "uniform7"]

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""The constants that steady the two ratios (section III-B)."""


def ssim(
    pred: Num[Tensor | np.ndarray, "T H W"],
    target: Num[Tensor | np.ndarray, "T H W"],
    *,
    variant: Variant = "wang",
) -> Float64[Tensor, " T"]:
    """Structural similarity of grey pictures, frame by frame: the mean over all windows that lie inside of

    ``(2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2))``.

    Args:
        pred: generated frames, grey levels 0..255.
        target: real frames.
        variant: ``wang`` weighs 11x11 pixels by a Gaussian of sigma 1.5 (the paper). ``uniform7`` is scikit-image's
            default, 7x7 equal weights and sample covariance (Chen et al. 2018 and most toolkits).

    Returns:
        -1..1, higher is better; 1 for identical pictures.

    Raises:
        ValueError: an unknown variant, shapes that differ, pictures smaller than the window, or values that are no grey
            levels 0..255.

    Example:
        >>> ssim(torch.full((1, 16, 16), 100.0), torch.full((1, 16, 16), 150.0)).item()
        0.9230923105307931
    """
    _require_variant(variant)
    pictures, real = require_pair(pred, target, "ssim")
    weights = _weights(variant)
    if min(pictures.shape[1:]) < len(weights):
        size = f"{pictures.shape[2]}x{pictures.shape[1]}"
        raise ValueError(f"ssim: {variant} needs pictures of at least {len(weights)} pixels a side, got {size}")
    # Frame by frame: what is worked on stays in the processor's cache.
    values = [_mean_ssim(a.double(), b.double(), weights) for a, b in zip(pictures, real, strict=True)]
    return torch.stack(values) if values else torch.zeros(0, dtype=torch.float64)


def _require_variant(variant: str) -> None:
    if variant not in get_args(Variant):
        raise ValueError(f"ssim: variant must be one of {', '.join(get_args(Variant))}; got {variant!r}")


def _weights(variant: Variant) -> list[float]:
    if variant == "uniform7":
        return [1 / 7] * 7
    gauss = torch.exp(-(torch.arange(-5, 6, dtype=torch.float64) ** 2) / (2 * 1.5**2))
    return [float(weight) for weight in gauss / gauss.sum()]


def _mean_ssim(x: Tensor, y: Tensor, weights: list[float]) -> Tensor:
    # The sum and the difference of two pictures hold all that is needed in four filters instead of five.
    plus, minus = x + y, x - y
    mean_plus, mean_minus = _filtered(plus, weights), _filtered(minus, weights)
    square_plus, square_minus = _filtered(plus * plus, weights), _filtered(minus * minus, weights)
    means_plus, means_minus = mean_plus * mean_plus, mean_minus * mean_minus
    sample = 49 / 48 if len(weights) == 7 else 1.0  # uniform7 divides the covariances by n - 1
    variance_plus, variance_minus = (square_plus - means_plus) * sample, (square_minus - means_minus) * sample
    # With p = x + y and m = x - y: 2 xy = (pp - mm) / 2 and xx + yy = (pp + mm) / 2.
    above = ((means_plus - means_minus) / 2 + C1) * ((variance_plus - variance_minus) / 2 + C2)
    below = ((means_plus + means_minus) / 2 + C1) * ((variance_plus + variance_minus) / 2 + C2)
    return (above / below).mean()


def _filtered(picture: Tensor, weights: list[float]) -> Tensor:
    """Down the columns and along the rows, where the window fits."""
    for dim in (0, 1):
        length = picture.shape[dim] - len(weights) + 1
        total = picture.narrow(dim, 0, length) * weights[0]
        for i, weight in enumerate(weights[1:], start=1):
            total.add_(picture.narrow(dim, i, length), alpha=weight)
        picture = total
    return picture


class SSIM(PairMetric):
    """Mean of :func:`ssim` over the frames of a clip, and of that over clips; ``observe`` compares grey face crops.

    Args:
        variant: see :func:`ssim`.
    """

    name = "ssim"
    higher_is_better = True

    def __init__(self, variant: Variant = "wang") -> None:
        _require_variant(variant)
        super().__init__(variant=variant)
        self.variant = variant

    def statistics(self, pred: Tensor, target: Tensor) -> tuple[float, ...]:
        """Sum over frames and how many."""
        return float(ssim(pred, target, variant=self.variant).sum()), float(len(pred))
