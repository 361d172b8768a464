"""Where clips come from: the interface that GRID, folders, SynthGRID and third-party data sets implement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.clip import Word
from zoo.data.walk import NotLookedAt


@dataclass(frozen=True)
class SourceItem:
    """One clip that a source can give, known without reading it.

    Attributes:
        id: unique in the source and stable between runs, for example ``s1/bbaf2n``.
        speaker: who talks.
        path: the file it is read from; empty where it is made, not read.
    """

    id: str
    speaker: str
    path: str = ""


@dataclass
class RawClip:
    """What a source reads: a clip before its face was found and cut out.

    Attributes:
        frames: ``(T, 3, H, W)`` uint8 RGB, whole pictures at 25 fps.
        wave: ``(S,)`` float32 in [-1, 1], mono at 16 kHz, of any length near that of the pictures.
        text: the words spoken, lower case; empty where unknown.
        words: the words with their times; empty where unknown.
        landmarks: ``(T, 68, 2)`` float32 in pixels of ``frames``; ``None`` where they are to be detected.
    """

    frames: UInt8[Tensor, "T 3 H W"]
    wave: Float32[Tensor, " S"]
    text: str = ""
    words: tuple[Word, ...] = ()
    landmarks: Float32[Tensor, "T 68 2"] | None = None


class Source(ABC):
    """A data set before preparation. ``DatasetSpec.target`` names a subclass.

    Args:
        root: the folder that the user gives with ``--root``; ``None`` where the source makes its clips.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = None if root is None else Path(root)
        self.not_looked_at = NotLookedAt()  # what `items` left out of the root, where the source says so
        self.settings: dict[str, int] = {}  # numbers that decide what the clips are: two stores with others differ

    @abstractmethod
    def items(self) -> Sequence[SourceItem]:
        """All clips, in a stable order, without reading them.

        Raises:
            DataError: the root is missing or holds nothing of this data set; the message says what was expected.
        """

    @abstractmethod
    def read(self, item: SourceItem) -> RawClip:
        """Read one clip.

        Raises:
            MediaError: the clip cannot be used; it is set aside with this reason and the rest goes on.
        """
