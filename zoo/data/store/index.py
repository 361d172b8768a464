"""What a store says of itself: ``store.json``, a shard's index line by line, and its checksums, all read strictly."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field

from zoo.media.clip import FPS, NUM_LANDMARKS, SAMPLE_RATE, Clip, Word
from zoo.support.errors import DataError
from zoo.support.names import storable
from zoo.support.records import Count, Seconds, parse_record

FORMAT = "zoo-store"
VERSION = 1


def _inside(clip: str) -> str:
    """Refuse an id that would lead out of a folder."""
    if any(part in ("", ".", "..") for part in clip.split("/")) or "\0" in clip:
        raise ValueError("no id of a clip")
    return clip


def check_name(name: str) -> str:
    """Refuse a name of a label or an array that could not be part of a file's name or of an argument.

    Raises:
        ValueError: it is no word of letters, digits, ``_`` and ``-``.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name[:40]}' is no name: letters, digits, _ and - are, 40 at most, a letter first")
    return name


def check_array_name(name: str) -> str:
    """The same for an array, which may not be called as one that each clip has.

    Raises:
        ValueError: see :func:`check_name`; or a clip has another array of that name.
    """
    if name in OWN:
        raise ValueError(f"'{name}' is what each clip has; call the array otherwise")
    return check_name(name)


def check_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse an entry of a frame that is larger than any picture."""
    if len(shape) > _MOST_AXES or math.prod(shape) > _MOST_NUMBERS:
        raise ValueError("no shape of an array")
    return shape


OWN = ("frames", "wave", "landmarks")
"""The arrays that every clip has."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_MOST_AXES = 8
_MOST_NUMBERS = 2**24

ClipId = Annotated[str, AfterValidator(_inside)]
Name = Annotated[str, AfterValidator(check_name)]
ArrayName = Annotated[str, AfterValidator(check_array_name)]
Several = Annotated[int, Field(ge=1, le=2**31)]
Rate = Annotated[float, Field(gt=0, le=10_000)]


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What is known of a clip without reading it; the fields mean what they mean in :class:`zoo.media.clip.Clip`."""

    id: str
    speaker: str
    text: str
    words: tuple[Word, ...]
    num_frames: int
    height: int
    width: int
    num_samples: int
    labels: Mapping[str, str] = field(default_factory=dict)
    fps: float = FPS
    sample_rate: int = SAMPLE_RATE


class Member(NamedTuple):
    """An array in a shard's ZIP.

    Attributes:
        kind: ``frames``, ``wave``, ``landmarks``, or the name of a further array.
        start: the byte at which its numbers start.
        shape: of the array.
        dtype: ``uint8`` or ``float32``.
    """

    kind: str
    start: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * (1 if self.dtype == "uint8" else 4)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of an index: the clip, its shard and where its arrays' bytes start in the ZIP."""

    info: ClipInfo
    shard: str
    frames: int
    wave: int
    landmarks: int
    source: str = ""
    arrays: Mapping[str, ArrayPlace] = field(default_factory=dict)

    @property
    def members(self) -> dict[str, Member]:
        """All arrays of the clip in the ZIP, by kind."""
        info, count = self.info, self.info.num_frames
        found = [
            Member("frames", self.frames, (count, info.height, info.width, 3), "uint8"),
            Member("wave", self.wave, (info.num_samples,), "float32"),
            Member("landmarks", self.landmarks, (count, NUM_LANDMARKS, 2), "float32"),
        ]
        found += [Member(name, each.start, (count, *each.shape), "float32") for name, each in self.arrays.items()]
        return {member.kind: member for member in found}


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """A further array of a clip.

    Attributes:
        start: the byte at which its numbers start in the ZIP.
        shape: of one frame's entry.
    """

    start: Count
    shape: Annotated[tuple[Several, ...], AfterValidator(check_shape)] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    """The fields of a line and their types."""

    id: ClipId
    speaker: str
    text: str
    words: list[tuple[Seconds, Seconds, str]]
    num_frames: Several
    height: Several
    width: Several
    num_samples: Count
    fps: Rate
    sample_rate: Several
    offsets: tuple[Count, Count, Count]
    source: str = ""
    labels: dict[Name, str] = field(default_factory=dict)
    arrays: dict[ArrayName, ArrayPlace] = field(default_factory=dict)


