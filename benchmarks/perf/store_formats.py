"""Which format for the store: real face tracks written and read back in existing formats, side by side.

Usage: ``python benchmarks/perf/store_formats.py STORE [--clips 20] [--json]``, STORE made by ``zoo data prepare grid``.
Needs h5py, which the zoo itself does not. All candidates are lossless; files are read from the page cache, so the
numbers compare decoding and system calls, not disks.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import statistics
import tarfile
import tempfile
import time
import zipfile
from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.media.clip import Clip

h5py: Any = import_module("h5py")  # not a dependency of the zoo, so that mypy must not look for it
Pictures = NDArray[np.uint8]


class Candidate(ABC):
    """Writes clips ``(T, H, W, 3)`` to a folder and reads frames ``first`` to ``last`` of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def write(self, clips: list[Pictures]) -> None:
        """Write all clips."""

    @abstractmethod
    def read(self, clip: int, first: int, last: int) -> Pictures:
        """Read some frames of a clip."""


class ZipNpy(Candidate):
    """The zoo's store: stored ZIP members, one ``.npy`` of frames per clip, read with pread."""

    def write(self, clips: list[Pictures]) -> None:
        """Write all clips."""
        write_store(self.folder / "store", map(_as_clip, range(len(clips)), clips), dataset="x")
        self.store = Store(self.folder / "store")

    def read(self, clip: int, first: int, last: int) -> Pictures:
        """Read some frames of a clip."""
        return np.asarray(self.store.frames(clip, slice(first, last)).permute(0, 2, 3, 1).numpy())


class ZipNpyMapped(ZipNpy):
    """The same file, memory-mapped instead."""

    def write(self, clips: list[Pictures]) -> None:
        """Write all clips."""
        super().write(clips)
        self.maps = {path.stem: np.memmap(path, mode="r") for path in (self.folder / "store" / "shards").glob("*.zip")}

    def read(self, clip: int, first: int, last: int) -> Pictures:
        """Read some frames of a clip."""
        row = self.store._row(clip)
        info = row.info
        size = info.height * info.width * 3
        part = self.maps[row.shard][row.frames + first * size : row.frames + last * size]
        return np.array(part).reshape(last - first, info.height, info.width, 3)


class Hdf5(Candidate):
    """One HDF5 dataset per clip, one chunk per frame."""

    options: dict[str, object] = {}  # noqa: RUF012

    def write(self, clips: list[Pictures]) -> None:
        """Write all clips."""
        with h5py.File(self.folder / "a.h5", "w") as file:
            for number, clip in enumerate(clips):
                file.create_dataset(str(number), data=clip, chunks=(1, *clip.shape[1:]), **self.options)
        self.file = h5py.File(self.folder / "a.h5")

    def read(self, clip: int, first: int, last: int) -> Pictures:
        """Read some frames of a clip."""
        return np.asarray(self.file[str(clip)][first:last])


class Hdf5Lzf(Hdf5):
    """The same, compressed with LZF after byte shuffling (which does nothing for bytes)."""

    options = {"compression": "lzf"}  # noqa: RUF012


class ZipPictures(Candidate):
    """One losslessly compressed picture per frame, in a ZIP."""

    kind, options = "PNG", {"compress_level": 1}

    def write(self, clips: list[Pictures]) -> None:
        """Write all clips."""
        with zipfile.ZipFile(self.folder / "a.zip", "w") as archive:
            for number, clip in enumerate(clips):
                for t, frame in enumerate(clip):
                    buffer = io.BytesIO()
                    Image.fromarray(frame).save(buffer, self.kind, **self.options)
                    archive.writestr(f"{number}/{t}", buffer.getvalue())
        self.archive = zipfile.ZipFile(self.folder / "a.zip")

    def read(self, clip: int, first: int, last: int) -> Pictures:
        """Read some frames of a clip."""
        return np.stack([np.array(Image.open(self.archive.open(f"{clip}/{t}"))) for t in range(first, last)])


