"""Tracks: whose sound and whose video drive a face in a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.registry.spec import Uses

Giver = Literal["own", "foreign", "none"]
"""Whose: the clip's own, another clip's, or nobody's."""


@dataclass(frozen=True)
class Track:
    """How the face of a test clip is driven.

    Attributes:
        name: in tables, and in the names of cells.
        sound: whose speech it is given.
        driver: whose video.
    """

    name: str
    sound: Giver
    driver: Giver

    @property
    def foreign(self) -> bool:
        """Whether another clip drives the face, so that there is no true video to compare with."""
        return "foreign" in (self.sound, self.driver)

    def takes(self, uses: Uses) -> bool:
        """Whether a mode runs on this track: it has what the mode uses, and the mode uses what the track is about.

        Args:
            uses: what the mode is given.
        """
        speech = uses.sound or uses.words
        if speech != (self.sound != "none"):
            return False
        return bool(uses.driver) or speech or not self.foreign


TRACKS = {
    track.name: track
    for track in (
        Track("reconstruction", sound="own", driver="own"),
        Track("cross", sound="foreign", driver="own"),
        Track("video", sound="none", driver="own"),
        Track("video-cross", sound="none", driver="foreign"),
    )
}
"""Every track by its name."""

SPEECH = ("reconstruction", "cross")
"""The tracks of methods that speak, which a suite runs unless it says otherwise."""
