"""The face that is to talk, of a photo or a video: what memory it takes, where it is, and what is odd about it."""

from __future__ import annotations

import math
import warnings
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.face.backends import USUAL, Finders, make_detector, make_landmarker
from zoo.face.base import Detector
from zoo.face.shots import shots
from zoo.face.track import find_face, track_face
from zoo.media.clip import FPS
from zoo.media.files import audio_stream, open_media
from zoo.media.kind import media_kind
from zoo.media.pictures.memory import free_memory
from zoo.media.video import Colour, Video, probe_video, read_picture, read_video
from zoo.registry.spec import InputSpec
from zoo.support.errors import MediaError, MediaWarning
from zoo.support.progress import Progress

SPARE_S = 2 / FPS
"""Seconds of a video that are read beyond the sound: generation goes in steps of 1/25 s, whatever the video's rate."""

CROPS_AT_ONCE = 4
"""Copies of a generated crop in float32 that there are at a time: shown, posed, drawn, and one on the way."""

SOUND_BYTES = 4 * (16_000 + 2 * 48_000)
"""Bytes of a second of sound: as the method hears it, and as it is written."""

LEAST_RATE = 100
"""Bytes per second that any sound takes at least: a file that claims to last longer is not believed."""

BASE_BYTES = 500_000_000
"""What the program takes besides: the network at work, the encoder, one batch of pictures that are pasted."""

LARGE_BYTES = 2_000_000_000
"""From here on it is said beforehand how much memory is needed."""


@dataclass(frozen=True)
class Face:
    """The pictures a sound is to be put to, at their own rate, and where the face is in them.

    Attributes:
        frames: ``(T, 3, H, W)`` uint8 RGB; one for a photo.
        landmarks: ``(T, 68, 2)`` in pixels of ``frames``.
        fps: frames per second; 25 for a photo.
        colour: what the numbers in a video's file mean; ``None`` for a photo.
    """

    frames: UInt8[Tensor, "T 3 H W"]
    landmarks: Float32[Tensor, "T 68 2"]
    fps: float
    colour: Colour | None = None

    def at(self, times: Float32[Tensor, " n"]) -> list[int]:
        """The frame shown at each time in seconds; after its end a video is played back and forth."""
        count = len(self.frames)
        order = [*range(count), *range(count - 2, 0, -1)]
        return [order[int(t * self.fps + 1e-4) % len(order)] for t in times]


def sound_seconds(path: Path) -> float | None:
    """How long a sound lasts by what its file says; ``None`` where it does not say.

    Raises:
        MediaError: it cannot be opened, or there is no sound in it.
    """
    with open_media(path) as container:
        stream = audio_stream(container, path)
        seconds = container.duration / 1e6 if container.duration else 0.0
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        return seconds if 0 < seconds <= path.stat().st_size / LEAST_RATE else None


def has_sound(path: Path) -> bool:
    """Whether a file holds sound."""
    try:
        sound_seconds(path)
    except MediaError:
        return False
    return True


def memory_needed(face: Path, seconds: float, spec: InputSpec) -> int:
    """Bytes that making a video of so many seconds will take, about.

    Args:
        face: the photo or video.
        seconds: of sound.
        spec: what the method draws.

    Raises:
        MediaError: the face's file cannot be read, or holds no pictures.
    """
    height, width = spec.size
    crops = round(seconds * FPS) * height * width * 3 * 4 * CROPS_AT_ONCE
    pictures = 0
    if _kind(face) == "video":
        pictures = probe_video(face).num_bytes(None, seconds + SPARE_S)
    return BASE_BYTES + pictures + crops + round(seconds * SOUND_BYTES)


def check_memory(face: Path, seconds: float | None, spec: InputSpec) -> int:
    """Find out before the pictures are read whether it can fit.

    Args:
        face: the photo or video.
        seconds: how long the sound is; ``None`` where that is not known.
        spec: what the method draws.

    Returns:
        Bytes that it will take, about; 0 where that is not known.

    Raises:
        MediaError: there is not so much memory; or the face's file cannot be read, or holds no pictures.
    """
    if seconds is None:
        return 0
    need, free = memory_needed(face, seconds, spec), free_memory()
    if free is not None and need > free:
        raise MediaError(
            f"{seconds:.4g} s of sound with {face} need about {need / 1e9:.2g} GB of memory, and there are "
            f"{free / 1e9:.2g} GB; cut the sound into shorter parts, or make the video smaller"
        )
    return need


