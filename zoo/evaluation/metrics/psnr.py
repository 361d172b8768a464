"""PSNR, the peak signal-to-noise ratio, as it is defined and as published code of the field computes it."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float64, Num
from numpy.typing import NDArray
from torch import Tensor

from zoo.evaluation.metrics.pairs import PairMetric, require_pair

Variant = Literal["float", "video", "legacy-uint8"]

CEILING = 100.0
"""dB that identical pictures count as in a mean (the published code); one of 65536 pixels off by 1 gives 96.3 dB."""


def psnr(
    pred: Num[Tensor | np.ndarray, " T *picture"],
    target: Num[Tensor | np.ndarray, " T *picture"],
    *,
    variant: Variant = "float",
) -> Float64[Tensor, "*values"]:
    """Peak signal-to-noise ratio, ``10 log10(255^2 / MSE)``.

    Args:
        pred: generated frames ``(T, H, W)`` or ``(T, 3, H, W)``, 0..255.
        target: real frames.
        variant: ``float`` is one value per frame. ``video`` is one value from the mean squared error over the clip (the
            authors of speech-driven-animation). ``legacy-uint8`` is what ``np.mean((a - b) ** 2)`` of 8-bit pictures
            gives (Chen et al. 2018, ATVGnet, TalkLip): it is computed modulo 256, so that unrelated pictures score
            28 dB. It is of grey pictures: RGB is converted.

    Returns:
        dB, higher is better: ``(T,)``, or ``()`` for ``video``. Identical pictures give infinity, or 100 for
        ``legacy-uint8``.

    Raises:
        ValueError: an unknown variant, shapes that differ, or values that are no grey levels 0..255.

    Example:
        >>> psnr(torch.full((1, 8, 8), 100.0), torch.full((1, 8, 8), 110.0)).item()
        28.130803608679106
    """
    _require_variant(variant)
    pictures, real = require_pair(pred, target, "psnr")
    if variant == "legacy-uint8":
        wrapped = (_bytes(pictures) - _bytes(real)) ** 2  # uint8 arithmetic is modulo 256
        error = wrapped.double().flatten(1).mean(1)
        return torch.where(error > 0, _decibels(error), torch.full_like(error, CEILING))
    error = _squared_error(pictures, real)
    return _decibels(error.mean() if variant == "video" else error)


def _require_variant(variant: str) -> None:
    if variant not in get_args(Variant):
        raise ValueError(f"psnr: variant must be one of {', '.join(get_args(Variant))}; got {variant!r}")


def _squared_error(pred: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each frame."""
    errors = [(a.double() - b.double()).square().mean() for a, b in zip(pred, target, strict=True)]
    return torch.stack(errors) if errors else torch.zeros(0, dtype=torch.float64)


def _decibels(error: Tensor) -> Tensor:
    return 10 * (255.0**2 / error).log10()


def _bytes(pictures: Tensor) -> Tensor:
    if pictures.ndim == 4:
        from zoo.evaluation.footage import grey_levels  # imports the face models

        pictures = grey_levels(pictures.round().to(torch.uint8))
    return pictures.round().to(torch.uint8)


class PSNR(PairMetric):
    """Mean over clips of :func:`psnr`: its mean over the frames of a clip, or that of the clip (``video``).

    Identical frames (with ``video``, clips) count as 100 dB: infinity would hide all others. Any frame above 100 dB, of
    which less than one grey level of one pixel is wrong, counts as 100 dB too. ``observe`` compares grey face crops.

    Args:
        variant: see :func:`psnr`.
    """

    name = "psnr"
    higher_is_better = True

    def __init__(self, variant: Variant = "float") -> None:
        _require_variant(variant)
        super().__init__(variant=variant)
        self.variant = variant

    def statistics(self, pred: Tensor, target: Tensor) -> tuple[float, ...]:
        """Sum of the frames' dB (``video``: of their mean squared errors) and how many frames."""
        if self.variant == "video":
            return float(_squared_error(*require_pair(pred, target, "psnr")).sum()), float(len(pred))
        return float(psnr(pred, target, variant=self.variant).clamp(max=CEILING).sum()), float(len(pred))

    def clip_values(self, stats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of clips in dB."""
        mean = super().clip_values(stats)
        if self.variant != "video":
            return mean
        with np.errstate(divide="ignore"):
            return np.asarray(np.minimum(10 * np.log10(255.0**2 / mean), CEILING))
