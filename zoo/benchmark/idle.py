"""Sees that a process does nothing: one that was stopped, or waits for what never comes, uses no processor."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

IDLE_S = 900.0
"""So long may a fit use no processor; where others make the data first it waits for them."""

LOOK_S = 15.0
"""Seconds between looks."""


def wait_unless_idle(popen: subprocess.Popen[str], idle_s: float = IDLE_S, look_s: float = LOOK_S) -> int | None:
    """Wait for a process that was started in a session of its own.

    Args:
        popen: which.
        idle_s: seconds without any work of it, or of what it started, after which it is not waited for any more.
        look_s: seconds between looks. Where this process stood still itself, one look counts as no more.

    Returns:
        Its return code; ``None`` where it does nothing.
    """
    idle, used = 0.0, -1
    while True:
        began = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            return popen.wait(look_s)
        now_used = used_ticks(popen.pid)
        idle = 0.0 if now_used is None or now_used != used else idle + min(time.monotonic() - began, 2 * look_s)
        used = -1 if now_used is None else now_used
        if idle >= idle_s:
            return None


def used_ticks(session: int) -> int | None:
    """Processor time that the processes of a session have used, in the kernel's ticks.

    Returns:
        ``None`` where the system does not say.
    """
    found = [ticks for path in Path("/proc").glob("[0-9]*/stat") if (ticks := _ticks_of(path, session)) is not None]
    return sum(found) if found else None


def _ticks_of(path: Path, session: int) -> int | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended
        return None
    fields = text.rpartition(")")[2].split()  # a name in brackets may hold anything; behind it the third field begins
    return int(fields[11]) + int(fields[12]) if fields[3] == str(session) else None
