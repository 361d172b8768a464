"""Geometry of stored pictures: which way up they are shown, and the shape of their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from av import VideoFrame
    from av.sidedata.sidedata import SideData

STRANGE_PIXELS = 4
"""Pixels that would be shown more than this many times wider or higher than they are: the header is wrong."""


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to show a stored picture: first transposed, then mirrored.

    Attributes:
        transpose: rows become columns.
        flip_x: left becomes right, after the transposition.
        flip_y: up becomes down, after the transposition.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def apply(self, picture: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H2 W2 3"]:
        """The picture as it is shown, in memory of its own where it had to be turned."""
        if self == Orientation():
            return picture
        turned = picture.transpose(1, 0, 2) if self.transpose else picture
        turned = turned[:, ::-1] if self.flip_x else turned
        turned = turned[::-1] if self.flip_y else turned
        return np.ascontiguousarray(turned)


def orientation(picture: VideoFrame) -> Orientation:
    """How a decoded picture is to be shown: its display matrix, brought to the nearest of the eight ways.

    The matrix (ISO/IEC 14496-12, 6.2.2) takes the stored point ``(x, y)`` to ``(a x + c y, b x + d y)``; angles between
    the quarter turns do not occur in practice and are rounded.
    """
    from av.sidedata.sidedata import Type

    held = cast("Iterable[SideData]", picture.side_data)  # its type promises keys and gives values
    found = next((data for data in held if data.type == Type.DISPLAYMATRIX), None)
    if found is None:
        return Orientation()
    a, b, _, c, d = (int(number) for number in np.frombuffer(bytes(found), np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return Orientation(flip_x=a < 0, flip_y=d < 0)


def square_pixels(height: int, width: int, aspect: Fraction | None) -> tuple[int, int]:
    """The size at which a stored picture has square pixels and loses none of them: one side stays, one grows.

    Args:
        height: rows.
        width: columns.
        aspect: width by height of a stored pixel as the file says; ``None``, 0 and nonsense count as 1.

    Returns:
        ``(height, width)``; the side that grows is even, as 4:2:0 wants it, and stays where it would grow by a pixel.
    """
    if not aspect or not 1 / STRANGE_PIXELS <= aspect <= STRANGE_PIXELS:
        return height, width
    wider, higher = _even(width * aspect), _even(height / aspect)
    if aspect > 1 and wider - width > 1:
        return height, wider
    if aspect < 1 and higher - height > 1:
        return higher, width
    return height, width


def _even(side: Fraction) -> int:
    return 2 * round(side / 2)
