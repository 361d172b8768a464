"""Writing a store: shards are built aside and appear whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

import zoo
from zoo.data.store.index import FORMAT, VERSION, check_array_name, check_name, check_shape, format_row
from zoo.media.clip import NUM_LANDMARKS, Clip
from zoo.support.errors import DataError, MediaError
from zoo.support.files import write_text_aside

SUFFIXES = (".zip", ".sha256", ".jsonl")
"""The files of a shard in the order in which they appear: the shard exists once the last one does."""


class ShardWriter:
    """Builds one shard in a temporary folder; :func:`publish_shard` moves it into the store.

    Args:
        folder: temporary folder on the same file system as the store; it must exist.
        name: number of the shard, for example ``00012``.
    """

    def __init__(self, folder: str | Path, name: str) -> None:
        self.folder, self.name = Path(folder), name
        self._file = (self.folder / f"{name}.zip").open("wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self._rows: list[bytes] = []
        self._members = [0]  # in the ZIP, before each clip

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *error: object) -> None:
        # After close() these do nothing; after an error the files are no use, and a full disk may not matter any more.
        with suppress(OSError, ValueError):
            self._zip.close()
        with suppress(OSError):
            self._file.close()

    def add(self, clip: Clip, source: str = "", pictures: Iterable[UInt8[Tensor, "3 H W"]] | None = None) -> None:
        """Append a clip.

        Args:
            clip: a clip whose arrays agree in length and type.
            source: the file it came from, for the record.
            pictures: its frames one by one, where the clip's own have only their shape, so that they are never in
                memory at once.

        Raises:
            ValueError: shapes or types are not those of :class:`zoo.media.clip.Clip`.
            MediaError: there are more or fewer pictures than the clip has frames. What was written of the clip is taken
                back.
        """
        check_clip(clip)
        mark = self.mark()
        try:
            offsets = (
                self._pictures(f"{clip.id}/frames.npy", clip, clip.frames if pictures is None else pictures),
                self._member(f"{clip.id}/wave.npy", clip.wave),
                self._member(f"{clip.id}/landmarks.npy", clip.landmarks),
            )
            arrays = {
                name: self._member(f"{clip.id}/{name}.npy", values) for name, values in sorted(clip.arrays.items())
            }
        except BaseException:
            self.rewind(mark)
            raise
        self._rows.append(format_row(clip, offsets, source, arrays))
        self._members.append(len(self._zip.filelist))

    def mark(self) -> int:
        """How many clips there are, for :meth:`rewind`."""
        return len(self._rows)

    def rewind(self, mark: int) -> None:
        """Take back what was added since :meth:`mark`, as if it had never been written."""
        del self._rows[mark:]
        del self._members[mark + 1 :]
        kept = self._members[mark]
        for info in self._zip.filelist[kept:]:
            self._zip.start_dir = min(self._zip.start_dir, info.header_offset)
            del self._zip.NameToInfo[info.filename]
        del self._zip.filelist[kept:]
        with suppress(OSError, ValueError):
            self._file.truncate(self._zip.start_dir)

    def _pictures(self, name: str, clip: Clip, pictures: Iterable[Tensor]) -> int:
        """Append pictures as one array; returns where its numbers start in the file."""
        num_frames, _, height, width = clip.frames.shape
        header = io.BytesIO()
        shape = (num_frames, height, width, 3)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        size = num_frames * height * width * 3
        info = _info(name)
        info.file_size = len(header.getbuffer()) + size  # tells the ZIP beforehand whether it is a large member
        count = 0
        with self._zip.open(info, "w") as member:
            member.write(header.getbuffer())
            for count, picture in enumerate(pictures, start=1):
                if picture.shape != (3, height, width) or count > num_frames:
                    raise MediaError("the pictures were others when they were read again")
                member.write(np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy()).data)
        if count != num_frames:
            raise MediaError(f"of {num_frames} pictures only {count} were there when they were read again")
        return self._file.tell() - size

    def _member(self, name: str, tensor: Tensor) -> int:
        """Append an array; returns where its numbers start in the file."""
        array = np.ascontiguousarray(tensor.detach().cpu().numpy())
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, allow_pickle=False)
        self._zip.writestr(_info(name), buffer.getbuffer())
        return self._file.tell() - array.nbytes

    def close(self) -> int:
        """Finish the files on disk and return the number of clips. Without a clip nothing is left."""
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if not self._rows:
            (self.folder / f"{self.name}.zip").unlink()
            return 0
        with (self.folder / f"{self.name}.jsonl").open("wb") as index:
            index.writelines(self._rows)
            index.flush()
            os.fsync(index.fileno())
        sums = [f"{sha256(self.folder / file)}  {file}\n" for file in (f"{self.name}.zip", f"{self.name}.jsonl")]
        (self.folder / f"{self.name}.sha256").write_text("".join(sums), encoding="ascii")
        return len(self._rows)


def _info(name: str) -> zipfile.ZipInfo:
    """A member of the ZIP with a fixed date: the same clips give the same bytes."""
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def check_clip(clip: Clip) -> None:
    """Check that a clip's arrays agree.

    Raises:
        ValueError: with what is wrong.
    """
    frames, landmarks, wave = clip.frames, clip.landmarks, clip.wave
    if frames.ndim != 4 or frames.shape[1] != 3 or not frames.numel() or str(frames.dtype) != "torch.uint8":
        raise ValueError(f"clip {clip.id}: frames are {frames.dtype} {tuple(frames.shape)}, not uint8 (T, 3, H, W)")
    if tuple(landmarks.shape) != (len(frames), NUM_LANDMARKS, 2) or str(landmarks.dtype) != "torch.float32":
        raise ValueError(
            f"clip {clip.id}: landmarks are {landmarks.dtype} {tuple(landmarks.shape)}, "
            f"not float32 ({len(frames)}, 68, 2)"
        )
    if wave.ndim != 1 or str(wave.dtype) != "torch.float32":
        raise ValueError(f"clip {clip.id}: wave is {wave.dtype} {tuple(wave.shape)}, not float32 (S,)")
    for name in clip.labels:
        check_name(name)
    for name, values in clip.arrays.items():
        check_array_name(name)
        check_shape(tuple(values.shape[1:]))
        if values.ndim < 1 or len(values) != len(frames) or str(values.dtype) != "torch.float32" or not values.numel():
            raise ValueError(
                f"clip {clip.id}: {name} is {values.dtype} {tuple(values.shape)}, not float32 ({len(frames)}, ...)"
            )


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish_shard(store: Path, folder: Path, name: str) -> None:
    """Move a finished shard into the store; its index comes last, so a kill in between leaves no half shard."""
    for suffix in SUFFIXES:
        os.replace(folder / f"{name}{suffix}", store / "shards" / f"{name}{suffix}")


def write_meta(store: Path, meta: dict[str, Any]) -> None:
    """Write ``store.json``; ``format``, ``version`` and ``zoo`` are added."""
    full = {"format": FORMAT, "version": VERSION, "zoo": zoo.__version__, **meta}
    write_text_aside(store / "store.json", json.dumps(full, indent=2, ensure_ascii=False) + "\n")


def write_store(
    path: str | Path,
    clips: Iterable[Clip],
    *,
    dataset: str,
    splits: Sequence[str] = ("by-speaker",),
    shard_clips: int = 64,
    **meta: Any,
) -> None:
    """Write ready-made clips into a new store, in one process.

    Args:
        path: a folder without a store.
        clips: clips with unique ids.
        dataset: name of the data set.
        splits: names of the ways to divide it (:mod:`zoo.data.splits`), the default first.
        shard_clips: clips per shard.
        meta: more for ``store.json``, for example ``licence`` and ``citation``.

    Raises:
        DataError: there is a store already, or the disk is full.
    """
    path = Path(path)
    if (path / "store.json").exists():
        raise DataError(f"{path}: there is a store already; remove it first or choose another --out")
    temporary = path / "shards" / ".tmp"
    names: list[str] = []
    rest = iter(clips)
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        while group := list(islice(rest, shard_clips)):
            names.append(f"{len(names):05d}")
            with ShardWriter(temporary, names[-1]) as writer:
                for clip in group:
                    writer.add(clip)
                writer.close()
        for name in names:
            publish_shard(path, temporary, name)
        write_meta(path, {"dataset": dataset, "splits": list(splits), **meta, "shards": names})
    except OSError as error:
        raise DataError(f"{path}: the store cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
