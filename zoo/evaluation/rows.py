"""The rows of a cell: one for every clip and metric, a line of JSON each. Nothing here imports torch."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.evaluation.lines import Lines, read_lines, sealed
from zoo.support.errors import DataError
from zoo.support.inside import read_inside
from zoo.support.records import LARGEST

SCHEMA = 1
"""Version of the rows and cells. It grows when an older zoo could not read them; older ones are read for ever."""

Track = Literal["reconstruction", "cross", "video", "video-cross"]
"""``reconstruction``: the sound belongs to the face. ``cross``: the sound is that of another speaker's clip."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one metric says of one clip of one cell.

    Attributes:
        key: of the cell (:attr:`Cell.key`) it was made under.
        suite: name of the suite.
        method: name of the method or reference.
        seed: training seed.
        track: see :data:`Track`.
        checkpoint: first 16 digits of the SHA-256 of the weights; empty for a reference, for videos of others, and in a
            run's own folder.
        clip: id of the clip that gives the face.
        speaker: who is seen.
        metric: registered name.
        protocol: the metric's signature.
        value: of this clip; ``None`` where it could not be scored.
        stats: sufficient statistics; of a metric with ``reduce="ratio"`` the numerator and the denominator.
        scored: frames, windows or words that were scored.
        total: how many there were to score.
        reason: why some or all could not be scored; empty where all were.
        sound: id of the clip that gives the sound; empty where it is the same.
    """

    key: str
    suite: str
    method: str
    seed: int
    track: Track
    checkpoint: str
    clip: str
    speaker: str
    metric: str
    protocol: str
    value: float | None
    stats: tuple[float, ...]
    scored: int
    total: int
    reason: str = ""
    sound: str = ""


def line_of(row: Row) -> str:
    """A row as one line of ``rows.jsonl``, with its newline."""
    values = {name: getattr(row, name) for name in Row.__slots__}
    return json.dumps({"schema": SCHEMA} | values, separators=(",", ":")) + "\n"


def text_of(rows: Iterable[Row]) -> str:
    """Rows as lines that carry their checksums."""
    return "".join(sealed(line_of(row)) for row in rows)


@dataclass
class Counted:
    """The rows of a cell's folder.

    Attributes:
        rows: the fields of those that count, in plain dictionaries, each clip and metric once, sorted.
        stale: how many are of another key or protocol.
        aside: how many are set aside in the folder ``stale``: they count nowhere unless what they were made of returns.
        lines: how many are whole, whatever their key.
        damaged: how many lines are not.
    """

    rows: list[dict[str, Any]]
    stale: int
    aside: int
    lines: int
    damaged: int


def read_rows(folder: Path, key: str, protocols: Mapping[str, str] | None = None) -> tuple[list[Row], int]:
    """Rows of a cell's folder, those of unfinished processes included, and how many others are stale.

    Stale are rows of another key, or of another protocol than that of their metric in ``protocols``, here or set aside
    in the folder ``stale``. A last line that a killed process left half written is not a row.
    """
    found = read_values(folder, key, protocols)
    return [row_of(values) for values in found.rows], found.stale + found.aside


def read_values(folder: Path, key: str, protocols: Mapping[str, str] | None = None) -> Counted:
    """As :func:`read_rows`, without an object for every row, which takes a fraction of the time."""
    lines = row_lines(folder)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    expected = protocols or {}
    stale = 0
    for values in lines.values:
        if values["key"] == key and expected.get(values["metric"], values["protocol"]) == values["protocol"]:
            found.setdefault((values["clip"], values["metric"]), values)
        else:
            stale += 1
    rows = [found[place] for place in sorted(found)]
    return Counted(rows, stale, count_aside(folder), len(lines.values), lines.damaged)


def count_aside(folder: Path) -> int:
    """How many rows of a cell's folder are set aside: they count nowhere unless what they were made of comes back."""
    return sum(read_inside(folder, path).count(b"\n") for path in folder.glob("stale/rows*.jsonl"))


