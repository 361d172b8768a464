"""The runner: what it measures, that it repeats and loses nothing, and that one failure is one failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.benchmark.small import FEW, HERE, Run, rows_of, toy_weights
from zoo.benchmark import code
from zoo.benchmark.code import code_of
from zoo.benchmark.ledger import Ledger
from zoo.benchmark.locks import locked
from zoo.benchmark.plan import CLIP_S, clip_seconds, make_plan
from zoo.benchmark.run import Workers, execute
from zoo.benchmark.suite import find_suite
from zoo.benchmark.suite_set import SuiteSet
from zoo.benchmark.worker import Job, Worker
from zoo.evaluation.evaluator import Evaluator
from zoo.evaluation.results import Cell, Row, every_row, line_of, read_results, row_of, video_name
from zoo.leaderboard.write import write_leaderboard
from zoo.media.clip import Word
from zoo.support.errors import DataError
from zoo.support.files import write_text_aside
from zoo.synthesis.scene import Scene
from zoo.synthesis.subjects import Still

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
    assert (toy.source, toy.shown, toy.trained_on) == ("given", "a still, sound", "unknown")
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


def test_a_complete_cell_is_left_alone_whatever_lies_aside(benchmark: Run, tmp_path: Path):
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr]", "test_clips=1"]
    benchmark(tmp_path / "out", *few)
    video = next((tmp_path / "out").glob("cells/*/videos/*.mp4"))
    old = video.read_bytes()
    other = toy_weights(tmp_path / "other.safetensors", gain=0.7)
    benchmark(tmp_path / "out", *few, ckpt=other)
    assert video.read_bytes() != old
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/cells").rglob("*") if path.is_file()}
    plan, _ = benchmark(tmp_path / "out", *few, ckpt=other)
    assert (plan.tasks(), plan.cells[0].stale) == ([], 0)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    # A process was killed between a video and the line that says of what weights it is.
    (video.parents[1] / "times.jsonl").write_text("")
    video.write_bytes(old)
    plan, _ = benchmark(tmp_path / "out", *few, ckpt=other)
    assert [task.metrics for task in plan.tasks()] == [()]
    assert video.read_bytes() != old


@pytest.mark.parametrize("writes", range(4))
def test_no_row_is_lost_when_it_is_killed_while_it_sets_rows_aside(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cell = Cell("toy-seed0-cross", "new", "synth", "toy", "method", "cross", protocols={"cpbd": "cpbd|1"})
    clips = ["a", "b"]

    def row(key: str, clip: str) -> Row:
        return Row(key, "synth", "toy", 0, "cross", "", clip, "s", "cpbd", "cpbd|1", 1.0, (1.0,), 1, 1)

    ledger = Ledger(tmp_path, cell, clips)
    for name, key in (("stale/rows.jsonl", "new"), ("rows.jsonl", "old")):
        path = ledger.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line_of(row(key, clip)) for clip in clips))
    left = iter(range(writes))

    def write(path: Path, text: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_text_aside(path, text)

    with monkeypatch.context() as patch:
        patch.setattr("zoo.benchmark.ledger.write_text_aside", write)
        with pytest.raises(KeyboardInterrupt):
            ledger.open()
    for key in ("new", "old"):
        assert len(Ledger(tmp_path, replace(cell, key=key), clips).stock().rows) == 2, key
    ledger.open()
    assert [row.key for row in map(row_of, every_row(ledger.path))] == ["new"] * 2
    assert [row.key for row in map(row_of, every_row(ledger.path / "stale"))] == ["old"] * 2


def test_cells_of_other_data_or_code_leave_the_leaderboard(
    benchmark: Run, store: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    few = ["references=[still]", "tracks=[reconstruction]", "metrics=[psnr]", "videos=false", "test_clips=1"]
    folder = tmp_path / "cells/toy-seed0-reconstruction"
    for facts in ({"data": "of another store"}, {"code": "of another checkout"}, {"split": "another"}):
        benchmark(tmp_path, *few)
        known = json.loads((folder / "cell.json").read_text())
        (folder / "cell.json").write_text(json.dumps(known | facts))
        plan, _ = benchmark(tmp_path, *few, methods=[])
        assert plan.outdated == ["toy-seed0-reconstruction"]
        assert set(read_results(tmp_path).cells) == {"still-reconstruction"}
    aside = sorted(path.parent.name for path in tmp_path.glob("stale/*/rows.jsonl"))
    assert aside == [f"toy-seed0-reconstruction{number}" for number in ("", "-2", "-3")]
    # Other code makes all rows anew.
    benchmark(tmp_path, *few)
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, *few]))
    monkeypatch.setattr("zoo.benchmark.plan.code_of", lambda target="": f"other-{target}")
    plan = make_plan(suite_set, ["toy"], tmp_path, given={"toy": weights})
    assert [(planned.there, len(planned.tasks)) for planned in plan.cells] == [(0, 1), (0, 1)]


def test_code_is_told_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "brought"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "recipe.yaml").write_text("a: 1")
    monkeypatch.syspath_prepend(tmp_path)
    seen = {code_of("brought.networks:Net"), code_of(), code_of("toy:Toy"), code_of("toy:Toy", fit=True)}
    for name, text in (("recipe.yaml", "a: 2"), ("networks.py", "x = 1"), ("networks.py", "x = 2")):
        (package / name).write_text(text)
        code._digest.cache_clear()
        seen.add(code_of("brought.networks:Net"))
    assert len(seen) == 7
    assert all(text.startswith(code_of()) for text in seen if text != code_of("toy:Toy", fit=True))


def test_killed_and_run_again(results: Path, store: Path, weights: Path, benchmark: Run, tmp_path: Path):
    """The real command is killed when its processes have written the first rows, and again when they begin."""
    out = tmp_path / "one"
    few = ["references=[still]", "metrics=[lmd,psnr,cpbd]"]
    command = [sys.executable, "-m", "zoo", "benchmark", "--methods", "toy", "--ckpt", f"toy={weights}"]
    command += ["--devices", "2", "--out", str(out), f"data.root={store}", *FEW, *few]
    for point, look in (("rows", "cells/*/rows-*.jsonl"), ("jobs", ".work/*/job-1.json")):
        before = set(out.glob(look))
        popen = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not (set(out.glob(look)) - before) and popen.poll() is None:
            time.sleep(0.005)
        assert popen.poll() is None, f"{point}: {popen.stderr.read() if popen.stderr else ''}"
        popen.kill()
        popen.communicate()
        deadline = time.monotonic() + 60
        while (left := _processes(str(out))) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []
        found = read_results(out)
        assert 0 < sum(map(len, found.rows.values())) < 24
    shutil.copytree(out, tmp_path / "three")
    expected = {name: text for name, text in rows_of(results).items() if "real" not in name}
    for name, workers in (("one", HERE), ("three", Workers("processes", 3, ("cpu",)))):
        _, outcome = benchmark(tmp_path / name, *few, workers=workers)
        assert outcome.problems == []
        assert rows_of(tmp_path / name) == expected


def _processes(text: str) -> list[str]:
    """Commands at work that name a path."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [command] if text in command and f"/{os.getpid()}/" not in str(path) else []
    return found


