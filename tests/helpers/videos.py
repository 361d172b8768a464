"""Small videos made with PyAV alone, whose pictures, times, tags and geometry are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

TICK = Fraction(1, 90_000)


def numbered(count: int, height: int = 32, width: int = 48, *, step: int = 3) -> list[np.ndarray]:
    """Grey pictures; number ``k`` has level ``step * k``."""
    return [np.full((height, width, 3), step * k, np.uint8) for k in range(count)]


def corners(height: int = 64, width: int = 96) -> np.ndarray:
    """Red, green, blue and white quarters (left to right, top to bottom): all eight ways to show it differ."""
    picture = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    picture[:y, :x], picture[:y, x:], picture[y:, :x], picture[y:, x:] = (
        (200, 30, 30),
        (30, 200, 30),
        (30, 30, 200),
        (220, 220, 220),
    )
    return picture


def encode(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    times: Sequence[float] | None = None,
    rate: float | Fraction = 25,
    kind: str | None = None,
    codec: str = "libx264rgb",
    pixels: str = "rgb24",
    tick: Fraction = TICK,
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    **context: Any,
) -> Path:
    """Write pictures to be shown from ``times`` on (at ``rate`` where they are not given), lossless by default."""
    lossless = {"qp": "0", "g": "10", "bf": "0"} if codec.startswith("libx264") else {}
    with av.open(str(path.resolve()), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001), options=lossless)
        stream.pix_fmt = pixels
        if matrix is not None:
            stream.set_display_matrix(matrix)
        for k, picture in enumerate(pictures):
            if not k:
                stream.height, stream.width = picture.shape[:2]
                stream.codec_context.time_base = tick
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                for name, value in context.items():
                    setattr(stream.codec_context, name, value)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = round((k / float(rate) if times is None else times[k]) / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def encode_levels(
    path: Path, levels: tuple[int, int, int], *, pixels: str = "yuv420p", count: int = 3, size: int = 64, **tags: int
) -> Path:
    """A lossless video of one flat colour, given as the numbers in the file (luma and two chromas), tagged or not."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = size, size, pixels
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for k in range(count):
            frame = av.VideoFrame(size, size, pixels)
            kind = np.uint16 if "10" in pixels else np.uint8
            for plane, level in zip(frame.planes, levels, strict=True):
                plane.update(np.full(plane.buffer_size // kind().itemsize, level, kind).tobytes())
            frame.pts, frame.time_base = k, Fraction(1, 25)
            for name, value in tags.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
