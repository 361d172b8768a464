"""Placing pieces of sound by their times: silence in holes, cut overlaps, joined parts in a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.media.sound.decode import TOLERANCE_S, Heard, Lost

if TYPE_CHECKING:
    from zoo.media.sound.pictures import PictureClock

EXACT_S = 0.001
"""After a lost packet or a cut sound is placed to this, so that small errors do not add up below the tolerance."""

OVERLAP_S = 0.5
"""A longer step back is no overlap but the beginning of another recording."""

RESTART_S = 0.1
"""So near to where the first recording began another one begins."""

NEAR_S = 1.0
"""Sound and pictures of a part begin within this; else its sound just follows what is before."""

MAX_HOLE_S = 60.0
"""A longer hole is believed only where there was as much sound before it, or pictures all along."""


@dataclass
class Placer:
    """Says of each piece how much silence comes before it, or how much of it is cut.

    Attributes:
        pictures: clock of the pictures that the sound belongs to.
        jumps: time may jump forward in files of this kind.
        offset: what is added to the file's clock, so that the first picture is at 0.
        lost_s: seconds of silence where there was sound, or should have been.
        first_loss: when the first of it is.
        joins: times at which another recording begins.
    """

    pictures: PictureClock | None
    jumps: bool
    offset: float = 0.0
    lost_s: float = 0.0
    first_loss: float = 0.0
    joins: list[float] = field(default_factory=list)
    _origin: float | None = None
    _part: int = 0
    _tolerance: float = TOLERANCE_S
    _missing: float = 0.0
    _until: float | None = None
    _again: bool = False

    def begin_again(self) -> None:
        """Another recording follows, whatever its clock says."""
        self._again = True

    def begin(self, time: float | None) -> float:
        """Where the first sound is placed, in seconds.

        Args:
            time: of the first packet, lost or not, on the file's clock.
        """
        self._origin = time = time or 0.0
        if self.pictures is None:
            self.offset = -time
            return 0.0
        self.offset = -self.pictures.start
        start = time + self.offset
        if -MAX_HOLE_S < start < 10 or (start > 0 and self._pictures_at(start)):
            return start
        self.joins.append(0.0)
        self.offset = -time
        return 0.0

    def lose(self, lost: Lost) -> None:
        """Remember a packet that could not be decoded."""
        self._tolerance = EXACT_S
        self._missing += lost.length
        if lost.time is not None:
            self._until = max(self._until or lost.time, lost.time + lost.length)

    def gap(self, heard: Heard, end: float) -> float:
        """Seconds of silence before a piece; where negative, so much of its beginning is cut.

        Args:
            heard: the piece.
            end: when the sound before it ends, in seconds after the first picture.
        """
        if self._again:
            self._again = False
            self._tolerance, self._missing, self._until = TOLERANCE_S, 0.0, None
            return self._join(heard.time or 0.0, end)
        time = end + self._missing if heard.time is None else heard.time + self.offset
        gap, tolerance = time - end, self._tolerance
        self._tolerance, self._missing, self._until = TOLERANCE_S, 0.0, None
        if abs(gap) <= tolerance:
            return 0.0
        if heard.time is not None and self._jumped(heard.time, gap, end):
            return self._join(heard.time, end)
        self._count(gap, end)
        # What is left of an overlap may be less than the tolerance; it is cut all the same.
        self._tolerance = EXACT_S if gap < 0 else TOLERANCE_S
        return gap

    def rest(self, end: float) -> float:
        """Seconds of silence at the end, where the last packets are lost."""
        if self._until is None:
            return 0.0
        gap = min(max(self._until + self.offset - end, 0.0), self._missing)
        self._count(gap, end)
        return gap

    def _count(self, gap: float, end: float) -> None:
        if gap > 0:
            self.first_loss = self.first_loss if self.lost_s else end
            self.lost_s += gap

    def _jumped(self, time: float, gap: float, end: float) -> bool:
        """Whether another recording begins here, or a hole is not to be believed."""
        if gap < 0:
            again = self._origin is not None and time <= self._origin + RESTART_S
            return gap < -OVERLAP_S or (again and gap < -RESTART_S)
        if gap <= 10:
            return False
        if self.pictures is None:
            return self.jumps or gap > MAX_HOLE_S + end
        return self._next_part(time, end) is not None or not self._pictures_at(end + gap)

    def _join(self, time: float, end: float) -> float:
        """Let another recording follow: with its pictures where it has some, else at once."""
        self.joins.append(end)
        part = self._next_part(time, end)
        self.offset, self._origin = end - time, time
        if part is None or self.pictures is None:
            return 0.0
        self._part = part
        self.offset = self.pictures.parts[part].offset - self.pictures.start
        gap = time + self.offset - end
        return gap if abs(gap) > EXACT_S else 0.0

    def _next_part(self, time: float, end: float) -> int | None:
        """Which later part of the pictures this sound belongs to."""
        if self.pictures is None:
            return None
        parts, begin = self.pictures.parts, self.pictures.start
        later = range(self._part + 1, len(parts))
        off = {k: abs(time + parts[k].offset - begin - end) for k in later}
        best = min(off, key=off.__getitem__, default=None)
        return best if best is not None and off[best] < NEAR_S else None

    def _pictures_at(self, time: float) -> bool:
        """Whether there are pictures until a time, in seconds after the first."""
        return self.pictures is not None and time <= self.pictures.parts[-1].end - self.pictures.start + NEAR_S