def parse_row(line: bytes, shard: str) -> Row:
    """Read one line of a shard's index.

    Raises:
        DataError: the line is damaged, or a value in it cannot be.
    """
    try:
        row = parse_record(line, _Line, "a line of the index")
    except DataError as error:
        raise DataError(f"shards/{shard}.jsonl: is damaged ({error}); run: zoo data verify DIR") from error
    info = ClipInfo(
        id=row.id,
        speaker=row.speaker,
        text=row.text,
        words=tuple(Word(*word) for word in row.words),
        num_frames=row.num_frames,
        height=row.height,
        width=row.width,
        num_samples=row.num_samples,
        labels=row.labels,
        fps=row.fps,
        sample_rate=row.sample_rate,
    )
    return Row(info, shard, *row.offsets, row.source, row.arrays)


def format_row(clip: Clip, offsets: tuple[int, int, int], source: str, arrays: Mapping[str, int]) -> bytes:
    """The line of a shard's index for a clip.

    Args:
        clip: the clip.
        offsets: the bytes of the ZIP at which its frames, sound and landmarks start.
        source: the file it came from.
        arrays: the bytes at which its further arrays start.
    """
    num_frames, _, height, width = clip.frames.shape
    row: dict[str, Any] = {
        "id": clip.id,
        "speaker": clip.speaker,
        "text": clip.text,
        "words": [list(word) for word in clip.words],
        "num_frames": num_frames,
        "height": height,
        "width": width,
        "num_samples": len(clip.wave),
        "fps": clip.fps,
        "sample_rate": clip.sample_rate,
        "offsets": offsets,
        "source": storable(source),
    }
    if clip.labels:
        row["labels"] = dict(clip.labels)
    if arrays:
        row["arrays"] = {
            name: {"start": start, "shape": list(clip.arrays[name].shape[1:])} for name, start in arrays.items()
        }
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True)
class _Meta:
    """The values of ``store.json`` that are used, and their types."""

    version: int
    dataset: str
    splits: list[str] = field(default_factory=list)
    shards: list[Annotated[str, Field(pattern=r"^[0-9]+$")]] = field(default_factory=list)
    root: str = ""
    detector: str = ""
    landmarker: str = "dlib"
    settings: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""


def parse_meta(text: bytes, where: str) -> dict[str, Any]:
    """Read the text of ``store.json``.

    Raises:
        DataError: it is damaged, a value in it cannot be, or a newer zoo wrote it.
    """
    again = "prepare the store again"
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is damaged; {again}") from error
    if not isinstance(meta, dict):
        raise DataError(f"{where}: is damaged; {again}")
    version = meta.get("version")
    if meta.get("format") != FORMAT or (isinstance(version, int) and version > VERSION):
        raise DataError(f"{where}: a newer zoo made this store (format {version}, known {VERSION}); upgrade the zoo")
    try:
        parse_record(text, _Meta, "a value in it")
    except DataError as error:
        raise DataError(f"{where}: is damaged ({error}); {again}") from error
    return meta


def parse_sums(text: bytes, shard: str) -> tuple[str, str]:
    """The SHA-256 of a shard's ZIP and of its index, out of its ``.sha256``: these two, once each.

    Raises:
        DataError: it is anything else.
    """
    line = rb"([0-9a-f]{64})  "
    found = re.fullmatch(line + rb"%b\.zip\n" % shard.encode() + line + rb"%b\.jsonl\n" % shard.encode(), text)
    if not found:
        raise DataError(f"shards/{shard}.sha256: is damaged")
    return found[1].decode(), found[2].decode()


def check_index(text: bytes, sums: bytes, shard: str) -> None:
    """Check a shard's index against its checksum.

    Raises:
        DataError: they differ, or the checksums are damaged.
    """
    if hashlib.sha256(text).hexdigest() != parse_sums(sums, shard)[1]:
        raise DataError(
            f"shards/{shard}.jsonl: does not match its checksum in {shard}.sha256; run: zoo data verify DIR"
        )
