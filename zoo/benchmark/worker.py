"""One process of a benchmark: it generates and scores its share of the clips and adds rows as they come.

Started as ``python -m zoo.benchmark.child work JOB``; the process that started it reads what is begun and done from its
standard output. When that process ends, in whatever way, so does this one.
"""

from __future__ import annotations

import faulthandler
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from zoo.benchmark.checkpoints import digest_of
from zoo.benchmark.ledger import Ledger, Task
from zoo.benchmark.suite import NamedSuite, resolve
from zoo.benchmark.suite_set import SuiteSet
from zoo.evaluation.evaluator import Evaluator
from zoo.evaluation.lines import sealed
from zoo.evaluation.results import Cell, Row
from zoo.evaluation.rows import text_of
from zoo.media.video import VIEWED_CRF, write_video
from zoo.registry.config import Layer
from zoo.registry.spec import reason
from zoo.support.errors import MediaError, ZooError
from zoo.synthesis.scene import Scene
from zoo.synthesis.subjects import Subject, make_subject

State = Literal["start", "done"]


@dataclass
class Job:
    """What processes need to know, as plain values.

    Attributes:
        out: folder of the results.
        name: of the suite.
        suite: its settings.
        cells: by name: facts, and the checkpoint of a method.
        tasks: the clips that this process generates.
        device: where; empty is the process's own choice.
        frames: how many each clip has, by id.
    """

    out: str
    name: str
    suite: dict[str, Any]
    cells: dict[str, tuple[dict[str, Any], str]]
    tasks: list[tuple[str, str, list[str]]]
    device: str = ""
    frames: dict[str, int] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Keep it where a worker finds it."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Job:
        """What :meth:`write` wrote."""
        return Job(**json.loads(path.read_text(encoding="utf-8")))

    def suite_set(self) -> SuiteSet:
        """Clips, metrics and judges of the suite."""
        return SuiteSet(NamedSuite(self.name, resolve([Layer("the job", self.suite)])), device=self.device or "cpu")


class Worker:
    """Works through tasks.

    Args:
        job: what there is to do.
        rank: number of this process, part of the names of its files.
    """

    def __init__(self, job: Job, rank: int) -> None:
        self.job, self.rank = job, rank
        self.device = torch.device(job.device or "cpu")
        if self.device.type == "cpu":
            torch.set_num_threads(1)  # with several, the last bits would depend on how many there are
        self.suite_set = job.suite_set()
        self.out = Path(job.out)
        self._cell = ""
        self._first = True

    def run(self, report: Callable[[State, int], None]) -> None:
        """Work through all tasks; whatever a clip raises becomes its rows' reason.

        Args:
            report: called with the number of a task before and after it.
        """
        for number, (name, clip, metrics) in enumerate(self.job.tasks):
            report("start", number)
            if name != self._cell:
                self._enter(name)
            self._work(Task(name, clip, tuple(metrics)))
            report("done", number)

    def _enter(self, name: str) -> None:
        """Get ready for another cell."""
        facts, checkpoint = self.job.cells[name]
        self._cell, self._first = name, True
        self.cell = Cell(**facts)
        self.ledger = Ledger(self.out, self.cell, ())
        self.evaluator = Evaluator(self.suite_set, self.cell)
        self.subject: Subject | None = None
        self.broken = ""
        if self.cell.data != self.suite_set.fingerprint:
            where = self.suite_set.data.path
            self.broken = f"{where} holds other clips than those that were planned, on {platform.node()}"
            return
        if checkpoint and digest_of(Path(checkpoint))[:16] != self.cell.checkpoint:
            self.broken = f"{checkpoint} holds other weights than those that were planned, on {platform.node()}"
            return
        try:
            path = Path(checkpoint) if checkpoint else None
            name = self.cell.base or self.cell.method
            mode, options = self.cell.mode, self.cell.options
            self.subject = make_subject(
                self.suite_set.store, name, path, self.device, mode=mode, options=options, train=self.suite_set.train
            )
        except Exception as error:
            self.broken = said(error)

    def _work(self, task: Task) -> None:
        started = time.perf_counter()
        try:
            scene = self.suite_set.scene(
                self.suite_set.store.index(task.clip), foreign=self.evaluator.foreign, track=self.cell.track
            )
            rows = self._score(task, scene)
        except Exception as error:
            self._add(self.evaluator.failed(task.clip, task.metrics, self.broken or said(error)))
            return
        self._add(rows)
        self._add_time(task, scene, time.perf_counter() - started)

    def _score(self, task: Task, scene: Scene) -> list[Row]:
        if self.subject is None:
            raise ZooError(self.broken)
        made = self.subject.make(scene)
        if self.suite_set.suite.config.videos:
            path = self.ledger.video(task.clip)
            write_video(path, made, wave=scene.wave, metadata=self.subject.tags(), crf=VIEWED_CRF)
        if not task.metrics:
            return []
        return self.evaluator.rows(scene, self.evaluator.pair(scene, self.subject, made), task.metrics)

    def _add(self, rows: Sequence[Row]) -> None:
        """All rows of a clip in one write, so that a kill leaves all or hardly any."""
        append(self.ledger.path / f"rows-{self.rank}.jsonl", text_of(rows))

    def _add_time(self, task: Task, scene: Scene, took: float) -> None:
        assert self.subject is not None
        facts = {
            "key": self.cell.key,
            "clip": task.clip,
            "frames": len(scene.clip.frames) if self.subject.seconds else 0,
            "seconds": round(self.subject.seconds, 4),
            "took": round(took, 4),
            "first": self._first,
            "parameters": self.subject.parameters,
            "device": device_name(self.device),
        }
        self._first = False
        append(self.ledger.path / f"times-{self.rank}.jsonl", sealed(json.dumps(facts)) + "\n")


def append(path: Path, text: str) -> None:
    """Add lines to a file, on a new line where a process was killed in the middle of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
        file.write(b"\n" * torn + text.encode())


def said(error: Exception) -> str:
    """An error as one line: those for users as they are, others with their type."""
    return " ".join(str(error).split()) if isinstance(error, (ZooError, MediaError)) else reason(error)


def device_name(device: torch.device) -> str:
    """The device for the leaderboard, for example ``Intel Xeon Platinum 8481C, 1 thread``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, 1 thread" if device.type == "cpu" else str(device)


def processor() -> str:
    """The processor's name, or its architecture where the system does not say it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = _values(lines, "model name")
    return " ".join(next(names, platform.processor() or platform.machine() or "CPU").split())


def _values(lines: Sequence[str], key: str) -> Iterator[str]:
    return (value.strip() for name, _, value in (line.partition(":") for line in lines) if name.strip() == key)


def work(path: str) -> None:
    """Work through the job in a file; one line on standard output for every clip that is begun or done."""
    faulthandler.enable()
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no event
    worker = Worker(Job.read(Path(path)), int(os.environ["RANK"]))
    worker.run(lambda state, number: print(f"{state} {number}", file=events, flush=True))
