"""How much memory this process may still take: the machine's, the container's and the shell's limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux keeps the limits of containers and jobs (both versions)."""

PROC = Path("/proc")
"""Where Linux says what the machine has and what a process uses."""


def free_memory() -> int | None:
    """Bytes that this process may still take, the least of all limits; ``None`` where the system does not say."""
    return min(_rooms(), default=None)


def _rooms() -> Iterator[int]:
    with suppress(OSError, ValueError, StopIteration):
        lines = (PROC / "meminfo").read_text().splitlines()
        yield 1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
    with suppress(OSError, ValueError, ImportError):
        yield from _address_space()
    for used, limit in _groups():
        yield max(0, limit - used)


def _address_space() -> Iterator[int]:
    """What ``ulimit -v`` leaves."""
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        pages = int((PROC / "self" / "statm").read_text().split()[0])
        yield max(0, limit - pages * resource.getpagesize())


def _groups() -> Iterator[tuple[int, int]]:
    """Use and limit of the control groups that this process is in, and of all above them."""
    with suppress(OSError):
        for line in (PROC / "self" / "cgroup").read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if not controllers:
                yield from _climb(CGROUPS, place, "memory.current", "memory.max")
            elif "memory" in controllers.split(","):
                yield from _climb(CGROUPS / "memory", place, "memory.usage_in_bytes", "memory.limit_in_bytes")


def _climb(top: Path, place: str, used: str, limit: str) -> Iterator[tuple[int, int]]:
    group = top / place.strip("/")
    # Inside a container the group's own name may not be visible: its files lie at the top then.
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):
            yield int((folder / used).read_text()) - _droppable(folder), int((folder / limit).read_text())
        if folder == top:
            return


def _droppable(folder: Path) -> int:
    """Bytes of files held in memory, which the system gives up when they are needed."""
    with suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text().splitlines():
            name, _, number = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file"):
                return int(number)
    return 0
