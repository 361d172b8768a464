"""The benchmark under ``torchrun``: the processes that it started are the workers, on one machine or on several."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from zoo.benchmark.ledger import Task
from zoo.benchmark.worker import Job, Worker

PATIENCE = timedelta(days=14)
"""How long the others wait while the first process fits methods."""


def world() -> int:
    """How many processes torchrun started; 0 where it did not."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def rank() -> int:
    """Number of this process; 0 without torchrun."""
    return int(os.environ["RANK"]) if world() else 0


def join() -> None:
    """Meet the other processes, where there are any."""
    if world() > 0 and not distributed.is_initialized():
        distributed.init_process_group("gloo", timeout=PATIENCE)


def share(job: Job, tasks: Sequence[Task], done: Callable[[Task], None]) -> None:
    """On the first process: share out tasks, do its own part, and wait for the others."""
    parts = [
        replace(job, tasks=[(task.cell, task.clip, list(task.metrics)) for task in tasks[place :: world()]])
        for place in range(world())
    ]
    mine, others = tasks[:: world()], [task for place in range(1, world()) for task in tasks[place :: world()]]
    _send(parts)
    _work(parts[0], lambda number: done(mine[number]))
    distributed.barrier()
    for task in others:
        done(task)


def serve() -> None:
    """On the other processes: work through what comes until the first one has nothing more."""
    while (parts := _send(None)) is not None:
        _work(parts[rank()], lambda number: None)
        distributed.barrier()


def dismiss() -> None:
    """On the first process: let the others go."""
    if world() > 0:
        _send(None)
        distributed.destroy_process_group()


def _send(parts: list[Job] | None) -> list[Job] | None:
    held: list[Any] = [parts]
    distributed.broadcast_object_list(held, src=0)
    sent: list[Job] | None = held[0]
    return sent


def _work(job: Job, done: Callable[[int], None]) -> None:
    if torch.cuda.is_available():
        job = replace(job, device=f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}")
    Worker(job, rank()).run(lambda state, number: done(number) if state == "done" else None)
