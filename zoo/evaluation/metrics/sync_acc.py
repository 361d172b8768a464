"""Sync accuracy: the share of generated windows that pass the expert, and apart from it how good the expert is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from zoo.evaluation.metrics.base import Row
from zoo.evaluation.metrics.judged import UNNAMED, JudgedMetric
from zoo.evaluation.metrics.sync import missing_windows, windows_due
from zoo.experts.sync_expert.quality import THRESHOLD, checked_scores

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

Windows = Literal["all", "speech"]


def sync_acc(scores: Float[Tensor, " N"], *, threshold: float = THRESHOLD) -> Float64[Tensor, ""]:
    """Share of windows whose score lies above the threshold: what a generator passes, not how good the expert is.

    Read it beside the value of the real clips: an expert that calls everything true gives 1 to everybody.

    Args:
        scores: the expert's score that pictures and sound of a window belong together, 0..1.
        threshold: scores above it pass, those equal to it do not.

    Returns:
        0..1; higher is better.

    Raises:
        ValueError: no window, or scores outside 0..1.

    Example:
        >>> sync_acc(torch.tensor([0.9, 0.5, 0.51, 0.1])).item()
        0.5
    """
    values = checked_scores(scores, "sync_acc")
    if not len(values):
        raise ValueError("sync_acc: needs a window")
    return (values > threshold).double().mean()


class SyncAccuracy(JudgedMetric):
    """:func:`sync_acc` over the windows of all clips together: windows that pass over windows that were scored.

    Args:
        threshold: see :func:`sync_acc`; the expert's own where not given.
        windows: ``all`` as published, or those that contain ``speech``: in silence nothing can be told.
        expert: name and hash of the sync expert; see :class:`zoo.evaluation.metrics.judged.JudgedMetric`.
    """

    name = "sync_acc"
    pooled = True
    higher_is_better = True
    role: ClassVar[str] = "expert"

    def __init__(self, *, threshold: float | None = None, windows: Windows = "all", expert: str = UNNAMED) -> None:
        super().__init__(expert, threshold="expert" if threshold is None else threshold, windows=windows)
        if windows not in ("all", "speech"):
            raise ValueError(f"sync_acc: windows is all or speech, not {windows!r}")
        self.threshold, self.windows = threshold, windows

    def update(
        self,
        clip: str,
        scores: Float[Tensor, " N"],
        *,
        threshold: float = THRESHOLD,
        seen: Bool[Tensor, " N"] | None = None,
        speech: Bool[Tensor, " N"] | None = None,
        total: int | None = None,
    ) -> None:
        """Add one clip.

        Args:
            clip: its id.
            scores: of its windows, 0..1.
            threshold: the expert's own; not used where the metric was given one.
            seen: windows whose frames all show a face; all where not given.
            speech: windows that contain speech; all where not given.
            total: windows that there should be, where some are missing at the end.
        """
        values = torch.as_tensor(scores).detach().cpu()
        every = torch.ones(len(values), dtype=torch.bool)
        asked = every if speech is None or self.windows == "all" else torch.as_tensor(speech).bool().cpu()
        known = asked & values.isfinite() & (every if seen is None else torch.as_tensor(seen).bool().cpu())
        given, scored = int(asked.sum()), int(known.sum())
        due = given + max(0, (total or 0) - len(values))
        if not scored:
            self.skip(clip, due, missing_windows(given, scored, due) or "no window to score")
            return
        passed = sync_acc(values[known], threshold=threshold if self.threshold is None else self.threshold)
        stats = (float(torch.round(passed * scored)), float(scored))
        self.add(Row(clip, stats, scored, due, missing_windows(given, scored, due)))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add one clip: the generated pictures against their sound."""
        features = pred.sync
        self.judged_by(features.expert)
        self.update(
            clip,
            features.scores,
            threshold=features.threshold,
            seen=features.seen,
            speech=features.speech,
            total=windows_due(pred, real),
        )
