"""Locks between processes: who works in a folder keeps others out, until it ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.support.errors import DataError
from zoo.support.printable import say

_held: set[int] = set()


def _let_go() -> None:
    """In a forked child: close the locks it did not ask for, or it would hold them on when its parent is killed."""
    for handle in _held:
        with suppress(OSError):
            os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(path: Path, refusal: str, *, waiting: str = "") -> Iterator[None]:
    """Hold the lock of a file; the system lets go of it when this process ends.

    Where the file system has no locks nobody is kept out, and a line says so.

    Args:
        path: the file, made where it is missing and never written to; its folder must be there.
        refusal: of the error.
        waiting: printed before waiting for whoever holds it; empty: it is not waited for.

    Raises:
        DataError: another process holds it.
        OSError: the file cannot be made.
    """
    # Never through a link: a stranger's folder could name any file by it.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    _held.add(handle)
    try:
        _lock(handle, path, refusal, waiting)
        yield
    finally:
        _held.discard(handle)
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether another process, or another part of this one, holds the lock of a file."""
    if not path.is_file():
        return False
    try:
        with locked(path, ""):
            return False
    except DataError:
        return True


def _lock(handle: int, path: Path, refusal: str, waiting: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if not waiting:
            raise DataError(refusal) from error
        say(waiting, file=sys.stderr)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        say(f"{path.parent}: cannot be locked ({error.strerror}): start nothing else there", file=sys.stderr)
