"""The GRID corpus (Cooke, Barker, Cunningham, Shao 2006), as its official archives unzip."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from zoo.data.sources.base import OpenClip, RawClip, Source, SourceItem, VideoFrames
from zoo.data.sources.walk import NotLookedAt, walk
from zoo.media.audio import read_audio
from zoo.media.clip import FPS, Word
from zoo.media.transcript import check_end, check_times, plain_text, read_text
from zoo.support.errors import DataError, MediaError
from zoo.support.names import name_to_id, storable

TICKS_PER_S = 25_000
"""The unit of GRID's alignment files: 1/25000 s, so that 1000 ticks are a frame."""

FRAMES = 75
"""Pictures of a GRID clip."""

LEAST_FRAMES = 74
"""Two clips of the official archives have one picture less; with still fewer a word may be missing."""

SILENCES = frozenset({"sil", "sp"})
"""Marks of silence and of a short pause in the alignment; no words."""

COMMANDS = {"b": "bin", "l": "lay", "p": "place", "s": "set"}
COLOURS = {"b": "blue", "g": "green", "r": "red", "w": "white"}
PREPOSITIONS = {"a": "at", "b": "by", "i": "in", "w": "with"}
DIGITS = dict(
    zip("z123456789", ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], strict=True)
)
ADVERBS = {"n": "now", "p": "please", "s": "soon", "a": "again"}

FILE_CODE = re.compile(r"[blps][bgrw][abiw][a-vx-z][z1-9][npsa]")

SPEAKER_FOLDER = re.compile(r"s(\d+)(\.mpg_\w+)?")

EXPECTED = "ROOT/s1/*.mpg (with ROOT/alignments/s1/*.align), as the official archives unzip"


class Grid(Source):
    """GRID: 360x288 MPEG-1 at 25 fps, sound 44.1 kHz stereo, a fixed grammar of six words.

    Pictures under ``ROOT/s1``, ``ROOT/s1/video`` or ``ROOT/s1/video/mpg_6000``, with the word times in
    ``ROOT/alignments/s1``, ``ROOT/align/s1`` or ``ROOT/s1/align``. Without them ``words`` is empty; the text comes from
    the file's name, which encodes the sentence.
    """

    def items(self) -> Sequence[SourceItem]:
        """All clips by speaker number and name.

        Raises:
            DataError: no root, or no clip in it.
        """
        if self.root is None:
            raise DataError(f"GRID needs --root ROOT with {EXPECTED}; it is free at https://zenodo.org/records/3625687")
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder; GRID is expected as {EXPECTED}")
        clips: dict[str, SourceItem] = {}
        left = NotLookedAt()
        for entry in self._entries():
            speaker = SPEAKER_FOLDER.fullmatch(entry.name)
            found, rest = _look_into(entry, f"s{int(speaker[1])}" if speaker else None)
            left += rest
            clips = {item.id: item for item in found} | clips  # of two qualities side by side the first counts
        self.not_looked_at = left
        if not clips:
            inside = ", ".join(sorted(storable(entry.name) for entry in self.root.iterdir())[:6]) or "nothing"
            raise DataError(f"{self.root}: no GRID clip found; expected {EXPECTED}; found: {inside}")
        return sorted(clips.values(), key=lambda item: (int(item.speaker[1:]), item.id))

    def _entries(self) -> list[Path]:
        assert self.root is not None
        try:
            return sorted(self.root.iterdir())
        except OSError as error:
            raise DataError(f"{self.root}: the folder cannot be read ({error.strerror})") from error

    def open(self, item: SourceItem) -> OpenClip:
        """Decode one clip.

        Raises:
            MediaError: pictures or sound cannot be read or are cut short, the name is no GRID sentence, or the word
                times cannot be true.
        """
        path = Path(item.path)
        text = decode_name(path.stem)
        align = self._alignment(item.speaker, path.stem)
        words = read_alignment(align) if align else ()
        frames = VideoFrames(path)
        count = sum(1 for _ in frames)
        check_whole(count, path)
        check_end(words, count / FPS, path)
        return OpenClip(frames=frames, wave=read_audio(path), text=text, words=words)

    def read(self, item: SourceItem) -> RawClip:
        """Decode one clip; as :meth:`open`, with all its pictures in memory."""
        return self.open(item).read()

    def _alignment(self, speaker: str, stem: str) -> Path | None:
        assert self.root is not None
        folders = (self.root / "alignments" / speaker, self.root / "align" / speaker, self.root / speaker / "align")
        return next((folder / f"{stem}.align" for folder in folders if (folder / f"{stem}.align").is_file()), None)


def _look_into(entry: Path, speaker: str | None) -> tuple[list[SourceItem], NotLookedAt]:
    """The clips in one entry of the root, and what else is in it; alignments belong to the clips."""
    if not entry.is_dir():
        return [], NotLookedAt((Path(entry.name),))
    found = walk(entry)
    clips = [path for path in found.files if speaker and _is_clip(path)]
    rest = found.without({path for path in found.files if path.suffix.lower() == ".align"} | set(clips))
    names = {path.stem: path for path in reversed(clips)}
    items = [SourceItem(f"{speaker}/{name_to_id(stem)}", speaker or "", str(entry / names[stem])) for stem in names]
    return items, rest.below(entry.name)


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() == ".mpg" and not path.name.startswith(".")


def check_whole(frames: int, path: Path) -> None:
    """Check that a clip has all its pictures: the name of a file that is cut short names words that are not in it.

    Raises:
        MediaError: it has not.
    """
    if frames < LEAST_FRAMES:
        raise MediaError(f"{path}: {frames} pictures, a clip of GRID has {FRAMES}: the file is cut short")


def decode_name(code: str) -> str:
    """The sentence that a GRID file's name encodes: ``bbaf2n`` is ``bin blue at f two now``.

    Raises:
        MediaError: not a name of GRID.
    """
    if not FILE_CODE.fullmatch(code):
        raise MediaError(f"'{code}' is no GRID file name (six letters such as bbaf2n, which encode the sentence)")
    parts = (COMMANDS[code[0]], COLOURS[code[1]], PREPOSITIONS[code[2]], code[3], DIGITS[code[4]], ADVERBS[code[5]])
    return " ".join(parts)


def read_alignment(path: str | Path) -> tuple[Word, ...]:
    """Read the word times of a GRID ``.align`` file, without its silences.

    Raises:
        MediaError: a line is not ``start end word``, ends before it starts, or starts before the one above it ends; or
            the file is no text.
    """
    words = [_aligned(line, path) for line in read_text(path).splitlines() if line.strip()]
    check_times(words, path)
    return tuple(word for word in words if word.text not in SILENCES)


def _aligned(line: str, path: str | Path) -> Word:
    try:
        start, end, text = line.split()
        return Word(int(start) / TICKS_PER_S, int(end) / TICKS_PER_S, plain_text(text))
    except ValueError as error:
        raise MediaError(f"{path}: not an alignment of GRID at '{line.strip()[:40]}'") from error
