"""Where the files of a store are: a folder, or object storage that is read by byte ranges."""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from zoo.support.errors import DataError

OPEN_FILES = 128
"""How many shards a reader keeps open; far below the usual limit of 1024 files per process."""


class LocalFiles:
    """Shards in a folder. Reads with ``pread``: no shared file position, and no crash where a file was cut short."""

    local = True  # whole arrays are cheap to read, so that windows of them are checked too

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._open: dict[str, FileIO] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_open": {}}

    def read_bytes(self, name: str) -> bytes | None:
        """The contents of a small file, ``None`` where there is none."""
        file = self.path / name
        return file.read_bytes() if file.is_file() else None

    def shards(self) -> list[str]:
        """Names of the complete shards, in order."""
        return sort_shards(file.stem for file in (self.path / "shards").glob("[0-9]*.jsonl"))

    def read_all(self, names: list[str]) -> list[bytes]:
        """The contents of several files among the shards.

        Raises:
            DataError: one is missing or cannot be read.
        """
        return [self._read(self.path / "shards" / name) for name in names]

    @staticmethod
    def _read(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise _unreadable(str(path), error.strerror) from error

    def size(self, shard: str) -> int | None:
        """Bytes of a shard's ZIP, ``None`` where it cannot be told."""
        try:
            return (self.path / "shards" / f"{shard}.zip").stat().st_size
        except OSError:
            return None

    def read_into(self, shard: str, start: int, out: NDArray[Any]) -> None:
        """Fill an array with the bytes of a shard from ``start`` on."""
        # Threads share the open files without a lock, which a fork might copy while it is held: every step is one
        # operation of a dict, and none of them lets go of a file inside the dict, for closing lets other threads run.
        file = self._open.pop(shard, None)
        if file is None:
            try:
                file = FileIO(self.path / "shards" / f"{shard}.zip")
            except OSError as error:
                raise _unreadable(f"{self.path}/shards/{shard}.zip", error.strerror) from error
        self._open.setdefault(shard, file)
        if len(self._open) > OPEN_FILES:
            oldest = next(iter(list(self._open)), shard)
            dropped = self._open.pop(oldest, None)
            del dropped  # closed as soon as no other thread reads from it
        rest = out.data.cast("B")
        while len(rest):
            got = os.preadv(file.fileno(), [rest], start)
            if not got:
                raise _unreadable(f"{self.path}/shards/{shard}.zip", "it is too short")
            rest, start = rest[got:], start + got


class RemoteFiles:
    """Shards behind any address that fsspec knows, read by byte ranges."""

    local = False

    def __init__(self, path: str) -> None:
        self.path = path
        self._system: tuple[int, Any, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_system": None}

    def _connect(self) -> tuple[Any, str]:
        """The file system and the root in it, afresh in every process: fsspec's connections do not survive a fork."""
        import fsspec

        if self._system is None or self._system[0] != os.getpid():
            try:
                system, root = fsspec.url_to_fs(self.path)  # type: ignore[no-untyped-call]
            except (ImportError, ValueError) as error:
                raise DataError(f"{self.path}: this address cannot be used ({error})") from error
            self._system = (os.getpid(), system, root.rstrip("/"))
        return self._system[1:]

    def read_bytes(self, name: str) -> bytes | None:
        """The contents of a small file, ``None`` where there is none."""
        system, root = self._connect()
        try:
            return bytes(system.cat_file(f"{root}/{name}"))
        except FileNotFoundError:
            return None

    def shards(self) -> list[str]:
        """Names of the complete shards, in order."""
        system, root = self._connect()
        try:
            files = system.ls(f"{root}/shards", detail=False)
        except FileNotFoundError:
            return []
        return sort_shards(Path(file).stem for file in files if file.endswith(".jsonl"))

    def read_all(self, names: list[str]) -> list[bytes]:
        """The contents of several files among the shards, fetched at once where the file system can.

        Raises:
            DataError: one is missing or cannot be read.
        """
        system, root = self._connect()
        paths = [f"{root}/shards/{name}" for name in names]
        try:
            texts = system.cat(paths) if paths else {}
            return [bytes(texts[path]) for path in paths]
        except (OSError, KeyError) as error:
            raise _unreadable(f"{root}/shards", str(error)) from error

    def size(self, shard: str) -> int | None:
        """Bytes of a shard's ZIP; not asked for over the network."""
        return None

    def read_into(self, shard: str, start: int, out: NDArray[Any]) -> None:
        """Fill an array with the bytes of a shard from ``start`` on."""
        system, root = self._connect()
        path = f"{root}/shards/{shard}.zip"
        try:
            data = system.cat_file(path, start=start, end=start + out.nbytes)
        except OSError as error:
            raise _unreadable(path, str(error)) from error
        if len(data) != out.nbytes:
            raise _unreadable(path, "it is too short")
        out.data.cast("B")[:] = data


def open_files(path: str | Path) -> LocalFiles | RemoteFiles:
    """The files of a store, whether there is one or not."""
    return RemoteFiles(str(path)) if "://" in str(path) else LocalFiles(str(path))


def _unreadable(path: str, reason: str | None) -> DataError:
    return DataError(f"{path}: a shard of the store cannot be read ({reason}); run: zoo data verify on the store")


def sort_shards(names: Iterable[str]) -> list[str]:
    """Bring names of shards into the order of their numbers."""
    return sorted((name for name in names if name.isdigit()), key=int)
