"""Several folders of results in one table: methods of benchmarks, and videos that anybody scored."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zoo.evaluation.results import VIDEOS
from zoo.leaderboard.table import Table, places_of, read_table, suite_of
from zoo.support.errors import DataError


def read_tables(folders: Sequence[Path]) -> Table:
    """The tables of one or more folders as one.

    The first benchmark decides the clips, and the order of the metrics; where there is none, the first folder does.
    What others have of the same clips stands beside it: of references only those that it lacks. Clips are the same
    where their ids are, or the last parts of their ids where those are unique.

    Raises:
        DataError: a folder cannot be read; two have no clip in common, other test data, or one metric of two kinds.
    """
    suites = [suite_of(folder) for folder in folders]
    first = next((place for place, suite in enumerate(suites) if suite.name != VIDEOS), 0)
    merged = read_table(folders[first])
    for place, folder in enumerate(folders):
        if place != first:
            merged = _joined(merged, read_table(folder, beside=merged))
    return merged


def _joined(base: Table, other: Table) -> Table:
    _check(base, other)
    known = {metric.name for metric in base.suite.metrics}
    metrics = [*base.suite.metrics, *(metric for metric in other.suite.metrics if metric.name not in known)]
    cells, values, sounds = dict(base.cells), dict(base.values), dict(base.sounds)
    stale, damaged, aside = dict(base.stale), dict(base.damaged), dict(base.aside)
    taken = {(cell.method, cell.track) for cell in base.cells.values()}
    mark = _mark(base, other.folder)
    for cell in other.cells.values():
        again = (cell.method, cell.track) in taken
        if again and cell.kind == "reference":
            continue
        new = replace(cell, name=f"{cell.name}{mark}", method=f"{cell.method}{mark}") if again else cell
        if new.name in cells:
            new = replace(new, name=f"{new.name}{mark}")
        cells[new.name], sounds[new.name] = new, other.sounds[cell.name]
        values |= {(new.name, metric): found for (name, metric), found in other.values.items() if name == cell.name}
        for counts, found in ((stale, other.stale), (damaged, other.damaged), (aside, other.aside)):
            counts |= {new.name: found[cell.name]} if cell.name in found else {}
    left = len(other.suite.clips) - len(places_of(list(other.suite.clips), base.clips))
    note = f"{other.folder}: {left} of its {len(other.suite.clips)} clips are not among those compared here"
    suite = replace(base.suite, metrics=metrics, remarks=[*base.suite.remarks, *([note] if left else [])])
    return replace(
        base, suite=suite, cells=cells, values=values, sounds=sounds, stale=stale, damaged=damaged, aside=aside
    )


def _check(base: Table, other: Table) -> None:
    """Raise where two folders have nothing that can stand in one table."""
    if not places_of(list(other.suite.clips), base.clips):
        raise DataError(f"{other.folder} and {base.folder} have no clip in common")
    if base.suite.data and other.suite.data and base.suite.data != other.suite.data:
        raise DataError(f"{other.folder} and {base.folder} were made with different test data: nothing to compare")
    known = {metric.name: metric for metric in base.suite.metrics}
    for metric in other.suite.metrics:
        same = known.get(metric.name, metric)
        if (same.reduce, same.better) != (metric.reduce, metric.better):
            raise DataError(f"{other.folder}: its {metric.name} is another measure than that of {base.folder}")


def _mark(base: Table, folder: Path) -> str:
    """What is put behind names that are there already: the folder's, with a number where that is there, too."""
    name = folder.resolve().name
    marks = (f" ({name}{f' {number}' if number > 1 else ''})" for number in itertools.count(1))
    return next(mark for mark in marks if not any(cell.endswith(mark) for cell in base.cells))
