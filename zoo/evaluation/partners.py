"""Whose sound goes with which face where it is not its own; looked up in a corpus that is read once."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from zoo.data.store.index import ClipInfo


class Partners:
    """The clips that may lend one another their sound.

    Args:
        clips: what is known of them, by number.
    """

    def __init__(self, clips: dict[int, ClipInfo]) -> None:
        self.clips = clips
        self._numbers = np.array(list(clips), dtype=np.int64)
        self._places = {number: place for place, number in enumerate(clips)}
        self._speakers = _coded([info.speaker for info in clips.values()])
        self._texts = _coded([info.text for info in clips.values()])
        self._lengths = np.array([info.num_frames for info in clips.values()], dtype=np.int64)
        self._found: dict[int, int] = {}

    def of(self, index: int, here: ClipInfo) -> int | None:
        """The clip whose sound a face speaks.

        Of another speaker where there is one, another sentence, as long as the face's clip where there is such a one;
        among those, chance decides that depends on the two ids alone.

        Args:
            index: number of the face's clip.
            here: what is known of it.

        Returns:
            Its number; ``None`` where there is no other clip.
        """
        if index not in self._found:
            others = self._fit_best(index, here)
            if not others:
                return None
            # Ids that are equal have equal chances: the first of them, as they are numbered.
            self._found[index] = min(others, key=lambda number: _chance(here, self.clips[number]))
        return self._found[index]

    def _fit_best(self, index: int, here: ClipInfo) -> list[int]:
        """Numbers of the clips between which chance decides, in their order."""
        left = self._numbers != index
        for worse in (
            self._speakers[0] == self._speakers[1].get(here.speaker, -1),
            self._texts[0] == self._texts[1].get(here.text, -1),
            np.abs(self._lengths - here.num_frames),
        ):
            if not left.any():
                return []
            left &= worse == worse[left].min()
        return [int(number) for number in self._numbers[left]]

    def has_another_speaker(self, here: ClipInfo) -> bool:
        """Whether any of the clips is of another speaker: then so is the one whose sound a face speaks."""
        return len(self._speakers[1]) > (here.speaker in self._speakers[1])


def _coded(names: Sequence[str]) -> tuple[np.ndarray, dict[str, int]]:
    """Names as numbers ``(clips,)``, and the number of each name."""
    codes: dict[str, int] = {}
    return np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.int64), codes


def _chance(here: ClipInfo, there: ClipInfo) -> bytes:
    return blake2b(f"{here.id} {there.id}".encode(), digest_size=8).digest()
