"""Sound: reading any sound file, and the one rule that maps frames to samples."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from zoo.media.clip import FPS, SAMPLE_RATE
from zoo.media.sound.track import read_track, warn_of
from zoo.support.errors import MediaError

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
    """Read the sound of any sound or video file, mixed to mono and resampled.

    Of several tracks it is the one that a player would play. The first sample belongs to the first picture, and every
    part of the sound to its time in the file: where packets are missing or damaged there is silence, and a
    :class:`zoo.support.errors.MediaWarning` says how much. Channels are averaged in stereo and mixed as ITU-R BS.775
    has it in surround sound, so that speech keeps its loudness.

    Args:
        path: any file that FFmpeg reads.
        sample_rate: samples per second of the result.

    Returns:
        ``(S,)`` float32 in [-1, 1].

    Raises:
        MediaError: no such file, no sound track, or a sound track without a sample.
    """
    track = read_track(path, sample_rate=sample_rate, channels=1)
    warn_of(path, track)
    return track.wave[0]


def read_sound(path: str | Path) -> tuple[Float32[Tensor, "C S"], int]:
    """Read the sound to be put under new pictures: at its own rate, in mono or stereo.

    It begins with the first picture, as in :func:`read_audio`.

    Returns:
        ``(C, S)`` float32 in [-1, 1], and its samples per second: one of :data:`AAC_RATES`.

    Raises:
        MediaError: as :func:`read_audio`.
    """
    track = read_track(path, rates=AAC_RATES)
    warn_of(path, track)
    return track.wave, track.sample_rate


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
