"""Locks of a results folder: who works at all of it, and who at one cell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.support import locks
from zoo.support.errors import DataError
from zoo.support.files import write_text_aside
from zoo.support.inside import inside

FOLDER = "folder"
"""Name of the lock of all of it; no cell is called so, for theirs end in a track."""


def work_folder(out: Path) -> Path:
    """The folder for locks, jobs and logs in a results folder; git does not see it."""
    work = inside(out, out / ".work")
    work.mkdir(parents=True, exist_ok=True)
    write_text_aside(work / ".gitignore", "*\n")
    return work


@contextmanager
def locked(out: Path, name: str = FOLDER) -> Iterator[None]:
    """Keep others from a cell, or from the folder; whatever ends this process ends that.

    Raises:
        DataError: another process works at it.
    """
    where = "this folder" if name == FOLDER else name
    with locks.locked(work_folder(out) / f"{name}.lock", f"{out}: another `zoo benchmark` is at work on {where}"):
        yield


def is_locked(out: Path, name: str) -> bool:
    """Whether another process works at a cell."""
    try:
        with locked(out, name):
            return False
    except DataError:
        return True
