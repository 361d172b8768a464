"""Where moving pictures come from: FFmpeg for videos, Pillow for animations; both give RGB as it is to be shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from zoo.media.files import open_media
from zoo.media.pictures.colour import Colour, to_rgb
from zoo.media.pictures.decode import Decoder
from zoo.media.pictures.orientation import orientation, square_pixels
from zoo.media.pictures.photo import Animation, photo_kind
from zoo.media.pictures.timing import Shot, timeline_rate
from zoo.support.errors import MediaError
from zoo.support.printable import printable

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

LOG = logging.getLogger(__name__)


def open_source(path: Path, stack: ExitStack) -> VideoSource | AnimationSource:
    """Open a video or an animation; ``stack`` closes it.

    Raises:
        MediaError: it cannot be read, or not one picture decodes.
    """
    if photo_kind(path) is not None:
        return AnimationSource(path)
    return VideoSource(stack.enter_context(open_media(path)), path)


class VideoSource:
    """The pictures of a video.

    Attributes:
        height: of every picture, upright and with square pixels.
        width: the same.
        fps: frames per second of an editor's timeline.
        seconds: how long it lasts, as the file claims; ``None`` where it does not.
        colour: what the numbers in the file mean.
    """

    def __init__(self, container: InputContainer, path: Path) -> None:
        self.path = path
        decoder = Decoder(container, path)
        self._shots = decoder.shots()
        first = next(self._shots, None)
        if first is None:
            raise MediaError(f"{path}: not one picture of this video can be decoded; is the file damaged?")
        self._first = first
        self.fps, self.seconds = decoder.rate, _seconds(container, decoder)
        self._prepare(first.picture, decoder)

    def _prepare(self, picture: VideoFrame, decoder: Decoder) -> None:
        self.colour = Colour.of(picture)
        if self.colour.high_dynamic_range:
            LOG.warning(
                "%s: HDR video (%s) is read without tone mapping and looks pale; convert it to SDR for true colours",
                printable(self.path),
                self.colour.high_dynamic_range,
            )
        self._stored = picture.height, picture.width
        self._square = square_pixels(*self._stored, decoder.stream.sample_aspect_ratio)
        self._orientation = orientation(picture)
        turned = self._square[::-1] if self._orientation.transpose else self._square
        self.height, self.width = turned

    def shots(self) -> Iterator[Shot[Any]]:
        """The pictures as they are decoded."""
        return chain([self._first], self._shots)

    def rgb(self, picture: Any) -> UInt8[np.ndarray, "H W 3"]:
        """One of them as it is shown.

        Raises:
            MediaError: it has another size than the first, or there is no memory for it.
        """
        if (picture.height, picture.width) != self._stored:
            raise MediaError(f"{self.path}: the picture size changes inside the video; convert it to one size first")
        try:
            return self._orientation.apply(to_rgb(picture, self.colour, self._square))
        except MemoryError as error:
            raise MediaError(f"{self.path}: not enough memory for its pictures") from error


def _seconds(container: InputContainer, decoder: Decoder) -> float | None:
    stream = decoder.stream
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration and container.duration > 0 else None


class AnimationSource:
    """The pictures of an animated GIF, PNG, WebP or AVIF; a photo is an animation of one picture.

    Attributes: as :class:`VideoSource` has them.
    """

    def __init__(self, path: Path) -> None:
        self._animation = Animation(path)
        starts: list[float] = []
        end = 0.0
        for shot in self._animation.shots():
            self.height, self.width = shot.picture.shape[:2]
            starts.append(shot.start)
            end = shot.start + shot.length
        self.fps = timeline_rate(starts, tick=0.01, claims=())
        self.seconds: float | None = end if len(starts) > 1 else 1 / self.fps
        self.colour = Colour.usual(self.height)

    def shots(self) -> Iterator[Shot[Any]]:
        """The pictures as they are decoded."""
        return self._animation.shots()

    def rgb(self, picture: Any) -> UInt8[np.ndarray, "H W 3"]:
        """One of them as it is shown."""
        return picture


Source = VideoSource | AnimationSource
"""Moving pictures, read once, with what is known of them beforehand."""
