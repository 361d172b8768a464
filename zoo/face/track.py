"""Following one face through a clip: detect now and then, find the landmarks in every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from zoo.face.backends import make_detector, make_landmarker
from zoo.face.base import Box, Detector, Landmarker
from zoo.face.follow import Follower, Looks, Segment, Window
from zoo.media.clip import FPS
from zoo.support.errors import MediaError, NoFaceError

MAX_GAP_S = 0.4
"""Longest time without a detected face that is bridged, in seconds."""

MAX_GAP = round(MAX_GAP_S * FPS)
"""The same in frames of a store's 25 fps."""

EVERY = 10
"""Time from one detection to the next where nothing special happens, in frames of 25 fps (0.4 s)."""

WANTED = "it must show one from the front, upright, at least 40 pixels wide"
"""What a face must be like to be found, for messages."""

_SEARCH_STEP_S = 0.2  # from one search of the whole picture to the next while there is no face


@dataclass
class FaceTrack:
    """One face in every frame of a clip.

    Attributes:
        boxes: ``(T, 4)`` float32, ``x0, y0, x1, y1`` in pixels (see :class:`zoo.face.base.Box`).
        landmarks: ``(T, 68, 2)`` float32, x and y in pixels, pixel centres at whole numbers.
    """

    boxes: Float32[Tensor, "T 4"]
    landmarks: Float32[Tensor, "T 68 2"]


@dataclass
class VisibleTrack(FaceTrack):
    """One face in the frames that show it.

    In other frames ``boxes`` and ``landmarks`` are interpolated between those that do and held at the ends, so that a
    crop there is near the face; they are all zero where no frame shows a face.

    Attributes:
        seen: ``(T,)`` whether the face was found.
    """

    seen: Bool[Tensor, " T"]


def track_face(
    frames: UInt8[Tensor, "T 3 H W"] | Iterable[UInt8[Tensor, "3 H W"]],
    *,
    fps: float = FPS,
    detector: str | Detector = "dlib",
    landmarker: str | Landmarker = "dlib",
    every: int = EVERY,
    face_index: int = 0,
    progress: Callable[[int], None] | None = None,
) -> FaceTrack:
    """Follow one face from the first frame to the last.

    The face is looked for every ``every`` / 25 s, near where it was, and its box is interpolated in between. Where
    eyes and nose show that the head moved otherwise, there is a detection there too. A face that still is where it was
    keeps exactly its box, since a shift of one pixel already changes dlib's landmarks by half a pixel.

    Args:
        frames: RGB, 0..255; of an iterator of pictures no more than about a second is in memory.
        fps: frames per second of the frames: what is bridged and skipped is told in seconds.
        detector: name (:func:`zoo.face.backends.make_detector`) or object.
        landmarker: name (:func:`zoo.face.backends.make_landmarker`) or object.
        every: time from one detection to the next in frames of 25 fps; at most :data:`MAX_GAP`, so that no lost face
            goes unseen.
        face_index: which face, counted from the largest one (0) in the first frame that shows so many.
        progress: called with 1 for every frame that is looked at.

    Raises:
        NoFaceError: there is no face, or it is lost for more than :data:`MAX_GAP_S`; the message says where.
        MediaError: there are no frames.
    """
    looks = make_looks(detector, landmarker, every, fps)
    segments = iter_track(frames, looks, fps=fps, face_index=face_index, progress=progress)
    boxes, landmarks = zip(*((segment.boxes, segment.landmarks) for segment in segments), strict=True)
    return FaceTrack(torch.cat(boxes), torch.cat(landmarks))


def iter_track(
    frames: Iterable[UInt8[Tensor, "3 H W"]],
    looks: Looks,
    *,
    fps: float = FPS,
    face_index: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Segment]:
    """:func:`track_face` piece by piece: its frames in order, each in one segment.

    Raises:
        NoFaceError: as :func:`track_face`, as soon as it is known.
        MediaError: there are no frames.
    """
    window = Window(frames, progress)
    if not window.has(0):
        raise MediaError("the video has no frames")
    follower = Follower(window, looks, *_first_box(window, looks, face_index, fps))
    if follower.at > 0:
        yield follower.before(0)
    while segment := follower.step():
        yield segment
        window.forget(follower.at)
    if follower.lost:
        first, last = follower.at + 1, follower.at + 1 + looks.gap
        raise NoFaceError(
            f"the face is lost in frames {first} to {last} of the video (from {first / fps:.2f} s on): "
            f"at most {looks.gap} frames in a row can be bridged"
        )


def track_visible(
    frames: UInt8[Tensor, "T 3 H W"],
    *,
    fps: float = FPS,
    detector: str | Detector = "dlib",
    landmarker: str | Landmarker = "dlib",
    every: int = EVERY,
    face_index: int = 0,
    progress: Callable[[int], None] | None = None,
) -> VisibleTrack:
    """Follow one face where it can be seen: as :func:`track_face`, but a face that is not there is no error.

    Nothing is bridged: every frame in which the face was looked for and not found is left out. After a gap it is the
    face that overlaps the lost one most. A face that is gone for less than ``every`` / 25 s may go unnoticed.

    Args:
        frames: RGB, 0..255.
        fps: frames per second of the frames.
        detector: name or object, as for :func:`track_face`.
        landmarker: name or object, as for :func:`track_face`.
        every: time from one detection to the next in frames of 25 fps; at most :data:`MAX_GAP`.
        face_index: which face, counted from the largest one (0) in the first frame that shows so many.
        progress: called with 1 for every frame that is looked at.

    Raises:
        MediaError: there are no frames.
    """
    if len(frames) == 0:
        raise MediaError("the video has no frames")
    looks = make_looks(detector, landmarker, every, fps)
    looks.gap = 0
    window = Window(iter(frames), progress)
    seen = torch.zeros(len(frames), dtype=torch.bool)
    boxes, landmarks = torch.zeros(len(frames), 4), torch.zeros(len(frames), 68, 2)
    begin, lost = 0, None
    while sighting := _sighting(window, looks, begin, lost, face_index, max(1, round(_SEARCH_STEP_S * fps))):
        first, follower = sighting
        for segment in [*first, *iter(follower.step, None)]:
            here = slice(segment.first, segment.first + len(segment.boxes))
            boxes[here], landmarks[here], seen[here] = segment.boxes, segment.landmarks, True
        begin, lost = follower.at + 2, follower.box  # in the frame before it was not found
    return VisibleTrack(_filled(boxes, seen), _filled(landmarks, seen), seen)


