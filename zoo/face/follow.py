"""Following a face through a stream of pictures, of which only a short stretch is ever in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.face.base import Box, Detector, Landmarker

SAME_FACE = 0.25
"""Overlap that two sightings of one face must have: half a side apart, or twice the area."""

_SAME_PLACE = 0.055  # in sides: half of one step of dlib's search grid, below which a box is not moved
_STRAY = 0.05  # in sides: how far eyes and nose may drift against the box between two detections
_STEADY = slice(27, 48)  # nose and eyes: what speech does not move


class Window:
    """Pictures of a stream by their numbers: read when they are asked for, and let go when they are forgotten.

    Args:
        pictures: ``(3, H, W)`` uint8 RGB each, 0..255; read once, in order.
        progress: called with 1 for every picture that is read.
    """

    def __init__(self, pictures: Iterable[Tensor], progress: Callable[[int], None] | None = None) -> None:
        self._pictures, self._progress = iter(pictures), progress
        self._held: deque[Tensor] = deque()
        self._first = 0

    def has(self, number: int) -> bool:
        """Whether the stream has a picture of this number; reads up to it."""
        while self._first + len(self._held) <= number:
            picture = next(self._pictures, None)
            if picture is None:
                return False
            self._held.append(picture)
            if self._progress is not None:
                self._progress(1)
        return True

    def reach(self, number: int) -> int:
        """This number, or that of the last picture where the stream ends before it."""
        return number if self.has(number) else self._first + len(self._held) - 1

    def __getitem__(self, number: int) -> UInt8[Tensor, "3 H W"]:
        if number < self._first or not self.has(number):
            raise IndexError(f"picture {number} is not in the window from {self._first} on")
        return self._held[number - self._first]

    def forget(self, before: int) -> None:
        """Let go of the pictures before this number; the last one read stays."""
        while self._first < before and len(self._held) > 1:
            self._held.popleft()
            self._first += 1


@dataclass(frozen=True)
class Segment:
    """A face in a few consecutive frames.

    Attributes:
        first: number of the first frame.
        boxes: ``(n, 4)`` float32, ``x0, y0, x1, y1`` in pixels.
        landmarks: ``(n, 68, 2)`` float32, x and y in pixels, pixel centres at whole numbers.
        picture: the first frame.
        face: which stretch of a face this belongs to, where several are followed.
    """

    first: int
    boxes: Float32[Tensor, "n 4"]
    landmarks: Float32[Tensor, "n 68 2"]
    picture: UInt8[Tensor, "3 H W"]
    face: int = 0


class Looks:
    """How a face is looked for: the backends and the pace.

    Args:
        detector: finds faces.
        landmarker: finds landmarks in a box.
        every: frames from one detection to the next.
        gap: longest run of frames without a detected face that is bridged; 0 bridges nothing.
    """

    def __init__(self, detector: Detector, landmarker: Landmarker, every: int, gap: int) -> None:
        self.detector, self.landmarker, self.every, self.gap = detector, landmarker, every, gap
        self._empty: Tensor | None = None

    def search(self, picture: Tensor) -> list[Box]:
        """All faces of a picture, largest first. The same empty picture again (a black screen) costs nothing."""
        if self._empty is not None and torch.equal(self._empty, picture):
            return []
        found = self.detector.detect(picture)
        self._empty = None if found else picture
        return found

    def follow(self, picture: Tensor, box: Box) -> Box | None:
        """The same face a few frames later, or ``None``. A face in its old place gives the old box, exactly."""
        near = _match(self.detector.detect(picture, near=box), box)
        if near is None:
            return None
        steps = (abs(new - old) for new, old in zip(near[:4], box[:4], strict=True))
        if max(steps) < _SAME_PLACE * box.side:
            return box
        # It moved: the whole picture gives the box that detection in every frame would have given.
        return _match(self.detector.detect(picture), near) or near


def _match(found: list[Box], box: Box) -> Box | None:
    best = max(found, key=box.overlap, default=None)
    return best if best is not None and best.overlap(box) >= SAME_FACE else None


class Follower:
    """Follows one face from a sighting on.

    Args:
        window: the pictures; it must hold those from the sighting on, and later those from :attr:`at` on.
        looks: how it is looked for.
        first: number of the frame of the sighting.
        box: where the face is there.
        face: number that its segments bear.

    Attributes:
        at: the frame up to which the face was followed.
        box: where it is there.
    """

    def __init__(self, window: Window, looks: Looks, first: int, box: Box, face: int = 0) -> None:
        self.at, self.box, self.face = first, box, face
        self._window, self._looks = window, looks
        self._known: dict[tuple[int, Box], Tensor] = {}
        self._ended = False

    @property
    def lost(self) -> bool:
        """Whether there are pictures after the frame up to which the face was followed."""
        return self._window.has(self.at + 1)

    def backwards(self, begin: int) -> dict[int, Box]:
        """Boxes in the frames before the sighting, as long as the face is found, at most back to ``begin``."""
        keys, box = {}, self.box
        for t in range(self.at - 1, begin - 1, -1):
            earlier = self._looks.follow(self._window[t], box)
            if earlier is None:
                break
            keys[t] = box = earlier
        return keys

    def before(self, first: int, keys: dict[int, Box] | None = None) -> Segment:
        """The frames from ``first`` up to the one before the sighting, with these boxes, held where there are none."""
        return self._segment(first, {**(keys or {}), self.at: self.box}, self.at)

    def step(self) -> Segment | None:
        """The frames from :attr:`at` up to the next detection, without it; ``None`` once there are no more.

        The last segment of a face is the frame of its last detection.
        """
        if self._ended:
            return None
        start, first = self.at, self.box
        found = self._next() or self._after_gap()
        if found is None:
            self._ended = True
            return self._segment(start, {start: first}, start + 1)
        self.at, self.box = found
        keys = {start: first, **self._refined(start, first, *found), self.at: self.box}
        segment = self._segment(start, keys, self.at)
        self._known = {key: points for key, points in self._known.items() if key[0] == self.at}
        return segment

    def _next(self) -> tuple[int, Box] | None:
        """The next frame in which the face is looked for and found; nearer where it moved fast or is hidden."""
        step = self._looks.every
        while (target := self._window.reach(self.at + step)) > self.at:
            found = self._looks.follow(self._window[target], self.box)
            if found is not None:
                return target, found
            if target == self.at + 1:
                return None
            step = (target - self.at) // 2
        return None

    def _after_gap(self) -> tuple[int, Box] | None:
        """The first sighting after a few frames without one; the end, unchanged, where that comes first."""
        if not self._looks.gap or not self.lost:
            return None
        last = self._window.reach(self.at + 1 + self._looks.gap)
        for t in range(self.at + 2, last + 1):
            found = self._looks.follow(self._window[t], self.box)
            if found is not None:
                return t, found
        return (last, self.box) if last - self.at <= self._looks.gap else None

    def _segment(self, first: int, keys: dict[int, Box], stop: int) -> Segment:
        boxes = _interpolate(keys, range(first, stop))
        return Segment(first, boxes, self._points(first, boxes), self._window[first], self.face)

    def _points(self, first: int, boxes: Float32[Tensor, "n 4"]) -> Float32[Tensor, "n 68 2"]:
        """Landmarks in boxes; what is known is not asked again."""
        points = []
        for key in enumerate((Box(*box) for box in boxes.tolist()), start=first):
            if key not in self._known:
                self._known[key] = self._looks.landmarker.landmarks(self._window[key[0]], key[1])
            points.append(self._known[key])
        return torch.stack(points)

    def _refined(self, start: int, first: Box, stop: int, last: Box) -> dict[int, Box]:
        """More boxes between two detections where the head did not move as the box."""
        if stop - start < 2:
            return {}
        boxes = _interpolate({start: first, stop: last}, range(start, stop + 1))
        if not _strays(boxes, self._points(start, boxes)):
            return {}
        middle = (start + stop) // 2
        # Half way between two; or right after the first, where the face is far from half way.
        for t, guess in ((middle, Box(*boxes[middle - start].tolist())), (start + 1, first)):
            box = self._looks.follow(self._window[t], guess)
            if box is not None:
                return {**self._refined(start, first, t, box), t: box, **self._refined(t, box, stop, last)}
        return {}


def _interpolate(keys: dict[int, Box], frames: range) -> Float32[Tensor, "n 4"]:
    """Boxes in all frames from boxes in some, linear in time and held before the first and after the last."""
    times = sorted(keys)
    edges = np.array([keys[t][:4] for t in times])
    columns = [np.interp(np.array(frames), times, edges[:, i]) for i in range(4)]
    return torch.from_numpy(np.stack(columns, 1).astype(np.float32))


def _strays(boxes: Float32[Tensor, "n 4"], landmarks: Float32[Tensor, "n 68 2"]) -> bool:
    """Whether eyes and nose, between two detections, are elsewhere in the box than the detections say."""
    side = (boxes[:, 2:] - boxes[:, :2]).mean(1, keepdim=True)
    place = ((landmarks[:, _STEADY].mean(1) - (boxes[:, 2:] + boxes[:, :2]) / 2) / side).numpy()
    ends = [0, len(boxes) - 1]
    usual = np.stack([np.interp(np.arange(len(boxes)), ends, place[ends, i]) for i in range(2)], 1)
    return bool(np.linalg.norm(place - usual, axis=1)[:-1].max() > _STRAY)
