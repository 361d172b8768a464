"""Processes of a benchmark: they share out the clips, and one that dies costs the clip it was at."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from zoo.benchmark.child import COMMAND
from zoo.benchmark.ledger import Task
from zoo.benchmark.worker import Job

GIVE_UP = 2
"""So many processes in a row that die before their first clip end the attempt."""

CRASH = "Fatal Python error: "
"""How the stack begins that Python writes when it crashes."""

LAUNCHER = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "GROUP_RANK",
    "NODE_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
)
"""Variables of a launcher, which a process that is started here must not take for its own."""


@dataclass
class _Process:
    """A process and what it has to do.

    Attributes:
        rank: its number, which a successor inherits.
        tasks: what is left to do, the one it is at included.
        at: whether it is at the first of them.
        idle: how many of its number died in a row before they did anything.
    """

    rank: int
    tasks: list[Task]
    popen: subprocess.Popen[str] | None = None
    at: bool = False
    idle: int = 0
    log: Path = field(default_factory=Path)


_Events = SimpleQueue[tuple[_Process, subprocess.Popen[str], str]]
"""What processes say; an empty line means that one has ended."""


def child_environment() -> dict[str, str]:
    """Environment of a process that is started here: one thread, and no traces of another launcher."""
    foreign = ("TORCHELASTIC_", "SLURM_", "ZOO_RUN")
    kept = {key: value for key, value in os.environ.items() if key not in LAUNCHER and not key.startswith(foreign)}
    return kept | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Crew:
    """Who works at a job.

    Attributes:
        job: what all of them need to know.
        folder: for their jobs and logs.
        devices: theirs, by turns.
        done: called after each task.
        died: called with a task at which a process died, or that none lived to begin, with the reason and the number
            of the process; it adds the rows.
    """

    job: Job
    folder: Path
    devices: Sequence[str]
    done: Callable[[Task], None]
    died: Callable[[Task, str, int], None]


def run_pool(crew: Crew, shares: Mapping[int, Sequence[Task]]) -> None:
    """Work through tasks in several processes.

    Args:
        crew: who works, and who is told.
        shares: the tasks of each process by its number.
    """
    events: _Events = SimpleQueue()
    processes = [_Process(rank, list(tasks)) for rank, tasks in shares.items() if tasks]
    try:
        for process in processes:
            _start(process, crew, events)
        while any(process.popen is not None for process in processes):
            try:
                process, popen, line = events.get(timeout=1.0)
            except Empty:
                continue
            if popen is not process.popen:
                continue
            if line:
                _note(process, line, crew.done)
            else:
                _bury(process, crew)
                if process.tasks:
                    _start(process, crew, events)
    finally:
        for process in processes:
            if process.popen is not None:
                kill(process.popen)


def _start(process: _Process, crew: Crew, events: _Events) -> None:
    own = replace(
        crew.job,
        tasks=[(task.cell, task.clip, list(task.metrics)) for task in process.tasks],
        device=crew.devices[process.rank % len(crew.devices)],
    )
    path = crew.folder / f"job-{process.rank}.json"
    own.write(path)
    process.log = crew.folder / f"worker-{process.rank}.log"
    with process.log.open("w") as log:
        popen = subprocess.Popen(
            [*COMMAND, "work", str(path)],
            stdin=subprocess.PIPE,  # never written to: its end tells the process that we are gone
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=child_environment() | {"RANK": str(process.rank)},
            start_new_session=True,  # Ctrl-C comes to us alone
        )
    process.popen, process.at = popen, False
    assert popen.stdout is not None
    Thread(target=_listen, args=(process, popen, popen.stdout, events), daemon=True).start()


def _listen(process: _Process, popen: subprocess.Popen[str], pipe: Iterable[str], events: _Events) -> None:
    """Hand on what a process says; an empty line means that it has ended."""
    try:
        for line in pipe:
            events.put((process, popen, line))
    finally:
        popen.wait()
        events.put((process, popen, ""))


def _note(process: _Process, line: str, done: Callable[[Task], None]) -> None:
    state = line.split()[0]
    process.at = state == "start"
    if state == "done":
        process.idle = 0
        done(process.tasks.pop(0))


def _bury(process: _Process, crew: Crew) -> None:
    """See what a process left behind that has ended; the log of one that died is kept."""
    assert process.popen is not None
    popen, process.popen = process.popen, None
    if popen.returncode == 0 and not process.tasks:
        return
    why = f"its process died ({death(popen.returncode)}{last_words(process.log)})"
    kept = Path(crew.job.out) / ".work" / "logs"
    kept.mkdir(exist_ok=True)
    process.log.replace(kept / f"worker-{process.rank}-{popen.pid}.log")
    if process.at:
        crew.died(process.tasks.pop(0), why, process.rank)
        process.idle = 0
        return
    process.idle += 1
    if process.idle >= GIVE_UP:
        for task in process.tasks:
            crew.died(task, why, process.rank)
        process.tasks = []


def death(code: int) -> str:
    """How a process ended, from its return code."""
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, out of memory?" if name == "SIGKILL" else name


def last_words(log: Path) -> str:
    """The last line that a process wrote to its log, behind a colon; empty where it wrote none.

    Where the interpreter crashed, the stack that it wrote is for the log's reader.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.partition(CRASH)[0].splitlines()]
    return next((f": {line[:300]}" for line in reversed(lines) if line), "")


def kill(popen: subprocess.Popen[str]) -> None:
    """End a process that was started in a session of its own, with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)
    popen.wait()
