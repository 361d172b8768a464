"""Decoding the pictures of a file with FFmpeg, one by one; what is broken costs itself and no more."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.media.files import video_stream
from zoo.media.pictures.timing import Shot, one_clock, timeline_rate
from zoo.support.errors import MediaError

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

PEEKED = 300
"""Packets that are looked at for the rate before the first picture is decoded."""

PEEKED_BYTES = 16 * 2**20
"""No more than this is held of them, unless it is fewer than four."""

JUMPS = 0x200
"""FFmpeg's AVFMT_TS_DISCONT: in files of this kind time may jump."""


class Decoder:
    """The moving pictures of an open file, in a single pass."""

    def __init__(self, container: InputContainer, path: str | Path) -> None:
        self.path = path
        self.stream: VideoStream = video_stream(container, path)
        self.stream.thread_type = "AUTO"
        self.joins = bool(container.format.flags & JUMPS)
        self._packets = self._demux(container)
        self._peeked = self._peek()
        self.rate = self._rate()
        """Frames per second of an editor's timeline."""

    @property
    def claims(self) -> tuple[Fraction | None, ...]:
        """What the header says of the rate."""
        return self.stream.average_rate, self.stream.base_rate, self.stream.guessed_rate

    def shots(self) -> Iterator[Shot[VideoFrame]]:
        """All pictures that decode, in the order they are shown; ends where the file is damaged beyond reading on.

        Raises:
            MediaError: no memory, or pictures that stop for long.
        """
        shots = one_clock(self._decode(), joins=self.joins)
        try:
            yield from shots
        except MediaError as error:
            raise MediaError(f"{self.path}: {error}") from error

    def _demux(self, container: InputContainer) -> Iterator[Packet[VideoStream]]:
        import av

        packets = container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise MediaError(f"{self.path}: not enough memory to read it") from error
                return
            if packet is None:
                return
            yield packet

    def _peek(self) -> list[Packet[VideoStream]]:
        held: list[Packet[VideoStream]] = []
        size = 0
        for packet in self._packets:
            held.append(packet)
            size += packet.size
            if len(held) >= PEEKED or (size > PEEKED_BYTES and len(held) > 3):
                break
        return held

    def _rate(self) -> float:
        tick = self.stream.time_base or Fraction(0)
        filled = [packet for packet in self._peeked if packet.size]
        decoded = [packet.dts for packet in filled if packet.dts is not None]
        shown = sorted(packet.pts for packet in filled if packet.pts is not None)
        # In the order of decoding a join is a step back, which does not count; sorted by time two parts would mingle.
        times = decoded if len(decoded) >= len(shown) else shown
        return timeline_rate([float(time * tick) for time in times], tick=float(tick), claims=self.claims)

    def _decode(self) -> Iterator[Shot[VideoFrame]]:
        import av

        spare = 1 / self.rate
        last = -spare
        packets, self._peeked = chain(self._peeked, self._packets), []
        for packet in packets:
            try:
                pictures = packet.decode()
            except av.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise MediaError("not enough memory to decode its pictures") from error
                continue  # one broken packet costs its own picture, not the rest of the file
            for picture in pictures:
                start = last + spare if picture.time is None else float(picture.time)
                claimed = float(picture.duration * picture.time_base) if picture.duration and picture.time_base else 0.0
                # Lengths come from the header's rate, which may be nonsense: 1000 per second.
                yield Shot(start, claimed if claimed > spare / 2 else spare, picture)
                last = start
