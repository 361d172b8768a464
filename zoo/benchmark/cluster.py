"""The benchmark on a cluster: every method and seed, and every reference, is a job of submitit's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.benchmark.board import Board
from zoo.benchmark.locks import is_locked, locked, work_folder
from zoo.benchmark.plan import Plan, Planned, make_plan, set_aside
from zoo.benchmark.run import BenchmarkResult, choose_workers, execute, problems
from zoo.benchmark.suite import NamedSuite, resolve, seconds
from zoo.benchmark.suite_set import SuiteSet
from zoo.evaluation.results import Cell, read_cell, write_cell, write_suite
from zoo.registry.config import Layer
from zoo.support.errors import ConfigError, DataError

POLL_S = 2.0
"""Seconds between looks at the jobs."""


@dataclass(frozen=True)
class Part:
    """One job: what it must know, as plain values that travel to another machine.

    Attributes:
        name: of the suite.
        suite: its settings.
        out: folder of the results, which all machines see.
        methods: one method, or none for a reference.
        references: one reference, or none.
        seed: of the method.
        given: checkpoints by method.
        devices: as ``--devices``.
    """

    name: str
    suite: dict[str, Any]
    out: str
    methods: tuple[str, ...]
    references: tuple[str, ...]
    seed: int
    given: dict[str, str]
    devices: str


def work(part: Part) -> list[str]:
    """What a job does: plan its cells anew, fit, generate and score; the problems, one line each."""
    suite_set = SuiteSet(NamedSuite(part.name, resolve([Layer("the job", part.suite)])))
    out = Path(part.out)
    given = {name: Path(path) for name, path in part.given.items()}
    plan = make_plan(
        suite_set, part.methods, out, given=given, references=part.references, seeds=[part.seed]
    )  # fmt: skip
    return execute(suite_set, plan, choose_workers(part.devices), shared=True).problems


def run_jobs(
    suite: NamedSuite, plan: Plan, given: Mapping[str, Path], devices: str, *, show: bool = True
) -> BenchmarkResult:
    """Send what is planned to the cluster and wait for it.

    Args:
        suite: what is run; its ``submitit`` settings are parameters of submitit's ``AutoExecutor``, and ``cluster``
            (``local`` runs the jobs here).
        plan: its cells; those that need nothing are not sent.
        given: checkpoints by method.
        devices: of every job, as ``--devices``.
        show: show progress.

    Raises:
        ConfigError: submitit is not installed or refuses a setting.
        DataError: another benchmark is at work there.
    """
    with locked(plan.out):
        executor = _executor(suite, work_folder(plan.out))
        write_suite(plan.out, plan.suite)
        set_aside(plan)
        return _follow(plan, executor, _parts(suite, plan, given, devices), show=show)


def _follow(plan: Plan, executor: Any, parts: Mapping[str, Part], *, show: bool) -> BenchmarkResult:
    """Send the parts and wait for their jobs."""
    jobs = {subject: executor.submit(work, part) for subject, part in parts.items()}
    ended: dict[str, str] = {}
    with Board(float(len(jobs)), dict.fromkeys(jobs, 1), 1.0, show=show) as board:
        while len(ended) < len(jobs):
            for subject, job in jobs.items():
                if subject not in ended and job.done():
                    error = job.exception()
                    ended[subject] = "" if error is None else f"its job failed: {' '.join(str(error).split())[-300:]}"
                    board.scored(subject)
            time.sleep(POLL_S if len(ended) < len(jobs) else 0)
    outcome = BenchmarkResult()
    for planned in plan.cells:
        if is_locked(plan.out, planned.cell.name):  # by a job that outlived the command that sent it
            outcome.cells.append(planned.cell)
            outcome.problems.append(f"{planned.cell.name}: a job is at work on it; run the same command again later")
            continue
        cell = _cell(plan, planned, ended.get(planned.subject, ""))
        outcome.cells.append(cell)
        outcome.problems += problems(cell)
    return outcome


def _executor(suite: NamedSuite, folder: Path) -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ConfigError("--launcher submitit: needs submitit: pip install 'talking-face-zoo[cluster]'") from error
    settings = dict(suite.config.submitit)
    try:
        executor = submitit.AutoExecutor(folder=folder / "submitit", cluster=settings.pop("cluster", None))
        executor.update_parameters(**{"name": f"zoo-{suite.name}", "timeout_min": _minutes(suite)} | settings)
    except (NameError, ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"submitit: {' '.join(str(error).split())}") from error
    return executor


def _minutes(suite: NamedSuite) -> int:
    """How long a job may take, where nothing else is said: the fit's time, or a day, and an hour for its clips."""
    limit = suite.config.budget.max_time
    return (seconds(limit) if limit else 24 * 3600) // 60 + 60


def _parts(suite: NamedSuite, plan: Plan, given: Mapping[str, Path], devices: str) -> dict[str, Part]:
    """A job for every subject that has something to do and at which none is at work."""
    parts = {}
    for planned in plan.cells:
        if (not planned.tasks and planned.cell.key) or is_locked(plan.out, planned.cell.name):
            continue
        cell = planned.cell
        method = (cell.method,) if cell.kind == "method" else ()
        parts[planned.subject] = Part(
            name=suite.name,
            suite=asdict(suite.config),
            out=str(plan.out.resolve()),
            methods=method,
            references=() if method else (cell.method,),
            seed=cell.seed,
            given={name: str(path.resolve()) for name, path in given.items() if name in method},
            devices=devices,
        )
    return parts


def _cell(plan: Plan, planned: Planned, error: str) -> Cell:
    """A cell after its job; one whose job failed before it wrote anything failed itself."""
    try:
        cell = read_cell(plan.out / "cells" / planned.cell.name / "cell.json")
    except DataError:
        cell = planned.cell
        error = error or "its job left nothing"
    if error and cell.status != "done":
        cell.status, cell.reason = "failed", error
        write_cell(plan.out, cell)
    return cell
