"""What all metrics share: rows by clip, exact for any number of processes, with honest coverage."""

from __future__ import annotations

import math
import pickle
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from scipy.stats import bootstrap
from torch import Tensor
from torchmetrics import MetricCollection

from zoo import __version__
from zoo.evaluation.metrics.base import ClipMetric, Result, Row, require_levels
from zoo.evaluation.metrics.lmd import LandmarkDistance
from zoo.evaluation.metrics.motion import MotionRatio

CLIPS = [f"s{n}/clip" for n in range(7)]
LOST = "s3/clip"


class Share(ClipMetric):
    """Share of ones among numbers; numbers below zero cannot be scored."""

    name = "share"
    higher_is_better = True

    def __init__(self, kind: str = "ones") -> None:
        super().__init__(kind=kind)

    def update(self, clip: str, numbers: Tensor) -> None:
        good = numbers[numbers >= 0]
        if not len(good):
            self.skip(clip, len(numbers), "nothing in it")
            return
        reason = "below zero" if len(good) < len(numbers) else ""
        self.add(Row(clip, (float((good == 1).sum()), float(len(good))), len(good), len(numbers), reason))

    def observe(self, clip, pred, real) -> None:
        raise AssertionError("not used here")


class PooledShare(Share):
    """The same as a rate: all ones over all numbers."""

    pooled = True


def fill(which: str, share: list[str]) -> ClipMetric:
    """A metric that saw some clips; what a clip holds depends on its name alone."""
    metrics = {"share": Share, "pooled": PooledShare, "lmd": LandmarkDistance, "motion": MotionRatio}
    metric = metrics[which]()
    for clip in share:
        draw = torch.Generator().manual_seed(CLIPS.index(clip))
        frames = 4 + 3 * CLIPS.index(clip)
        if which in ("share", "pooled"):
            numbers = (torch.rand(frames, generator=draw) < 0.3 + 0.1 * CLIPS.index(clip)).long()
            numbers[0] = -1
            metric.update(clip, numbers if clip != LOST else -torch.ones(frames))
        else:
            pred, real = torch.randn(2, frames, 68, 2, generator=draw) * 3
            metric.update(clip, pred, real, torch.full((frames,), clip != LOST))
    return metric


# Clips of each process: one alone; uneven with clips twice; uneven with clips twice and a process without any.
WORLDS: dict[int, list[list[str]]] = {
    1: [CLIPS[::-1]],
    2: [CLIPS[5:1:-1], [*CLIPS[:4], CLIPS[6]]],
    3: [CLIPS[2:], [], [CLIPS[1], CLIPS[6], CLIPS[0], CLIPS[2]]],
}
METRICS = ["share", "pooled", "lmd", "motion"]