@pytest.mark.usefixtures("beside_another_zoo")
def test_processes_change_nothing(benchmark: Run, tmp_path: Path):
    """One, and more than there are clips; with judges and the retrieval."""
    few = ["references=[retrieval]", "metrics=[lmd,lse_d,wer]", "test_clips=2", "retrieval_clips=2", "videos=false"]
    benchmark(tmp_path / "here", *few)
    rows = rows_of(tmp_path / "here")
    assert all(len(text.splitlines()) in (4, 6) for text in rows.values())
    for count in (1, 3):
        out = tmp_path / str(count)
        _, outcome = benchmark(out, *few, workers=Workers("processes", count, ("cpu",)))
        assert outcome.problems == []
        assert rows_of(out) == rows
    for name in ("here", "3"):
        write_leaderboard(tmp_path / name)
    assert _without_speed(tmp_path / "here") == _without_speed(tmp_path / "3")


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
    assert failure.reason == "its process died (SIGSEGV)"
    (log,) = (tmp_path / "out/.work/logs").iterdir()
    assert "in generate" in log.read_text()
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
    from zoo.evaluation.metrics.psnr import PSNR

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


def test_a_second_benchmark_changes_nothing(benchmark: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    few = ["references=[still]", "tracks=[reconstruction]", "metrics=[psnr]", "videos=false"]
    benchmark(tmp_path, *few, "test_clips=1", methods=[])
    before = {path: path.read_bytes() for path in tmp_path.glob("**/*.json*") if ".work" not in path.parts}
    for name, where in (("folder", "this folder"), ("still-reconstruction", "still-reconstruction")):
        with (
            locked(tmp_path, name),
            pytest.raises(DataError, match=f"another `zoo benchmark` is at work on {where}"),
        ):
            benchmark(tmp_path, *few, "test_clips=2", methods=[])
    assert {path: path.read_bytes() for path in before} == before

    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    _, outcome = benchmark(tmp_path, *few, "test_clips=2", methods=[])
    assert outcome.problems == []


def test_a_plan_is_looked_over_under_the_lock(benchmark: Run, store: Path, tmp_path: Path):
    few = ["references=[still]", "tracks=[reconstruction]", "metrics=[psnr]", "videos=false", "test_clips=1"]
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, *few]))
    plan = make_plan(suite_set, [], tmp_path)
    assert len(plan.tasks()) == 1
    benchmark(tmp_path, *few, methods=[])  # meanwhile another one
    assert execute(suite_set, plan, HERE, show=False).problems == []
    assert plan.tasks() == []


