"""The one bootstrap: of clips, or of speakers, behind every interval, comparison and "at chance"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import NDArray

RESAMPLES = 2000
"""Bootstrap samples behind an interval or a comparison."""

LEAST_SPEAKERS = 8
"""From so many speakers on, samples are drawn of speakers; percentile intervals of fewer are known to be too narrow."""

LEVEL = 0.05
"""Significance level after Holm correction; intervals are 95 %."""

Mask = Bool[np.ndarray, " clips"]


class Resampling:
    """Bootstrap samples of clips, drawn once and shared by everything that is compared, so that differences are paired.

    With :data:`LEAST_SPEAKERS` or more, whole speakers are drawn (cluster bootstrap): clips of one speaker are alike.

    Args:
        speakers: who is seen in each clip.
        resamples: how many samples.
    """

    def __init__(self, speakers: Sequence[str], resamples: int = RESAMPLES) -> None:
        names, places = np.unique(np.array(speakers, dtype=str), return_inverse=True)
        self.by_speaker = len(names) >= LEAST_SPEAKERS
        self.unit = places if self.by_speaker else np.arange(len(speakers))
        self.units = len(names) if self.by_speaker else len(speakers)
        self.speakers = len(names)
        rng = np.random.default_rng(0)
        self.resamples = resamples
        self.weights = np.zeros((resamples, self.units))
        if self.units:
            drawn = rng.integers(self.units, size=(resamples, self.units)) + self.units * np.arange(resamples)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=resamples * self.units)
            self.weights = counts.reshape(resamples, self.units).astype(np.float64)

    def sums(self, values: Float64[np.ndarray, "clips k"]) -> Float64[np.ndarray, "resamples k"]:
        """Sums over the clips of every sample."""
        if self.by_speaker:
            totals = np.zeros((self.units, values.shape[1]))
            np.add.at(totals, self.unit, values)
            values = totals
        return self.weights @ values

    def count(self, mask: Mask) -> int:
        """How many clips, or speakers, a mask of clips holds."""
        return len(np.unique(self.unit[mask]))

    @property
    def text(self) -> str:
        """How intervals were made, for readers."""
        how = f"{self.resamples:,} bootstrap samples of {self.units}"
        if self.by_speaker:
            return f"{how} speakers with all their clips"
        who = "one speaker" if self.speakers == 1 else f"only {self.speakers} speakers"
        return f"{how} clips of {who}: they say nothing of other speakers"


def limits(samples: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of bootstrap samples; those that drew no scored clip say nothing."""
    samples = samples[np.isfinite(samples)]
    low, high = np.quantile(samples, [LEVEL / 2, 1 - LEVEL / 2]) if len(samples) else (np.nan, np.nan)
    return float(low), float(high)


def interval(
    top: NDArray[np.float64], bottom: NDArray[np.float64] | None = None, speakers: Sequence[str] = ()
) -> tuple[float, float]:
    """The 95 % interval of a mean, or of a ratio of sums; NaN with fewer than two clips (or speakers).

    Args:
        top: ``(clips,)`` values, or numerators.
        bottom: ``(clips,)`` denominators; ``None``: 1.
        speakers: who is seen in each clip; none: nobody knows, and clips are drawn.
    """
    resampling = Resampling(speakers or [""] * len(top))
    if resampling.units < 2:
        return float("nan"), float("nan")
    sums = resampling.sums(np.stack([top, np.ones_like(top) if bottom is None else bottom], axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return limits(sums[:, 0] / sums[:, 1])
