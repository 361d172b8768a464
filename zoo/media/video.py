"""Pictures: reading photos and videos at a constant rate, upright, in true colours, and writing videos with sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from zoo.media.clip import FPS
from zoo.media.pictures.colour import Colour
from zoo.media.pictures.memory import free_memory
from zoo.media.pictures.photo import read_picture
from zoo.media.pictures.source import Source, open_source
from zoo.media.pictures.timing import constant_rate
from zoo.media.pictures.writing import VIEWED_CRF, write_video
from zoo.support.errors import MediaError

__all__ = [
    "VIEWED_CRF",
    "Colour",
    "Video",
    "VideoFacts",
    "VideoReader",
    "open_video",
    "probe_video",
    "read_picture",
    "read_video",
    "write_video",
]


@dataclass
class Video:
    """The pictures of a video.

    Attributes:
        frames: ``(T, 3, H, W)`` uint8 RGB, 0..255.
        fps: frames per second, constant.
        colour: what the numbers in the file meant; pictures made from these are written in the same way.
    """

    frames: UInt8[Tensor, "T 3 H W"]
    fps: float
    colour: Colour


@dataclass(frozen=True)
class VideoFacts:
    """What a video says of itself, found without reading it.

    Attributes:
        height: rows of a picture as :func:`read_video` gives it: upright, with square pixels.
        width: columns of it.
        fps: frames per second of an editor's timeline.
        seconds: how long it lasts, as the file claims; ``None`` where it does not say.
    """

    height: int
    width: int
    fps: float
    seconds: float | None

    def num_bytes(self, fps: float | None = None, seconds: float | None = None) -> int:
        """Memory that :func:`read_video` would need: an estimate, of one picture where the file tells no duration.

        Args:
            fps: frames per second that are wanted; ``None`` is the file's own rate.
            seconds: how much is wanted; ``None`` is all.
        """
        known = [length for length in (self.seconds, seconds) if length is not None]
        frames = math.ceil(min(known) * (fps or self.fps)) if self.seconds is not None else 1
        return max(1, frames) * self.height * self.width * 3


class VideoReader:
    """The pictures of a video one by one, in a single pass and a bounded amount of memory; made by :func:`open_video`.

    Iterating gives ``(3, H, W)`` uint8 RGB tensors at a constant rate, upright and with square pixels.

    Attributes:
        facts: what the file says of itself.
        fps: frames per second of what is read.
        colour: what the numbers in the file mean, to write what is made of them in the same way.
    """

    def __init__(self, path: str | Path, fps: float | None, seconds: float | None) -> None:
        self._path, self._wanted, self._seconds = Path(path), fps, seconds
        self._stack = ExitStack()

    def __enter__(self) -> VideoReader:
        with ExitStack() as stack:
            self._source: Source = open_source(self._path, stack)
            self._stack = stack.pop_all()
        source = self._source
        self.facts = VideoFacts(source.height, source.width, source.fps, source.seconds)
        self.fps = source.fps if self._wanted is None else self._wanted
        self.colour = source.colour
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[UInt8[Tensor, "3 H W"]]:
        most = None if self._seconds is None else math.ceil(self._seconds * self.fps)
        last, shown = None, torch.empty(0)
        for picture in islice(constant_rate(self._source.shots(), self.fps), most):
            if picture is not last:  # a picture that is shown for longer is converted once
                last, shown = picture, torch.from_numpy(self._source.rgb(picture)).permute(2, 0, 1)
            yield shown


def open_video(path: str | Path, *, fps: float | None = FPS, seconds: float | None = None) -> VideoReader:
    """Open a video to read its pictures one by one.

    It is used as ``with open_video(path) as reader: ...``, and the reader is iterated.

    Args:
        path: any video file that FFmpeg reads, or an animation.
        fps: frames per second of what is read; ``None`` keeps the rate of the file's timeline.
        seconds: read no more than the pictures shown in this time; ``None`` reads to the end.

    Returns:
        A context manager; entering it raises :class:`MediaError` where the file cannot be used.
    """
    return VideoReader(path, fps, seconds)


def probe_video(path: str | Path) -> VideoFacts:
    """What a video says of itself; of its pictures one is decoded.

    Raises:
        MediaError: no such file, no video in it, or not one picture decodes.
    """
    with open_video(path) as reader:
        return reader.facts


def read_video(
    path: str | Path,
    *,
    fps: float | None = FPS,
    seconds: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Video:
    """Read the pictures of a video at a constant rate.

    Picture ``k`` of the result is the one of the file nearest in time to ``k / fps`` seconds after its first, so a file
    of 30 fps, 29.97 fps or a variable rate keeps its timing. They are upright and not mirrored, have square pixels, and
    are in the colours that players show. A damaged or truncated file gives the pictures that decode.

    Args:
        path: any video file that FFmpeg reads, or an animation; a photo is a video of one picture.
        fps: frames per second of the result; ``None`` keeps the rate of the file's timeline.
        seconds: read no more than the pictures shown in this time; ``None`` reads to the end.
        progress: called with 1 for every picture that is read.

    Raises:
        MediaError: no such file, no video in it, not one picture decodes, or they do not fit into memory; that is said
            before they are read, as far as the file says how many there are.
    """
    with open_video(path, fps=fps, seconds=seconds) as reader:
        try:
            return Video(_gather(reader, path, seconds, progress), reader.fps, reader.colour)
        except MemoryError as error:
            raise _too_large(path, reader, reader.facts.num_bytes(reader.fps, seconds), None) from error


def _gather(
    reader: VideoReader, path: str | Path, seconds: float | None, progress: Callable[[int], None] | None
) -> UInt8[Tensor, "T 3 H W"]:
    """All pictures, held once: in one piece of memory that the system lets grow in place."""
    facts = reader.facts
    one = facts.height * facts.width * 3
    held = _room(reader, path, facts.num_bytes(reader.fps, seconds), 0) // one + 1
    frames = np.empty((held, facts.height, facts.width, 3), np.uint8)
    count = 0
    for frame in reader:
        if count == len(frames):
            more = count + max(8, count // 4)
            _room(reader, path, more * one, count * one)
            frames.resize((more, *frames.shape[1:]), refcheck=False)
        frames[count] = frame.permute(1, 2, 0).numpy()
        count += 1
        if progress is not None:
            progress(1)
    frames.resize((count, *frames.shape[1:]), refcheck=False)
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def _room(reader: VideoReader, path: str | Path, need: int, held: int) -> int:
    """The bytes needed, if there is room for them beside those held."""
    free = free_memory()
    if free is not None and need - held > free:
        raise _too_large(path, reader, need, free + held)
    return need


def _too_large(path: str | Path, reader: VideoReader, need: int, free: int | None) -> MediaError:
    facts = reader.facts
    room = "" if free is None else f", and there are {free / 1e9:.2g} GB"
    return MediaError(
        f"{path}: its pictures ({facts.width}x{facts.height}, {reader.fps:.4g} per second) need {need / 1e9:.3g} GB of"
        f" memory{room}; cut it into shorter parts or make it smaller"
    )
