"""What metrics share that compare pictures frame by frame: which frames they score, and why others are left out."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from zoo.evaluation.metrics.base import ClipMetric, Row, require_levels

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage


def scored_frames(
    frames: int, total: int, seen: Bool[Tensor, " T"] | None = None
) -> tuple[Int64[Tensor, " scored"], str]:
    """Which of the first ``frames`` frames can be scored, and why not all ``total`` can; empty where they can.

    Args:
        frames: how many there are to look at.
        total: how many there should be.
        seen: where a face was found; None is everywhere.
    """
    chosen = torch.arange(frames) if seen is None else seen[:frames].cpu().nonzero().flatten()
    reasons = [f"{_count(total - frames)} missing"] if total > frames else []
    if len(chosen) < frames:
        reasons.append(f"{_count(frames - len(chosen))} without a face")
    return chosen, ", ".join(reasons) or ("" if frames else "no frames")


def _count(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


def require_pair(pred: Any, target: Any, name: str) -> tuple[Tensor, Tensor]:
    """Two clips of pictures after checking that they have one shape and grey levels (:func:`require_levels`).

    Args:
        pred: ``(T, H, W)`` or ``(T, 3, H, W)``, 0..255.
        target: the same.
        name: of the function, for the message.

    Raises:
        ValueError: shapes differ, or values that are no grey levels 0..255.
    """
    pictures, real = require_levels(pred, name), require_levels(target, name)
    if pictures.shape != real.shape:
        raise ValueError(f"{name}: needs pictures of one shape, got {tuple(pictures.shape)} and {tuple(real.shape)}")
    return pictures, real


class PairMetric(ClipMetric):
    """A metric of the generated frames against the real ones. A subclass computes the statistics of a clip."""

    colour = False
    """Whether ``observe`` compares faces in RGB and not in grey."""

    @abstractmethod
    def statistics(self, pred: Tensor, target: Tensor) -> tuple[float, ...]:
        """The statistics of a clip of at least one pair of frames."""

    def update(self, clip: str, pred: Tensor, target: Tensor, seen: Bool[Tensor, " T"] | None = None) -> None:
        """Add one clip: pictures ``(T, H, W)`` or ``(T, 3, H, W)``, 0..255.

        Of clips of different length the first frames are compared; the others lower coverage, as those do that are not
        ``seen`` (all by default).
        """
        pictures, real = torch.as_tensor(pred), torch.as_tensor(target)
        total = max(len(pictures), len(real))
        chosen, reason = scored_frames(min(len(pictures), len(real)), total, seen)
        if not len(chosen):
            return self.skip(clip, total, reason)
        stats = self.statistics(pictures[chosen.to(pictures.device)], real[chosen.to(real.device)])
        return self.add(Row(clip, stats, len(chosen), total, reason))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add the face crops (256x256) of a clip.

        Where the crops of the generated video lie where the real ones do, it does not matter whether a face is found in
        it: a face that is lost is a bad picture of one.
        """
        frames = min(len(pred), len(real))
        seen = real.seen[:frames] if pred.place is not None else real.seen[:frames] & pred.seen[:frames]
        sides = (pred.faces, real.faces) if self.colour else (pred.grey, real.grey)
        self.update(clip, *sides, seen)
