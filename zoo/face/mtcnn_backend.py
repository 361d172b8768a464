"""The MTCNN face detector of facenet-pytorch, whose weights come with the package; on the CPU or a GPU."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from zoo.face.base import Box
from zoo.support.errors import ZooError

_SMALLEST = 20  # pixels, MTCNN's own default for the smallest face
_MARGIN = 0.6  # in sides of the box
# MTCNN draws a tall box from forehead to chin. These turn it into dlib's square (zoo.face.base.Box): measured on frames
# of 6 GRID speakers; on 45 frames the two then overlap by 0.85 (mean; least 0.73).
_SIDE = 0.80  # of MTCNN's height
_LOWER = 0.064  # of MTCNN's height, by which the middle lies lower


class MtcnnDetector:
    """Faces of 20 pixels and more, half turned away or tilted too; it runs on the device of the picture."""

    def detect(self, picture: UInt8[Tensor, "3 H W"], near: Box | None = None) -> list[Box]:
        """See :class:`zoo.face.base.Detector`. The score is a probability."""
        x0 = y0 = 0
        if near is not None:
            extra = _MARGIN * near.side
            x0, y0 = max(int(near.x0 - extra), 0), max(int(near.y0 - extra), 0)
            picture = picture[:, y0 : max(int(near.y1 + extra), 0), x0 : max(int(near.x1 + extra), 0)]
        if min(picture.shape[1:]) < _SMALLEST:
            return []
        rows, scores = _network(picture.device).detect(picture.permute(1, 2, 0).contiguous())
        if rows is None:
            return []
        boxes = [_square(row, float(score), x0, y0) for row, score in zip(rows, scores, strict=True)]
        return sorted(boxes, key=lambda box: box.area, reverse=True)


def _square(row: Any, score: float, x0: int, y0: int) -> Box:
    left, top, right, bottom = (float(value) for value in row)
    height = bottom - top
    x, y = x0 + (left + right) / 2, y0 + (top + bottom) / 2 + _LOWER * height
    half = _SIDE * height / 2
    return Box(x - half, y - half, x + half, y + half, score)


@cache
def _network(device: torch.device) -> Any:
    try:
        mtcnn = import_module("facenet_pytorch").MTCNN
    except ImportError as error:
        raise ZooError(
            f"the mtcnn detector needs facenet-pytorch, which cannot be imported ({error}): "
            "pip install 'facenet-pytorch>=2.5.3,<2.6'"
        ) from error
    return mtcnn(keep_all=True, min_face_size=_SMALLEST, device=device)
