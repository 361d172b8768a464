"""Where clips come from: the interface that GRID, folders, SynthGRID and third-party data sets implement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.data.sources.walk import NotLookedAt
from zoo.data.splitting import Splitting
from zoo.media.clip import FPS, Word
from zoo.support.errors import MediaError

KEPT_BYTES = 64 * 2**20
"""Pictures of a video that is smaller than this are decoded once and kept: all of GRID."""


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
        labels: what is known of the clip by name, as in :class:`zoo.media.clip.Clip`.
        arrays: further numbers by name, one entry per frame, the same.
    """

    frames: UInt8[Tensor, "T 3 H W"]
    wave: Float32[Tensor, " S"]
    text: str = ""
    words: tuple[Word, ...] = ()
    landmarks: Float32[Tensor, "T 68 2"] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, Float32[Tensor, "T ..."]] = field(default_factory=dict)


MISSING_S, MISSING_SHARE = 0.5, 0.1
"""A video that shows less than it claims, by more than this time and more than this share of it, is cut short."""


class VideoFrames:
    """The pictures of a video at 25 fps, decoded anew each time that they are iterated, never all in memory.

    A video whose pictures take less than :data:`KEPT_BYTES` is decoded once.

    Args:
        path: any file that :func:`zoo.media.video.open_video` reads.
        whole: refuse a file that shows less than it claims, for what is known of it (its words) is that of the whole.

    Attributes:
        expected: how many pictures there are, as far as the file says; ``None`` where it does not.
    """

    def __init__(self, path: str | Path, *, whole: bool = False) -> None:
        from zoo.media.video import probe_video

        self.path, self.whole = Path(path), whole
        seconds = probe_video(path).seconds
        self.expected = None if seconds is None else max(1, round(seconds * FPS))
        self._kept: list[Tensor] | None = None

    def __iter__(self) -> Iterator[UInt8[Tensor, "3 H W"]]:
        if self._kept is not None:
            yield from self._kept
            return
        from zoo.media.video import open_video

        kept: list[Tensor] | None = []
        size = count = 0
        with open_video(self.path) as reader:
            for picture in reader:
                count += 1
                size += picture.nbytes
                if size > KEPT_BYTES:
                    kept = None
                elif kept is not None:
                    kept.append(picture)
                yield picture
        self._check_whole(count)
        self._kept = kept

    def _check_whole(self, count: int) -> None:
        claimed = self.expected or 0
        if self.whole and claimed - count > max(MISSING_S * FPS, MISSING_SHARE * claimed):
            raise MediaError(
                f"{self.path}: {count / FPS:.2f} s of pictures, the file claims {claimed / FPS:.2f} s: it is cut short "
                "or damaged"
            )


@dataclass
class OpenClip:
    """A clip whose pictures are not read yet.

    Attributes:
        frames: whole pictures at 25 fps, ``(3, H, W)`` uint8 RGB each; they can be iterated more than once.
        wave: as in :class:`RawClip`.
        text: as in :class:`RawClip`.
        words: as in :class:`RawClip`.
        landmarks: as in :class:`RawClip`; where the source's clips are split, rows may be NaN: no face is there.
        labels: as in :class:`RawClip`.
        arrays: as in :class:`RawClip`.
    """

    frames: Iterable[UInt8[Tensor, "3 H W"]]
    wave: Float32[Tensor, " S"]
    text: str = ""
    words: tuple[Word, ...] = ()
    landmarks: Float32[Tensor, "T 68 2"] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, Float32[Tensor, "_ ..."]] = field(default_factory=dict)

    @property
    def expected(self) -> int | None:
        """About how many frames there are; ``None`` where that is not known before they are read."""
        if isinstance(self.frames, Tensor):
            return len(self.frames)
        return self.frames.expected if isinstance(self.frames, VideoFrames) else None

    def read(self) -> RawClip:
        """Read all pictures.

        Raises:
            MediaError: they cannot be read, or landmarks and arrays are not one entry per picture.
        """
        frames = torch.stack(list(self.frames))
        if self.landmarks is not None and len(self.landmarks) != len(frames):
            raise MediaError(f"{len(self.landmarks)} sets of landmarks for {len(frames)} frames")
        check_lengths(self.arrays, len(frames))
        return RawClip(frames, self.wave, self.text, self.words, self.landmarks, self.labels, self.arrays)


def check_lengths(arrays: Mapping[str, Tensor], num_frames: int) -> None:
    """Refuse arrays that do not have one entry per frame.

    Raises:
        MediaError: one has more or fewer.
    """
    for name, values in arrays.items():
        if len(values) != num_frames:
            raise MediaError(f"the array '{name}' has {len(values)} entries for {num_frames} frames")


class Source(ABC):
    """A data set before preparation. ``DatasetSpec.target`` names a subclass.

    Args:
        root: the folder that the user gives with ``--root``; ``None`` where the source makes its clips.

    Attributes:
        splitting: how its videos are cut into clips; ``None`` where each is one clip as it is.
    """

    splitting: Splitting | None = None

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

    def open(self, item: SourceItem) -> OpenClip:
        """Open one clip, to read its pictures one by one; a source whose clips may be long implements it.

        Raises:
            MediaError: as :meth:`read`.
        """
        raw = self.read(item)
        return OpenClip(raw.frames, raw.wave, raw.text, raw.words, raw.landmarks, raw.labels, raw.arrays)