class ZipWebp(ZipPictures):
    """Lossless WebP, fastest setting."""

    kind, options = "WEBP", {"lossless": True, "quality": 0, "method": 0}


class TarFfv1(Candidate):
    """A tar of one video per clip: FFV1, every frame on its own."""

    codec, pixels, options = "ffv1", "bgr0", {"g": "1", "level": "3"}

    def write(self, clips: list[Pictures]) -> None:
        """Write all clips."""
        with tarfile.open(self.folder / "a.tar", "w") as archive:
            for number, clip in enumerate(clips):
                entry = tarfile.TarInfo(str(number))
                data = self._encode(clip)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        with tarfile.open(self.folder / "a.tar") as archive:
            self.places = [(entry.offset_data, entry.size) for entry in archive]
        self.file = os.open(self.folder / "a.tar", os.O_RDONLY)

    def _encode(self, clip: Pictures) -> bytes:
        buffer = io.BytesIO()
        with av.open(buffer, mode="w", format="matroska") as container:
            stream = container.add_stream(self.codec, rate=25, options=self.options)
            assert isinstance(stream, VideoStream)
            stream.height, stream.width = clip.shape[1:3]
            stream.pix_fmt = self.pixels
            for frame in clip:
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=self.pixels))
                )
            container.mux(stream.encode(None))
        return buffer.getvalue()

    def read(self, clip: int, first: int, last: int) -> Pictures:
        """Read some frames of a clip."""
        start, size = self.places[clip]
        out: list[Pictures] = []
        with av.open(io.BytesIO(os.pread(self.file, size, start)), "r") as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            container.seek(int(first / 25 / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if round((frame.time or 0) * 25) >= first:
                    out.append(frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False))
                    if len(out) == last - first:
                        break
        return np.stack(out)


class TarX264(TarFfv1):
    """A tar of lossless H.264 in RGB, a key frame every 12 frames."""

    codec, pixels, options = "libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast", "g": "12"}


def _as_clip(number: int, frames: Pictures) -> Clip:
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
    return Clip(f"{number:05d}", "s", "", pictures, torch.zeros(len(frames) * 640), torch.zeros(len(frames), 68, 2))


def measure(make: type[Candidate], clips: list[Pictures], repeats: int) -> dict[str, float | str]:
    """Speed and size of one candidate; checks first that it is lossless."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        candidate = make(Path(folder))
        start = time.perf_counter()
        candidate.write(clips)
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        assert all(np.array_equal(candidate.read(n, 0, len(clip)), clip) for n, clip in enumerate(clips))
        row: dict[str, float | str] = {
            "format": make.__name__,
            "write_clips_per_s": len(clips) / seconds,
            "mb_per_clip": size / len(clips) / 1e6,
        }
        for label, count in (("1_frame_ms", 1), ("5_frames_ms", 5), ("clip_ms", 0)):
            times = []
            for _ in range(repeats if count else len(clips)):
                number = draw.randrange(len(clips))
                length = count or len(clips[number])
                first = draw.randrange(len(clips[number]) - length + 1)
                begin = time.perf_counter()
                candidate.read(number, first, first + length)
                times.append(time.perf_counter() - begin)
            row[label] = statistics.median(times) * 1000
    return row


CANDIDATES = (ZipNpy, ZipNpyMapped, Hdf5, Hdf5Lzf, ZipPictures, ZipWebp, TarFfv1, TarX264)


def main() -> None:
    """Measure all candidates and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    store = Store(arguments.store)
    step = max(1, len(store) // arguments.clips)
    numbers = range(0, len(store), step)[: arguments.clips]
    clips = [np.ascontiguousarray(store.frames(n).permute(0, 2, 3, 1).numpy()) for n in numbers]
    rows = [measure(candidate, clips, arguments.repeats) for candidate in CANDIDATES]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'format':14}" + "".join(f"{key:>19}" for key in list(rows[0])[1:]))
    for row in rows:
        print(f"{row['format']:14}" + "".join(f"{value:19.3f}" for value in list(row.values())[1:]))


if __name__ == "__main__":
    main()
