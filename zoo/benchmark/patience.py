"""How long a clip may take before its process is ended: one that stands still would hold up all the others for ever."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.benchmark.ledger import Task

LEAST_S = 60.0
"""Any clip may take so long, and the end of a process."""

TIMES = 20.0
"""A clip may take so many times as long as the slowest one did, frame for frame."""

LEAST_FIRST_S = 180.0
"""So long may the first clip of a process and cell take at least, which loads weights, and the start of a process."""

UNKNOWN_S = 300.0
"""So long may a clip take while it is not known what others took; more where it is longer than 150 frames."""

UNKNOWN_FRAME_S = 2.0
"""The same for each of its frames: seventy times what they take on one slow core."""

START_S = 600.0
"""So long may a process take to its first clip, while it is not known what others took: it imports, opens the store."""

HEAR_S = 1.0
"""So long may the retrieval take besides for each training clip, all of which it hears before its first clip."""


class Patience:
    """Limits that adapt to what was seen.

    Args:
        frames: how many a clip has, by its id.
        fixed: seconds, where the suite says so: then that is the limit of every clip.
        heard: training clips that the retrieval hears before its first clip.
    """

    def __init__(self, frames: Mapping[str, int], fixed: int | None = None, heard: int = 0) -> None:
        self.frames, self.fixed, self.heard = frames, fixed, heard
        self.frame_s = self.first_s = self.start_s = 0.0  # the longest that was seen; 0: none was

    def started(self, seconds: float) -> None:
        """A process took so long to its first clip."""
        self.start_s = max(self.start_s, seconds)

    def done(self, task: Task, seconds: float, *, first: bool) -> None:
        """A clip took so long."""
        if first:
            self.first_s = max(self.first_s, seconds)
        else:
            self.frame_s = max(self.frame_s, seconds / max(1, self.frames.get(task.clip, 1)))

    def for_start(self) -> float:
        """Seconds that a process may take to its first clip."""
        return max(LEAST_FIRST_S, TIMES * self.start_s) if self.start_s else START_S

    def for_clip(self, task: Task, *, first: bool) -> float:
        """Seconds that a clip may take.

        Args:
            task: the clip.
            first: whether it is the first of its process and cell.
        """
        if self.fixed is not None:
            return float(self.fixed)
        frames = self.frames.get(task.clip, 1)
        usual = TIMES * self.frame_s * frames
        if not first and self.frame_s:
            return max(LEAST_S, usual)
        if self.first_s and self.frame_s:
            limit = max(LEAST_FIRST_S, TIMES * self.first_s, usual)
        else:
            limit = max(UNKNOWN_S, UNKNOWN_FRAME_S * frames)
        return limit + HEAR_S * self.heard * (first and task.cell.startswith("retrieval-"))


def too_long(limit: float) -> str:
    """The reason of a row whose clip took longer."""
    return f"it took more than {limit:.0f} s and was ended (clip_limit=SECONDS allows more)"


def never_began(limit: float) -> str:
    """The reason where a process did not come so far as to begin a clip."""
    return f"its process was not ready after {limit:.0f} s and was ended"
