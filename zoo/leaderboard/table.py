"""The rows of a results folder as columns of numbers: one array over clips for every cell and metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Shaped
from numpy.typing import NDArray

from zoo.evaluation.results import Cell, Metric, Reduce, Suite, read_cells, read_suite
from zoo.evaluation.rows import Counted, read_values
from zoo.support.errors import DataError

LARGEST = 1e100
"""No metric gives such a value, and sums of larger ones overflow: it counts as not scored."""

NO_ROWS = ""
"""Protocol of a metric that no row speaks of."""


@dataclass
class Values:
    """What one cell got from one metric, clip by clip; the order of the clips is :attr:`Table.clips`.

    Attributes:
        value: ``(clips,)`` of each clip; NaN where it was not scored.
        top: ``(clips,)`` numerator of the value over clips, 0 where not scored: the value itself, or of a ratio of sums
            the first statistic.
        bottom: ``(clips,)`` its denominator: 1 or 0, or the second statistic.
        sound: ``(clips,)`` id of the clip that gave the sound; empty where it is the face's own.
        countable: clips whose rows say how many frames, windows or words there were to score.
        scored: frames, windows or words that were scored, over all rows.
        total: how many there were to score.
        reasons: why clips (by place) were not scored, or not wholly.
        protocol: the metric's signature in the rows.
    """

    value: Float64[np.ndarray, " clips"]
    top: Float64[np.ndarray, " clips"]
    bottom: Float64[np.ndarray, " clips"]
    sound: Shaped[np.ndarray, " clips"]
    countable: int
    scored: int
    total: int
    reasons: dict[int, str]
    protocol: str

    @property
    def seen(self) -> Bool[np.ndarray, " clips"]:
        """Which clips were scored."""
        return np.isfinite(self.value)

    @property
    def counts(self) -> bool:
        """Whether there is a value over clips."""
        return bool(self.bottom.sum() > 0)

    def at(self, clips: NDArray[np.int_]) -> Values:
        """Of some of the clips, in another order."""
        where = {int(clip): place for place, clip in enumerate(clips)}
        reasons = {where[clip]: reason for clip, reason in self.reasons.items() if clip in where}
        parts = {name: getattr(self, name)[clips] for name in ("value", "top", "bottom", "sound")}
        return replace(self, **parts, reasons=reasons)


@dataclass
class Table:
    """A results folder, read.

    Attributes:
        folder: where it lies.
        suite: what was run.
        cells: by name, in the order of their names.
        clips: ids of those that count, in the order of the suite, or of the table that this one stands beside.
        speakers: who is seen in each.
        sounds: by cell, id of the clip that gives the sound where it is another; by place of the clip.
        values: by cell and metric; only what rows speak of.
        stale: how many rows of each cell are not counted, because they are of another key or protocol or of a clip or
            metric that the suite does not have (any more); only where there are any.
        aside: how many more ``zoo benchmark`` has set aside; only where there are any.
        damaged: how many rows of each cell are damaged or lost; only where there are any.
    """

    folder: Path
    suite: Suite
    cells: dict[str, Cell]
    clips: list[str]
    speakers: list[str]
    sounds: dict[str, dict[int, str]]
    values: dict[tuple[str, str], Values]
    stale: dict[str, int]
    aside: dict[str, int]
    damaged: dict[str, int] = field(default_factory=dict)

    def has_value(self, cell: str, metric: str) -> bool:
        """Whether a cell has a value over clips."""
        return (cell, metric) in self.values and self.values[cell, metric].counts


def read_table(folder: Path, beside: Table | None = None) -> Table:
    """Read a folder of results without making an object of every row.

    Args:
        folder: what ``zoo benchmark`` or ``zoo score`` wrote.
        beside: a table whose clips are the ones that count; rows of others are passed over. Clips are the same where
            their ids are, or the last parts of their ids where those are unique.

    Raises:
        DataError: there is none, it cannot be read, or it was written by a newer zoo.
    """
    suite, cells = suite_of(folder), read_cells(folder)
    clips, speakers = list(suite.clips), list(suite.clips.values())
    if beside is not None:
        clips, speakers = beside.clips, beside.speakers
    table = Table(folder, suite, cells, clips, speakers, {}, {}, {}, {})
    places = places_of(list(suite.clips), clips)
    for cell in cells.values():
        _add(table, cell, places)
    return table


def suite_of(folder: Path) -> Suite:
    """The suite of a folder of results.

    Raises:
        DataError: see :func:`read_table`.
    """
    if not (folder / "suite.json").is_file():
        raise DataError(f"{folder}: no results there (no suite.json); make some with `zoo benchmark`")
    return read_suite(folder)


def places_of(clips: Sequence[str], among: Sequence[str]) -> dict[str, int]:
    """Where clips stand among others, by id, or by the last part of the id where that is unique in both."""
    exact, ends, own = {clip: place for place, clip in enumerate(among)}, _ends(among), _ends(clips)
    found = {}
    for place, clip in enumerate(clips):
        end = clip.rpartition("/")[2]
        if clip in exact:
            found[clip] = exact[clip]
        elif end in ends and own.get(end) == place:
            found[clip] = ends[end]
    return found


def _ends(clips: Sequence[str]) -> dict[str, int]:
    """Places of clips by the last parts of their ids, where those are unique."""
    names = [clip.rpartition("/")[2] for clip in clips]
    times = Counter(names)
    return {name: place for place, name in enumerate(names) if times[name] == 1}


def _add(table: Table, cell: Cell, places: Mapping[str, int]) -> None:
    """Read the rows of one cell."""
    metrics = {metric.name: metric for metric in table.suite.metrics}
    folder = table.folder / "cells" / cell.name
    found = read_values(folder, cell.key, cell.protocols)
    stale = found.stale
    by_metric: dict[str, list[dict[str, Any]]] = {}
    sounds = {}
    for row in found.rows:
        if row["clip"] not in table.suite.clips or row["metric"] not in metrics:
            stale += 1
        elif row["clip"] in places:
            by_metric.setdefault(row["metric"], []).append(row)
            if row.get("sound"):
                sounds[places[row["clip"]]] = row["sound"]
    table.sounds[cell.name] = sounds
    for metric, some in by_metric.items():
        try:
            table.values[cell.name, metric] = _values(some, metrics[metric], places, len(table.clips))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder}: a row of {metric} lacks fields ({error})") from error
    if stale:
        table.stale[cell.name] = stale
    if found.aside:
        table.aside[cell.name] = found.aside
    if damaged := _damaged(table, cell, found):
        table.damaged[cell.name] = damaged


def _damaged(table: Table, cell: Cell, found: Counted) -> int:
    """How many rows of a finished cell are not what they were: a damaged line may have been many."""
    had = cell.rows or (len(table.suite.clips) * len(cell.protocols) if found.damaged else 0)
    lost = had - found.lines if cell.status == "done" else 0
    return max(found.damaged, lost)


def _values(rows: list[dict[str, Any]], metric: Metric, place: Mapping[str, int], clips: int) -> Values:
    value, top, bottom = np.full(clips, np.nan), np.zeros(clips), np.zeros(clips)
    where = np.array([place[row["clip"]] for row in rows])
    value[where], top[where], bottom[where] = _numbers(rows, metric.reduce)
    givers = {place[row["clip"]]: row["sound"] for row in rows if row.get("sound")}
    sound = np.array([givers.get(clip, "") for clip in range(clips)], dtype=str)
    reasons = {place[row["clip"]]: row["reason"] for row in rows if row.get("reason")}
    countable = sum(row["total"] > 0 for row in rows)
    scored, total = sum(row["scored"] for row in rows), sum(row["total"] for row in rows)
    protocol = _protocol(row["protocol"] for row in rows)
    return Values(value, top, bottom, sound, countable, scored, total, reasons, protocol)


def _numbers(rows: list[dict[str, Any]], reduce: Reduce) -> NDArray[np.float64]:
    """Value, numerator and denominator of rows, ``(3, rows)``; whatever is not a number counts as not scored."""
    value = np.array([_number(row["value"]) for row in rows])
    if reduce == "ratio":
        pairs = [row["stats"][:2] if len(row["stats"]) >= 2 else (math.nan, math.nan) for row in rows]
        top, bottom = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    else:
        top, bottom = value, np.ones_like(value)
    seen = np.all(np.abs([value, top, bottom]) < LARGEST, axis=0)  # no comparison holds for what is no number
    return np.stack([np.where(seen, value, np.nan), np.where(seen, top, 0.0), np.where(seen, bottom, 0.0)])


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _protocol(protocols: Iterable[str]) -> str:
    """The signature of rows; all of them where they differ, so that they never pass for rows of one protocol."""
    return " and ".join(sorted(Counter(protocols)))
