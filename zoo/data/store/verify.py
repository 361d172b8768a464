"""Checking a store: every byte of every shard against its checksum, every array against its index."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from zoo.data.pool import usable_cores
from zoo.data.store.index import ClipInfo, Row, parse_row, parse_sums
from zoo.data.store.shard import SUFFIXES, sha256
from zoo.data.store.shard_files import open_files
from zoo.data.store.store import read_meta
from zoo.support.errors import DataError
from zoo.support.progress import Progress

# NumPy parses array headers with `ast`, which is not safe in threads before Python 3.11.8 (gh-106905).
_PARSING = Lock()


@dataclass(frozen=True)
class VerifyReport:
    """What :func:`verify` found.

    Attributes:
        path: the store.
        shards: how many shards were looked at.
        clips: how many clips their indices name.
        findings: one line for each thing that is wrong.
    """

    path: Path
    shards: int
    clips: int
    findings: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 for a sound store, else 1."""
        return 1 if self.findings else 0

    def __str__(self) -> str:
        found = f"{len(self.findings)} findings" if self.findings else "no error found"
        return f"{self.path}: {self.shards} shards, {self.clips} clips, {found}"


def verify(path: str | Path, *, progress: bool = True) -> VerifyReport:
    """Check a local store completely.

    Finds a changed byte anywhere in a shard or its index, missing files, shards that were there when the store was
    prepared and are gone, clips that occur twice, and arrays of a wrong shape or type.

    Args:
        path: folder of the store.
        progress: show progress on stderr.

    Raises:
        DataError: there is no store, or it is not a folder.
    """
    if "://" in str(path):
        raise DataError(f"{path}: only a local copy of a store can be verified")
    path = Path(path)
    meta = read_meta(open_files(path))
    present = {file.stem for file in (path / "shards").glob("*") if file.suffix in SUFFIXES and file.stem.isdigit()}
    names = sorted(present | set(meta.get("shards", [])), key=int)
    findings: list[str] = []
    ids: dict[str, str] = {}
    with (
        Progress(f"verifying {path}", len(names), "shards", show=progress) as bar,
        ThreadPoolExecutor(usable_cores()) as pool,  # hashing lets other threads run
    ):
        for task in as_completed([pool.submit(_verify_shard, path / "shards", name) for name in names]):
            found, infos = task.result()
            findings += found
            for name, info in infos:
                if info.id in ids:
                    findings.append(f"shards/{name}: clip '{info.id}' is in shard {ids[info.id]} as well")
                ids[info.id] = name
            bar.advance()
    if not ids and not findings:
        findings.append("the store holds no clip")
    return VerifyReport(path, len(names), len(ids), tuple(sorted(findings)))


def _verify_shard(folder: Path, name: str) -> tuple[list[str], list[tuple[str, ClipInfo]]]:
    """What is wrong with one shard, and its clips."""
    missing = [suffix for suffix in SUFFIXES if not (folder / f"{name}{suffix}").is_file()]
    if missing:
        gone = "the shard is missing" if len(missing) == len(SUFFIXES) else f"missing: {', '.join(missing)}"
        return [f"shards/{name}: {gone}"], []
    try:
        findings = list(_wrong_sums(folder, name))
        rows = [parse_row(line, name) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]
        if findings or not rows:
            # A damaged file is searched for the clips that it costs.
            findings += _damaged_members(folder / f"{name}.zip", name) if rows else [f"shards/{name}: no clip in it"]
        else:
            findings += _wrong_arrays(folder / f"{name}.zip", name, rows)
    except (OSError, DataError) as error:
        return [*_wrong_sums(folder, name), f"shards/{name}: {error}"], []
    return findings, [(name, row.info) for row in rows]


def _wrong_sums(folder: Path, name: str) -> Iterator[str]:
    """Files of a shard that are not what its checksums say; a damaged list of checksums shows as well."""
    try:
        stated = parse_sums((folder / f"{name}.sha256").read_bytes(), name)
    except DataError as error:
        yield str(error)
        return
    for file, expected in zip((f"{name}.zip", f"{name}.jsonl"), stated, strict=True):
        if sha256(folder / file) != expected:
            yield f"shards/{file}: does not match its checksum in {name}.sha256"


def _damaged_members(path: Path, name: str) -> Iterator[str]:
    """Name the arrays that a change in the ZIP has hit, by the CRC that every ZIP keeps."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                try:
                    with archive.open(member) as file:
                        while file.read(1 << 20):
                            pass
                except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError):
                    yield f"shards/{name}.zip: {member.filename} is damaged"
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        yield f"shards/{name}.zip: the list of its contents is damaged ({error})"


def _wrong_arrays(path: Path, name: str, rows: list[Row]) -> Iterator[str]:
    """Arrays whose shape, type or place is not what the index says (a store that was written wrongly)."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        members = set(archive.namelist())
        for row in rows:
            for kind, start, shape, dtype in row.members.values():
                member = f"{row.info.id}/{kind}.npy"
                if member not in members:
                    yield f"shards/{name}.zip: {member} is missing"
                    continue
                found = _read_header(archive, member)
                if found != (shape, np.dtype(dtype)):
                    yield f"shards/{name}.zip: {member} is {found[1]} {found[0]}, the index says {dtype} {shape}"
                elif not _starts_at(archive, file, member, start):
                    yield f"shards/{name}.jsonl: {member} does not start at byte {start}"


def _read_header(archive: zipfile.ZipFile, member: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(member) as file, _PARSING:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, dtype


def _starts_at(archive: zipfile.ZipFile, file: io.BufferedReader, member: str, start: int) -> bool:
    """Whether an array's numbers start where the index says: right after the line end of its header."""
    entry = archive.getinfo(member)
    file.seek(entry.header_offset + 26)
    name_size, extra_size = np.frombuffer(file.read(4), "<u2")
    file.seek(entry.header_offset + 30 + int(name_size) + int(extra_size))
    with _PARSING:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
    return file.tell() == start
