"""Running a benchmark: plan, fit what needs it, generate and score what is missing, merge, and tell what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch

from zoo.benchmark import elastic
from zoo.benchmark.board import Board
from zoo.benchmark.fits import run_fits
from zoo.benchmark.ledger import Ledger, Task
from zoo.benchmark.locks import locked, work_folder
from zoo.benchmark.patience import Patience
from zoo.benchmark.plan import Plan, Planned, clip_seconds, complete, set_aside
from zoo.benchmark.pool import Crew, run_pool
from zoo.benchmark.suite_set import SuiteSet
from zoo.benchmark.worker import Job, append, device_name
from zoo.data.pool import usable_cores
from zoo.evaluation.evaluator import Evaluator
from zoo.evaluation.results import Cell, read_cell, write_cell, write_suite
from zoo.evaluation.rows import text_of
from zoo.support import torchrun
from zoo.support.errors import ConfigError, DataError

FITS_PER_CORE = 3
"""Fits that share a core where there are several: with one on each, some would be idle while the longest fit ends."""

Launch = Literal["processes", "elastic"]
"""Who works: processes that are started here, or one for each that torchrun started."""


@dataclass(frozen=True)
class Workers:
    """Who works.

    Attributes:
        launch: see :data:`Launch`.
        count: how many processes.
        devices: of theirs on this machine, by turns.
        room: how many of them have a core or a GPU of this machine for themselves.
    """

    launch: Launch
    count: int
    devices: tuple[str, ...]
    room: int = 1

    @property
    def fits(self) -> int:
        """How many methods are fitted at a time, all on this machine."""
        return self.room * (FITS_PER_CORE if self.devices == ("cpu",) and self.room > 1 else 1)


@dataclass
class BenchmarkResult:
    """Final state of every cell, and one message per failure.

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
    room = gpus or usable_cores()
    if torchrun.world() > 0:
        return Workers("elastic", torchrun.world(), names, min(torchrun.local_world(), room))
    count = int(devices) if devices != "auto" else room
    return Workers("processes", count, names, min(count, room))


def execute(
    suite_set: SuiteSet, plan: Plan, workers: Workers, *, shared: bool = False, show: bool = True
) -> BenchmarkResult:
    """Do what is planned, whatever fails on the way.

    Args:
        suite_set: clips, metrics and judges.
        plan: what is planned; it is looked over again as soon as nobody else can work at it.
        workers: who works.
        shared: whether others work at other cells of the folder, which somebody else has made ready.
        show: show progress.

    Raises:
        DataError: another benchmark is at work there; nothing was changed.
    """
    with ExitStack() as held:
        if not shared:
            held.enter_context(locked(plan.out))
        for planned in plan.cells:
            held.enter_context(locked(plan.out, planned.cell.name))
        for planned in plan.cells:  # another benchmark may have ended since they were planned
            complete(suite_set, plan.out, planned)
        if not shared:
            write_suite(plan.out, plan.suite)
            set_aside(plan)
        with _board(plan, workers, show) as board:
            _fit(suite_set, plan, workers, board)
            for planned in plan.cells:
                board.cells[planned.cell.name] = max(1, len(planned.tasks))
                if not planned.error and _needs_writing(plan, planned):
                    Ledger(plan.out, planned.cell, plan.suite.clips).open()
            _score(suite_set, plan, workers, board)
        return _close(plan)


def expected(plan: Plan, workers: Workers) -> float:
    """Seconds that a plan will take, about."""
    return plan.expected(workers.count, workers.room, _clip_seconds(plan, workers))


def _clip_seconds(plan: Plan, workers: Workers) -> float:
    return clip_seconds(plan.out, plan, device_name(torch.device(workers.devices[0])))


def _board(plan: Plan, workers: Workers, show: bool) -> Board:
    each = _clip_seconds(plan, workers)
    # What a fit leaves to be done is counted as all clips of its cells.
    fits = sum(weights.fit.expected() for weights in plan.fits().values() if weights.fit)
    cells = {planned.cell.name: len(plan.suite.clips) for planned in plan.cells}
    return Board(fits + each * len(plan.tasks()), cells, each, show=show)


