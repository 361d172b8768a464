"""Files that appear complete or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def write_aside(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary name beside ``path``; it becomes ``path`` at the end, or is removed after any exception.

    What a writer of the same file left there that was killed is removed, too.

    Args:
        path: in the same folder, so that taking the name is one step whatever file systems there are.
        durable: wait until the disk has it, so that not even a power cut leaves the new name with old or no bytes.

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
        if durable:
            _sync(temporary)
        temporary.replace(path)
        if durable:
            _sync(path.parent)
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
    """Remove what killed writers of ``path`` left beside it."""
    named = re.compile(re.escape(f".{path.stem[:40]}.") + "[a-z0-9_]{8}" + re.escape(path.suffix))
    for name in os.listdir(path.parent):
        if path.parent / name != ours and named.fullmatch(name):
            _remove_unheld(path.parent / name)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left of files in a folder and below."""
    for path in list(folder.rglob(".*")):
        if re.fullmatch(r"\..{1,40}\.[a-z0-9_]{8}(\.\w+)?", path.name):
            _remove_unheld(path)


def _remove_unheld(path: Path) -> None:
    """Remove a file that nobody is writing: nobody holds its lock."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(handle)


def write_text_aside(path: str | Path, text: str, *, durable: bool = False) -> None:
    """Write a small UTF-8 file so that a reader sees the old text or the new one, never a part."""
    with write_aside(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def zip_damage(path: Path, wanted: str) -> str:
    """Why a ZIP file of stored members is not whole; empty where it is. Every byte is read, nothing is unpacked.

    Args:
        path: the file.
        wanted: the file name of a member that it must have, in whatever folder.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any("/code/" in member.filename for member in members):
                return "it is a TorchScript program, and programs are not run"
            if wanted not in {member.filename.rpartition("/")[2] for member in members}:
                return "it is a ZIP archive of something else"
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                return "its parts are compressed, which torch.save does not do"
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError):
        return "it is damaged or cut short"
    return f"it is damaged: {damaged} has not the bytes that were written" if damaged else ""


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