def every_row(folder: Path) -> Iterator[dict[str, Any]]:
    """The fields of all rows of a folder, of whatever key; what is damaged or half written is none.

    Raises:
        DataError: they are no rows, were written by a newer zoo, or lie outside the folder.
    """
    yield from row_lines(folder).values


def row_lines(folder: Path, *, lenient: bool = False) -> Lines:
    """The rows of a folder, and how many lines are damaged.

    Args:
        folder: of a cell, or one that holds rows set aside.
        lenient: lines that are whole, but no rows, are damaged ones, too, instead of an error.

    Raises:
        DataError: see :func:`every_row`.
    """
    found = Lines()
    for path in sorted(folder.glob("rows*.jsonl")):
        lines = read_lines(read_inside(folder, path), growing=path.name != "rows.jsonl")
        if any(type(values.get("schema")) is int and values["schema"] > SCHEMA for values in lines.values):
            raise DataError(f"{path}: rows written by a newer zoo; update: pip install -U zoo")
        if lenient:
            right = [values for values in lines.values if not _wrong([values], WRITTEN)]
            lines = Lines(right, lines.damaged + len(lines.values) - len(right))
        elif wrong := _wrong(lines.values, NEEDED):
            raise DataError(f"{path}: not rows of `zoo benchmark`: {wrong}")
        found.values += lines.values
        found.damaged += lines.damaged
    return found


NEEDED = ("schema", "key", "clip", "metric", "protocol")
"""What the fields of any row are, whatever its schema."""

_WHOLE: set[type] = {int}
_NUMBER: set[type] = {int, float, type(None)}
_TEXT: set[type] = {str}
_LIST: set[type] = {list}

TYPES = {
    "schema": _WHOLE, "key": _TEXT, "suite": _TEXT, "method": _TEXT, "seed": _WHOLE, "track": _TEXT,
    "checkpoint": _TEXT, "clip": _TEXT, "speaker": _TEXT, "metric": _TEXT, "protocol": _TEXT, "value": _NUMBER,
    "stats": _LIST, "scored": _WHOLE, "total": _WHOLE, "reason": _TEXT, "sound": _TEXT,
}  # fmt: skip
"""Of the fields of a row; looked at column by column, since a hundred thousand rows have two million values."""


WRITTEN = (*NEEDED, "suite", "method", "seed", "track", "checkpoint", "speaker", "value", "stats", "scored", "total")
"""What every row of this schema has."""


def _wrong(rows: Sequence[dict[str, Any]], needed: Collection[str]) -> str:
    """Which field of some rows is missing or of another type; empty where all are as they should be."""
    for name, types in TYPES.items():
        present = [values[name] for values in rows if name in values]
        if name in needed and len(present) < len(rows):
            return f"a line has no {name}"
        if bad := set(map(type, present)) - types:
            return f"{name} is a {min(kind.__name__ for kind in bad)}"
        if types is _WHOLE and present and not 0 <= min(present) <= max(present) <= LARGEST:
            return f"{name} is below 0, or no number that can be counted to"
        if types in (_NUMBER, _LIST):
            items = [item for some in present for item in some] if types is _LIST else present
            if not set(map(type, items)) <= _NUMBER:
                return f"{name} holds what is no number"
            if any(type(item) is int and abs(item) > LARGEST for item in items):
                return f"{name} is too large"
    return ""


def row_of(values: Mapping[str, Any]) -> Row:
    """A row from its fields; those that a later zoo of the same schema added are left out.

    Raises:
        DataError: a field is missing.
    """
    try:
        known = {name: value for name, value in values.items() if name in Row.__slots__}
        return Row(**known | {"stats": tuple(values["stats"])})
    except (KeyError, TypeError) as error:
        raise DataError(f"a row of {values['metric']}, clip {values['clip']}, lacks fields ({error})") from error
