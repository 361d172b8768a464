"""The benchmark under ``torchrun``: each process that it started minds one worker, on one machine or on several.

A worker is a process of its own, so that one that dies costs a clip and not the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from torch import distributed

from zoo.benchmark.ledger import Task
from zoo.benchmark.worker import Job
from zoo.support import torchrun

PATIENCE = timedelta(days=14)
"""How long the others wait while the first process fits methods."""


@contextmanager
def together() -> Iterator[None]:
    """Meet the other processes, where there are any, and part from them in order.

    At the end the first process lets the others go, also where it ends with an error. All leave the process group: one
    that exits without doing so may be aborted by gloo, and torchrun then ends the first before it has told its results.
    """
    if torchrun.world() == 0:
        yield
        return
    distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        if distributed.is_initialized():
            if torchrun.rank() == 0:
                _send(None)
            distributed.destroy_process_group()


def share(job: Job, tasks: Sequence[Task], run: Callable[[Job, int, Sequence[Task]], None]) -> None:
    """On the first process: share out tasks, do its own part, and wait for the others.

    Args:
        job: what all of them need to know.
        tasks: all of them.
        run: does the part of one process.
    """
    _send((job, tasks))
    try:
        run(job, 0, tasks[:: torchrun.world()])
        distributed.barrier()
    except BaseException:
        distributed.destroy_process_group()  # the others are at work and would not hear a word
        raise


def serve(run: Callable[[Job, int, Sequence[Task]], None]) -> None:
    """On the other processes: work through what comes until the first one has nothing more; see :func:`share`."""
    while (sent := _send(None)) is not None:
        job, tasks = sent
        run(job, torchrun.rank(), tasks[torchrun.rank() :: torchrun.world()])
        distributed.barrier()


def _send(sent: tuple[Job, Sequence[Task]] | None) -> tuple[Job, Sequence[Task]] | None:
    held: list[Any] = [sent]
    distributed.broadcast_object_list(held, src=0)
    received: tuple[Job, Sequence[Task]] | None = held[0]
    return received
