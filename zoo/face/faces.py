"""All the faces of a shot: each followed as long as it can be seen, in one pass over the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from jaxtyping import UInt8
from torch import Tensor

from zoo.face.base import Box
from zoo.face.follow import SAME_FACE, Follower, Looks, Segment, Window
from zoo.media.clip import FPS

Faces = Literal["largest", "all"]
"""Which faces are followed: one at a time, the largest and then the same one as long as it is there, or every one."""

_SEARCH_S = 0.2  # from one search of the whole picture to the next while no face is followed
_SURVEY_S = {"largest": 2.0, "all": 0.4}  # the same while one is: for others that come in


@dataclass(frozen=True)
class Survey:
    """A search of the whole picture.

    Attributes:
        frame: number of the frame.
        faces: how many it shows.
    """

    frame: int
    faces: int


def iter_faces(
    pictures: Iterable[UInt8[Tensor, "3 H W"]], looks: Looks, *, faces: Faces = "largest", fps: float = FPS
) -> Iterator[Segment | Survey]:
    """Follow the faces of one shot; a face that is lost for longer than ``looks.gap`` frames and comes back is another.

    A face that is there within the first ``looks.gap`` frames is held back to the first frame, one that is lost within
    the last so many to the last frame.

    Args:
        pictures: RGB, 0..255, without a cut; read once, some twenty are held at a time.
        looks: how faces are looked for.
        faces: which are followed.
        fps: frames per second.

    Yields:
        The segments of every face in order, with its number in :attr:`~zoo.face.follow.Segment.face`; those of several
        faces are mixed. Between them the searches.
    """
    yield from _Shot(Window(pictures), looks, faces, fps).run()


class _Shot:
    """The faces that are being followed, and the frame that is searched next."""

    def __init__(self, window: Window, looks: Looks, faces: Faces, fps: float) -> None:
        self.window, self.looks, self.faces = window, looks, faces
        self.pace = max(1, round(_SEARCH_S * fps))
        self.survey = max(1, round(_SURVEY_S[faces] * fps))
        self.active: list[Follower] = []
        self.numbers = count()
        self.next = 0
        self.begin = self.floor = 0  # no face is followed back beyond these: held no longer, or known to be without it
        self.lost: Box | None = None

    def run(self) -> Iterator[Segment | Survey]:
        while self.active or self.window.has(self.next):
            behind = min(self.active, key=lambda follower: follower.at, default=None)
            if behind is None or (self.next <= behind.at and self.window.has(self.next)):
                yield from self._search()
            else:
                yield from self._advance(behind)
            self.window.forget(min([self.begin, *(follower.at for follower in self.active)]))

    def _search(self) -> Iterator[Segment | Survey]:
        at = self.next
        found = self.looks.search(self.window[at])
        yield Survey(at, len(found))
        for box in self._chosen(found):
            follower = Follower(self.window, self.looks, at, box, next(self.numbers))
            earlier = follower.backwards(self.begin)
            first = min(earlier, default=at)
            first = 0 if first <= self.looks.gap and not self.floor else first
            self.active.append(follower)
            if first < at:
                yield follower.before(first, earlier)
        self._plan(at)

    def _plan(self, at: int) -> None:
        """When to search again after a search of this frame, and how far back a face may then be followed."""
        # At the beginning every frame is searched, as for one face that must be there from the first frame on.
        self.next = at + (self.survey if self.active else 1 if at < self.looks.gap else self.pace)
        if self.active and self.faces == "largest":
            self.begin = self.next
        elif at < self.looks.gap:
            self.begin = self.floor
        else:
            self.begin = max(self.floor, at + 1 if self.active else at - self.pace)

    def _chosen(self, found: list[Box]) -> list[Box]:
        """The faces among those found that are to be followed from here on."""
        if self.faces == "all":
            return [box for box in found if all(box.overlap(other.box) < SAME_FACE for other in self.active)]
        if self.active or not found:
            return []
        lost = self.lost
        return [found[0] if lost is None else max(found, key=lambda box: (box.overlap(lost), box.area))]

    def _advance(self, follower: Follower) -> Iterator[Segment]:
        segment = follower.step()
        if segment is not None:
            yield segment
        rivals = (other for other in self.active if other is not follower and other.face < follower.face)
        if segment is None or any(follower.box.overlap(rival.box) > 2 * SAME_FACE for rival in rivals):
            self.active.remove(follower)
            self.lost = follower.box
            if not self.active and self.faces == "largest":
                self.floor = self.begin = follower.at + 2  # in the frame before it was not found
                self.next = min(self.next, self.begin)
