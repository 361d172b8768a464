"""Several folders of results in one table: methods of benchmarks, and videos that anybody scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.evaluation.results import VIDEOS, Cell
from zoo.leaderboard.table import Table, Values, read_table
from zoo.support.errors import DataError


def read_tables(folders: Sequence[Path]) -> Table:
    """The tables of one or more folders as one.

    The first benchmark decides the clips, and the order of the metrics; where there is none, the first folder does.
    What others have of the same clips stands beside it: of references only those that it lacks. Clips are the same
    where their ids are, or the last parts of their ids where those are unique.

    Raises:
        DataError: a folder cannot be read; two have no clip in common, or one metric of two kinds.
    """
    tables = [read_table(folder) for folder in folders]
    first = next((table for table in tables if table.suite.name != VIDEOS), tables[0])
    merged = first
    for table in tables:
        if table is not first:
            merged = _joined(merged, table)
    return merged


def _joined(base: Table, other: Table) -> Table:
    places = _places(base, other)
    if not places:
        raise DataError(f"{other.folder} and {base.folder} have no clip in common")
    known = {metric.name: metric for metric in base.suite.metrics}
    for metric in other.suite.metrics:
        if (same := known.get(metric.name, metric)).reduce != metric.reduce or same.better != metric.better:
            raise DataError(f"{other.folder}: its {metric.name} is another measure than that of {base.folder}")
    metrics = [*base.suite.metrics, *(metric for metric in other.suite.metrics if metric.name not in known)]
    cells, values, sounds = dict(base.cells), dict(base.values), dict(base.sounds)
    taken = {(cell.method, cell.track) for cell in base.cells.values()}
    for cell in other.cells.values():
        again = (cell.method, cell.track) in taken
        if again and cell.kind == "reference":
            continue
        new = _renamed(cell, other.folder) if again or cell.name in cells else cell
        cells[new.name] = new
        sounds[new.name] = {places[clip]: sound for clip, sound in other.sounds[cell.name].items() if clip in places}
        for metric in other.suite.metrics:
            if (cell.name, metric.name) in other.values:
                values[new.name, metric.name] = _placed(other.values[cell.name, metric.name], places, len(base.clips))
    left = len(other.clips) - len(places)
    note = f"{other.folder}: {left} of its {len(other.clips)} clips are not among those compared here"
    suite = replace(base.suite, metrics=metrics, remarks=[*base.suite.remarks, *([note] if left else [])])
    extra = {f"{other.folder.name}: {name}": count for name, count in other.stale.items()}
    lost = {f"{other.folder.name}: {name}": count for name, count in other.damaged.items()}
    return replace(
        base, suite=suite, cells=cells, values=values, sounds=sounds, stale=base.stale | extra,
        damaged=base.damaged | lost,
    )  # fmt: skip


def _places(base: Table, other: Table) -> dict[int, int]:
    """Place of a clip in ``base`` by its place in ``other``."""
    exact = {clip: place for place, clip in enumerate(base.clips)}
    ends, own = _ends(base.clips), _ends(other.clips)
    found = {}
    for place, clip in enumerate(other.clips):
        end = clip.rpartition("/")[2]
        if clip in exact:
            found[place] = exact[clip]
        elif end in ends and own.get(end) == place:
            found[place] = ends[end]
    return found


def _ends(clips: Sequence[str]) -> dict[str, int]:
    """Places of clips by the last parts of their ids, where those are unique."""
    names = [clip.rpartition("/")[2] for clip in clips]
    return {name: place for place, name in enumerate(names) if names.count(name) == 1}


def _renamed(cell: Cell, folder: Path) -> Cell:
    """A cell of which there is one already, named after its folder."""
    where = folder.resolve().name
    return replace(cell, name=f"{cell.name} ({where})", method=f"{cell.method} ({where})")


def _placed(values: Values, places: Mapping[int, int], count: int) -> Values:
    """Of the clips of another table, in its order; what is not known there counts as not scored."""
    here, there = list(places), list(places.values())
    value, top, bottom = np.full(count, np.nan), np.zeros(count), np.zeros(count)
    sound = np.zeros(count, dtype=values.sound.dtype)
    for target, source in ((value, values.value), (top, values.top), (bottom, values.bottom), (sound, values.sound)):
        target[there] = source[here]
    reasons = {places[place]: reason for place, reason in values.reasons.items() if place in places}
    return replace(values, value=value, top=top, bottom=bottom, sound=sound, reasons=reasons)