def _fit(suite_set: SuiteSet, plan: Plan, workers: Workers, board: Board) -> None:
    """Fit what has no weights, and complete what was planned without them."""
    fits = plan.fits()

    def ended(subject: str, error: str) -> None:
        weights = fits[subject]
        assert weights.fit is not None
        for planned in plan.cells:
            if planned.weights is weights:
                planned.error = error
                if not error:
                    complete(suite_set, plan.out, planned)
        board.fitted(subject, weights.fit.expected(), error)

    if fits:
        board.say(f"fitting {', '.join(fits)} ({min(workers.fits, len(fits))} at a time)")
    run_fits(fits, workers.fits, workers.devices, ended=ended)


def _needs_writing(plan: Plan, planned: Planned) -> bool:
    """Whether a cell's files must be touched: something is missing or stale, or a process was killed at it."""
    folder = plan.out / "cells" / planned.cell.name
    try:
        known = read_cell(folder / "cell.json")
    except DataError:
        return True
    same = (known.key, known.status, known.protocols) == (planned.cell.key, "done", planned.cell.protocols)
    return (
        bool(planned.tasks or planned.stale or planned.back or planned.damaged)
        or not same
        or any(folder.glob("*-*.jsonl"))
    )


def _score(suite_set: SuiteSet, plan: Plan, workers: Workers, board: Board) -> None:
    """Generate and score what is missing."""
    planned = {item.cell.name: item for item in plan.cells if not item.error}
    tasks = [task for item in planned.values() for task in item.tasks]
    if not tasks:
        return
    job = Job(
        out=str(plan.out),
        name=suite_set.suite.name,
        suite=asdict(suite_set.suite.config),
        cells={name: (asdict(item.cell), _path(item)) for name, item in planned.items() if item.tasks},
        tasks=[],
        device=workers.devices[0],
        frames=suite_set.frames(),
    )
    waits = patience(job)

    def done(task: Task) -> None:
        board.scored(task.cell)

    def died(task: Task, why: str, rank: int) -> None:
        record_crash(job, suite_set, task, why, rank)
        board.say(f"{task.cell}: {task.clip}: {why}")
        done(task)

    with TemporaryDirectory(dir=work_folder(plan.out)) as own:  # of this run alone: on a cluster several share these

        def run(job: Job, rank: int, tasks: Sequence[Task]) -> None:
            run_pool(Crew(job, Path(own), devices(workers), done, died, waits), {rank: tasks})

        if workers.launch == "elastic":
            elastic.share(job, tasks, run)
        else:
            shares = {rank: tasks[rank :: workers.count] for rank in range(workers.count)}
            run_pool(Crew(job, Path(own), workers.devices, done, died, waits), shares)


def patience(job: Job) -> Patience:
    """How long the clips of a job may take."""
    return Patience(job.frames, job.suite["clip_limit"], job.suite["retrieval_clips"])


def devices(workers: Workers) -> tuple[str, ...]:
    """The device of the one worker that a process of torchrun's minds."""
    return (workers.devices[torchrun.local_rank() % len(workers.devices)],)


def serve(workers: Workers) -> None:
    """On all processes of torchrun's but the first: mind a worker whenever there is something to do."""

    def run(job: Job, rank: int, tasks: Sequence[Task]) -> None:
        def died(task: Task, why: str, rank: int) -> None:
            record_crash(job, job.suite_set(), task, why, rank)

        with TemporaryDirectory(dir=work_folder(Path(job.out))) as own:
            crew = Crew(job, Path(own), devices(workers), lambda task: None, died, patience(job))
            run_pool(crew, {rank: tasks})

    elastic.serve(run)


def record_crash(job: Job, suite_set: SuiteSet, task: Task, why: str, rank: int) -> None:
    """Add the rows of a clip at which a process died."""
    rows = Evaluator(suite_set, Cell(**job.cells[task.cell][0])).failed(task.clip, task.metrics, why)
    append(Path(job.out) / "cells" / task.cell / f"rows-{rank}.jsonl", text_of(rows))


def _path(planned: Planned) -> str:
    return str(planned.weights.path) if planned.weights is not None and planned.weights.path else ""


def _close(plan: Plan) -> BenchmarkResult:
    """Merge the rows of every cell and see what is not as it should be."""
    outcome = BenchmarkResult()
    for planned in plan.cells:
        cell = planned.cell
        if planned.error:
            cell.status, cell.reason = "failed", planned.error
            write_cell(plan.out, cell)
        elif _needs_writing(plan, planned):
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
