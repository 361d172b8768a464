"""Decoding a sound track packet by packet: what is broken costs itself and no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from zoo.support.errors import MediaError

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler, Packet
    from av.audio.stream import AudioStream
    from av.container import InputContainer

TRIES = 50
"""So often reading goes on after an error in the container's structure without a packet in between."""

LOOKED_AT = 16
"""Frames whose times decide together when the first begins: some containers round them to a millisecond."""

ROUNDED_S = 0.00025
"""Times that are off by less are as good as a container makes them."""

TOLERANCE_S = 0.02
"""Times of frames may be so far from where the sound before them ends; players do not hear it."""

MANY_PLANES = 8
"""FFmpeg keeps so many pointers to planes without a mark at their end; PyAV reads on behind them."""

UNTIMED = frozenset({"aac", "ac3", "eac3", "dts", "dtshd", "truehd", "loas", "amr", "g722", "mp3"})
"""Kinds of file that hold frames one after another and say neither their times nor how many there are."""

TAGS = (b"ID3", b"APETAGEX")
"""How the descriptions begin that stand before or behind the frames of MP3."""

TYPES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "flt": np.float32, "dbl": np.float64}
"""FFmpeg's names of numbers."""


@dataclass(frozen=True)
class Heard:
    """A decoded piece of sound.

    Attributes:
        time: of its first sample, in seconds on the file's clock; ``None`` where the file does not say.
        rate: samples per second.
        channels: FFmpeg's names of the channels.
        samples: ``(C, n)`` float32, full scale is 1.
    """

    time: float | None
    rate: int
    channels: tuple[str, ...]
    samples: Float32[np.ndarray, "C n"]

    @property
    def length(self) -> float:
        """In seconds."""
        return self.samples.shape[1] / self.rate


@dataclass(frozen=True)
class Lost:
    """A packet that cannot be decoded.

    Attributes:
        time: when its sound would begin, in seconds on the file's clock.
        length: how long it would be.
    """

    time: float | None
    length: float


def decode(container: InputContainer, stream: AudioStream) -> Iterator[Heard | Lost]:
    """All sound of a track and every packet that is lost, in the order of the file.

    Raises:
        MediaError: not enough memory.
    """
    events = _decode(container, stream)
    head = list(islice(events, LOOKED_AT))
    yield from _steady(head)
    yield from events


def _decode(container: InputContainer, stream: AudioStream) -> Iterator[Heard | Lost]:
    import av

    packers: dict[tuple[str, str, int], AudioResampler] = {}
    untimed = _Untimed() if container.format.name in UNTIMED else None
    for packet in _demux(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise MediaError("not enough memory to decode its sound") from error
            lost = Lost(_seconds(packet, packet.pts), _seconds(packet, packet.duration) or 0.0)
            if packet.size:
                yield lost if untimed is None else untimed.lost(lost, bytes(packet))
            continue
        heard = [_heard(frame, packers) for frame in frames if frame.samples and frame.sample_rate > 0]
        yield from heard if untimed is None else untimed.heard(heard, packet.size)


class _Untimed:
    """A clock for files that have none: to FFmpeg all between two frames is one, and all are of one rate."""

    def __init__(self) -> None:
        self.now: float | None = None
        self.sizes: deque[int] = deque(maxlen=LOOKED_AT)

    def lost(self, lost: Lost, data: bytes) -> Lost:
        """As many frames as would have fitted; none where another file's tags stand between two joined ones."""
        usual = sum(self.sizes) / len(self.sizes) if self.sizes else len(data)
        frames = 0 if any(tag in data for tag in TAGS) else max(1, round(len(data) / usual))
        return Lost(self._next(lost.time, frames * lost.length), frames * lost.length)

    def heard(self, heard: list[Heard | Lost], size: int) -> list[Heard | Lost]:
        """Each begins where the one before it ends."""
        if heard:
            self.sizes.append(size)
        return [replace(one, time=self._next(one.time, one.length)) for one in heard]

    def _next(self, time: float | None, length: float) -> float | None:
        """When a piece begins; FFmpeg's time counts for the first one alone."""
        begin = time if self.now is None else self.now
        self.now = None if begin is None else begin + length
        return begin


def _demux(container: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    """The packets of a track; after an error in the container reading goes on behind it."""
    import av

    failed = 0
    packets = container.demux(stream)
    while failed < TRIES:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            failed += 1
            packets = container.demux(stream)
            continue
        if packet is None:
            return
        failed = 0
        yield packet


def _seconds(packet: Packet[AudioStream], ticks: int | None) -> float | None:
    return None if ticks is None or not packet.time_base else float(ticks * packet.time_base)


def _heard(frame: AudioFrame, packers: dict[tuple[str, str, int], AudioResampler]) -> Heard | Lost:
    time = None if frame.pts is None or not frame.time_base else float(frame.pts * frame.time_base)
    if frame.is_corrupt:  # the decoder put something in its place
        return Lost(time, frame.samples / frame.sample_rate)
    return Heard(time, frame.sample_rate, _channels(frame.layout.name), _samples(_packed(frame, packers)))


@lru_cache
def _channels(layout: str) -> tuple[str, ...]:
    import av

    return tuple(channel.name for channel in av.AudioLayout(layout).channels)


def _packed(frame: AudioFrame, packers: dict[tuple[str, str, int], AudioResampler]) -> AudioFrame:
    """The frame itself; where it has so many planes that PyAV loses count of them, its samples in one plane."""
    import av

    if not frame.format.is_planar or frame.layout.nb_channels < MANY_PLANES:
        return frame
    kind = (frame.format.name, frame.layout.name, frame.sample_rate)
    if kind not in packers:
        packed = kind[0].removesuffix("p")
        packers[kind] = av.AudioResampler(format=packed, layout=frame.layout, rate=frame.sample_rate)
    frame.pts = None
    (packed_frame,) = packers[kind].resample(frame)
    return packed_frame


def _samples(frame: AudioFrame) -> Float32[np.ndarray, "C n"]:
    """Samples of any format as float32; what is no number is silence."""
    kind = np.dtype(TYPES[frame.format.name.removesuffix("p")])
    count = frame.layout.nb_channels
    planes: tuple[Any, ...] = frame.planes  # buffers, which PyAV's types do not say
    if frame.format.is_planar:
        samples = np.stack([np.frombuffer(plane, kind, frame.samples) for plane in planes[:count]])
    else:
        samples = np.frombuffer(planes[0], kind, frame.samples * count).reshape(-1, count).T
    if kind.kind == "f":
        return np.nan_to_num(samples.astype(np.float32), copy=False, posinf=0, neginf=0)
    wave = samples.astype(np.float32)
    if kind == np.uint8:
        wave -= 128
    wave *= np.float32(2.0 ** (1 - 8 * kind.itemsize))
    return wave


def _steady(head: list[Heard | Lost]) -> list[Heard | Lost]:
    """Correct the time of the first frame by the median of what the next ones say of it."""
    first = head[0] if head else None
    if not isinstance(first, Heard) or first.time is None:
        return head
    said: list[float] = []
    end = first.time
    for event in head:
        if not isinstance(event, Heard) or event.time is None or event.rate != first.rate:
            break
        if abs(event.time - end) > TOLERANCE_S:
            break
        said.append(event.time - end)
        end += event.length
    off = float(np.median(said))
    return head if abs(off) < ROUNDED_S else [replace(first, time=first.time + off), *head[1:]]
