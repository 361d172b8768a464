"""Intervals and comparisons of methods, on one bootstrap of clips, or of speakers, that a leaderboard shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.evaluation.resampling import Mask, Resampling, limits
from zoo.evaluation.results import Metric
from zoo.leaderboard.table import Values


class Sample:
    """One method (or reference) on one metric.

    Args:
        metric: which.
        seeds: the values of each training seed; one without a value over clips says nothing of the method, and is left
            out wherever another has one.
    """

    def __init__(self, metric: Metric, seeds: Sequence[Values]) -> None:
        self.metric = metric
        self.seeds = [item for item in seeds if item.counts] or list(seeds)
        seen = np.stack([item.seen for item in self.seeds])
        self.seen: Mask = np.any(seen, axis=0)
        """Clips that a seed has a value for."""
        self.sound = self.seeds[0].sound
        """By clip, whose sound was heard."""
        heard_alike = np.stack([item.sound == self.sound for item in self.seeds])
        self.common: Mask = np.all(seen & heard_alike, axis=0)
        """Clips that every seed has a value for, with the same sound."""
        self.bottoms = np.stack([item.bottom for item in self.seeds])
        self.tops = np.stack([item.top for item in self.seeds])
        # Costs of single clips, where those are averaged; a ratio of sums only has a cost as a whole.
        averaged = metric.reduce == "mean"
        self.costs = badness(self.tops, metric) * self.bottoms if averaged else self.tops
        self._drawn: dict[bool, NDArray[np.float64]] = {}

    def values(self, mask: Mask | None = None) -> NDArray[np.float64]:
        """The value over clips of each seed; NaN where there is none."""
        return self._over(*self._parts(mask, cost=False), cost=False)

    def value(self, mask: Mask | None = None) -> float:
        """The mean over seeds of the value over clips; NaN where there is none."""
        return float(self.values(mask).mean())

    def cost(self, mask: Mask | None = None) -> float:
        """How bad it is, less is better: the value, its negative, or the distance from what is best.

        Of a mean that should be near a number it is the mean distance of the clips, so that errors to either side do
        not cancel.
        """
        return float(self._over(*self._parts(mask, cost=True), cost=True).mean())

    def resampled(self, resampling: Resampling, mask: Mask | None = None, *, cost: bool) -> NDArray[np.float64]:
        """The value, or the cost, of every bootstrap sample ``(resamples,)``."""
        if mask is None or bool((mask >= self.seen).all()):
            if cost not in self._drawn:
                draw([self], resampling)
            return self._drawn[cost]
        return self._mean(resampling.sums(self._columns(mask, cost=cost)), cost=cost)

    def interval(self, resampling: Resampling) -> tuple[float, float] | None:
        """95 % percentile interval of the value; ``None`` with fewer than two clips (or speakers)."""
        return limits(self.resampled(resampling, cost=False)) if resampling.count(self.seen) >= 2 else None

    def _parts(self, mask: Mask | None, *, cost: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums of numerators and of denominators ``(seeds,)``."""
        seeds = self._columns(mask, cost=cost).sum(0).reshape(2, -1)
        return seeds[0], seeds[1]

    def _columns(self, mask: Mask | None, *, cost: bool) -> NDArray[np.float64]:
        """Numerators, then denominators, of all seeds ``(clips, 2 seeds)``."""
        both = np.concatenate([self.costs if cost else self.tops, self.bottoms])
        return (both if mask is None else both * mask).T

    def _mean(self, sums: NDArray[np.float64], *, cost: bool) -> NDArray[np.float64]:
        half = len(self.seeds)
        return self._over(sums[:, :half], sums[:, half:], cost=cost).mean(1)

    def _over(self, top: NDArray[np.float64], bottom: NDArray[np.float64], *, cost: bool) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = top / bottom
        values[~np.isfinite(values)] = np.nan
        return badness(values, self.metric) if cost and self.metric.reduce == "ratio" else values


def draw(samples: Sequence[Sample], resampling: Resampling) -> None:
    """Make the bootstrap samples of many at once: one product of matrices instead of one for each."""
    columns = [sample._columns(None, cost=cost) for sample in samples for cost in (False, True)]
    if not columns:
        return
    ends = np.cumsum([item.shape[1] for item in columns])[:-1]
    sums = iter(np.split(resampling.sums(np.concatenate(columns, axis=1)), ends, axis=1))
    for sample in samples:
        sample._drawn = {cost: sample._mean(next(sums), cost=cost) for cost in (False, True)}


def badness(values: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """Values such that less is better."""
    if metric.better.startswith("near"):
        return np.abs(values - float(metric.better.removeprefix("near")))
    return -values if metric.better == "higher" else values


def p_value(differences: NDArray[np.float64], units: int) -> float:
    """Two-sided p-value of no difference: twice the smaller share of bootstrap samples on either side of 0.

    It is never less than an exact sign-flip test of so many clips (or speakers) could give, ``2 ** (1 - units)``: the
    bootstrap of a handful that all point one way would be sure of itself.
    """
    differences = differences[np.isfinite(differences)]
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    return float(min(1.0, max(2 * (tail + 1) / (len(differences) + 1), 2.0 ** (1 - units))))


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for the number of comparisons (Holm, Scandinavian Journal of Statistics 1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(np.argsort(values, kind="stable")):
        highest = max(highest, (len(values) - rank) * values[place])
        adjusted[int(place)] = min(1.0, float(highest))
    return adjusted


def shared(one: Sample, other: Sample) -> Mask:
    """Clips that both were scored on with the same sound; what was said to another is not paired."""
    found: Mask = one.common & other.common & (one.sound == other.sound)
    return found


@dataclass(frozen=True)
class Difference:
    """One against another on the clips that both were scored on with the same sound.

    Attributes:
        value: difference of the values, first less second.
        low: lower end of its 95 % interval; ``None`` with too few clips.
        high: upper end.
        cost: difference of the costs (:meth:`Sample.cost`); below 0 the first is better.
        p: two-sided, uncorrected; ``None`` with fewer than two clips (or speakers).
        clips: how many they share.
    """

    value: float
    low: float | None
    high: float | None
    cost: float
    p: float | None
    clips: int


def difference(one: Sample, other: Sample, resampling: Resampling) -> Difference | None:
    """Compare two, paired by clip; ``None`` where they share no scored clip with the same sound."""
    mask = shared(one, other)
    if not mask.any():
        return None
    value, cost = one.value(mask) - other.value(mask), one.cost(mask) - other.cost(mask)
    if not np.isfinite(value):
        return None
    low = high = p = None
    units = resampling.count(mask)
    if units >= 2:
        low, high = limits(_gap(one, other, resampling, mask, cost=False))
        p = p_value(_gap(one, other, resampling, mask, cost=True), units)
    return Difference(value, low, high, cost, p, int(mask.sum()))


def _gap(one: Sample, other: Sample, resampling: Resampling, mask: Mask, *, cost: bool) -> NDArray[np.float64]:
    return one.resampled(resampling, mask, cost=cost) - other.resampled(resampling, mask, cost=cost)
