"""Files that appear complete or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; it becomes ``path`` at the end, or is removed after any exception.

    What a writer of the same file left there that was killed is removed, too.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _claim(path)
    try:
        _sweep(path, temporary)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's file is private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def _claim(path: Path) -> tuple[int, Path]:
    """A new file beside ``path``, locked for as long as its handle is open, which no death of ours outlives."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}.", suffix=path.suffix, dir=path.parent)
        with suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # swept by another writer before it was locked


def _sweep(path: Path, ours: Path) -> None:
    """Remove what killed writers of ``path`` left beside it: nobody holds its lock."""
    named = re.compile(re.escape(f".{path.stem[:40]}.") + "[a-z0-9_]{8}" + re.escape(path.suffix))
    for name in os.listdir(path.parent):
        left = path.parent / name
        if left == ours or not named.fullmatch(name):
            continue
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(handle)


def write_text_aside(path: str | Path, text: str) -> None:
    """Write a small UTF-8 file so that a reader sees the old text or the new one, never a part."""
    with write_aside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
