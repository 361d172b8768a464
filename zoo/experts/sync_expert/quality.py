"""How good a sync expert is: on true pairs of pictures and sound, and on false ones by a stated rule."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

THRESHOLD = 0.5
"""Scores above it pass (Wav2Lip, LatentSync: cosine > 0.5)."""

LEAST_SHIFT = 5
"""Frames between the starts of a false pair: as long as a window, so that pictures and sound do not overlap."""


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
    true, false = (
        checked_scores(positive_scores, "expert_quality"),
        checked_scores(negative_scores, "expert_quality").sort().values,
    )
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


def checked_scores(scores: Float[Tensor, " N"], name: str) -> Float[Tensor, " N"]:
    """A row of scores on the CPU.

    Args:
        scores: in 0..1.
        name: of the function that was given them, for the message.

    Raises:
        ValueError: they are no row of numbers in 0..1.
    """
    # Not made float64: 0.4 in single precision would then lie above a threshold of 0.4.
    values = torch.as_tensor(scores).detach().cpu()
    if values.ndim != 1 or not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError(f"{name}: needs a row of scores in 0..1")
    return values
