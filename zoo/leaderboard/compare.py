"""Two lines of leaderboards against each other, paired by clip, metric by metric."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.evaluation.resampling import LEVEL, Resampling
from zoo.evaluation.results import Metric, Track
from zoo.leaderboard.board import groups
from zoo.leaderboard.notes import of_rows
from zoo.leaderboard.statistics import Sample, difference, holm, shared
from zoo.leaderboard.table import Table, read_table
from zoo.registry.spec import Better
from zoo.support.errors import DataError, UnknownNameError
from zoo.support.printable import say


@dataclass
class Comparison:
    """One metric in one track.

    Attributes:
        track: which.
        metric: which.
        better: which values are better.
        unit: of the values.
        a: value of the first on the clips that both were scored on, mean over seeds.
        b: value of the second.
        difference: first less second.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided bootstrap p-value, as it is.
        p_holm: the same, corrected over the metrics of the track.
        winner: ``A``, ``B`` or empty where the corrected p is not below 0.05.
        clips: how many they share.
        reason: why they could not be compared.
        seeds_a: of the first, how many seeds have a value, and how many there are.
        seeds_b: of the second.
    """

    track: str
    metric: str
    better: Better
    unit: str
    a: float | None = None
    b: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    winner: str = ""
    clips: int = 0
    reason: str = ""
    seeds_a: tuple[int, int] = (1, 1)
    seeds_b: tuple[int, int] = (1, 1)


def compare(one: str, other: str, folder: Path | None) -> tuple[list[Comparison], str]:
    """Compare two methods, references or cells.

    Args:
        one: name of a method, reference or cell; ``FOLDER/NAME`` where it does not lie in ``folder``.
        other: as ``one``.
        folder: results in which plain names are looked up; needed for those alone.

    Returns:
        The comparisons of every track and metric that both have, and how the intervals were made.

    Raises:
        DataError: a folder cannot be read, the two were tested on different data, or have nothing in common.
        UnknownNameError: there is no such line.
    """
    tables: dict[Path, Table] = {}
    (table_a, name_a), (table_b, name_b) = (_place(name, folder, tables) for name in (one, other))
    if table_a.suite.data != table_b.suite.data:
        raise DataError(f"{table_a.folder} and {table_b.folder} were made with different test data: nothing to pair")
    lines_a, lines_b = _lines(table_a, name_a), _lines(table_b, name_b)
    for table in tables.values():
        for line in of_rows(table):
            say(f"zoo compare: {table.folder}: {line}", file=sys.stderr)
    clips = [clip for clip in table_a.clips if clip in set(table_b.clips)]
    places = [np.array([table.clips.index(clip) for clip in clips], dtype=int) for table in (table_a, table_b)]
    resampling = Resampling([table_a.speakers[place] for place in places[0]])
    found = []
    for track in [track for track in lines_a if track in lines_b]:
        metrics = [metric for metric in table_a.suite.metrics if metric in table_b.suite.metrics]
        pairs = [
            _compare(track, metric, [_sample(table, lines[track], metric, place) for table, lines, place in
                                     zip((table_a, table_b), (lines_a, lines_b), places, strict=True)], resampling)
            for metric in metrics
        ]  # fmt: skip
        for pair in filter(None, pairs):
            pair.seeds_a, pair.seeds_b = (
                (sum(table.has_value(cell, pair.metric) for cell in lines[track]), len(lines[track]))
                for table, lines in ((table_a, lines_a), (table_b, lines_b))
            )
        _decide([pair for pair in pairs if pair is not None])
        found += [pair for pair in pairs if pair is not None]
    if not found:
        raise DataError(f"{one} and {other} have no track and metric in common")
    return found, resampling.text


def _place(name: str, folder: Path | None, tables: dict[Path, Table]) -> tuple[Table, str]:
    where, slash, last = name.rpartition("/")
    path = Path(where) if slash else folder
    assert path is not None
    if path not in tables:
        tables[path] = read_table(path)
    return tables[path], last


def _lines(table: Table, name: str) -> dict[Track, list[str]]:
    """Names of the cells of a line, by track."""
    if name in table.cells:
        return {table.cells[name].track: [name]}
    found: dict[Track, list[str]] = {}
    known: set[str] = set()
    for track in table.suite.tracks:
        lines = groups(cell for cell in table.cells.values() if cell.track == track)
        known |= lines.keys()
        if name in lines:
            found[track] = [cell.name for cell in lines[name]]
    if not found:
        raise UnknownNameError(f"{table.folder} has no '{name}'; there are {', '.join(sorted(known)) or 'no cells'}")
    return found


def _sample(table: Table, cells: list[str], metric: Metric, clips: np.ndarray) -> Sample | None:
    values = [table.values[cell, metric.name] for cell in cells if (cell, metric.name) in table.values]
    return Sample(metric, [item.at(clips) for item in values]) if values else None


def _compare(track: Track, metric: Metric, samples: list[Sample | None], resampling: Resampling) -> Comparison | None:
    """``None`` where one of them has no rows."""
    one, other = samples
    if one is None or other is None:
        return None
    made = Comparison(track, metric.name, metric.better, metric.unit)
    protocols = {item.protocol for sample in (one, other) for item in sample.seeds}
    if len(protocols) > 1:
        made.reason = f"different protocols: {', '.join(sorted(protocols))}"
        return made
    mask = shared(one, other)
    made.clips = int(mask.sum())
    found = difference(one, other, resampling)
    if found is None:
        both = (one.common & other.common).any()
        made.reason = "every clip with another sound" if both else "no clip on which both were scored"
        return made
    made.a, made.b, made.difference = one.value(mask), other.value(mask), found.value
    made.low, made.high, made.p = found.low, found.high, found.p
    made.winner = "A" if found.cost < 0 else "B" if found.cost > 0 else ""
    return made


def _decide(pairs: list[Comparison]) -> None:
    """Correct the p-values of a track, and leave a winner only where it is significant."""
    tested = [pair for pair in pairs if pair.p is not None]
    for pair, p in zip(tested, holm([pair.p for pair in tested if pair.p is not None]), strict=True):
        pair.p_holm = p
    for pair in pairs:
        if pair.p_holm is None or pair.p_holm >= LEVEL:
            pair.winner = ""