def scores(rank: int, folder: str) -> None:
    """One of three processes, which first is one world alone, then part of a world of two, then of three."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for world, shares in WORLDS.items():
        if rank >= world:
            continue
        store = f"file://{folder}/store{world}"
        dist.init_process_group("gloo", store, rank=rank, world_size=world, timeout=timedelta(seconds=60))
        found = {}
        for which in METRICS:
            metric = fill(which, shares[rank])
            before = metric.rows()
            result = metric.result()
            value = metric.compute()
            with metric.sync_context(should_unsync=True):
                rows = metric.rows()
            found[which] = (value.item(), result, rows, metric.rows() == before, metric.result() == result)
        nothing = Share()
        found["nothing"] = (nothing.compute().item(), nothing.result())
        Path(folder, f"{world}-{rank}.pickle").write_bytes(pickle.dumps(found))
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], dict]:
    folder = tmp_path_factory.mktemp("worlds")
    mp.spawn(scores, (str(folder),), nprocs=3)
    return {
        (world, rank): pickle.loads((folder / f"{world}-{rank}.pickle").read_bytes())
        for world in WORLDS
        for rank in range(world)
    }


def test_the_number_of_processes_changes_no_bit(worlds: dict[tuple[int, int], dict]) -> None:
    assert len(worlds) == 6
    for which in METRICS:
        alone = fill(which, CLIPS)
        value, result, rows = alone.compute().item(), alone.result(), alone.rows()
        assert math.isfinite(value)
        assert value == result.value
        assert result.clips == 6
        assert result.total == 7
        assert [row.clip for row in rows] == CLIPS
        for where, found in worlds.items():
            assert found[which] == (value, result, rows, True, True), (which, where)


def test_no_process_with_a_clip(worlds: dict[tuple[int, int], dict]) -> None:
    for value, result in (found["nothing"] for found in worlds.values()):
        assert math.isnan(value)
        assert math.isnan(result.value)
        assert result[3:7] == (0, 0, 0.0, "no clip was given")


def test_value_coverage_and_reasons_by_hand() -> None:
    metric = Share()
    metric.update("b", torch.tensor([1, 1, 0, 1]))
    metric.update("a", torch.tensor([0, 1, -1, -1]))
    assert metric.compute() == (3 / 4 + 1 / 2) / 2
    metric.update("c", torch.full((12,), -1))
    metric.skip("d", 4, "the file is broken")
    result = metric.result()
    assert result.value == (3 / 4 + 1 / 2) / 2  # failures never become numbers
    assert (result.clips, result.total) == (2, 4)
    assert result.coverage == (4 + 2) / (4 + 4 + 12 + 4)
    assert result.reason == "below zero; nothing in it; the file is broken"
    assert result.signature == f"share|kind:ones|zoo:{__version__}"
    assert [metric.clip_value(row) for row in metric.rows()][:2] == [1 / 2, 3 / 4]
    assert all(math.isnan(metric.clip_value(row)) for row in metric.rows()[2:])
    pooled = PooledShare()
    for row in metric.rows():
        pooled.add(row)
    assert pooled.compute() == 4 / 6


def test_only_the_most_frequent_reasons_are_told() -> None:
    metric = Share()
    for number, reason in enumerate(["x", "y", "y", "z", "z", "z", "u", "v"]):
        metric.skip(str(number), 1, reason)
    assert metric.result().reason == "z (3 clips); y (2 clips); u; 2 other reasons"


def test_no_clip_scored_is_no_number() -> None:
    metric = Share()
    metric.update("a", torch.tensor([-1, -1]))
    value, low, high, clips, total, coverage, reason, _ = metric.result()
    assert all(math.isnan(number) for number in (metric.compute().item(), value, low, high))
    assert (clips, total, coverage, reason) == (0, 1, 0.0, "nothing in it")


def test_nan_is_a_failure_with_a_reason() -> None:
    metric = Share()
    metric.update("a", torch.tensor([1, 0]))
    metric.add(Row("b", (math.nan, 2.0), 2, 2))
    assert metric.compute() == 0.5
    assert metric.rows()[1] == Row("b", (), 0, 2, "the result is not a number")


def test_order_and_repetition_change_nothing() -> None:
    one, other = fill("share", CLIPS), fill("share", CLIPS[::-1] + CLIPS[2:4])
    assert one.rows() == other.rows()
    assert one.result() == other.result()
    # Where two processes disagree about a clip, all of them still take the same row, and rather a scored one.
    first, second = Share(), Share()
    rows = [Row("a", (1.0, 2.0), 2, 2), Row("a", (), 0, 2, "lost")]
    for metric, given in ((first, rows), (second, rows[::-1])):
        for row in given:
            metric.add(row)
    assert first.rows() == second.rows() == rows[:1]


def test_rows_survive_exactly_and_can_come_from_a_file() -> None:
    metric = Share()
    row = Row('s1/ü "x"\n', (0.1 + 0.2, 1 / 3), 1, 2, "why; not")
    metric.add(row)
    assert metric.rows() == [row]
    metric.update("a", torch.tensor([1, 0, 0]))
    assert Share().result_of(metric.rows()) == metric.result()


def test_what_is_added_after_compute_counts() -> None:
    metric = Share()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no "compute before update" either
        metric.add(Row("a", (1.0, 1.0), 1, 1))
        assert metric.compute() == metric.compute() == 1
        metric.add(Row("b", (0.0, 1.0), 1, 1))
        assert metric.compute() == 0.5
        metric.update("c", torch.tensor([0]))
        assert metric.compute() == pytest.approx(1 / 3)


def test_reset_pickle_clone_and_forward() -> None:
    metric = fill("share", CLIPS)
    result = metric.result()
    copies = [pickle.loads(pickle.dumps(metric)), metric.clone()]
    for copy in copies:
        assert copy.result() == result
        copy.update("new", torch.tensor([1]))
        assert copy.result().total == 8
    assert metric.result() == result  # untouched by its copies
    metric.reset()
    assert metric.rows() == []
    assert metric(CLIPS[0], torch.tensor([1, 0])) == 0.5  # the value of this clip alone
    assert metric(CLIPS[1], torch.tensor([1, 1])) == 1.0
    assert metric.compute() == 0.75
    assert len(metric.rows()) == 2


def test_a_collection_keeps_metrics_apart_that_begin_alike() -> None:
    both = MetricCollection({"px": LandmarkDistance(), "sum": LandmarkDistance(reduce="sum")})
    both.update("lost", torch.zeros(3, 68, 2), torch.zeros(3, 68, 2), torch.zeros(3, dtype=torch.bool))
    both.update("a", torch.randn(3, 68, 2), torch.randn(3, 68, 2))
    found = both.compute()
    assert found["sum"] == pytest.approx(20 * found["px"].item())
    assert found["px"] > 0


def test_the_interval_is_a_bootstrap_over_clips() -> None:
    values = np.random.default_rng(5).normal(3, 1, 60)
    metric = Share()
    for number, value in enumerate(values):
        metric.add(Row(f"{number:03d}", (float(value), 1.0), 1, 1))
    result = metric.result()
    wanted = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    half = 1.96 * values.std() / len(values) ** 0.5
    assert result.low == pytest.approx(wanted.low, abs=half / 10)
    assert result.high == pytest.approx(wanted.high, abs=half / 10)
    assert result.low == pytest.approx(values.mean() - half, abs=half / 8)
    assert metric.result() == result  # and the same each time


def test_the_interval_of_a_rate_draws_clips_and_divides_totals() -> None:
    rows = [Row("a", (0.0, 90.0), 90, 90), Row("b", (10.0, 10.0), 10, 10)]
    metric = PooledShare()
    for row in rows:
        metric.add(row)
    result = metric.result()
    assert (result.low, result.value, result.high) == (0.0, 0.1, 1.0)  # both a, one of each, both b
    metric.add(Row("c", (), 0, 5, "lost"))
    assert metric.result()[:3] == result[:3]


def test_one_clip_has_no_interval_and_equal_clips_a_narrow_one() -> None:
    metric = Share()
    metric.add(Row("a", (1.0, 2.0), 2, 2))
    assert math.isnan(metric.result().low)
    assert math.isnan(metric.result().high)
    metric.add(Row("b", (2.0, 4.0), 4, 4))
    assert metric.result()[:3] == (0.5, 0.5, 0.5)
    assert isinstance(metric.result(), Result)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (torch.rand(2, 4, 4), r"0\.\.255, got .*: multiply by 255"),
        (torch.rand(2, 4, 4) * 300 - 40, "needs grey levels"),
        (torch.full((2, 4, 4), math.nan), "needs grey levels"),
        (np.array([0.0, 256.0]), "fun: needs grey levels"),
    ],
)
def test_wrong_ranges(levels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        require_levels(levels, "fun")


def test_right_ranges() -> None:
    for levels in (torch.zeros(2), torch.tensor([0, 1], dtype=torch.uint8), np.array([0.0, 255.0]), torch.zeros(0)):
        assert len(require_levels(levels, "fun")) == len(levels)
