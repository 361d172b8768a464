"""Who is best in a column, and who cannot be told from the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from zoo.evaluation.resampling import LEVEL, Resampling
from zoo.leaderboard.statistics import Difference, Sample, difference, holm, shared

State = Literal["best", "tie", "worse", "apart"]
"""``tie``: not significantly worse than the best. ``apart``: no clip can be paired with the best."""


class Place(NamedTuple):
    """Where one stands in a column, and the corrected p-value of its comparison with the best."""

    state: State
    p: float | None


def rank(samples: Mapping[str, Sample], resampling: Resampling) -> dict[str, Place]:
    """Compare those that have a value with the best of them, paired by clip, with Holm's correction.

    One alone is not ranked: it is better than nobody.

    The best is who is ahead of most others on the clips that each pair shares, then by cost: where all were scored on
    the same clips that is the best value, and who skipped the hard clips gains nothing.
    """
    valued = {name: sample for name, sample in samples.items() if np.isfinite(sample.cost())}
    if len(valued) < 2:
        return {}
    best = min(valued, key=_standing(valued))
    found = {name: difference(valued[best], valued[name], resampling) for name in valued if name != best}
    tested = {name: item.p for name, item in found.items() if item is not None and item.p is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    places = {best: Place("best", None)}
    for name, item in found.items():
        p = corrected.get(name)
        places[name] = Place(_state(item, p), p)
    return places


def _state(ahead: Difference | None, p: float | None) -> State:
    if ahead is None:
        return "apart"
    return "worse" if p is not None and p < LEVEL and ahead.cost < 0 else "tie"


def _standing(samples: Mapping[str, Sample]) -> Callable[[str], tuple[int, float, str]]:
    """Less is better: pairs won (negative), cost, name."""
    costs = {name: sample.cost() for name, sample in samples.items()}
    alike = len({(sample.common.tobytes(), tuple(sample.sound)) for sample in samples.values()}) == 1
    wins = dict.fromkeys(samples, 0)
    for one, other in [] if alike else combinations(samples, 2):
        mask = shared(samples[one], samples[other])
        gap = samples[one].cost(mask) - samples[other].cost(mask) if mask.any() else 0.0
        wins[one] += gap < 0
        wins[other] += gap > 0
    return lambda name: (-wins[name], costs[name], name)
