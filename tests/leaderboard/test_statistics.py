"""Intervals against scipy's bootstrap and plain loops, p-values against exact counts, Holm against a worked example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

from zoo.evaluation.resampling import Resampling
from zoo.evaluation.results import Metric, Reduce
from zoo.leaderboard.ranking import rank
from zoo.leaderboard.statistics import Sample, difference, draw, holm, p_value
from zoo.leaderboard.table import Values
from zoo.registry.spec import Better


def metric(better: Better = "lower", reduce: Reduce = "mean") -> Metric:
    return Metric("m", "a metric", "", better, reduce)


def values(value: Any, bottom: Any = None, sound: Any = "") -> Values:
    """One cell: values of clips, or numerators with denominators, heard with a sound of all or of each clip."""
    top = np.array(value, dtype=np.float64)
    below = np.ones_like(top) if bottom is None else np.array(bottom, dtype=np.float64)
    seen = np.isfinite(top)
    heard = np.full(len(top), sound, dtype="<U8")
    return Values(np.where(seen, top / below, np.nan), np.where(seen, top, 0.0), np.where(seen, below, 0.0), heard,
                  len(top), int(seen.sum()), len(top), {}, "m|zoo:0")  # fmt: skip


RNG = np.random.default_rng(5)
SKEWED = RNG.exponential(2.0, 60)


def test_interval_of_a_mean_is_scipys():
    sample = Sample(metric(), [values(SKEWED)])
    found = sample.interval(Resampling(["one"] * 60, 20_000))
    expected = bootstrap((SKEWED,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.02)
    assert sample.value() == pytest.approx(SKEWED.mean())


def test_interval_of_a_ratio_is_scipys():
    words = RNG.integers(1, 9, 60)
    errors = RNG.binomial(words, 0.3)
    found = Sample(metric(reduce="ratio"), [values(errors, words)]).interval(Resampling(["one"] * 60, 20_000))
    expected = bootstrap(
        (errors, words), lambda e, w, axis: e.sum(axis) / w.sum(axis), paired=True, vectorized=True,
        n_resamples=20_000, method="percentile", rng=np.random.default_rng(1),
    )  # fmt: skip
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.004)


def test_many_speakers_are_drawn_whole():
    speakers = [f"s{index % 12}" for index in range(60)]
    data = SKEWED + np.array([4.0 * (index % 12) for index in range(60)])
    resampling = Resampling(speakers, 20_000)
    assert "12 speakers" in resampling.text
    found = Sample(metric(), [values(data)]).interval(resampling)
    rng, means = np.random.default_rng(2), []
    for _ in range(8_000):
        clips = np.concatenate([np.flatnonzero(np.arange(60) % 12 == one) for one in rng.integers(12, size=12)])
        means.append(data[clips].mean())
    assert found == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), rel=0.02)
    by_clip = Sample(metric(), [values(data)]).interval(Resampling(["one"] * 60, 20_000))
    assert found is not None
    assert by_clip is not None
    assert found[1] - found[0] > 1.5 * (by_clip[1] - by_clip[0])


def test_few_speakers_are_no_sample_of_speakers():
    text = Resampling(["a", "b"] * 10).text
    assert "20 clips of only 2 speakers" in text
    assert "nothing of other speakers" in text


def test_missing_clips_are_left_out():
    data = [1.0, np.nan, 3.0, np.nan]
    sample = Sample(metric(), [values(data)])
    assert sample.value() == 2.0
    low, high = sample.interval(Resampling(["one"] * 4)) or (0, 0)
    assert (low, high) == (1.0, 3.0)
    assert Sample(metric(), [values([np.nan, 2.0])]).interval(Resampling(["one"] * 2)) is None
    assert np.isnan(Sample(metric(), [values([np.nan, np.nan])]).value())


def test_draws_made_at_once_are_those_made_one_by_one():
    resampling = Resampling(["one"] * 60)
    both = [Sample(metric("near 1"), [values(SKEWED), values(SKEWED + 1)]), Sample(metric("higher"), [values(-SKEWED)])]
    alone = [Sample(sample.metric, sample.seeds) for sample in both]
    draw(both, resampling)
    for one, other in zip(both, alone, strict=True):
        for cost in (False, True):
            expected = other.resampled(resampling, other.seen & (np.arange(60) >= 0), cost=cost)
            np.testing.assert_allclose(one.resampled(resampling, cost=cost), expected, rtol=1e-12)


def test_the_mean_over_seeds_is_resampled_together():
    sample = Sample(metric(), [values(SKEWED), values(SKEWED + 2)])
    assert sample.value() == pytest.approx(SKEWED.mean() + 1)
    assert sample.values() == pytest.approx([SKEWED.mean(), SKEWED.mean() + 2])
    resampling = Resampling(["one"] * 60)
    alone = Sample(metric(), [values(SKEWED)]).interval(resampling)
    assert alone is not None
    assert sample.interval(resampling) == pytest.approx((alone[0] + 1, alone[1] + 1))


@pytest.mark.parametrize(
    ("better", "data", "cost"),
    [
        ("lower", [1.0, 3.0], 2.0),
        ("higher", [1.0, 3.0], -2.0),
        ("near 0", [-3.0, 3.0], 3.0),
        ("near 1", [0.5, 1.5], 0.5),
    ],
)
def test_cost(better: Better, data: list[float], cost: float):
    assert Sample(metric(better), [values(data)]).cost() == cost


def test_cost_of_a_rate_is_that_of_the_whole():
    assert Sample(metric("near 1", "ratio"), [values([1.0, 3.0], [2.0, 2.0])]).cost() == 0.0


def test_difference_is_paired():
    hard = np.linspace(0, 100, 40)  # clips differ a lot, methods by 1 on every clip
    one, other = Sample(metric(), [values(hard)]), Sample(metric(), [values(hard + 1)])
    found = difference(one, other, Resampling(["one"] * 40))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((-1.0, -1.0, -1.0))
    assert found.p == pytest.approx(2 / 2001)
    assert found.clips == 40


def test_difference_only_counts_common_clips():
    one = Sample(metric(), [values([1.0, 2.0, np.nan, 50.0])])
    other = Sample(metric(), [values([2.0, 3.0, 4.0, np.nan])])
    found = difference(one, other, Resampling(["one"] * 4))
    assert found is not None
    assert (found.value, found.clips) == (-1.0, 2)
    assert difference(one, Sample(metric(), [values([np.nan] * 4)]), Resampling(["one"] * 4)) is None


def test_what_was_said_to_another_sound_is_never_paired():
    one = Sample(metric(), [values([1.0, 2.0, 3.0], sound=["a", "b", "c"])])
    other = Sample(metric(), [values([2.0, 3.0, 9.0], sound=["a", "b", "d"])])
    found = difference(one, other, Resampling(["one"] * 3))
    assert found is not None
    assert (found.value, found.clips) == (-1.0, 2)
    elsewhere = Sample(metric(), [values([2.0, 3.0, 9.0], sound="e")])
    assert difference(one, elsewhere, Resampling(["one"] * 3)) is None
    places = rank({"one": one, "elsewhere": elsewhere}, Resampling(["one"] * 3))
    assert sorted(place.state for place in places.values()) == ["apart", "best"]
    # Worse on every clip that they share; better in all only because of another sound.
    better = Sample(metric(), [values([2.0, 3.0, 0.0], sound=["a", "b", "d"])])
    assert rank({"one": one, "better": better}, Resampling(["one"] * 3))["one"].state == "best"
    assert Sample(metric(), [one.seeds[0], other.seeds[0]]).common.tolist() == [True, True, False]


def test_a_seed_without_a_value_says_nothing():
    nothing = values([np.nan] * 3)
    sample = Sample(metric(), [nothing, values([1.0, 2.0, 3.0]), values([3.0, 4.0, 5.0])])
    assert (sample.value(), sample.values().tolist(), sample.common.all()) == (3.0, [2.0, 4.0], True)
    found = difference(sample, Sample(metric(), [values([4.0, 5.0, 6.0])]), Resampling(["one"] * 3))
    assert found is not None
    assert found.value == -2.0
    assert np.isnan(Sample(metric(), [nothing, nothing]).value())


def test_p_value():
    assert p_value(np.array([-1.0] * 97 + [1.0] * 3), 50) == pytest.approx(2 * 4 / 101)
    assert p_value(np.zeros(100), 50) == 1.0
    assert p_value(np.full(2000, -1.0), 4) == 0.125  # four clips that agree: 2 of the 16 ways to flip signs
    rng = np.random.default_rng(0)
    data = rng.normal(0.35, 1, 50)  # against the distribution of the bootstrap itself
    means = data[rng.integers(50, size=(20_000, 50))].mean(1)
    assert p_value(means, 50) == pytest.approx(2 * (means <= 0).mean(), abs=0.001)


def test_holm():
    # By hand: in order 0.005 0.01 0.03 0.04, times 4 3 2 1 0.02 0.03 0.06 0.04, made to rise 0.02 0.03 0.06 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_ranking_marks_best_ties_and_the_rest():
    base = RNG.normal(10, 3, 40)
    noise = RNG.normal(0, 0.5, (3, 40))
    samples = {
        "best": Sample(metric(), [values(base)]),
        "same": Sample(metric(), [values(base + 0.01 + noise[0])]),
        "worse": Sample(metric(), [values(base + 1 + noise[1])]),
    }
    places = rank(samples, Resampling(["one"] * 40))
    assert {name: place.state for name, place in places.items()} == {"best": "best", "same": "tie", "worse": "worse"}
    assert places["worse"].p == pytest.approx(2 * 2 / 2001)  # corrected for two comparisons
    flipped = {name: Sample(metric("higher"), sample.seeds) for name, sample in samples.items()}
    assert rank(flipped, Resampling(["one"] * 40))["worse"].state == "best"


def test_who_skips_the_hard_clips_gains_nothing():
    all_clips, easy_only = np.array([1.0] * 10 + [9.0] * 10), np.array([1.5] * 10 + [np.nan] * 10)
    samples = {"honest": Sample(metric(), [values(all_clips)]), "picky": Sample(metric(), [values(easy_only)])}
    assert samples["picky"].value() < samples["honest"].value()
    assert rank(samples, Resampling(["one"] * 20))["honest"].state == "best"


def test_what_has_no_value_or_no_common_clip_is_never_best():
    samples = {
        "none": Sample(metric(), [values([np.nan, np.nan, np.nan])]),
        "one": Sample(metric(), [values([5.0, 5.0, np.nan])]),
        "other": Sample(metric(), [values([np.nan, np.nan, 1.0])]),
    }
    places = rank(samples, Resampling(["one"] * 3))
    assert "none" not in places
    assert sorted(place.state for place in places.values()) == ["apart", "best"]
    assert rank({}, Resampling([])) == {}
    assert rank({"one": samples["one"]}, Resampling(["one"] * 3)) == {}
