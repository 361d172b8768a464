"""Sync accuracy: the share of generated windows that pass the expert, and apart from it how good the expert is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from zoo.metrics.base import Row
from zoo.metrics.judged import UNNAMED, JudgedMetric
from zoo.metrics.sync import missing_windows, windows_due

if TYPE_CHECKING:
    from zoo.footage import Footage

THRESHOLD = 0.5
"""Scores above it pass (Wav2Lip, LatentSync: cosine > 0.5)."""

LEAST_SHIFT = 5
"""Frames between the starts of a false pair: as long as a window, so that pictures and sound do not overlap."""

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
    values = _checked(scores, "sync_acc")
    if not len(values):
        raise ValueError("sync_acc: needs a window")
    return (values > threshold).double().mean()


class SyncAccuracy(JudgedMetric):
    """:func:`sync_acc` over the windows of all clips together: windows that pass over windows that were scored.

    Args:
        threshold: see :func:`sync_acc`; the expert's own where not given.
        windows: ``all`` as published, or those that contain ``speech``: in silence nothing can be told.
        expert: name and hash of the sync expert; see :class:`zoo.metrics.judged.JudgedMetric`.
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


class ExpertQuality(NamedTuple):
    """How well an expert tells true pairs from false ones.

    Attributes:
        balanced_accuracy: mean of the two rates; 0.5 is chance.
        true_positive_rate: share of true pairs whose score lies above the threshold.
        true_negative_rate: share of false pairs whose score does not.
        auc: probability that a true pair scores above a false one, ties counting half; 0.5 is chance.
    """

    balanced_accuracy: float
    true_positive_rate: float
    true_negative_rate: float
    auc: float


def expert_quality(
    positive_scores: Float[Tensor, " P"], negative_scores: Float[Tensor, " Q"], threshold: float = THRESHOLD
) -> ExpertQuality:
    """Quality of a sync expert on pairs of real pictures and sound, for a stated rule of false pairs.

    The area under the ROC curve is exact, from ranks (Mann and Whitney): ``(less + (equal) / 2) / (P Q)``.

    Args:
        positive_scores: of windows with their own sound, 0..1.
        negative_scores: of windows with other sound (:func:`negative_starts`).
        threshold: scores above it are called true.

    Returns:
        See :class:`ExpertQuality`; NaN for what cannot be known without pairs of one kind.

    Raises:
        ValueError: scores outside 0..1 or NaN.

    Example:
        >>> expert_quality(torch.tensor([0.9, 0.8, 0.4]), torch.tensor([0.1, 0.4]))[1:]
        (0.6666666666666666, 1.0, 0.9166666666666666)
    """
    true, false = _checked(positive_scores, "expert_quality"), _checked(negative_scores, "expert_quality").sort().values
    above, pairs = int((true > threshold).sum()), len(true) * len(false)
    below = int((false <= threshold).sum())
    wins = int((torch.searchsorted(false, true) + torch.searchsorted(false, true, right=True)).sum())
    rates = above / len(true) if len(true) else torch.nan, below / len(false) if len(false) else torch.nan
    return ExpertQuality(sum(rates) / 2, *rates, wins / (2 * pairs) if pairs else torch.nan)


def negative_starts(
    count: int, *, least: int = LEAST_SHIFT, seed: int = 0, among: Bool[Tensor, " N"] | None = None
) -> Int64[Tensor, " N"]:
    """The rule of false pairs: for each window another start in the same clip, at least ``least`` frames away.

    Every start that is far enough is equally likely.

    Args:
        count: windows of the clip.
        least: frames between the two starts, at least.
        seed: of the draw.
        among: starts to choose from (those with speech, say); all where not given.

    Returns:
        For window ``i`` the start whose sound it is paired with, -1 where there is none.

    Raises:
        ValueError: ``least`` below 1, or ``among`` of another length.

    Example:
        >>> negative_starts(8, least=5).tolist()[2:6]
        [7, -1, -1, 0]
    """
    if least < 1:
        raise ValueError(f"negative_starts: least is 1 or more, not {least}")
    allowed = torch.arange(count) if among is None else torch.as_tensor(among).bool().cpu().nonzero()[:, 0]
    if among is not None and len(among) != count:
        raise ValueError(f"negative_starts: among has {len(among)} windows, not {count}")
    start = torch.arange(count)
    left = torch.searchsorted(allowed, start - least, right=True)
    right = torch.searchsorted(allowed, start + least)
    choices = left + len(allowed) - right
    draw = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    picked = (draw * choices).long()
    picked = torch.where(picked < left, picked, picked - left + right)
    # Where there is no choice, the index only has to exist.
    found = allowed[picked.clamp(max=len(allowed) - 1)] if len(allowed) else start
    return torch.where(choices > 0, found, -1)


def _checked(scores: Float[Tensor, " N"], name: str) -> Float[Tensor, " N"]:
    # Not made float64: 0.4 in single precision would then lie above a threshold of 0.4.
    values = torch.as_tensor(scores).detach().cpu()
    if values.ndim != 1 or not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError(f"{name}: needs a row of scores in 0..1")
    return values
