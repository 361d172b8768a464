"""Scene cuts: where one picture has nothing to do with the one before.

PySceneDetect would do this too, but needs OpenCV (60 MB, with an FFmpeg of its own) and opens files itself. Here the
pictures are already decoded, and a thumbnail of each is all it takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise

from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

DIFFERENCE = 7.0
"""Least mean difference between the pictures on the two sides of a cut, 0..255.

Measured: of the 15 pairs among six speakers of GRID, all before the same blue wall, the nearest differ by 12; from
picture to picture of a GRID clip it is 1, of a lively close-up up to 12 (which :data:`RATIO` tells from a cut).
"""

RATIO = 4.0
"""How many times the usual difference of the neighbouring pictures that must be: a moving camera is no cut."""

_BEFORE, _AFTER = 8, 3  # pictures on either side that tell what is usual
_SIDE = 36  # pixels of a thumbnail
_STILL = 1.0  # the usual difference is taken as no less: noise
_SAMPLES = 128  # rows of the picture that a thumbnail is made of


class CutFinder:
    """Finds cuts in thumbnails that come one by one, three pictures late."""

    def __init__(self) -> None:
        self._thumbs: deque[Tensor] = deque(maxlen=_BEFORE + _AFTER + 2)
        self._count = 0

    def add(self, picture: UInt8[Tensor, "3 H W"]) -> None:
        """Take the next picture."""
        self._thumbs.append(thumbnail(picture))
        self._count += 1

    def is_cut(self, behind: int) -> bool:
        """Whether a shot begins with the picture that came ``behind`` pictures before the last one."""
        thumbs = list(self._thumbs)
        at = len(thumbs) - 1 - behind
        if at < 1:
            return False
        sides = [_difference(a, b) for a in thumbs[max(at - 3, 0) : at] for b in thumbs[at : at + 3]]
        if min(sides) < DIFFERENCE:
            return False  # also a flash: after it the picture is as it was before
        steps = [_difference(a, b) for a, b in pairwise(thumbs)]
        here = steps.pop(at - 1)
        # The largest of the others may be another cut; pictures that are shown twice differ by nothing.
        usual = sorted(steps, reverse=True)[1:3]
        return here >= RATIO * max(sum(usual) / max(len(usual), 1), _STILL)


def thumbnail(picture: UInt8[Tensor, "3 H W"]) -> Float32[Tensor, "3 n n"]:
    """A picture as ``(3, 36, 36)``, 0..255."""
    step = max(1, min(picture.shape[1:]) // _SAMPLES)
    return F.adaptive_avg_pool2d(picture[None, :, ::step, ::step].float(), _SIDE)[0]


def _difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().mean())


def shots(pictures: Iterable[UInt8[Tensor, "3 H W"]]) -> Iterator[tuple[int, Iterator[UInt8[Tensor, "3 H W"]]]]:
    """Divide a stream of pictures at its cuts; four pictures are held back.

    Args:
        pictures: RGB, 0..255, of one size.

    Yields:
        The number of the first picture of a shot, and its pictures; what of them was not read is passed over.
    """
    marked = enumerate(_marked(pictures))
    head = next(marked, None)
    while head is not None:
        number, (_, first) = head
        following: list[tuple[int, tuple[bool, Tensor]]] = []
        shot = _until_cut(first, marked, following)
        del first, head
        yield number, shot
        deque(shot, maxlen=0)
        head = following[0] if following else None


def _until_cut(
    first: Tensor, marked: Iterator[tuple[int, tuple[bool, Tensor]]], following: list[tuple[int, tuple[bool, Tensor]]]
) -> Iterator[Tensor]:
    yield first
    for number, (cut, picture) in marked:
        if cut:
            following.append((number, (cut, picture)))
            return
        yield picture


def _marked(pictures: Iterable[Tensor]) -> Iterator[tuple[bool, Tensor]]:
    """Pictures, and whether a shot begins with each."""
    finder = CutFinder()
    held: deque[Tensor] = deque()
    for picture in pictures:
        finder.add(picture)
        held.append(picture)
        if len(held) > _AFTER:
            yield finder.is_cut(_AFTER), held.popleft()
    while held:
        behind = len(held) - 1
        yield finder.is_cut(behind), held.popleft()
