"""The runner: what it measures, that it repeats and loses nothing, and that one failure is one failure."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from small import FEW, HERE, Run, rows_of, toy_weights

from zoo.benchmark.bench import Bench
from zoo.benchmark.ledger import Ledger
from zoo.benchmark.plan import make_plan
from zoo.benchmark.results import read_results, video_name
from zoo.benchmark.run import Workers, execute
from zoo.benchmark.suite import find_suite
from zoo.errors import DataError
from zoo.leaderboard.write import write_leaderboard

CELLS = {"real-reconstruction", "still-reconstruction", "still-cross", "toy-seed0-reconstruction", "toy-seed0-cross"}


def values(out: Path, cell: str, metric: str) -> dict[str, float | None]:
    return {row.clip: row.value for row in read_results(out).rows[cell] if row.metric == metric}


def test_rows_of_a_whole_benchmark(results: Path):
    found = read_results(results)
    assert set(found.cells) == CELLS
    clips = set(found.suite.clips)
    assert len(clips) == 3
    assert len(set(found.suite.clips.values())) == 2
    for name, cell in found.cells.items():
        metrics = {"cpbd"} if cell.track == "cross" else {"lmd", "psnr", "cpbd"}
        assert {(row.clip, row.metric) for row in found.rows[name]} == {(c, m) for c in clips for m in metrics}
        assert (cell.status, cell.reason, cell.failures, found.stale[name]) == ("done", "", [], 0)
        assert {row.protocol for row in found.rows[name]} == set(cell.protocols.values())
        assert {row.key for row in found.rows[name]} == {cell.key}
        for row in found.rows[name]:
            assert row.value is not None
            assert row.speaker == found.suite.clips[row.clip]
            assert (row.sound == "") == (cell.track == "reconstruction")
            assert not row.sound.startswith(row.speaker)
        assert {path.name for path in (results / "cells" / name / "videos").iterdir()} == set(map(video_name, clips))
    toy = found.cells["toy-seed0-reconstruction"]
    assert (toy.source, toy.shown, toy.trained_on) == ("given", "a still", "unknown")
    assert toy.parameters == 13  # one gain, and a convolution; the layer that is never called does not count
    assert toy.frames > 0
    assert toy.seconds > 0
    assert toy.made["zoo"]
    assert set(values(results, "real-reconstruction", "lmd").values()) == {0}
    assert set(values(results, "real-reconstruction", "psnr").values()) == {100}
    still, toy_psnr = (values(results, f"{name}-reconstruction", "psnr") for name in ("still", "toy-seed0"))
    assert all(15 < toy_psnr[clip] < still[clip] < 60 for clip in clips)


def test_a_second_run_does_nothing(results: Path, benchmark: Run):
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.suffix in (".jsonl", ".mp4")}
    plan, outcome = benchmark(results)
    assert plan.tasks() == []
    assert outcome.problems == []
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_only_what_is_missing_runs(results: Path, benchmark: Run, tmp_path: Path):
    few, metrics = ["references=[still]", "tracks=[reconstruction]"], "metrics=[lmd,psnr]"
    benchmark(tmp_path, *few, metrics, "test_clips=2", methods=[])
    folder = tmp_path / "cells/still-reconstruction"
    lines = (folder / "rows.jsonl").read_bytes().splitlines(keepends=True)
    # A process was killed in the middle of its second line, another one after writing what is there already.
    (folder / "rows.jsonl").write_bytes(b"".join(lines[:1]))
    (folder / "rows-0.jsonl").write_bytes(lines[1][:50])
    (folder / "rows-7.jsonl").write_bytes(lines[0] + lines[2])
    plan, _ = benchmark(tmp_path, *few, "test_clips=3", methods=[])
    assert sum(len(task.metrics) for task in plan.tasks()) == 9 - 2
    assert rows_of(tmp_path)["still-reconstruction"] == rows_of(results)["still-reconstruction"]
    assert {path.name for path in folder.iterdir()} == {"cell.json", "rows.jsonl", "times.jsonl", "videos"}


def test_rows_of_other_weights_metrics_and_clips_are_set_aside(benchmark: Run, tmp_path: Path):
    few = ["references=[still]", "tracks=[reconstruction]", "metrics=[psnr,cpbd]", "videos=false"]
    benchmark(tmp_path / "out", *few)
    first = rows_of(tmp_path / "out")
    other = toy_weights(tmp_path / "other.safetensors", gain=0.7)
    plan, _ = benchmark(tmp_path / "out", *few, ckpt=other)
    toy, still = plan.cells[1], plan.cells[0]
    assert (toy.stale, len(toy.tasks), still.stale, len(still.tasks)) == (6, 3, 0, 0)
    second = rows_of(tmp_path / "out")
    assert second["still-reconstruction"] == first["still-reconstruction"]
    assert second["toy-seed0-reconstruction"] != first["toy-seed0-reconstruction"]
    assert read_results(tmp_path / "out").stale["toy-seed0-reconstruction"] == 6
    # Another protocol of one metric: only that one is scored again.
    plan, _ = benchmark(tmp_path / "out", *few, "options.psnr.variant=video", ckpt=other)
    assert {task.metrics for task in plan.tasks()} == {("psnr",)}
    assert all("psnr|variant:video" in text.decode() for text in rows_of(tmp_path / "out").values())
    # What was set aside is taken back when it fits again, fewer clips leave the others out.
    plan, _ = benchmark(tmp_path / "out", *few)
    assert plan.tasks() == []
    assert rows_of(tmp_path / "out") == first
    benchmark(tmp_path / "out", *few, "test_clips=1")
    assert {len(text.splitlines()) for text in rows_of(tmp_path / "out").values()} == {2}


def test_cells_of_other_data_leave_the_leaderboard(benchmark: Run, tmp_path: Path):
    few = ["references=[still]", "tracks=[reconstruction]", "metrics=[psnr]", "videos=false", "test_clips=1"]
    benchmark(tmp_path, *few)
    cell = tmp_path / "cells/toy-seed0-reconstruction/cell.json"
    facts = json.loads(cell.read_text())
    cell.write_text(json.dumps(facts | {"data": "of another store"}))
    plan, _ = benchmark(tmp_path, *few, methods=[])
    assert plan.outdated == ["toy-seed0-reconstruction"]
    assert set(read_results(tmp_path).cells) == {"still-reconstruction"}
    assert (tmp_path / "stale/toy-seed0-reconstruction/rows.jsonl").is_file()


def test_killed_anywhere_and_run_again(results: Path, benchmark: Run, tmp_path: Path):
    """A forked child runs the benchmark and is killed at random; what the next one leaves is what nobody disturbed."""
    few = ["references=[still]", "metrics=[lmd,psnr,cpbd]"]
    context, chance, kills = multiprocessing.get_context("fork"), random.Random(4), 0
    for _ in range(30):
        child = context.Process(target=benchmark, args=(tmp_path, *few))
        child.start()
        child.join(chance.uniform(0.3, 1.5))
        if child.exitcode is not None:
            break
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        kills += 1
        if (tmp_path / "suite.json").exists():
            found = read_results(tmp_path)
            places = [(name, row.clip, row.metric) for name, rows in found.rows.items() for row in rows]
            assert len(places) == len(set(places))
    assert kills >= 2
    _, outcome = benchmark(tmp_path, *few)
    assert outcome.problems == []
    assert rows_of(tmp_path) == {name: text for name, text in rows_of(results).items() if "real" not in name}


def test_processes_change_nothing(results: Path, benchmark: Run, tmp_path: Path):
    out = tmp_path / "out"
    benchmark(out, workers=Workers("processes", 3, ("cpu",)))
    assert rows_of(out) == rows_of(results)
    for folder in (results, out):
        write_leaderboard(folder)
    assert _without_speed(out) == _without_speed(results)


def _without_speed(out: Path) -> Any:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in ("fps", "rtf", "frames", "seconds", "speed")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(json.loads((out / "leaderboard.json").read_text()))


def test_a_process_that_dies_costs_one_clip_and_is_tried_again(
    benchmark: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOY_MARK", str(tmp_path / "mark"))
    deadly = toy_weights(tmp_path / "deadly.safetensors", fails="die")
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr,lmd]"]
    _, outcome = benchmark(tmp_path / "out", *few, ckpt=deadly, workers=Workers("processes", 1, ("cpu",)))
    (cell,) = outcome.cells
    (failure,) = cell.failures
    assert "its process died (SIGSEGV" in failure.reason
    assert outcome.problems == [f"toy-seed0-reconstruction: {failure.clip}: {failure.reason}"]
    scored = values(tmp_path / "out", cell.name, "psnr")
    assert [clip for clip, value in scored.items() if value is None] == [failure.clip]
    plan, outcome = benchmark(tmp_path / "out", *few, ckpt=deadly)
    assert [task.clip for task in plan.tasks()] == [failure.clip]
    assert outcome.problems == []


def test_a_method_that_fails_leaves_the_others(benchmark: Run, tmp_path: Path):
    few = ["tracks=[reconstruction]", "metrics=[psnr]", "references=[still]"]
    broken = toy_weights(tmp_path / "broken.safetensors", fails="raise")
    _, outcome = benchmark(tmp_path / "out", *few, ckpt=broken)
    still, toy = outcome.cells
    assert (still.status, toy.status) == ("done", "failed")
    assert toy.reason == "RuntimeError: no idea what a mouth is"
    rows = read_results(tmp_path / "out").rows["toy-seed0-reconstruction"]
    assert {(row.value, row.scored, row.total) for row in rows} == {(None, 0, 42)}
    assert outcome.problems == ["toy-seed0-reconstruction: RuntimeError: no idea what a mouth is"]


def test_a_metric_that_fails_leaves_the_others(benchmark: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from zoo.metrics.psnr import PSNR

    def break_down(*_: object) -> Any:
        raise ZeroDivisionError("no picture")

    few = ["tracks=[reconstruction]", "metrics=[psnr,cpbd]", "references=[still]", "test_clips=1", "videos=false"]
    with monkeypatch.context() as patch:
        patch.setattr(PSNR, "statistics", break_down)
        _, outcome = benchmark(tmp_path, *few, methods=[])
    (cell,) = outcome.cells
    assert (cell.status, cell.failures[0].metric) == ("done", "psnr")
    assert cell.failures[0].reason == "ZeroDivisionError: no picture"
    assert None not in values(tmp_path, cell.name, "cpbd").values()
    plan, outcome = benchmark(tmp_path, *few, methods=[])
    assert [task.metrics for task in plan.tasks()] == [("psnr",)]
    assert outcome.problems == []


def test_two_benchmarks_do_not_share_a_cell(store: Path, tmp_path: Path):
    bench = Bench(find_suite("synth", [f"data.root={store}", *FEW, "references=[still]"]))
    plan = make_plan(bench, [], tmp_path)
    ready, context = multiprocessing.get_context("fork").Event(), multiprocessing.get_context("fork")

    def hold() -> None:
        from zoo.benchmark.run import _lock

        (tmp_path / ".work").mkdir()
        with _lock(tmp_path / ".work", "still-cross"):
            ready.set()
            time.sleep(60)

    other = context.Process(target=hold)
    other.start()
    assert ready.wait(20)
    with pytest.raises(DataError, match="another `zoo benchmark` is at work on still-cross"):
        execute(bench, plan, HERE, show=False)
    other.kill()
    other.join()


def test_speed_leaves_out_what_warms_up(store: Path, tmp_path: Path, weights: Path):
    bench = Bench(find_suite("synth", [f"data.root={store}", *FEW, "references=[]", "tracks=[reconstruction]"]))
    plan = make_plan(bench, ["toy"], tmp_path, given={"toy": weights})
    ledger = Ledger(tmp_path, plan.cells[0].cell, plan.suite.clips)
    ledger.open()
    lines = [
        {"key": plan.cells[0].cell.key, "clip": clip, "frames": 40, "seconds": seconds, "took": 1, "first": seconds > 1,
         "parameters": 5, "device": "CPU"}
        for clip, seconds in zip(plan.suite.clips, (9.0, 0.5, 0.25), strict=True)
    ]  # fmt: skip
    (ledger.path / "times-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    cell = ledger.close()
    assert (cell.frames, cell.seconds, cell.parameters, cell.status) == (80, 0.75, 5, "partial")