def test_a_machine_with_other_clips_refuses(benchmark: Run, store: Path, tmp_path: Path):
    few = ["references=[still]", "tracks=[reconstruction]", "metrics=[psnr]", "test_clips=1"]
    plan, _ = benchmark(tmp_path, *few, methods=[])
    (cell,) = (planned.cell for planned in plan.cells)
    settings = asdict(find_suite("synth", [f"data.root={store}", *FEW, *few]).config)
    clip = next(iter(plan.suite.clips))
    other = replace(cell, data="of other clips", name="other")
    job = Job(str(tmp_path), "synth", settings, {"other": (asdict(other), "")}, [("other", clip, ["psnr"])])
    Worker(job, 0).run(lambda state, number: None)
    (row,) = every_row(tmp_path / "cells/other")
    assert "holds other clips than those that were planned" in row["reason"]


def test_speed_leaves_out_what_warms_up(store: Path, tmp_path: Path, weights: Path):
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, "references=[]", "tracks=[reconstruction]"]))
    plan = make_plan(suite_set, ["toy"], tmp_path, given={"toy": weights})
    ledger = Ledger(tmp_path, plan.cells[0].cell, plan.suite.clips)
    ledger.open()
    facts = {"key": plan.cells[0].cell.key, "frames": 40, "took": 1, "parameters": 5, "device": "CPU"}
    clips = list(plan.suite.clips)
    lines = [
        facts | {"clip": clip, "seconds": seconds, "first": seconds > 1, "took": 4 * seconds}
        for clip, seconds in zip(clips, (9.0, 0.5, 0.25), strict=True)
    ]
    # What was merged earlier is older; a process on another device is not averaged with these.
    (ledger.path / "times.jsonl").write_text(json.dumps(lines[1] | {"seconds": 70.0}) + "\n")
    (ledger.path / "times-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    cell = ledger.close()
    assert (cell.frames, cell.seconds, cell.parameters, cell.status) == (80, 0.75, 5, "partial")
    assert clip_seconds(tmp_path, plan, "CPU") == 1.5
    assert clip_seconds(tmp_path, plan, "GPU") == CLIP_S
    gpu = lines[2] | {"device": "GPU", "seconds": 0.01}
    (ledger.path / "times-0.jsonl").write_text(json.dumps(gpu) + "\n")
    cell = ledger.close()
    assert (cell.device, cell.frames, cell.seconds) == ("CPU", 40, 0.5)


@pytest.mark.parametrize(("end_s", "text"), [(0.9, "set red"), (1.1, "set"), (None, "")])
def test_only_what_is_heard_was_said(end_s: float | None, text: str, store: Path):
    """The sound of a longer clip is cut to the face's pictures."""
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, "metrics=[wer,cpbd]"]))
    scene = suite_set.scene(suite_set.test[0], foreign=True)
    words = () if end_s is None else (Word(0.1, 0.4, "set"), Word(0.5, end_s, "red"))
    clip = replace(scene.clip, frames=scene.clip.frames[:25], landmarks=scene.clip.landmarks[:25])
    cut = Scene(clip, scene.index, replace(scene.sound, text="set red", words=words), scene.wave[:16000])
    assert (cut.text, bool(cut.transcript_error)) == (text, end_s is None)
    short = replace(cut, sound=replace(cut.sound, num_frames=25))
    assert short.text == "set red"
    if end_s is None:
        cell = Cell("still-cross", "k", "synth", "still", "reference", "cross")
        evaluator, still = Evaluator(suite_set, cell), Still()
        rows = evaluator.rows(cut, evaluator.pair(cut, still, still.make(cut)), ["wer", "cpbd"])
        assert [(row.value is None, row.total) for row in rows] == [(True, 2), (False, 25)]
        assert "nobody knows which words are left" in rows[0].reason