def make_looks(detector: str | Detector, landmarker: str | Landmarker, every: int, fps: float) -> Looks:
    """How a face is looked for in pictures of this rate; the limits are in seconds.

    Args:
        detector: name or object, as for :func:`track_face`.
        landmarker: name or object, as for :func:`track_face`.
        every: time from one detection to the next in frames of 25 fps; at most :data:`MAX_GAP`.
        fps: frames per second.
    """
    return Looks(
        make_detector(detector) if isinstance(detector, str) else detector,
        make_landmarker(landmarker) if isinstance(landmarker, str) else landmarker,
        every=max(1, round(min(every, MAX_GAP) * fps / FPS)),
        gap=max(1, round(MAX_GAP_S * fps)),
    )


def landmarks_in_boxes(
    frames: UInt8[Tensor, "T 3 H W"], boxes: Float32[Tensor, "T 4"], *, landmarker: str | Landmarker = "dlib"
) -> Float32[Tensor, "T 68 2"]:
    """Landmarks in every frame where the box of the face is known; nothing is detected.

    Args:
        frames: RGB, 0..255.
        boxes: ``x0, y0, x1, y1`` in pixels (see :class:`zoo.face.base.Box`).
        landmarker: name (:func:`zoo.face.backends.make_landmarker`) or object.

    Returns:
        x and y in pixels, pixel centres at whole numbers.
    """
    predictor = make_landmarker(landmarker) if isinstance(landmarker, str) else landmarker
    pairs = zip(frames, boxes.tolist(), strict=True)
    points = [predictor.landmarks(frame, Box(*box)) for frame, box in pairs]
    return torch.stack(points) if points else torch.zeros(0, 68, 2)


def find_face(
    picture: UInt8[Tensor, "3 H W"],
    *,
    detector: str | Detector = "dlib",
    landmarker: str | Landmarker = "dlib",
    face_index: int = 0,
    name: str = "the picture",
) -> tuple[Box, Float32[Tensor, "68 2"]]:
    """Box and landmarks of one face in a photo.

    Args:
        picture: RGB, 0..255.
        detector: name (:func:`zoo.face.backends.make_detector`) or object.
        landmarker: name (:func:`zoo.face.backends.make_landmarker`) or object.
        face_index: which face, counted from the largest one (0).
        name: what the error message calls the picture, for example its file.

    Raises:
        NoFaceError: there is no face, or there are not so many.
    """
    detector = make_detector(detector) if isinstance(detector, str) else detector
    found = detector.detect(picture)
    if not found:
        raise NoFaceError(f"no face found in {name}: {WANTED}")
    if not 0 <= face_index < len(found):
        raise NoFaceError(f"no face {face_index} in {name}: {_count(len(found))}, numbered from 0 by size")
    box = found[face_index]
    predictor = make_landmarker(landmarker) if isinstance(landmarker, str) else landmarker
    return box, predictor.landmarks(picture, box)


def _first_box(window: Window, looks: Looks, face_index: int, fps: float) -> tuple[int, Box]:
    most = 0
    for t in range(window.reach(looks.gap) + 1):
        found = looks.search(window[t])
        if 0 <= face_index < len(found):
            return t, found[face_index]
        most = max(most, len(found))
    if most:
        raise NoFaceError(f"no face {face_index} in the video: {_count(most)}, numbered from 0 by size")
    late = looks.gap + 1
    while window.has(late):
        window.forget(late)
        if looks.search(window[late]):
            raise NoFaceError(
                f"no face in frames 0 to {looks.gap}, only later (frame {late}, {late / fps:.2f} s): "
                "cut the beginning of the video off"
            )
        late += looks.every
    raise NoFaceError(f"no face found in the video: {WANTED}")


def _sighting(
    window: Window, looks: Looks, begin: int, lost: Box | None, face_index: int, pace: int
) -> tuple[list[Segment], Follower] | None:
    """The next frames from ``begin`` on that show the face, found every so often and then backwards; may be none."""
    t = begin
    while window.has(begin):
        t = window.reach(t)
        found = looks.search(window[t])
        if len(found) > (face_index if lost is None else 0):
            box = found[face_index] if lost is None else max(found, key=lost.overlap)
            follower = Follower(window, looks, t, box)
            earlier = follower.backwards(begin)
            return ([follower.before(min(earlier), earlier)] if earlier else []), follower
        if not window.has(t + 1):
            return None
        t += pace
    return None


def _filled(values: Tensor, seen: Tensor) -> Tensor:
    """Values of unseen frames from those of the seen ones, linear in time, held at the ends."""
    if not seen.any() or seen.all():
        return values
    times = np.arange(len(seen))
    flat, known = values.flatten(1).double().numpy(), seen.numpy()
    columns = [np.interp(times, times[known], column[known]) for column in flat.T]
    return torch.from_numpy(np.stack(columns, 1)).to(values.dtype).view_as(values)


def _count(faces: int) -> str:
    return "there is 1 face" if faces == 1 else f"there are {faces} faces"
