"""Following one face through a clip: detect now and then, find the landmarks in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from zoo.errors import MediaError, NoFaceError
from zoo.face.backends import make_detector, make_landmarker
from zoo.face.base import Box, Detector, Landmarker

EVERY = 10
"""Frames from one detection to the next where nothing special happens."""

MAX_GAP = 10
"""Longest run of frames without a detected face that is bridged (0.4 s at 25 fps)."""

_SAME_FACE = 0.25  # overlap that two sightings of one face must have: half a side apart, or twice the area
_SAME_PLACE = 0.055  # in sides: half of one step of dlib's search grid, below which a box is not moved
_STRAY = 0.05  # in sides: how far eyes and nose may drift against the box between two detections
_WANTED = "it must show one from the front, upright, at least 40 pixels wide"
_SEARCH_STEP = 5  # frames from one search of the whole picture to the next while there is no face
_STEADY = slice(27, 48)  # nose and eyes: what speech does not move


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
    frames: UInt8[Tensor, "T 3 H W"],
    *,
    detector: str | Detector = "dlib",
    landmarker: str | Landmarker = "dlib",
    every: int = EVERY,
    face_index: int = 0,
) -> FaceTrack:
    """Follow one face from the first frame to the last.

    The face is looked for in every ``every``-th frame, near where it was, and its box is interpolated in between. Where
    eyes and nose show that the head moved otherwise, there is a detection there too. A face that still is where it was
    keeps exactly its box, since a shift of one pixel already changes dlib's landmarks by half a pixel.

    Args:
        frames: RGB, 0..255.
        detector: name (:func:`zoo.face.backends.make_detector`) or object.
        landmarker: name (:func:`zoo.face.backends.make_landmarker`) or object.
        every: frames from one detection to the next; at most :data:`MAX_GAP`, so that no lost face goes unseen.
        face_index: which face, counted from the largest one (0) in the first frame that shows so many.

    Raises:
        NoFaceError: there is no face, or it is lost for more than :data:`MAX_GAP` frames; the message says which.
        MediaError: there are no frames.
    """
    if len(frames) == 0:
        raise MediaError("the video has no frames")
    detector = make_detector(detector) if isinstance(detector, str) else detector
    return _track(frames, _key_boxes(frames, detector, _step(every), face_index), detector, landmarker)


def track_visible(
    frames: UInt8[Tensor, "T 3 H W"],
    *,
    detector: str | Detector = "dlib",
    landmarker: str | Landmarker = "dlib",
    every: int = EVERY,
    face_index: int = 0,
) -> VisibleTrack:
    """Follow one face where it can be seen: as :func:`track_face`, but a face that is not there is no error.

    Nothing is bridged: every frame in which the face was looked for and not found is left out. After a gap it is the
    face that overlaps the lost one most. A face that is gone for fewer than ``every`` frames may go unnoticed.

    Args:
        frames: RGB, 0..255.
        detector: name or object, as for :func:`track_face`.
        landmarker: name or object, as for :func:`track_face`.
        every: frames from one detection to the next; at most :data:`MAX_GAP`.
        face_index: which face, counted from the largest one (0) in the first frame that shows so many.

    Raises:
        MediaError: there are no frames.
    """
    if len(frames) == 0:
        raise MediaError("the video has no frames")
    detector = make_detector(detector) if isinstance(detector, str) else detector
    seen = torch.zeros(len(frames), dtype=torch.bool)
    boxes, landmarks = torch.zeros(len(frames), 4), torch.zeros(len(frames), 68, 2)
    begin, lost = 0, None
    while keys := _sighting(frames, detector, begin, lost, face_index):
        first, last = min(keys), max(keys)
        keys |= _stretch(frames, detector, _step(every), last, keys[last])
        last = max(keys)
        here = slice(first, last + 1)
        found = _track(frames[here], {t - first: box for t, box in keys.items()}, detector, landmarker)
        boxes[here], landmarks[here], seen[here] = found.boxes, found.landmarks, True
        begin, lost = last + 2, keys[last]  # in frame last + 1 it was not found
    return VisibleTrack(_filled(boxes, seen), _filled(landmarks, seen), seen)


def _step(every: int) -> int:
    return max(1, min(every, MAX_GAP))


def _track(frames: Tensor, keys: dict[int, Box], detector: Detector, landmarker: str | Landmarker) -> FaceTrack:
    """Boxes and landmarks in all frames from boxes in some, with more detections where the head moves otherwise."""
    boxes = _interpolate(keys, len(frames))
    landmarks = landmarks_in_boxes(frames, boxes, landmarker=landmarker)
    tried: set[tuple[int, int]] = set()
    while strayed := _strayed(boxes, landmarks, keys) - tried:
        tried |= strayed
        for start, stop in strayed:
            keys |= _between(frames, detector, keys[start], boxes, start, stop)
        better = _interpolate(keys, len(frames))
        moved = (better != boxes).any(1)
        if moved.any():
            landmarks[moved] = landmarks_in_boxes(frames[moved], better[moved], landmarker=landmarker)
        boxes = better
    return FaceTrack(boxes, landmarks)


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
        raise NoFaceError(f"no face found in {name}: {_WANTED}")
    if not 0 <= face_index < len(found):
        raise NoFaceError(f"no face {face_index} in {name}: {_count(len(found))}, numbered from 0 by size")
    box = found[face_index]
    predictor = make_landmarker(landmarker) if isinstance(landmarker, str) else landmarker
    return box, predictor.landmarks(picture, box)


def _key_boxes(frames: Tensor, detector: Detector, every: int, face_index: int) -> dict[int, Box]:
    """Boxes of the face in some frames, no further apart than :data:`MAX_GAP` missing frames."""
    last, box = _first_box(frames, detector, every, face_index)
    keys = {last: box}
    while True:
        keys |= _stretch(frames, detector, every, last, keys[last])
        last = max(keys)
        if last == len(frames) - 1:
            return keys
        last, box = _after_gap(frames, detector, keys[last], last)
        keys[last] = box


def _stretch(frames: Tensor, detector: Detector, every: int, last: int, box: Box) -> dict[int, Box]:
    """Boxes from a sighting on, up to the frame before the first one without the face or the end."""
    keys = {last: box}
    end, step = len(frames) - 1, every
    while last < end:
        target = min(last + step, end)
        found = _follow(frames[target], detector, keys[last])
        if found is not None:
            keys[target] = found
            last, step = target, every
        elif target == last + 1:
            break
        else:
            step = (target - last) // 2  # it moved fast or is hidden: look closer
    return keys


def _sighting(frames: Tensor, detector: Detector, begin: int, lost: Box | None, face_index: int) -> dict[int, Box]:
    """The next frames from ``begin`` on that show the face, found every so often and then backwards; may be none."""
    end = len(frames) - 1
    for t in [*range(begin, end, _SEARCH_STEP), end] if begin <= end else []:
        found = detector.detect(frames[t])
        if len(found) <= (face_index if lost is None else 0):
            continue
        keys = {t: found[face_index] if lost is None else max(found, key=lost.overlap)}
        for before in range(t - 1, begin - 1, -1):
            earlier = _follow(frames[before], detector, keys[before + 1])
            if earlier is None:
                break
            keys[before] = earlier
        return keys
    return {}


def _filled(values: Tensor, seen: Tensor) -> Tensor:
    """Values of unseen frames from those of the seen ones, linear in time, held at the ends."""
    if not seen.any() or seen.all():
        return values
    times = np.arange(len(seen))
    flat, known = values.flatten(1).double().numpy(), seen.numpy()
    columns = [np.interp(times, times[known], column[known]) for column in flat.T]
    return torch.from_numpy(np.stack(columns, 1)).to(values.dtype).view_as(values)


def _first_box(frames: Tensor, detector: Detector, every: int, face_index: int) -> tuple[int, Box]:
    most = 0
    for t in range(min(MAX_GAP + 1, len(frames))):
        found = detector.detect(frames[t])
        if 0 <= face_index < len(found):
            return t, found[face_index]
        most = max(most, len(found))
    if most:
        raise NoFaceError(f"no face {face_index} in the video: {_count(most)}, numbered from 0 by size")
    late = next((t for t in range(MAX_GAP + 1, len(frames), every) if detector.detect(frames[t])), None)
    if late is None:
        raise NoFaceError(f"no face found in the video: {_WANTED}")
    raise NoFaceError(
        f"no face in frames 0 to {MAX_GAP}, only later (frame {late}): cut the beginning of the video off"
    )


def _after_gap(frames: Tensor, detector: Detector, box: Box, last: int) -> tuple[int, Box]:
    """The first sighting after a few frames without one; the end of the clip, unchanged, where that comes first."""
    end = len(frames) - 1
    for t in range(last + 2, min(last + 1 + MAX_GAP, end) + 1):
        found = _follow(frames[t], detector, box)
        if found is not None:
            return t, found
    if end - last <= MAX_GAP:
        return end, box
    raise NoFaceError(
        f"the face is lost in frames {last + 1} to {last + 1 + MAX_GAP} of the video: "
        f"at most {MAX_GAP} frames in a row can be bridged"
    )


def _follow(picture: Tensor, detector: Detector, box: Box) -> Box | None:
    """The same face a few frames later, or ``None``. A face in its old place gives the old box, exactly."""
    near = _match(detector.detect(picture, near=box), box)
    if near is None:
        return None
    steps = (abs(new - old) for new, old in zip(near[:4], box[:4], strict=True))
    if max(steps) < _SAME_PLACE * box.side:
        return box
    # It moved: the whole picture gives the box that detection in every frame would have given.
    return _match(detector.detect(picture), near) or near


def _match(found: list[Box], box: Box) -> Box | None:
    best = max(found, key=box.overlap, default=None)
    return best if best is not None and best.overlap(box) >= _SAME_FACE else None


def _interpolate(keys: dict[int, Box], length: int) -> Float32[Tensor, "T 4"]:
    """Boxes in all frames from boxes in some, linear in time and held before the first and after the last."""
    times = sorted(keys)
    edges = np.array([keys[t][:4] for t in times])
    columns = [np.interp(np.arange(length), times, edges[:, i]) for i in range(4)]
    return torch.from_numpy(np.stack(columns, 1).astype(np.float32))


def _strayed(boxes: Tensor, landmarks: Tensor, keys: dict[int, Box]) -> set[tuple[int, int]]:
    """Stretches from one detection to the next in which the face did not move as its box."""
    times = sorted(keys)
    side = (boxes[:, 2:] - boxes[:, :2]).mean(1, keepdim=True)
    place = ((landmarks[:, _STEADY].mean(1) - (boxes[:, 2:] + boxes[:, :2]) / 2) / side).numpy()
    usual = np.stack([np.interp(np.arange(len(boxes)), times, place[times, i]) for i in range(2)], 1)
    stray = np.linalg.norm(place - usual, axis=1)
    return {(start, stop) for start, stop in pairwise(times) if stop - start > 1 and stray[start:stop].max() > _STRAY}


def _between(frames: Tensor, detector: Detector, box: Box, boxes: Tensor, start: int, stop: int) -> dict[int, Box]:
    """One more detection, half way between two; or right after the first, where the face is far from half way."""
    middle = (start + stop) // 2
    for t, guess in ((middle, Box(*boxes[middle].tolist())), (start + 1, box)):
        found = _follow(frames[t], detector, guess)
        if found is not None:
            return {t: found}
    return {}


def _count(faces: int) -> str:
    return "there is 1 face" if faces == 1 else f"there are {faces} faces"
