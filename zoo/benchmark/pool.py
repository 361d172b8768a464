"""Processes of a benchmark: they share out the clips, and one that dies costs the clip it was at."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from zoo.benchmark.child import COMMAND
from zoo.benchmark.ledger import Task
from zoo.benchmark.patience import LEAST_S, Patience, never_began, too_long
from zoo.benchmark.worker import Job
from zoo.support.processes import death

GIVE_UP = 2
"""So many processes in a row that die before their first clip end the attempt."""

LOOK_S = 1.0
"""Seconds between looks for processes that take too long."""

MISSED_S = 10.0
"""Whoever looks no more often than that stood still itself."""

KILL_S = 10.0
"""Seconds that a process may take to end that was killed."""

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
        log: what it writes.
        cell: of the last clip that it began.
        first: whether that clip was the first of its cell.
        since: when it began what it is at, by the clock of :func:`time.monotonic`.
    """

    rank: int
    tasks: list[Task]
    popen: subprocess.Popen[str] | None = None
    at: bool = False
    idle: int = 0
    log: Path = field(default_factory=Path)
    cell: str = ""
    first: bool = True
    since: float = 0.0


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
        patience: how long they may take.
    """

    job: Job
    folder: Path
    devices: Sequence[str]
    done: Callable[[Task], None]
    died: Callable[[Task, str, int], None]
    patience: Patience


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
        looked = time.monotonic()
        while any(process.popen is not None for process in processes):
            with suppress(Empty):
                process, popen, line = events.get(timeout=LOOK_S)
                if popen is process.popen:
                    _hear(process, line, crew, events)
            if events.empty() and time.monotonic() - looked > LOOK_S / 2:
                looked = _end_late(processes, crew, events, looked)
    finally:
        for process in processes:
            if process.popen is not None:
                kill(process.popen)


def _hear(process: _Process, line: str, crew: Crew, events: _Events) -> None:
    """What a process says, or that it has ended: then another one goes on with what is left."""
    if line:
        _note(process, line, crew)
        return
    _reap(process, crew)
    if process.tasks:
        _start(process, crew, events)


def _end_late(processes: Sequence[_Process], crew: Crew, events: _Events, looked: float) -> float:
    """End whatever takes too long, and go on with the next clip.

    Returns:
        The time of this look. Where the last one was long ago this process stood still itself, or was busy, and what it
        did not hear meanwhile is no fault of the others.
    """
    now = time.monotonic()
    missed = now - looked if now - looked > MISSED_S else 0.0
    for process in processes:
        if process.popen is None:
            continue
        process.since += missed
        limit, why = _limit(process, crew.patience)
        if now - process.since > limit:
            kill(process.popen, wait=KILL_S)
            _reap(process, crew, why)
            if process.tasks:
                _start(process, crew, events)
    return now


def _limit(process: _Process, patience: Patience) -> tuple[float, str]:
    """Seconds that a process may take for what it is at, and what is said of one that takes longer."""
    if process.at:
        limit = patience.for_clip(process.tasks[0], first=process.first)
        return limit, too_long(limit)
    limit = patience.for_start() if process.tasks else LEAST_S
    return limit, never_began(limit)


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
    process.popen, process.at, process.cell, process.since = popen, False, "", time.monotonic()
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


def _note(process: _Process, line: str, crew: Crew) -> None:
    state, now, task = line.split()[0], time.monotonic(), process.tasks[0]
    process.at = state == "start"
    if process.at:
        if not process.cell:
            crew.patience.started(now - process.since)
        process.first, process.cell = task.cell != process.cell, task.cell
    else:
        crew.patience.done(task, now - process.since, first=process.first)
        process.idle = 0
        crew.done(process.tasks.pop(0))
    process.since = now


def _reap(process: _Process, crew: Crew, late: str = "") -> None:
    """See what a process left behind that has ended; the log of one that died is kept.

    Args:
        process: which.
        crew: who is told.
        late: why it was ended; empty where it ended itself.
    """
    assert process.popen is not None
    popen, process.popen = process.popen, None
    if popen.returncode == 0 and not process.tasks:
        return
    why = late or f"its process died ({death(popen.returncode)}{last_words(process.log)})"
    kept = Path(crew.job.out) / ".work" / "logs"
    kept.mkdir(exist_ok=True)
    process.log.replace(kept / f"worker-{process.rank}-{popen.pid}.log")
    if process.at:
        crew.died(process.tasks.pop(0), why, process.rank)
        process.at, process.idle = False, 0
        return
    process.idle += 1
    if process.idle >= GIVE_UP:
        for task in process.tasks:
            crew.died(task, why, process.rank)
        process.tasks = []


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


def kill(popen: subprocess.Popen[str], wait: float | None = None) -> None:
    """End a process that was started in a session of its own, with all that it started; a stopped one, too.

    Args:
        popen: which.
        wait: seconds that its end is waited for, which a file system that hangs may put off; none: for ever.
    """
    with suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        popen.wait(wait)
