"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; it becomes ``path`` at the end, or is removed after any exception.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's file is private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_aside(path: str | Path, text: str) -> None:
    """Write a small UTF-8 file so that a reader sees the old text or the new one, never a part."""
    with write_aside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
