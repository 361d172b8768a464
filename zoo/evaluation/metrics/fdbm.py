"""FDBM, the frequency domain blurriness measure (De and Masilamani, Procedia Engineering 64, 2013)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float64, Num
from torch import Tensor

from zoo.evaluation.metrics.base import ClipMetric, Row, require_levels
from zoo.evaluation.metrics.pairs import scored_frames

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage


def fdbm(grey: Num[Tensor | np.ndarray, "T H W"]) -> Float64[Tensor, " T"]:
    """Share of frequencies whose amplitude exceeds a thousandth of the largest one, frame by frame.

    The largest is that of the mean (0 Hz): the value does not change with contrast, but it does with brightness. An
    offset, or pictures in [-1, 1], give other values.

    Args:
        grey: grey levels 0..255.

    Returns:
        0..1, higher is sharper; 0 for black pictures.

    Raises:
        ValueError: values that are no grey levels 0..255, or pictures without pixels.

    Example:
        >>> fdbm(torch.arange(64.0).reshape(1, 8, 8)).item()
        0.234375
    """
    levels = require_levels(grey, "fdbm")
    height, width = levels.shape[1:]
    if not height * width:
        raise ValueError(f"fdbm: needs pictures with pixels, got {width}x{height}")
    if not len(levels):
        return torch.zeros(0, dtype=torch.float64)
    # Of real pictures half the frequencies are the other half's mirror: columns 1 to (width - 1) // 2 count twice.
    amplitude = torch.fft.rfft2(levels.double()).abs()
    above = amplitude > amplitude.amax((1, 2), keepdim=True) / 1000
    mirrored = above[:, :, 1 : (width - 1) // 2 + 1]
    return (above.sum((1, 2)) + mirrored.sum((1, 2))).double() / (height * width)


class FDBM(ClipMetric):
    """Mean of :func:`fdbm` over the frames of a clip, and of that over clips; ``observe`` looks at grey face crops."""

    name = "fdbm"
    higher_is_better = True

    def update(
        self, clip: str, grey: Num[Tensor | np.ndarray, "T H W"], seen: Bool[Tensor, " T"] | None = None
    ) -> None:
        """Add one clip of grey levels 0..255; frames that are not ``seen`` (all by default) are not scored."""
        levels = require_levels(grey, "fdbm")
        chosen, reason = scored_frames(len(levels), len(levels), seen)
        if not len(chosen):
            return self.skip(clip, len(levels), reason)
        values = fdbm(levels[chosen.to(levels.device)])
        return self.add(Row(clip, (float(values.sum()), float(len(values))), len(values), len(levels), reason))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add the generated clip; the real one does not matter."""
        self.update(clip, pred.grey, pred.seen)
