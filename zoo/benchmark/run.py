"""Running a benchmark: plan, fit what needs it, generate and score what is missing, merge, and tell what came of it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch

from zoo.benchmark import elastic
from zoo.benchmark.bench import Bench
from zoo.benchmark.board import Board
from zoo.benchmark.fits import run_fits
from zoo.benchmark.ledger import Ledger, Task
from zoo.benchmark.plan import Plan, Planned, clip_seconds, complete, set_aside
from zoo.benchmark.pool import run_pool
from zoo.benchmark.results import Cell, line_of, read_cell, write_cell, write_suite
from zoo.benchmark.scoring import Scorer
from zoo.benchmark.worker import Job, Worker, append
from zoo.data.pool import usable_cores
from zoo.errors import ConfigError, DataError
from zoo.files import write_text_aside

Launch = Literal["processes", "here", "elastic"]
"""Who works: processes that are started, this one alone, or those that torchrun started."""


@dataclass(frozen=True)
class Workers:
    """Who works.

    Attributes:
        launch: see :data:`Launch`.
        count: how many processes.
        devices: of theirs, by turns.
    """

    launch: Launch
    count: int
    devices: tuple[str, ...]


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        cells: as they are now.
        problems: one line for everything that could not be done.
    """

    cells: list[Cell] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def choose_workers(devices: str) -> Workers:
    """Who works, from ``--devices``: ``auto`` is every GPU, or else a process on every core of the CPU.

    Raises:
        ConfigError: it is neither ``auto`` nor a number.
    """
    if devices != "auto" and not (devices.isdigit() and int(devices) > 0):
        raise ConfigError(f"--devices {devices}: give a number of processes, or auto")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = tuple(f"cuda:{number}" for number in range(gpus)) or ("cpu",)
    if elastic.world() > 0:
        return Workers("elastic", elastic.world(), names)
    return Workers("processes", int(devices) if devices != "auto" else gpus or usable_cores(), names)


def execute(bench: Bench, plan: Plan, workers: Workers, *, show: bool = True) -> Outcome:
    """Do what is planned, whatever fails on the way.

    Raises:
        DataError: another benchmark is at work on one of the cells.
    """
    work = plan.out / ".work"
    work.mkdir(parents=True, exist_ok=True)
    write_text_aside(work / ".gitignore", "*\n")
    write_suite(plan.out, plan.suite)
    set_aside(plan)
    each = clip_seconds(plan.out, plan)
    clips = len(plan.suite.clips)
    # What a fit leaves to be done is counted as all clips of its cells.
    expected = sum(weights.fit.expected() for weights in plan.fits().values() if weights.fit)
    board = Board(expected + each * len(plan.tasks()), {p.cell.name: clips for p in plan.cells}, each, show=show)
    with ExitStack() as locks, board:
        for planned in plan.cells:
            locks.enter_context(_lock(work, planned.cell.name))
        _fit(bench, plan, workers, board)
        for planned in plan.cells:
            board.cells[planned.cell.name] = max(1, len(planned.tasks))
            if not planned.error and _stirs(plan, planned):
                Ledger(plan.out, planned.cell, plan.suite.clips).open()
        _score(bench, plan, workers, work, board)
        return _close(plan)


def _fit(bench: Bench, plan: Plan, workers: Workers, board: Board) -> None:
    """Fit what has no weights, and complete what was planned without them."""
    fits = plan.fits()

    def ended(subject: str, error: str) -> None:
        weights = fits[subject]
        assert weights.fit is not None
        weights.path = None if error else weights.fit.weights()
        if weights.path is not None:
            weights.learn(bench)
        for planned in plan.cells:
            if planned.weights is weights:
                planned.error = error
                if not error:
                    complete(bench, plan.out, planned)
        board.fitted(subject, weights.fit.expected(), error)

    if fits:
        board.say(f"fitting {', '.join(fits)} ({min(workers.count, len(fits))} at a time)")
    run_fits(fits, workers.count, workers.devices, ended=ended)


def _stirs(plan: Plan, planned: Planned) -> bool:
    """Whether a cell's files must be touched: something is missing or stale, or a process was killed at it."""
    folder = plan.out / "cells" / planned.cell.name
    try:
        known = read_cell(folder / "cell.json")
    except DataError:
        return True
    same = (known.key, known.status, known.protocols) == (planned.cell.key, "done", planned.cell.protocols)
    return bool(planned.tasks) or planned.stale > 0 or not same or any(folder.glob("*-*.jsonl"))


def _score(bench: Bench, plan: Plan, workers: Workers, work: Path, board: Board) -> None:
    """Generate and score what is missing."""
    planned = {item.cell.name: item for item in plan.cells if not item.error}
    tasks = [task for item in planned.values() for task in item.tasks]
    if not tasks:
        return
    job = Job(
        out=str(plan.out),
        name=bench.suite.name,
        suite=asdict(bench.suite.config),
        cells={name: (asdict(item.cell), _path(item)) for name, item in planned.items() if item.tasks},
        tasks=[],
        device=workers.devices[0],
    )

    def done(task: Task) -> None:
        board.scored(task.cell)

    def died(task: Task, why: str, rank: int) -> None:
        cell = planned[task.cell].cell
        lines = "".join(map(line_of, Scorer(bench, cell).failed(task.clip, task.metrics, why)))
        append(plan.out / "cells" / cell.name / f"rows-{rank}.jsonl", lines)
        board.say(f"{cell.name}: {task.clip}: {why}")
        done(task)

    match workers.launch:
        case "processes":
            world = min(workers.count, len(tasks))
            with TemporaryDirectory(dir=work) as own:  # of this run alone: on a cluster several share the results
                run_pool(job, tasks, world, Path(own), devices=workers.devices, done=done, died=died)
        case "elastic":
            elastic.share(job, tasks, done)
        case "here":
            job.tasks = [(task.cell, task.clip, list(task.metrics)) for task in tasks]
            Worker(job, 0, bench).run(lambda state, number: done(tasks[number]) if state == "done" else None)


def _path(planned: Planned) -> str:
    return str(planned.weights.path) if planned.weights is not None and planned.weights.path else ""


def _close(plan: Plan) -> Outcome:
    """Merge the rows of every cell and see what is not as it should be."""
    outcome = Outcome()
    for planned in plan.cells:
        cell = planned.cell
        if planned.error:
            cell.status, cell.reason = "failed", planned.error
            write_cell(plan.out, cell)
        elif _stirs(plan, planned):
            cell = Ledger(plan.out, cell, plan.suite.clips).close()
        else:
            cell = read_cell(plan.out / "cells" / cell.name / "cell.json")
        outcome.cells.append(cell)
        outcome.problems += problems(cell)
    return outcome


def problems(cell: Cell) -> list[str]:
    """One line for everything of a cell that could not be done."""
    if cell.status == "failed":
        return [f"{cell.name}: {cell.reason}"]
    found = [f"{cell.name}: {' '.join(filter(None, (f.clip, f.metric)))}: {f.reason}" for f in cell.failures]
    return found + ([f"{cell.name}: rows are missing; run the same command again"] if cell.status == "partial" else [])


@contextmanager
def _lock(work: Path, name: str) -> Iterator[None]:
    """Keep others from the cell; whatever ends this process ends that."""
    path = work / f"{name}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{path.parent.parent}: another `zoo benchmark` is at work on {name}") from error
        yield
    finally:
        os.close(handle)
