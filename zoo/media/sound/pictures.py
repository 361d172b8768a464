"""Where the pictures of a video stand on the file's clock, so that its sound is placed by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.media.clip import FPS
from zoo.media.files import open_media, video_stream
from zoo.media.pictures.decode import JUMPS, Decoder
from zoo.media.pictures.timing import MAX_GAP_S
from zoo.support.errors import MediaError

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.video.stream import VideoStream

REORDERED_S = 1.0
"""No picture is decoded so long before it is shown."""


@dataclass(frozen=True)
class Part:
    """One of the recordings that a joined file consists of.

    Attributes:
        offset: what is to be added to the file's clock so that the parts follow each other; 0 in the first.
        end: when its last picture ends, with the offset, in seconds.
    """

    offset: float
    end: float


class PictureClock:
    """The times of a video's pictures.

    Attributes:
        start: when the first picture that can be decoded is shown, in seconds on the file's clock.
    """

    def __init__(self, path: Path, start: float) -> None:
        self.path, self.start = path, start

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the file; found by reading all its packets, which only jumps in the sound make necessary."""
        with open_media(self.path) as container:
            stream = video_stream(container, self.path)
            joins = bool(container.format.flags & JUMPS)
            return _parts(_times(container, stream), joins)


def _parts(times: Iterator[tuple[float, float, float]], joins: bool) -> tuple[Part, ...]:
    """Cut pictures (decoded, first shown, no longer shown; in seconds) where their times jump."""
    parts: list[Part] = []
    last = 0.0
    for decoded, begin, until in times:
        back = decoded < last - 4 * (until - begin)
        if not parts:
            parts.append(Part(0.0, until))
        elif back or (joins and decoded > last + MAX_GAP_S):
            parts.append(Part(parts[-1].end - begin, parts[-1].end))
        last = decoded
        parts[-1] = replace(parts[-1], end=max(parts[-1].end, until + parts[-1].offset))
    return tuple(parts)


def _times(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, float, float]]:
    import av

    spare = 1 / float(stream.average_rate or stream.guessed_rate or FPS)
    packets: Iterator[Packet[VideoStream]] = container.demux(stream)
    with suppress(av.FFmpegError):
        for packet in packets:
            decoded, shown = packet.dts, packet.pts
            begin = decoded if shown is None else shown
            if begin is None or not packet.time_base:
                continue
            start = float(begin * packet.time_base)
            length = float((packet.duration or 0) * packet.time_base) or spare
            order = start if decoded is None else float(decoded * packet.time_base)
            # Where two recordings meet, a packet may have one time of each.
            yield (start if abs(order - start) > REORDERED_S else order), start, start + length


def picture_clock(path: Path) -> PictureClock | None:
    """The clock of a video's pictures; ``None`` where a file has no moving pictures, or none that can be decoded."""
    with open_media(path) as container:
        try:
            shot = next(Decoder(container, path).shots(), None)
        except MediaError:
            return None
    return None if shot is None else PictureClock(path, shot.start)
