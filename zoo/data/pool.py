"""Work shared out to processes that cannot outlive, block or be blocked by their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch

from zoo.errors import DataError, ZooError, one_line_warnings

JobT = TypeVar("JobT")
EventT = TypeVar("EventT")


class _Idle:
    """Sent by a worker that waits for its next job."""


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    work: Callable[[JobT], Iterator[EventT]], jobs: Iterable[JobT], *, workers: int
) -> Generator[EventT, None, None]:
    """Run ``work(job)`` for all jobs and give what it yields, as it comes.

    With one worker everything happens in this process. Several are spawned, with one torch thread each and a pipe each
    and nothing in common: a worker that is killed blocks no other, and one whose parent was killed ends at its next
    event. Closing the iterator ends the workers at once.

    Args:
        work: a picklable function (a module's function, or a ``functools.partial`` of one) that makes an iterator.
        jobs: picklable jobs.
        workers: number of processes, at least 1.

    Raises:
        DataError: a worker died (the system ends one when memory runs out).
        ZooError: whatever ``work`` raised.
    """
    if workers > 1:
        yield from _run_in_processes(work, iter(jobs), workers)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for job in jobs:
            yield from work(job)
    finally:
        torch.set_num_threads(threads)


def _run_in_processes(
    work: Callable[[JobT], Iterator[EventT]], jobs: Iterator[JobT], workers: int
) -> Generator[EventT, None, None]:
    # Spawned, not forked: torch's threads do not survive a fork, and a spawned worker holds no end of another's pipe.
    context = multiprocessing.get_context("spawn")
    running: dict[Connection, BaseProcess] = {}
    try:
        for _ in range(workers):
            here, there = context.Pipe()
            process: BaseProcess = context.Process(target=_serve, args=(there, work), daemon=True)
            process.start()
            there.close()
            running[here] = process
        while running:
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                pipe = ready
                event = _receive(pipe, running[pipe])
                if not isinstance(event, _Idle):
                    yield event
                elif not _send_next(pipe, jobs):
                    running.pop(pipe).join()
    finally:
        for process in running.values():
            process.kill()
        for process in running.values():
            process.join()


def _send_next(pipe: Connection, jobs: Iterator[Any]) -> bool:
    """Give a worker its next job; without one it is told to end."""
    nothing = object()
    job = next(jobs, nothing)
    pipe.send((job is not nothing, None if job is nothing else job))
    return job is not nothing


def _receive(pipe: Connection, process: BaseProcess) -> Any:
    try:
        event = pipe.recv()
    except (EOFError, ConnectionResetError) as error:
        process.join()
        raise DataError(
            f"a worker process died ({_death(process.exitcode)}); what is finished is kept: run the same command "
            "again, with fewer --workers if memory ran out"
        ) from error
    if isinstance(event, BaseException):
        raise event
    return event


def _death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, out of memory?" if name == "SIGKILL" else name


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
