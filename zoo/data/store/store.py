"""The store: a folder of ZIP shards that hold prepared clips uncompressed, read by clip, by frame and by sample.

::

    DIR/store.json            what is in it: format, data set, splits, who made it
    DIR/shards/00000.zip      <id>/frames.npy (T,H,W,3) uint8, wave.npy (S,) float32, landmarks.npy (T,68,2) float32,
                              and NAME.npy (T,...) float32 for each further array
    DIR/shards/00000.jsonl    one line per clip: what is known about it and where its bytes lie in the ZIP
    DIR/shards/00000.sha256   checksums of the two, for ``zoo data verify`` or ``sha256sum -c``

A shard exists once its ``.jsonl`` does. There is no index of the whole store that could go stale.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from zoo.data.store.index import ClipInfo, Row, check_index, parse_meta, parse_row
from zoo.data.store.members import check_member
from zoo.data.store.shard_files import LocalFiles, RemoteFiles, open_files
from zoo.media.clip import NUM_LANDMARKS, Clip
from zoo.support.errors import DataError


class Store:
    """Read access to a store. Cheap to pickle; may be used after a fork and from several threads.

    Args:
        path: a folder, or any address that fsspec knows (``s3://bucket/store``): then only the bytes asked for travel.
        part: ``(k, n)`` opens every n-th shard from the k-th on, for machines that share out a very large store.

    Attributes:
        path: where it is.
        meta: the contents of ``store.json`` (``dataset``, ``splits``, ``licence``, ...).
        clips: a :class:`ClipInfo` per clip.

    Raises:
        DataError: there is no store, it is empty or damaged, a shard is gone, or a newer zoo made it. Every method
            that reads raises it where the bytes are not those that were written: the index is checked when the store
            is opened, an array when a process first reads of it.
    """

    def __init__(self, path: str | Path, *, part: tuple[int, int] = (0, 1)) -> None:
        self.path = str(path)
        self._files = open_files(path)
        self.meta = read_meta(self._files)
        present = self._files.shards()
        gone = sorted(set(self.meta.get("shards", [])) - set(present), key=int)
        if gone:
            raise DataError(
                f"{self.path}: shards that were written are missing ({', '.join(gone[:5])}); "
                "bring them back, or prepare the store again"
            )
        self._shards = present[part[0] :: part[1]]
        self._load_index()
        if not len(self):
            again = f"zoo data prepare {self.meta['dataset']} --out {self.path}"
            raise DataError(f"{self.path}: the store holds no clip; fill it with: {again}")

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getstate__(self) -> dict[str, Any]:
        # The index is read again, not sent; the names of the shards pin it should the store have grown meanwhile.
        return {"path": self.path, "meta": self.meta, "_files": self._files, "_shards": self._shards}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._load_index()

    def _load_index(self) -> None:
        # Whole text files and numbers, not objects: ten million clips fit, and forked workers share the memory.
        texts = self._files.read_all([f"{shard}.{kind}" for kind in ("jsonl", "sha256") for shard in self._shards])
        self._index = texts[: len(self._shards)]
        for shard, text, sums in zip(self._shards, self._index, texts[len(self._shards) :], strict=True):
            check_index(text, sums, shard)
        ends = [np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1 for text in self._index]
        self._lines = [np.concatenate([[0], end]) for end in ends]
        self._ends = list(accumulate(len(end) for end in ends))
        self._last: tuple[int, Row] | None = None
        self._ids: dict[str, int] | None = None
        self._checked: set[tuple[int, str]] = set()  # arrays whose bytes this process has held against their CRC
        self._sizes: dict[str, int | None] = {}

    @property
    def clips(self) -> Sequence[ClipInfo]:
        """What is known of each clip, parsed when it is asked for."""
        return _Clips(self)

    def fingerprint(self) -> str:
        """First 16 digits of the SHA-256 of the shards' checksums: another content has another fingerprint."""
        sums = self._files.read_all([f"{shard}.sha256" for shard in self._shards])
        return hashlib.sha256(b"".join(sums)).hexdigest()[:16]

    def index(self, clip_id: str) -> int:
        """The number of a clip.

        Raises:
            DataError: no such clip.
        """
        if self._ids is None:
            self._ids = {info.id: number for number, info in enumerate(self.clips)}
        if clip_id not in self._ids:
            raise DataError(f"{self.path}: no clip '{clip_id}' among {len(self)} (the first is '{self.clips[0].id}')")
        return self._ids[clip_id]

    def frames(self, index: int, which: slice | Sequence[int] = slice(None)) -> UInt8[Tensor, "n 3 H W"]:
        """Read some frames of a clip, and only those.

        Args:
            index: number of the clip.
            which: a slice, or the numbers of frames in any order (negative ones count from the end).

        Returns:
            ``(n, 3, H, W)`` uint8 RGB, 0..255, channels last in memory, yours to change.
        """
        row = self._row(index)
        info = row.info
        every = range(info.num_frames)
        wanted = list(every[which]) if isinstance(which, slice) else [every[number] for number in which]
        size = info.height * info.width * 3
        out = np.empty((len(wanted), info.height, info.width, 3), np.uint8)
        for first, last in _runs(wanted):
            start = row.frames + wanted[first] * size
            self._files.read_into(row.shard, start, out[first:last])
        self._check(index, row, "frames", out if wanted == list(every) else None)
        return torch.from_numpy(out).permute(0, 3, 1, 2)

    def wave(self, index: int, start: int = 0, stop: int | None = None) -> Float32[Tensor, " S"]:
        """Samples ``start`` to ``stop`` of a clip's sound, with silence outside (as :func:`zoo.media.audio.cut`).

        Returns:
            ``(stop - start,)`` float32 in [-1, 1] at the clip's sample rate.
        """
        row = self._row(index)
        total = row.info.num_samples
        stop = total if stop is None else stop
        first, last = (min(max(edge, 0), total) for edge in (start, stop))
        out = np.empty(max(last - first, 0), np.float32)
        if len(out):
            self._files.read_into(row.shard, row.wave + first * 4, out)
            self._check(index, row, "wave", out if len(out) == total else None)
        left = min(max(-start, 0), stop - start)
        return F.pad(torch.from_numpy(out), (left, stop - start - left - len(out)))

    def landmarks(self, index: int) -> Float32[Tensor, "T 68 2"]:
        """The landmarks of a clip: ``(T, 68, 2)`` float32, x and y in pixels of its frames."""
        row = self._row(index)
        out = np.empty((row.info.num_frames, NUM_LANDMARKS, 2), np.float32)
        self._files.read_into(row.shard, row.landmarks, out)
        self._check(index, row, "landmarks", out)
        return torch.from_numpy(out)

    def shapes(self, index: int) -> dict[str, tuple[int, ...]]:
        """The further arrays of a clip: the shape of one frame's entry, by name."""
        return {name: each.shape for name, each in self._row(index).arrays.items()}

    def array(self, index: int, name: str, first: int = 0, count: int | None = None) -> Float32[Tensor, " n *rest"]:
        """A further array of a clip, one entry per frame.

        Args:
            index: number of the clip.
            name: of the array.
            first: the first frame.
            count: how many frames; ``None``: all from there on.

        Raises:
            DataError: the clip has no such array.
        """
        row = self._row(index)
        if name not in row.arrays:
            known = f"it has {', '.join(row.arrays)}" if row.arrays else "it has none"
            raise DataError(f"{self.path}: clip '{row.info.id}' has no array '{name}'; {known}")
        member = row.members[name]
        chosen = range(row.info.num_frames)[first : None if count is None else first + count]
        out = np.empty((len(chosen), *member.shape[1:]), np.float32)
        if out.size:
            entry = member.size // row.info.num_frames
            self._files.read_into(row.shard, member.start + chosen.start * entry, out)
            self._check(index, row, name, out if len(chosen) == row.info.num_frames else None)
        return torch.from_numpy(out)

    def clip(self, index: int) -> Clip:
        """Read a whole clip."""
        info = self._row(index).info
        return Clip(
            id=info.id,
            speaker=info.speaker,
            text=info.text,
            frames=self.frames(index),
            wave=self.wave(index),
            landmarks=self.landmarks(index),
            words=info.words,
            labels=info.labels,
            arrays={name: self.array(index, name) for name in self.shapes(index)},
            fps=info.fps,
            sample_rate=info.sample_rate,
        )

    def _check(self, index: int, row: Row, kind: str, whole: NDArray[Any] | None) -> None:
        """Hold an array against its CRC-32 when this process reads of it for the first time.

        Once for each array is cheap (2.5 GB/s); over the network, only what is read whole is checked.
        """
        if (index, kind) in self._checked or (whole is None and not self._files.local):
            return
        data = None if whole is None else whole.data.cast("B")
        member = row.members[kind]
        check_member(self._files, row.shard, f"{row.info.id}/{kind}.npy", member.start, member.size, data)
        self._checked.add((index, kind))

    def _fit(self, row: Row) -> None:
        """Refuse a clip that would reach beyond its shard before room is made for it."""
        if row.shard not in self._sizes:
            self._sizes[row.shard] = self._files.size(row.shard)
        size = self._sizes[row.shard]
        if size is not None and any(each.start + each.size > size for each in row.members.values()):
            raise DataError(
                f"{self.path}/shards/{row.shard}.zip: ends before clip '{row.info.id}' does; "
                "run: zoo data verify on the store"
            )

    def _row(self, index: int) -> Row:
        last = self._last
        if last is not None and last[0] == index:
            return last[1]
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        shard = bisect_right(self._ends, index)
        line = index - (self._ends[shard - 1] if shard else 0)
        start, stop = self._lines[shard][line : line + 2]
        row = parse_row(self._index[shard][start:stop], self._shards[shard])
        self._fit(row)
        self._last = (index, row)
        return row


class _Clips(Sequence[ClipInfo]):
    """A view of a store as a sequence of what is known of its clips."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __len__(self) -> int:
        return len(self._store)

    @overload
    def __getitem__(self, index: int) -> ClipInfo: ...
    @overload
    def __getitem__(self, index: slice) -> list[ClipInfo]: ...
    def __getitem__(self, index: int | slice) -> ClipInfo | list[ClipInfo]:
        if isinstance(index, slice):
            return [self._store._row(number).info for number in range(len(self))[index]]
        return self._store._row(range(len(self))[index]).info


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Cut a list where a number does not follow the one before: each run is read in one piece."""
    breaks = [0, *(i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1), len(numbers)]
    return (edges for edges in pairwise(breaks) if edges[0] < edges[1])


def read_meta(files: LocalFiles | RemoteFiles) -> dict[str, Any]:
    """Read ``store.json``.

    Raises:
        DataError: it is missing, damaged or of a newer format.
    """
    text = files.read_bytes("store.json")
    if text is None:
        command = f"zoo data prepare DATASET --root ROOT --out {files.path}"
        raise DataError(f"{files.path}: no store here; make one with: {command}")
    return parse_meta(text, f"{files.path}/store.json")