def test_damaged_rows_are_made_again(benchmark: Run, results: Path, tmp_path: Path):
    few = ["references=[still]", "tracks=[reconstruction]"]
    benchmark(tmp_path, *few, methods=[])
    path = tmp_path / "cells/still-reconstruction/rows.jsonl"
    data = bytearray(path.read_bytes())
    data[50:900] = bytes(850)
    path.write_bytes(data)
    plan, outcome = benchmark(tmp_path, *few, methods=[])
    assert plan.cells[0].damaged == 1
    assert 1 < sum(len(task.metrics) for task in plan.tasks()) < 9
    assert outcome.problems == []
    assert rows_of(tmp_path)["still-reconstruction"] == rows_of(results)["still-reconstruction"]
    # Rubbish beside all rows goes, too.
    path.write_bytes(path.read_bytes() + b"\0\0\n")
    plan, _ = benchmark(tmp_path, *few, methods=[])
    assert (plan.tasks(), plan.cells[0].damaged) == ([], 1)
    assert rows_of(tmp_path)["still-reconstruction"] == rows_of(results)["still-reconstruction"]


def test_weights_that_changed_since_they_were_planned_are_not_used(benchmark: Run, store: Path, tmp_path: Path):
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr]", "test_clips=1", "videos=false"]
    mine = toy_weights(tmp_path / "toy.safetensors")
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, *few]))
    plan = make_plan(suite_set, ["toy"], tmp_path / "out", given={"toy": mine})
    settings = asdict(suite_set.suite.config)
    (planned,) = plan.cells
    toy_weights(mine, gain=0.5)
    task = (planned.cell.name, next(iter(plan.suite.clips)), ["psnr"])
    job = Job(str(plan.out), "synth", settings, {planned.cell.name: (asdict(planned.cell), str(mine))}, [task])
    Worker(job, 0).run(lambda state, number: None)
    (row,) = every_row(plan.out / "cells" / planned.cell.name)
    assert "holds other weights than those that were planned" in row["reason"]
