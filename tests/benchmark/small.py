"""What the tests of the benchmark share: clips, weights of the toy, and how rows are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from zoo import registry
from zoo.benchmark.ledger import Task
from zoo.benchmark.plan import Plan
from zoo.benchmark.pool import Crew
from zoo.benchmark.run import BenchmarkResult, Workers
from zoo.benchmark.worker import Worker
from zoo.data.sources.base import SourceItem
from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.methods.trainable import build, save_weights

HERE = Workers("processes", 1, ("cpu",))
"""One worker, in the process of the tests: what it makes is what a process of its own makes, in less time."""

FEW = ["metrics=[lmd,psnr,cpbd]", "references=[still,real]", "test_clips=3", "runs=null"]

Run = Callable[..., tuple[Plan, BenchmarkResult]]


class Few(SynthGrid):
    """Two clips to train on and four of two speakers to test."""

    def items(self) -> Sequence[SourceItem]:
        wanted = {"train00": 2, "test00": 2, "test01": 2}
        kept = []
        for item in super().items():
            if wanted.get(item.speaker, 0):
                wanted[item.speaker] -= 1
                kept.append(item)
        return kept


def in_process(crew: Crew, shares: Mapping[int, Sequence[Task]]) -> None:
    """Stands in for :func:`zoo.benchmark.pool.run_pool`."""
    for rank, tasks in shares.items():
        job = replace(crew.job, tasks=[(task.cell, task.clip, list(task.metrics)) for task in tasks])
        Worker(job, rank).run(lambda state, number, tasks=tasks: crew.done(tasks[number]) if state == "done" else None)


def toy_weights(path: Path, fails: str = "", gain: float = 1.1) -> Path:
    spec = registry.method("toy")
    config = spec.settings()
    config.fails, config.gain = fails, gain
    save_weights(build(spec, config), path)
    return path


def rows_of(out: Path) -> dict[str, bytes]:
    """The rows of every cell, byte for byte."""
    return {path.parent.name: path.read_bytes() for path in sorted((out / "cells").glob("*/rows.jsonl"))}
