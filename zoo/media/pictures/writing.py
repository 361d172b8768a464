"""Writing videos with sound that ordinary players show."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.media.audio import cut, num_samples
from zoo.media.clip import FPS, SAMPLE_RATE
from zoo.media.pictures.colour import Colour, ToYuv
from zoo.support.errors import MediaError
from zoo.support.files import write_aside

if TYPE_CHECKING:
    from av import VideoFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

CHROMA = {"chromaoffset": "-6"}
"""Chroma is kept finer than x264 would: a tenth more room for colours that are a fifth less off."""

EXACT_CRF, VIEWED_CRF = 10, 18
"""x264's constant quality of videos that pictures must survive, and of those only looked at, a third as large."""

TAGGED = (".mp4", ".mov", ".m4v")
"""Endings of QuickTime's family, which keeps tags of one's own only when it is asked to."""


def write_video(
    path: str | Path,
    frames: Iterable[UInt8[Tensor, "3 H W"]] | UInt8[Tensor, "T 3 H W"],
    *,
    fps: float = FPS,
    wave: Float32[Tensor, "*channels S"] | None = None,
    sample_rate: int = SAMPLE_RATE,
    metadata: dict[str, str] | None = None,
    crf: int = EXACT_CRF,
    colour: Colour | None = None,
) -> None:
    """Write a video that ordinary players show: H.264 (4:2:0) with AAC sound.

    The file appears under its name only when it is complete; after any failure nothing is left behind. An odd width or
    height grows by one repeated row or column, which 4:2:0 needs. The sound is cut, or filled with silence, to the
    length of the pictures.

    Args:
        path: where to; ``.mp4`` unless there is a reason (``.mov`` and ``.mkv`` work too).
        frames: uint8 RGB pictures of one size, 0..255; an iterator is consumed one by one.
        fps: frames per second.
        wave: ``(S,)`` or ``(1, S)`` float32 in [-1, 1] for mono, ``(2, S)`` for stereo.
        sample_rate: samples per second of ``wave``, one of :data:`zoo.media.audio.AAC_RATES`.
        metadata: tags for the file, readable with ffprobe.
        crf: x264's constant quality, 0 (lossless) to 51. At 10 the pictures come back less than one level of 255 off on
            average and flat colours within one; 18, visually lossless, takes a third of the room and is off by 1.5.
        colour: what the written numbers are to mean, and the tags that say so: that of the video the pictures come
            from (:attr:`zoo.media.video.VideoReader.colour`); ``None`` is what players expect of pictures of this size.

    Raises:
        MediaError: no frames, unknown file type, no room on the disk, or no right to write.
    """
    import av

    path = Path(path)
    try:
        with write_aside(path) as temporary:
            options = {"movflags": "use_metadata_tags+faststart"} if path.suffix.lower() in TAGGED else {}
            # An absolute path is no protocol, whatever its name; relative ``12:30.mp4`` would be.
            with av.open(os.path.abspath(temporary), "w", options=options) as container:
                container.metadata.update(metadata or {})
                _Muxer(container, fps, wave, sample_rate, crf, colour).write(frames)
    except (OSError, av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{path}: the video cannot be written ({reason})") from error


class _Muxer:
    """Interleaves pictures with the sound that belongs to them, so that neither has to be held back."""

    def __init__(
        self,
        container: OutputContainer,
        fps: float,
        wave: Tensor | None,
        sample_rate: int,
        crf: int,
        colour: Colour | None,
    ) -> None:
        self.container, self.fps, self.crf, self.sample_rate, self.colour = container, fps, crf, sample_rate, colour
        self.wave = None if wave is None else wave.detach().cpu().float().clamp(-1, 1).reshape(-1, wave.shape[-1])
        self.heard = 0
        self.sound: AudioStream | None = None

    def write(self, frames: Iterable[Tensor]) -> None:
        """Encode everything and flush the encoders."""
        stream: VideoStream | None = None
        count = 0
        for count, frame in enumerate(frames, start=1):
            if stream is None:
                stream = self._add_streams(frame)
            self.container.mux(stream.encode(self._picture(frame, stream, count - 1)))
            self._write_sound(num_samples(count, fps=self.fps, sample_rate=self.sample_rate))
        if stream is None:
            raise ValueError("there is not one frame to write")
        self.container.mux(stream.encode(None))
        if self.sound is not None:
            self.container.mux(self.sound.encode(None))

    def _add_streams(self, frame: Tensor) -> VideoStream:
        rate = Fraction(self.fps).limit_denominator(1001)
        stream = self.container.add_stream("libx264", rate=rate, options={"crf": str(self.crf), **CHROMA})
        stream.height, stream.width = (side + side % 2 for side in frame.shape[-2:])
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / rate
        colour = self.colour or Colour.usual(stream.height)
        colour.tag(stream.codec_context)
        self.to_yuv = ToYuv(stream.height, stream.width, colour)
        if self.wave is not None:
            self.layout = "mono" if len(self.wave) == 1 else "stereo"
            self.sound = self.container.add_stream("aac", rate=self.sample_rate, layout=self.layout)
        return stream

    def _picture(self, frame: Tensor, stream: VideoStream, index: int) -> VideoFrame:
        array = frame.detach().cpu().permute(1, 2, 0).numpy()
        pad = (stream.height - array.shape[0], stream.width - array.shape[1])
        if min(pad) < 0 or max(pad) > 1:
            raise ValueError(f"frame {index} has another size than the first")
        if any(pad):
            array = np.pad(array, ((0, pad[0]), (0, pad[1]), (0, 0)), mode="edge")
        picture = self.to_yuv(array)
        picture.pts, picture.time_base = index, stream.codec_context.time_base
        return picture

    def _write_sound(self, until: int) -> None:
        import av

        if self.sound is None or self.wave is None:
            return
        part = cut(self.wave, self.heard, until)
        sound = av.AudioFrame.from_ndarray(part.contiguous().numpy(), format="fltp", layout=self.layout)
        sound.sample_rate, sound.pts, sound.time_base = self.sample_rate, self.heard, Fraction(1, self.sample_rate)
        self.container.mux(self.sound.encode(sound))
        self.heard = until
