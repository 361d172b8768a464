"""Work shared out to processes that cannot outlive, block or be blocked by their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch

from zoo.support.errors import DataError, ZooError, one_line_warnings
from zoo.support.processes import death

JobT = TypeVar("JobT")
EventT = TypeVar("EventT")


PATIENCE_S = 900.0
"""Seconds without an event after which a worker counts as hanging."""


class _Idle:
    """Sent by a worker that waits for its next job."""


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    work: Callable[[JobT], Iterator[EventT]],
    jobs: Iterable[JobT],
    *,
    workers: int,
    apart: bool = False,
    mend: Callable[[JobT, list[EventT], str], JobT | None] | None = None,
    patience_s: float = PATIENCE_S,
) -> Generator[EventT, None, None]:
    """Run ``work(job)`` for all jobs and give what it yields, as it comes.

    With one worker everything happens in this process. Several are spawned, with one torch thread each and a pipe each
    and nothing in common: a worker that is killed blocks no other, and one whose parent was killed ends at its next
    event. Closing the iterator ends the workers at once.

    Args:
        work: a picklable function (a module's function, or a ``functools.partial`` of one) that makes an iterator.
        jobs: picklable jobs.
        workers: number of processes, at least 1.
        apart: spawn a single worker as well, so that it may be killed without this process.
        mend: asked when a worker died, with its job, the job's events so far and the reason: gives the job that another
            worker does instead, or ``None``.
        patience_s: a worker that yields nothing for so long is ended, and counts as one that died.

    Raises:
        DataError: a worker died (the system ends one when memory runs out) and its job could not be mended.
        ZooError: whatever ``work`` raised.
    """
    if workers > 1 or apart:
        yield from _Pool(work, iter(jobs), mend, patience_s).run(workers)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for job in jobs:
            yield from work(job)
    finally:
        torch.set_num_threads(threads)


class _Worker:
    """A process, its job, and what was heard of it."""

    def __init__(self, process: BaseProcess) -> None:
        self.process = process
        self.job: Any = None
        self.busy = False
        self.events: list[Any] = []
        self.heard = time.monotonic()
        self.reason = ""  # why it was ended, where it was us


class _Pool:
    """The processes of :func:`run_jobs`."""

    def __init__(
        self,
        work: Callable[[Any], Iterator[Any]],
        jobs: Iterator[Any],
        mend: Callable[..., Any] | None,
        patience: float,
    ) -> None:
        self.work, self.jobs, self.mend, self.patience = work, jobs, mend, patience
        self.mended: list[Any] = []
        self.running: dict[Connection, _Worker] = {}
        # Spawned, not forked: torch's threads do not survive a fork, and a spawned worker holds no end of another's
        # pipe.
        self.context = multiprocessing.get_context("spawn")

    def run(self, workers: int) -> Generator[Any, None, None]:
        try:
            for _ in range(workers):
                self._start()
            while self.running:
                for pipe in wait(list(self.running), timeout=self.patience / 10):
                    assert isinstance(pipe, Connection)
                    yield from self._hear(pipe)
                self._end_idlers()
        finally:
            for worker in self.running.values():
                worker.process.kill()
            for worker in self.running.values():
                worker.process.join()

    def _start(self) -> None:
        here, there = self.context.Pipe()
        process: BaseProcess = self.context.Process(target=_serve, args=(there, self.work), daemon=True)
        process.start()
        there.close()
        self.running[here] = _Worker(process)

    def _hear(self, pipe: Connection) -> Iterator[Any]:
        worker = self.running[pipe]
        try:
            event = pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            self._replace(pipe, error)
            return
        worker.heard = time.monotonic()
        if isinstance(event, BaseException):
            raise event
        if not isinstance(event, _Idle):
            worker.events.append(event)
            yield event
        elif not self._send_next(pipe, worker):
            self.running.pop(pipe).process.join()

    def _send_next(self, pipe: Connection, worker: _Worker) -> bool:
        """Give a worker its next job; without one it is told to end."""
        nothing = object()
        job = self.mended.pop() if self.mended else next(self.jobs, nothing)
        worker.busy, worker.events = job is not nothing, []
        worker.job = job if worker.busy else None
        with suppress(BrokenPipeError, ConnectionResetError):  # it died just now: its pipe says so next
            pipe.send((worker.busy, worker.job))
        return worker.busy

    def _replace(self, pipe: Connection, error: Exception) -> None:
        """Another worker in the place of one that died, for what is left of its job."""
        worker = self.running.pop(pipe)
        worker.process.join()
        reason = worker.reason or f"a worker process died ({death(worker.process.exitcode)})"
        mended = self.mend(worker.job, worker.events, reason) if self.mend and worker.busy else None
        if mended is None:
            again = "run the same command again, with fewer --workers if memory ran out"
            raise DataError(f"{reason}; what is finished is kept: {again}") from error
        self.mended.append(mended)
        self._start()

    def _end_idlers(self) -> None:
        """End workers that hang: in a decoder without an end, or stopped from outside."""
        for worker in self.running.values():
            if worker.busy and not worker.reason and time.monotonic() - worker.heard > self.patience:
                worker.reason = f"nothing moved for {self.patience:g} s, so the worker process was ended"
                worker.process.kill()  # its pipe ends then


def _serve(pipe: Connection, work: Callable[[Any], Iterator[Any]]) -> None:
    """The life of a worker: ask for a job, send its events, until told to end or nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which ends its workers
    torch.set_num_threads(1)
    try:
        while True:
            pipe.send(_Idle())
            more, job = pipe.recv()
            if not more:
                return
            with one_line_warnings():
                for event in work(job):
                    pipe.send(event)
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return
    except ZooError as error:
        pipe.send(error)
    except Exception:
        pipe.send(RuntimeError(f"in a worker process:\n{traceback.format_exc()}"))
