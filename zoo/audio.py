"""Sound: reading any sound file, and the one rule that maps frames to samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from zoo.clip import FPS, SAMPLE_RATE
from zoo.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

MAX_MISSING_S = 0.2
"""How many seconds of sound may be missing (GRID: 0.022 s); silence at the end fills them."""

AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Samples per second that the sound of a written video can have."""


def frame_centre(frame: int, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE) -> int:
    """The sample at the middle of a frame's time on screen: **the one time rule of the zoo**.

    Frame ``t`` is on screen from ``t / fps`` to ``(t + 1) / fps`` seconds. Training, generation and evaluation all cut
    their sound with this function, so that none of them can be a frame off (the classic bug of this field).

    Args:
        frame: frame index, 0 is the first; may lie outside the clip.
        fps: frames per second.
        sample_rate: samples per second.

    Returns:
        Sample index, rounded to the nearest sample.
    """
    return round((frame + 0.5) * sample_rate / fps)


def frame_window(
    first: int, count: int, context: int, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE
) -> tuple[int, int]:
    """The samples that ``count`` frames hear when every frame hears ``context`` samples around its centre.

    Args:
        first: index of the first frame.
        count: number of frames, at least 1.
        context: samples per frame, centred on :func:`frame_centre`.
        fps: frames per second.
        sample_rate: samples per second.

    Returns:
        ``(start, stop)`` in samples; may reach outside the clip, where there is silence (:func:`cut`).
    """
    start = frame_centre(first, fps=fps, sample_rate=sample_rate) - context // 2
    last = frame_centre(first + count - 1, fps=fps, sample_rate=sample_rate) - context // 2
    return start, last + context


def cut(wave: Float32[Tensor, "*batch S"], start: int, stop: int) -> Float32[Tensor, "*batch cut"]:
    """Samples ``start`` to ``stop`` of a wave, with silence where they lie outside it."""
    inside = wave[..., max(start, 0) : max(stop, 0)]
    if inside.shape[-1] == stop - start:
        return inside
    left = min(max(-start, 0), stop - start)
    return F.pad(inside, (left, stop - start - left - inside.shape[-1]))


def num_samples(num_frames: int, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE) -> int:
    """How many samples sound as long as ``num_frames`` frames are shown."""
    return round(num_frames * sample_rate / fps)


def num_frames(samples: int, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE) -> int:
    """How many frames are needed to show for all of ``samples`` samples (the last one may be cut short); at least 1."""
    return max(1, -int(-samples * fps // sample_rate))


def match_length(
    wave: Float32[Tensor, " S"], frames: int, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE
) -> Float32[Tensor, " S2"]:
    """The pad rule: make the sound exactly as long as ``frames`` frames.

    Sound that ends at most 0.2 s before the pictures gets silence at the end (GRID's ends 22 ms early); sound that goes
    on after the last picture is cut.

    Raises:
        MediaError: more than 0.2 s of sound is missing.
    """
    wanted = num_samples(frames, fps=fps, sample_rate=sample_rate)
    missing = (wanted - wave.shape[-1]) / sample_rate
    if missing > MAX_MISSING_S:
        raise MediaError(
            f"sound ends {missing:.2f} s before the pictures (at most {MAX_MISSING_S} s can be filled with silence)"
        )
    return cut(wave, 0, wanted)


def read_audio(path: str | Path, *, sample_rate: int = SAMPLE_RATE) -> Float32[Tensor, " S"]:
    """Read the first sound track of any sound or video file, mixed to mono and resampled.

    The first sample belongs to the first picture: where a video's sound begins earlier or later than its pictures, it
    is cut or preceded by silence.

    Args:
        path: any file that FFmpeg reads.
        sample_rate: samples per second of the result.

    Returns:
        ``(S,)`` float32 in [-1, 1].

    Raises:
        MediaError: no such file, no sound track, or a sound track without a sample.
    """
    # Channels are averaged here: FFmpeg's own mix to mono makes equal channels 1.4 times as loud and clips them.
    wave, _ = _decode(path, lambda _: (sample_rate, None), lambda sound: sound.mean(0))
    return wave


def read_sound(path: str | Path) -> tuple[Float32[Tensor, "C S"], int]:
    """Read the first sound track as it is, to be put under new pictures: its own rate, in mono or stereo.

    It begins with the first picture, as in :func:`read_audio`.

    Returns:
        ``(C, S)`` float32 in [-1, 1], and its samples per second: one of :data:`AAC_RATES`.

    Raises:
        MediaError: as :func:`read_audio`.
    """

    def keep(stream: AudioStream) -> tuple[int, str]:
        rate = stream.rate if stream.rate in AAC_RATES else AAC_RATES[-1]
        return rate, "mono" if stream.channels == 1 else "stereo"

    return _decode(path, keep, lambda sound: sound)


def _decode(
    path: str | Path,
    target: Callable[[AudioStream], tuple[int, str | None]],
    mix: Callable[[Float32[Tensor, "C n"]], Float32[Tensor, "*channels n"]],
) -> tuple[Float32[Tensor, "*channels S"], int]:
    """Decode the first sound track to the rate and layout that ``target`` says; ``mix`` is applied to every part."""
    import av

    from zoo.media import audio_stream, open_media

    with open_media(path) as container:
        stream = audio_stream(container, path)
        rate, layout = target(stream)
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        parts: list[Tensor] = []
        delay: float | None = None
        try:
            for frame in container.decode(stream):
                if delay is None:
                    delay = _delay(container, frame.time)
                frame.pts = None
                parts += [mix(torch.from_numpy(out.to_ndarray())) for out in resampler.resample(frame)]
        except av.FFmpegError as error:
            if not parts:
                raise MediaError(f"{path}: the sound track cannot be read ({error})") from error
        parts += [mix(torch.from_numpy(out.to_ndarray())) for out in resampler.resample(None)]
    wave = torch.cat(parts, -1) if parts else torch.zeros(0)
    if not wave.numel():
        raise MediaError(f"{path}: the sound track is empty")
    return cut(wave, -round((delay or 0.0) * rate), wave.shape[-1]).clamp(-1, 1), rate


def _delay(container: InputContainer, start: float | None) -> float:
    """Seconds from the first picture of a video to its first sound; 0 where there are no moving pictures."""
    from av.stream import Disposition

    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if start is None or not moving or moving[0].start_time is None or moving[0].time_base is None:
        return 0.0
    return start - float(moving[0].start_time * moving[0].time_base)


def per_frame(
    sound: Float32[Tensor, "batch S"], frames: int, context: int, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE
) -> Float32[Tensor, "batch T context"]:
    """What each frame hears, from sound that begins where the first frame's window begins.

    Args:
        sound: the samples of :func:`frame_window`, or a whole clip widened by :func:`widen`.
        frames: number of frames ``T``.
        context: samples per frame.
        fps: frames per second.
        sample_rate: samples per second.

    Returns:
        ``(batch, T, context)``; windows overlap where ``context`` is longer than a frame.
    """
    begin, _ = frame_window(0, 1, context, fps=fps, sample_rate=sample_rate)
    starts = [frame_window(t, 1, context, fps=fps, sample_rate=sample_rate)[0] - begin for t in range(frames)]
    index = torch.tensor(starts, device=sound.device)[:, None] + torch.arange(context, device=sound.device)
    return sound[:, index]


def widen(
    wave: Float32[Tensor, "batch S"], frames: int, context: int, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE
) -> Float32[Tensor, "batch S2"]:
    """A whole clip's sound with the silence around it that the first and last frames hear."""
    return cut(wave, *frame_window(0, frames, context, fps=fps, sample_rate=sample_rate))
