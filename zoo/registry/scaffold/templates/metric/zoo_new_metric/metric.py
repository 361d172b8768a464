"""NewMetric: whether the generated mouth opens and closes when the real one does, however far."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64, Num
from numpy.typing import NDArray
from torch import Tensor
from zoo.evaluation.metrics.base import ClipMetric, Row
from zoo.evaluation.metrics.lmd import shared_frames

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

WhichGap = Literal["inner", "outer"]

PAIRS = {"inner": ((61, 67), (62, 66), (63, 65)), "outer": ((50, 58), (51, 57), (52, 56))}
"""Points of the upper and the lower lip that lie over each other (iBUG 300-W)."""

STILL = 1e-3
"""Standard deviation in pixels below which a real mouth does not move, so that nothing can be compared to it."""


def lip_gap(points: Num[Tensor, "T 68 2"], gap: WhichGap = "inner") -> Float64[Tensor, " T"]:
    """How far the mouth is open in each frame: mean distance of three pairs of lip points, in pixels."""
    upper, lower = (list(side) for side in zip(*PAIRS[gap], strict=True))
    return (points[:, upper].double() - points[:, lower].double()).norm(dim=-1).mean(1)


def gap_correlation(
    pred: Num[Tensor, "T 68 2"], target: Num[Tensor, "T 68 2"], *, gap: WhichGap = "inner"
) -> Float64[Tensor, ""]:
    """Pearson's correlation of the lip gaps of two clips.

    Args:
        pred: landmarks of the generated clip, pixels.
        target: landmarks of the real clip.
        gap: between which lips.

    Returns:
        -1..1; 1: the mouth opens when it should. A mouth that stands still gives 0.

    Example:
        >>> real = torch.zeros(4, 68, 2)
        >>> real[:, 65:68, 1] = torch.tensor([0.0, 2.0, 1.0, 3.0])[:, None]
        >>> round(gap_correlation(0.5 * real, real).item(), 6)
        1.0
    """
    return torch.tensor(_correlation(np.array([_sums(pred, target, gap)]))[0])


class NewMetric(ClipMetric):
    """Mean over clips of :func:`gap_correlation`, of the frames in which both show a face.

    Args:
        gap: see :func:`gap_correlation`.
    """

    name = "new-metric"
    higher_is_better = True

    def __init__(self, gap: WhichGap = "inner") -> None:
        if gap not in PAIRS:
            raise ValueError(f"gap is one of {', '.join(PAIRS)}, not {gap!r}")
        super().__init__(gap=gap)  # into the signature: two gaps are two metrics
        self.gap = gap

    def update(
        self,
        clip: str,
        pred: Num[Tensor, "T 68 2"],
        target: Num[Tensor, "U 68 2"],
        seen: Bool[Tensor, " V"] | None = None,
    ) -> None:
        """Add one clip: landmarks in pixels, and where both show a face (everywhere if not given)."""
        frames = shared_frames(pred, target, seen)
        made, real = frames.pred[frames.seen], frames.target[frames.seen]
        if len(real) < 2:
            self.skip(clip, frames.total, frames.reason or "fewer than two frames")
        elif float(lip_gap(real, self.gap).std()) < STILL:
            self.skip(clip, frames.total, "the real mouth does not move")
        else:
            self.add(Row(clip, _sums(made, real, self.gap), len(real), frames.total, frames.reason))

    def observe(self, clip: str, pred: "Footage", real: "Footage") -> None:
        """Add one clip as the judges saw it: the landmarks found in both face crops."""
        count = min(len(pred), len(real))
        self.update(clip, pred.points, real.points, pred.seen[:count] & real.seen[:count])

    def clip_values(self, stats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correlations ``(..., n)`` from the statistics ``(..., n, 3)``."""
        return _correlation(stats)


def _sums(pred: Tensor, target: Tensor, gap: WhichGap) -> tuple[float, float, float]:
    """The statistics of a clip: squares of the generated gap, of the real one, and their products, means taken off."""
    made, real = (points - points.mean() for points in (lip_gap(pred, gap), lip_gap(target, gap)))
    return float(made @ made), float(real @ real), float(made @ real)


def _correlation(stats: NDArray[np.float64]) -> NDArray[np.float64]:
    made, real, both = stats[..., 0], stats[..., 1], stats[..., 2]
    moves = made > STILL**2
    return np.where(moves, both / np.sqrt(np.where(moves, made * real, 1.0)), 0.0).clip(-1, 1)
