"""Small media files with known sound, written with PyAV alone, and the lag between two waves."""

import warnings
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from zoo.media.audio import read_audio
from zoo.support.errors import MediaWarning

RATE = 48_000


def speechlike(seconds: float = 2.0, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Noise between 100 and 3200 Hz whose loudness changes ten times a second: no part is like another."""
    draw = np.random.default_rng(seed)
    count = round(seconds * rate)
    bins = np.fft.rfftfreq(count, 1 / rate)
    band = (bins > 100) & (bins < 3200)
    noise = np.fft.irfft(band * np.exp(2j * np.pi * draw.random(len(bins))), count)
    knots = np.arange(int(seconds * 10) + 3) / 10
    loudness = np.interp(np.arange(count) / rate, knots, draw.uniform(0.1, 1, len(knots)))
    return (0.6 * noise / np.abs(noise).max() * loudness).astype(np.float32)


def at_16k(wave: np.ndarray, rate: int = RATE) -> np.ndarray:
    """The wave at 16 kHz by an exact Fourier method; :func:`speechlike` has nothing above 3.2 kHz."""
    count = round(len(wave) * 16_000 / rate)
    bins = np.fft.rfft(wave)[: count // 2 + 1]
    return np.fft.irfft(bins, count) * (count / len(wave))


def lag_ms(got: np.ndarray, want: np.ndarray, rate: int = 16_000) -> float:
    """Milliseconds by which ``got`` is later than ``want``, by cross-correlation and a parabola through its peak."""
    size = 1 << int(np.ceil(np.log2(len(got) + len(want))))
    alike = np.fft.irfft(np.fft.rfft(got, size) * np.fft.rfft(want, size).conj(), size)
    best = int(alike.argmax())
    left, peak, right = alike[best - 1], alike[best], alike[(best + 1) % size]
    best -= size if best > size // 2 else 0
    return float(best + (left - right) / (left - 2 * peak + right) / 2) * 1000 / rate


def heard(path: Path) -> tuple[np.ndarray, str]:
    """The wave and what was said of it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        wave = read_audio(path).numpy()
    return wave, " ".join(str(one.message) for one in said if one.category is MediaWarning)


def packets_of(stream: av.AudioStream, wave: np.ndarray, *, start: float = 0.0) -> list[av.Packet]:
    """Encode ``(C, S)`` float32 sound whose first sample is at ``start`` seconds."""
    layout, rate = stream.layout.name, stream.rate
    convert = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
    packets: list[av.Packet] = []
    for begin in range(0, wave.shape[1], 1024):
        part = wave[:, begin : begin + 1024].astype(np.float32).T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, begin + round(start * rate), Fraction(1, rate)
        packets += [packet for done in convert.resample(frame) for packet in stream.encode(done)]
    return packets + list(stream.encode(None))


def time_of(packet: av.Packet) -> float:
    """Presentation time of a packet in seconds."""
    return float(packet.pts * packet.time_base)


def pictures_of(stream: av.VideoStream, count: int, *, start: float = 0.0) -> list[av.Packet]:
    """Encode ``count`` grey pictures at the stream's rate, the first at ``start`` seconds."""
    packets: list[av.Packet] = []
    for k in range(count):
        grey = np.full((stream.height, stream.width, 3), 5 * k % 256, np.uint8)
        picture = av.VideoFrame.from_ndarray(grey, format="rgb24")
        picture.pts, picture.time_base = k + round(start * 25), Fraction(1, 25)
        packets += stream.encode(picture)
    return packets + list(stream.encode(None))


def make_file(
    path: Path,
    wave: np.ndarray,
    *,
    codec: str = "pcm_s16le",
    layout: str = "mono",
    rate: int = RATE,
    start: float = 0.0,
    kind: str | None = None,
    pictures: int = 0,
    video: str = "libx264",
    pictures_start: float = 0.0,
    without: Iterable[tuple[float, float]] = (),
    shift: Sequence[tuple[float, float]] = (),
) -> Path:
    """Write a file with sound, and with pictures where their number is given.

    Args:
        path: where to.
        wave: ``(S,)`` or ``(C, S)`` float32.
        codec: of the sound.
        layout: of the channels.
        rate: samples per second.
        start: seconds at which the sound begins.
        kind: FFmpeg's name of the container, where the ending does not say it.
        pictures: how many, at 25 fps.
        video: codec of the pictures.
        pictures_start: seconds at which the pictures begin.
        without: packets of sound that begin in these seconds are left out.
        shift: packets of sound that begin at or after the first number are moved by the second, in seconds.
    """
    with av.open(str(path), "w", format=kind) as container:
        packets: list[av.Packet] = []
        if pictures:
            shown = container.add_stream(video, rate=25)
            shown.height = shown.width = 32
            shown.pix_fmt, shown.codec_context.time_base = "yuv420p", Fraction(1, 25)
        sound = container.add_stream(codec, rate=rate, layout=layout)
        if pictures:
            packets = pictures_of(shown, pictures, start=pictures_start)
        heard = packets_of(sound, np.atleast_2d(wave), start=start)
        heard = [p for p in heard if not any(a <= time_of(p) < b for a, b in without)]
        for packet, time in [(packet, time_of(packet)) for packet in heard]:
            moved = round(sum(by for begin, by in shift if time >= begin) / packet.time_base)
            packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
        for packet in sorted(packets + heard, key=lambda p: float(p.dts * p.time_base)):
            container.mux(packet)
    return path
