"""Pictures: reading photos and videos at a constant rate, and writing videos with sound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.audio import cut, num_samples
from zoo.clip import FPS, SAMPLE_RATE
from zoo.errors import MediaError
from zoo.files import write_aside
from zoo.media import open_media

if TYPE_CHECKING:
    from av import VideoFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream
    from PIL.Image import Image


@dataclass
class Video:
    """The pictures of a video.

    Attributes:
        frames: ``(T, 3, H, W)`` uint8 RGB, 0..255.
        fps: frames per second, constant.
    """

    frames: UInt8[Tensor, "T 3 H W"]
    fps: float


def read_video(path: str | Path, *, fps: float | None = FPS, seconds: float | None = None) -> Video:
    """Read the pictures of a video at a constant rate.

    Picture ``k`` of the result is the one of the file nearest in time to ``k / fps`` seconds after its first, so a file
    of 30 fps, 29.97 fps or a variable rate keeps its timing. Rotation metadata (phones) is applied. A damaged or
    truncated file gives the pictures that decode.

    Args:
        path: any video file that FFmpeg reads.
        fps: frames per second of the result; ``None`` keeps the file's own average rate.
        seconds: read no more than the pictures shown in this time; ``None`` reads to the end.

    Raises:
        MediaError: no such file, no video in it, or not one picture decodes.
    """
    with open_media(path) as container:
        stream = _video_stream(container, path)
        rate = float(stream.average_rate or stream.guessed_rate or FPS) if fps is None else fps
        most = None if seconds is None else math.ceil(seconds * rate)
        pictures = islice(_constant_rate(_decode(container, stream), rate), most)
        frames = [torch.from_numpy(picture) for picture in pictures]
    if not frames:
        raise MediaError(f"{path}: not one picture of this video can be decoded; is the file damaged?")
    if any(frame.shape != frames[0].shape for frame in frames):
        raise MediaError(f"{path}: the picture size changes inside the video; convert it to one size first")
    return Video(torch.stack(frames).permute(0, 3, 1, 2), rate)


def _video_stream(container: InputContainer, path: str | Path) -> VideoStream:
    """The first video stream, decoded by as many threads as FFmpeg likes."""
    if not container.streams.video:
        raise MediaError(f"{path}: no pictures in this file; give a photo or a video")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, float, VideoFrame]]:
    """Pictures with their start and duration in seconds; ends quietly where the file is damaged beyond reading on."""
    import av

    spare = 1 / float(stream.average_rate or stream.guessed_rate or FPS)
    last = -spare
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        pictures: list[VideoFrame] = []
        # One broken packet costs its own picture, not the rest of the file.
        with suppress(av.FFmpegError):
            pictures = packet.decode()
        for picture in pictures:
            start = last + spare if picture.time is None else float(picture.time)
            length = float(picture.duration * picture.time_base) if picture.duration and picture.time_base else spare
            yield start, length, picture
            last = start


def _constant_rate(pictures: Iterable[tuple[float, float, VideoFrame]], fps: float) -> Iterator[np.ndarray]:
    """Resample pictures in time: the nearest one to each tick of a clock that starts with the first picture."""
    first = end = before = 0.0
    held: np.ndarray | None = None
    tick = 0
    for start, length, picture in pictures:
        if held is None:
            first = before = start
        middle = (before + start) / 2
        while held is not None and first + tick / fps < middle - 1e-6:
            yield held
            tick += 1
        held, before, end = _rgb(picture), start, max(end, start + length)
    total = max(1, round((end - first) * fps))
    while held is not None and tick < total:
        yield held
        tick += 1


def _rgb(picture: VideoFrame) -> np.ndarray:
    """Upright ``(H, W, 3)`` RGB of a decoded picture."""
    array = _convert(picture, "rgb24").to_ndarray()
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(array, turns)) if turns else array


def _convert(picture: VideoFrame, pixels: str) -> VideoFrame:
    """Change the pixel format with exact rounding: the quick way darkens by 1 and is off by 3 of 255 on average."""
    from av.video.reformatter import Interpolation

    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    return picture.reformat(format=pixels, interpolation=exact, threads=1)


def read_picture(path: str | Path) -> UInt8[Tensor, "3 H W"]:
    """Read a photo: grey, 16-bit, palette, CMYK or with alpha (laid over white), turned upright by its EXIF tag.

    Returns:
        ``(3, H, W)`` uint8 RGB, 0..255.

    Raises:
        MediaError: no such file, or not a picture.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    if not path.is_file():
        raise MediaError(f"{path}: no such picture")
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            array = np.array(_eight_bit(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"{path}: not a picture that can be read ({error})") from error
    return torch.from_numpy(array).permute(2, 0, 1)


def _eight_bit(image: Image) -> Image:
    """Bring 16-bit grey to 8 bits and lay transparency over white; Pillow alone would clip and uncover."""
    from PIL import Image

    if image.mode.startswith("I"):
        deep = np.asarray(image, dtype=np.int64)
        scale = 257 if image.mode.startswith("I;16") or deep.max(initial=0) > 255 else 1
        return Image.fromarray((deep.clip(0, 65535) / scale).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    return image


def write_video(
    path: str | Path,
    frames: Iterable[UInt8[Tensor, "3 H W"]] | UInt8[Tensor, "T 3 H W"],
    *,
    fps: float = FPS,
    wave: Float32[Tensor, "*channels S"] | None = None,
    sample_rate: int = SAMPLE_RATE,
    metadata: dict[str, str] | None = None,
    crf: int = 18,
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
        sample_rate: samples per second of ``wave``, one of :data:`zoo.audio.AAC_RATES`.
        metadata: tags for the file, readable with ffprobe.
        crf: x264's constant quality, 0 (lossless) to 51; 18 is visually lossless.

    Raises:
        MediaError: no frames, unknown file type, no room on the disk, or no right to write.
    """
    import av

    path = Path(path)
    try:
        with write_aside(path) as temporary:
            options = {"movflags": "use_metadata_tags+faststart"} if path.suffix in (".mp4", ".mov", ".m4v") else {}
            with av.open(str(temporary), "w", options=options) as container:
                container.metadata.update(metadata or {})
                _Muxer(container, fps, wave, sample_rate, crf).write(frames)
    except (OSError, av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{path}: the video cannot be written ({reason})") from error


class _Muxer:
    """Interleaves pictures with the sound that belongs to them, so that neither has to be held back."""

    def __init__(self, container: OutputContainer, fps: float, wave: Tensor | None, sample_rate: int, crf: int) -> None:
        self.container, self.fps, self.crf, self.sample_rate = container, fps, crf, sample_rate
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
        stream = self.container.add_stream("libx264", rate=rate, options={"crf": str(self.crf)})
        stream.height, stream.width = (side + side % 2 for side in frame.shape[-2:])
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / rate
        if self.wave is not None:
            self.layout = "mono" if len(self.wave) == 1 else "stereo"
            self.sound = self.container.add_stream("aac", rate=self.sample_rate, layout=self.layout)
        return stream

    def _picture(self, frame: Tensor, stream: VideoStream, index: int) -> VideoFrame:
        import av

        array = frame.detach().cpu().permute(1, 2, 0).numpy()
        pad = (stream.height - array.shape[0], stream.width - array.shape[1])
        if min(pad) < 0 or max(pad) > 1:
            raise ValueError(f"frame {index} has another size than the first")
        if any(pad):
            array = np.pad(array, ((0, pad[0]), (0, pad[1]), (0, 0)), mode="edge")
        picture = _convert(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24"), "yuv420p")
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
