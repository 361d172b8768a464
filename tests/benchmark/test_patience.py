"""What stands still is ended: the clip is a failure with its reason, the rest goes on, and a rerun tries it again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.benchmark.small import Run, toy_weights
from zoo.benchmark import pool
from zoo.benchmark.idle import used_ticks, wait_unless_idle
from zoo.benchmark.ledger import Task
from zoo.benchmark.patience import LEAST_FIRST_S, LEAST_S, START_S, UNKNOWN_S, Patience
from zoo.benchmark.run import Workers
from zoo.benchmark.worker import Job
from zoo.evaluation.results import read_results

CLIP, OTHER, LONG = (Task("still-cross", clip, ("lmd",)) for clip in ("a", "b", "long"))


def test_a_stopped_process_costs_one_clip_and_is_tried_again(
    benchmark: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOY_MARK", str(tmp_path / "mark"))
    stopping = toy_weights(tmp_path / "stopping.safetensors", fails="stop")
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr,lmd]", "videos=false", "clip_limit=30"]
    _, outcome = benchmark(tmp_path / "out", *few, ckpt=stopping, workers=Workers("processes", 1, ("cpu",)))
    (cell,) = outcome.cells
    (failure,) = cell.failures
    assert failure.reason == "it took more than 30 s and was ended (clip_limit=SECONDS allows more)"
    assert outcome.problems == [f"toy-seed0-reconstruction: {failure.clip}: {failure.reason}"]
    (rows,) = read_results(tmp_path / "out").rows.values()
    assert {row.clip for row in rows if row.value is None} == {failure.clip}
    plan, outcome = benchmark(tmp_path / "out", *few, ckpt=stopping)
    assert [task.clip for task in plan.tasks()] == [failure.clip]
    assert outcome.problems == []


def test_limits_adapt_to_what_clips_take():
    patience = Patience({"a": 75, "b": 75, "long": 7500})
    assert (patience.for_start(), patience.for_clip(CLIP, first=True)) == (START_S, UNKNOWN_S)
    assert patience.for_clip(LONG, first=False) == 15000
    patience.started(2.0)
    patience.done(CLIP, 5.0, first=True)
    patience.done(OTHER, 1.5, first=False)
    assert patience.for_start() == LEAST_FIRST_S
    assert patience.for_clip(CLIP, first=False) == LEAST_S
    assert patience.for_clip(CLIP, first=True) == LEAST_FIRST_S
    assert patience.for_clip(LONG, first=False) == pytest.approx(20 * 1.5 * 100)
    patience.done(OTHER, 15.0, first=False)
    assert patience.for_clip(CLIP, first=False) == pytest.approx(300)


def test_the_retrieval_may_hear_its_clips_first():
    patience = Patience({"a": 75}, heard=1000)
    task = Task("retrieval-cross", "a", ())
    assert patience.for_clip(task, first=True) == 1300
    assert patience.for_clip(CLIP, first=True) == UNKNOWN_S


def test_the_suite_may_say_how_long_a_clip_may_take():
    patience = Patience({}, fixed=7, heard=1000)
    assert {patience.for_clip(CLIP, first=first) for first in (True, False)} == {7}
    assert patience.for_start() == START_S


def crew_of(folder: Path, died: list[str]) -> pool.Crew:
    """A crew whose clips may take 50 s; what is said of clips that died goes to ``died``."""
    (folder / ".work").mkdir()
    (folder / "log").touch()
    job = Job(str(folder), "", {}, {}, [])
    return pool.Crew(job, folder, ("cpu",), lambda _: None, lambda _, why, __: died.append(why), Patience({}, fixed=50))


def test_a_process_that_died_over_its_last_clip_has_nothing_to_be_late_with(
    sleeper: subprocess.Popen[str], tmp_path: Path
):
    died: list[str] = []
    crew = crew_of(tmp_path, died)
    process = pool._Process(0, [CLIP], sleeper, at=True, log=tmp_path / "log", since=time.monotonic())
    sleeper.kill()
    sleeper.wait()
    pool._hear(process, "", crew, SimpleQueue())
    assert died == ["its process died (SIGKILL, out of memory?)"]
    assert process.tasks == []
    pool._end_late([process], crew, SimpleQueue(), looked=time.monotonic())
    assert died == ["its process died (SIGKILL, out of memory?)"]


def test_who_stood_still_itself_blames_nobody(
    sleeper: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """This process was stopped, or the machine slept: nothing was heard meanwhile."""
    died: list[str] = []
    crew = crew_of(tmp_path, died)
    process = pool._Process(0, [CLIP], sleeper, at=True, log=tmp_path / "log", since=990.0)
    looked = 999.0
    for now in (1000.0, 1100.0, 1101.0):
        with monkeypatch.context() as patch:
            patch.setattr(pool.time, "monotonic", lambda now=now: now)
            looked = pool._end_late([process], crew, SimpleQueue(), looked)
        assert died == []
    process.since -= 50
    with monkeypatch.context() as patch:
        patch.setattr(pool, "_reap", lambda process, crew, why: (died.append(why), process.tasks.clear()))
        pool._end_late([process], crew, SimpleQueue(), looked)
    assert died == ["it took more than 50 s and was ended (clip_limit=SECONDS allows more)"]
    assert sleeper.poll() == -signal.SIGKILL


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    """A process that does nothing."""
    popen = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    yield popen
    popen.kill()
    popen.communicate()


def test_a_fit_that_does_nothing_is_not_waited_for(sleeper: subprocess.Popen[str]):
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert wait_unless_idle(sleeper, idle_s=0.5, look_s=0.1) is None
    assert sleeper.poll() is None
    pool.kill(sleeper, wait=10.0)
    assert sleeper.poll() == -signal.SIGKILL


def test_a_fit_that_works_is_waited_for():
    work = "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass"
    popen = subprocess.Popen([sys.executable, "-c", work], text=True, start_new_session=True)
    assert wait_unless_idle(popen, idle_s=30.0, look_s=0.05) == 0
    assert used_ticks(os.getsid(0)) is not None
