"""What users give to `zoo predict` and `zoo data prepare`: a photograph, a talking face, sounds and odd files."""

from __future__ import annotations

import wave
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from zoo.data.sources.base import RawClip
from zoo.data.sources.synthgrid.source import SynthGrid


@cache
def drawn(number: int = 0) -> RawClip:
    """A clip of SynthGRID: 75 whole pictures of 256 x 256 and 3 s of speech."""
    source = SynthGrid(clips=3)
    return source.read(source.items()[number])


@cache
def photograph() -> Tensor:
    """``(3, 512, 512)`` uint8: the portrait of Eileen Collins that comes with scikit-image (NASA, public domain)."""
    from skimage.data import astronaut

    return torch.from_numpy(astronaut()).permute(2, 0, 1)


def save_picture(path: Path, picture: Tensor) -> Path:
    """Write ``(3, H, W)`` uint8 in the format that the file's ending says."""
    from PIL import Image

    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)
    return path


def save_sound(path: Path, sound: Tensor, rate: int = 16_000) -> Path:
    """Write ``(S,)`` or ``(channels, S)`` in [-1, 1] as a 16-bit WAV."""
    channels = torch.atleast_2d(sound)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((channels.T.numpy() * 32767).round().astype("<i2").tobytes())
    return path


def save_timed(path: Path, frames: Tensor, times: list[float], rate: float = 25) -> Path:
    """Write ``(T, 3, H, W)`` uint8 losslessly, picture ``k`` shown from ``times[k]`` seconds on; any size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264rgb", rate=Fraction(rate).limit_denominator(1001), options={"qp": "0", "preset": "ultrafast"}
        )
        stream.height, stream.width, stream.pix_fmt = *frames.shape[2:], "rgb24"
        stream.codec_context.time_base = Fraction(1, 90_000)
        for frame, start in zip(frames, times, strict=True):
            array = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            picture = av.VideoFrame.from_ndarray(array, format="rgb24")
            picture.pts, picture.time_base = round(start * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