def read_face(
    path: Path,
    *,
    face_index: int | None = None,
    finders: Finders = USUAL,
    seconds: float | None = None,
    progress: bool = False,
) -> Face:
    """Read a photo or a video and find the face in it.

    Several faces in view, where nobody said which, and cuts in a video are told of in a
    :class:`zoo.support.errors.MediaWarning`.

    Args:
        path: a photo or a video, by its content.
        face_index: which face, 0 is the largest; ``None``: the largest, whether or not there are others.
        finders: face detector, and who finds the 68 points.
        seconds: how much of a video is needed; the rest is not read.
        progress: show bars on stderr while a video is read and looked at.

    Raises:
        MediaError: it cannot be read.
        NoFaceError: there is no such face.
    """
    looks, points = make_detector(finders.detector), make_landmarker(finders.landmarker)
    if _kind(path) == "picture":
        picture = read_picture(path)
        _, landmarks = find_face(picture, detector=looks, landmarker=points, face_index=face_index or 0, name=str(path))
        if face_index is None:
            _warn_of_several(path, len(looks.detect(picture)))
        return Face(picture[None], landmarks[None], FPS)
    video = _read(path, None if seconds is None else seconds + SPARE_S, progress)
    _warn_of_cuts(path, video)
    if face_index is None:
        _warn_of_several(path, _most_faces(video.frames, looks))
    with Progress("finding the face", len(video.frames), "frames", show=progress, closing=False) as bar:
        try:
            track = track_face(
                video.frames,
                fps=video.fps,
                detector=looks,
                landmarker=points,
                face_index=face_index or 0,
                progress=bar.advance,
            )
        except MediaError as error:
            raise type(error)(f"{path}: {error}") from error
    return Face(video.frames, track.landmarks, video.fps, video.colour)


def _kind(path: Path) -> str:
    kind = media_kind(path)
    if kind == "sound":
        raise MediaError(f"{path}: no pictures, it is sound; give a photo or a video of a face")
    return kind


def _read(path: Path, seconds: float | None, progress: bool) -> Video:
    facts = probe_video(path)
    lasts = min((each for each in (facts.seconds, seconds) if each is not None), default=0.0)
    with Progress("reading the video", math.ceil(lasts * facts.fps), "frames", show=progress, closing=False) as bar:
        return read_video(path, fps=None, seconds=seconds, progress=bar.advance)


def _most_faces(frames: UInt8[Tensor, "T 3 H W"], detector: Detector) -> int:
    """How many faces there are at once, in the first, the middle and the last picture."""
    return max(len(detector.detect(frames[index])) for index in {0, len(frames) // 2, len(frames) - 1})


def _warn_of_several(path: Path, faces: int) -> None:
    if faces > 1:
        text = f"{path}: {faces} faces in view; the largest is made to talk; --face-index 1 is the next, and so on"
        warnings.warn(text, MediaWarning, stacklevel=3)


def _warn_of_cuts(path: Path, video: Video) -> None:
    begins = []
    for first, shot in shots(iter(video.frames)):
        begins.append(first)
        deque(shot, maxlen=0)
    if len(begins) > 1:
        at = ", ".join(f"{first / video.fps:.1f} s" for first in begins[1:6])
        more = f" and {len(begins) - 6} more" if len(begins) > 6 else ""
        text = (
            f"{path}: a cut at {at}{more}: the mouth of the first face is drawn after it, too, whoever is seen there; "
            "give one shot at a time"
        )
        warnings.warn(text, MediaWarning, stacklevel=3)


class FaceCrops(NamedTuple):
    """Some frames of a face as a method wants them.

    Attributes:
        frames: ``(n, 3, h, w)`` uint8 RGB.
        points: ``(n, 68, 2)`` in pixels of ``frames``.
    """

    frames: UInt8[Tensor, "n 3 h w"]
    points: Float32[Tensor, "n 68 2"]


def cut_crops(face: Face, used: list[int], spec: InputSpec, at_once: int) -> FaceCrops:
    """The method's crop of some frames, few pictures at a time, so that they are not held twice.

    Args:
        face: the pictures.
        used: numbers of the frames.
        spec: what the method eats.
        at_once: pictures that are copied together.
    """
    from zoo.face import crop

    place = crop.place_crops(face.landmarks, spec.crop, spec.size)
    parts = [used[begin : begin + at_once] for begin in range(0, len(used), at_once)]
    frames = torch.cat([place.cut(face.frames[part], part) for part in parts])
    return FaceCrops(frames, crop.map_points(face.landmarks, place.matrices)[used])
