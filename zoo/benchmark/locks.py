"""Locks of a results folder: who works at all of it, and who at one cell."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import DataError
from zoo.files import write_text_aside

FOLDER = "folder"
"""Name of the lock of all of it; no cell is called so, for theirs end in a track."""


def work_folder(out: Path) -> Path:
    """The folder for locks, jobs and logs in a results folder; git does not see it."""
    work = out / ".work"
    work.mkdir(parents=True, exist_ok=True)
    write_text_aside(work / ".gitignore", "*\n")
    return work


@contextmanager
def locked(out: Path, name: str = FOLDER) -> Iterator[None]:
    """Keep others from a cell, or from the folder; whatever ends this process ends that.

    Where the file system has no locks nobody is kept from it, and a line says so.

    Raises:
        DataError: another process works at it.
    """
    handle = os.open(work_folder(out) / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            where = "this folder" if name == FOLDER else name
            raise DataError(f"{out}: another `zoo benchmark` is at work on {where}") from error
        except OSError as error:
            print(f"{out}: cannot be locked ({error.strerror}): start no second benchmark there", file=sys.stderr)
        yield
    finally:
        os.close(handle)


def is_locked(out: Path, name: str) -> bool:
    """Whether another process works at a cell."""
    try:
        with locked(out, name):
            return False
    except DataError:
        return True
