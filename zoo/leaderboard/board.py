"""The leaderboard as plain records, made from rows alone: what every way of showing it shows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.evaluation.resampling import Resampling
from zoo.evaluation.results import Cell, Kind, Metric, Track
from zoo.leaderboard.merge import read_tables
from zoo.leaderboard.notes import make_notes
from zoo.leaderboard.ranking import rank
from zoo.leaderboard.records import Board, Column, Entry, Leaderboard, Score
from zoo.leaderboard.reported import read_reported
from zoo.leaderboard.statistics import Sample, draw
from zoo.leaderboard.table import Table, Values

FPS = 25.0
"""Frames per second of the videos, for the real-time factor."""

FIRST = ("lmd", "lse_d", "sync_acc", "wer")
"""What orders the lines where nobody says: how far the lips are from the true ones or, with another clip's sound, how
well they fit it."""

REASONS = 3
"""Maximum number of reasons listed per score."""


def build(folder: Path | Sequence[Path], sort: str | None = None) -> tuple[Leaderboard, Table]:
    """Make the leaderboard of one or more results folders; the table that it was made from comes along.

    Args:
        folder: what ``zoo benchmark``, or ``zoo score``, wrote; several are set beside one another.
        sort: metric that orders the lines; where a track has no values of it the first of :data:`FIRST`, or of all.

    Raises:
        DataError: the folder cannot be read.
        UnknownNameError: the suite has no such metric.
    """
    table = read_tables([folder] if isinstance(folder, Path) else folder)
    suite = table.suite
    if sort is not None:
        _require(sort, [metric.name for metric in suite.metrics])
    resampling = Resampling(table.speakers)
    tracks = [_board(table, track, resampling, sort) for track in _tracks(table)]
    board = Leaderboard(
        suite=suite.name,
        title=suite.title or suite.name,
        dataset=suite.dataset,
        split=suite.split,
        speaker_dependent=suite.speaker_dependent,
        cross_speaker=suite.cross_speaker,
        clips=len(table.clips),
        speakers=len(set(table.speakers)),
        intervals=resampling.text,
        tracks=tracks,
        notes=list(make_notes(table, tracks)),
        reported=read_reported(),
    )
    return board, table


def _require(name: str, names: Sequence[str]) -> None:
    import difflib

    from zoo.support.errors import UnknownNameError

    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}"
        raise UnknownNameError(f"the suite has no metric '{name}'{hint}")


def _tracks(table: Table) -> list[Track]:
    """Those of the suite, and any other that cells are of."""
    found = dict.fromkeys([*table.suite.tracks, *(cell.track for cell in table.cells.values())])
    return [track for track in found if any(cell.track == track for cell in table.cells.values())]


def groups(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Cells of one track by line: the seeds of a method together. Two cells of one seed stand apart by their names."""
    found: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.method, cell.seed, cell.name)):
        found.setdefault(cell.method, []).append(cell)
    twice = [name for name, some in found.items() if len({cell.seed for cell in some}) < len(some)]
    for name in twice:
        found.update({cell.name: [cell] for cell in found.pop(name)})
    return found


def _board(table: Table, track: Track, resampling: Resampling, sort: str | None) -> Board:
    cells = groups(cell for cell in table.cells.values() if cell.track == track)
    entries = {name: make_entry(name, some) for name, some in cells.items()}
    columns = [
        _column(metric, protocol)
        for metric in table.suite.metrics
        if (protocol := _protocol(table, metric, cells)) is not None
    ]
    metrics = {metric.name: metric for metric in table.suite.metrics}
    samples = {
        (name, column.metric): Sample(metrics[column.metric], values)
        for column in columns
        for name, some in cells.items()
        if (values := [table.values[cell.name, column.metric] for cell in some
                       if (cell.name, column.metric) in table.values])
    }  # fmt: skip
    draw(list(samples.values()), resampling)
    for column in columns:
        in_column = {name: samples[name, column.metric] for name in cells if (name, column.metric) in samples}
        for name, sample in in_column.items():
            entries[name].scores[column.metric] = make_score(sample, table, cells[name], column, resampling)
        ranked = {
            name: sample
            for name, sample in in_column.items()
            if entries[name].kind == "method" and not entries[name].scores[column.metric].protocol
        }
        for name, place in rank(ranked, resampling).items():
            score = entries[name].scores[column.metric]
            score.state, score.p = place.state, place.p
    valued = [c.metric for c in columns if any(_cost(entry, c.metric) is not None for entry in entries.values())]
    by = next((name for name in (sort, *FIRST, *valued) if name in valued), None) or ""

    def order(entry: Entry) -> tuple[bool, float, str]:
        """Best first; those without a value last, then by name."""
        cost = _cost(entry, by)
        return cost is None, cost or 0.0, entry.name

    methods, references = (
        sorted((entry for entry in entries.values() if entry.kind == kind), key=order)
        for kind in ("method", "reference")
    )
    return Board(track, columns, methods, references, by)


def _cost(entry: Entry, metric: str) -> float | None:
    return entry.scores[metric].cost if metric in entry.scores else None


def _column(metric: Metric, protocol: str) -> Column:
    return Column(metric.name, metric.summary, metric.unit, metric.better, metric.reduce, protocol)


def _protocol(table: Table, metric: Metric, cells: dict[str, list[Cell]]) -> str | None:
    """The protocol of most methods (of references where there is no method); ``None`` where nobody has rows."""
    counts: dict[Kind, Counter[str]] = {"method": Counter(), "reference": Counter()}
    for some in cells.values():
        for cell in some:
            if (cell.name, metric.name) in table.values:
                counts[cell.kind][table.values[cell.name, metric.name].protocol] += 1
    count = counts["method"] or counts["reference"]
    return min(count, key=lambda protocol: (-count[protocol], protocol)) if count else None


def make_entry(name: str, cells: list[Cell]) -> Entry:
    """What cells (the seeds of one method) are, without their scores."""
    first = cells[0]
    same = [cell for cell in cells if cell.device == first.device and cell.frames and cell.seconds > 0]
    fps = sum(cell.frames for cell in same) / sum(cell.seconds for cell in same) if same else None
    states = [cell.status for cell in cells]
    status = "failed" if set(states) == {"failed"} else "done" if set(states) == {"done"} else "partial"
    reasons = dict.fromkeys(
        f"seed {cell.seed}: {cell.reason}" if len(cells) > 1 else cell.reason for cell in cells if cell.reason
    )
    return Entry(
        name=name,
        kind=first.kind,
        cells=[cell.name for cell in cells],
        seeds=[cell.seed for cell in cells],
        status=status,
        reason="; ".join(reasons),
        summary=first.summary,
        dist=first.dist,
        shown=first.shown,
        trained_on=", ".join(dict.fromkeys(cell.trained_on for cell in cells if cell.trained_on)),
        training=_training(cells),
        source=", ".join(dict.fromkeys(cell.source for cell in cells if cell.source)),
        parameters=first.parameters,
        device=first.device,
        fps=fps,
        rtf=FPS / fps if fps else None,
    )


def _training(cells: Sequence[Cell]) -> str:
    """The mean over seeds of steps and minutes, the data, and the budget."""
    facts = [cell.training for cell in cells if cell.training]
    if not facts:
        return ""
    budget = facts[0].get("budget")
    steps = [float(item["steps"]) for item in facts if item.get("steps") is not None]
    seconds = [float(item["seconds"]) for item in facts if item.get("seconds") is not None]
    took = f"{np.mean(seconds) / 60:.1f} min" if seconds else ""
    came = " in ".join(filter(None, (f"{np.mean(steps):,.0f} steps" if steps else "", took)))
    where = " ".join(str(facts[0][name]) for name in ("dataset", "split") if facts[0].get(name))
    what = " on ".join(filter(None, (came, where)))
    remarks = facts[0].get("remarks", ()) if len(facts) == 1 else ()  # of several seeds each has its own
    drawn = facts[0].get("drawn_only")
    known = f"knows drawn faces only ({drawn})" if drawn else ""
    told = (what, known, f"budget: {budget}" if budget else "", facts[0].get("taught"), *remarks)
    return "; ".join(filter(None, told))


def make_score(sample: Sample, table: Table, cells: list[Cell], column: Column, resampling: Resampling) -> Score:
    """What cells got from one metric, not yet ranked."""
    seeds = [float(value) for value in sample.values()]
    valued = [value for value in seeds if np.isfinite(value)]
    interval = sample.interval(resampling)
    protocol = " and ".join(dict.fromkeys(item.protocol for item in sample.seeds))
    by_cell = [table.values.get((cell.name, column.metric)) for cell in cells]
    present = iter(seeds)
    reasons = Counter(reason for item in by_cell if item is not None for reason in item.reasons.values())
    return Score(
        value=_or_none(sample.value()),
        low=_or_none(interval[0]) if interval else None,
        high=_or_none(interval[1]) if interval else None,
        cost=_or_none(sample.cost()),
        clips=int(sample.common.sum()),
        coverage=_coverage(by_cell, len(table.clips)),
        seeds=[_or_none(next(present)) if item is not None and item.counts else None for item in by_cell],
        spread=float(np.std(valued, ddof=1)) if len(valued) > 1 else None,
        protocol="" if protocol == column.protocol else protocol,
        reason=_reasons(reasons),
    )


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _coverage(cells: Sequence[Values | None], clips: int) -> float:
    """Share that was scored; a clip that says nothing, or has no row, counts as one of average length not scored."""
    shares = [
        item.scored / item.total * min(1.0, item.countable / clips) if item is not None and item.total else 0.0
        for item in cells
    ]
    return float(np.mean(shares))


def _reasons(counts: Counter[str]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = [f"{len(ordered) - REASONS} other reasons"] if len(ordered) > REASONS else []
    return "; ".join([f"{reason} ({count})" if count > 1 else reason for reason, count in ordered[:REASONS]] + more)


def plain(record: Any) -> Any:
    """A record as dictionaries and lists, for JSON."""
    return dataclasses.asdict(record)
