"""What a reader of the leaderboard must know beside the numbers: failures, omissions, rows that do not count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zoo.evaluation.resampling import LEVEL

if TYPE_CHECKING:
    from zoo.leaderboard.records import Board, Entry
    from zoo.leaderboard.table import Table

LEAST_CLIPS = next(units for units in range(1, 99) if 2.0 ** (1 - units) < LEVEL)
"""With fewer clips no comparison can be significant (:func:`zoo.leaderboard.statistics.p_value`)."""


def make_notes(table: Table, tracks: Sequence[Board]) -> Iterator[str]:
    """All of them, each one line.

    Args:
        table: the results.
        tracks: the boards that were made of it.
    """
    for metric, reason in table.suite.left_out.items():
        yield f"no {metric}: {reason}"
    if not table.suite.cross_speaker and any(track.track == "cross" for track in tracks):
        one = len(set(table.speakers)) == 1
        who = "there is one test speaker: in the track cross all" if one else "in the track cross some"
        yield f"{who} faces speak another sentence of the same speaker"
    yield from table.suite.remarks
    yield from _of_drawn(table)
    yield from _of_cells(table)
    for track in tracks:
        for entry in track.methods:
            yield from _of_seeds(track, entry)
        yield from _of_sounds(table, track)
    yield from of_rows(table)
    if len(table.clips) < LEAST_CLIPS:
        yield f"{len(table.clips)} clips: too few to tell two methods apart"


def _of_drawn(table: Table) -> Iterator[str]:
    """Methods that know drawn faces only and were tested on others."""
    known = {(cell.method, str(cell.training.get("drawn_only") or "")) for cell in table.cells.values()}
    for method, corpora in sorted((method, corpora) for method, corpora in known if corpora):
        yield f"{method}: its weights know drawn faces only ({corpora}); these are not drawn"


def _of_cells(table: Table) -> Iterator[str]:
    """What failed or is not finished."""
    for cell in table.cells.values():
        name = (
            f"{cell.method} seed {cell.seed}, {cell.track}" if cell.kind == "method" else f"{cell.method}, {cell.track}"
        )
        if cell.status != "done":
            yield f"{name}: {cell.status}{': ' + cell.reason if cell.reason else ', not all rows are there yet'}"
        for failure in cell.failures:
            yield f"{name}: {' '.join(filter(None, (failure.clip, failure.metric)))}: {failure.reason}"


def _of_seeds(track: Board, entry: Entry) -> Iterator[str]:
    """Seeds that have no value of a metric that others have."""
    found: dict[tuple[int, ...], list[str]] = {}
    for metric, score in entry.scores.items():
        without = tuple(seed for seed, value in zip(entry.seeds, score.seeds, strict=True) if value is None)
        if 0 < len(without) < len(entry.seeds):
            found.setdefault(without, []).append(metric)
    for without, metrics in found.items():
        of = "" if len(metrics) == len(entry.scores) else f" of {', '.join(metrics)}"
        who = f"seed {without[0]} has" if len(without) == 1 else f"seeds {', '.join(map(str, without))} have"
        counted = len(entry.seeds) - len(without)
        yield f"{entry.name}, {track.track}: {counted} of {len(entry.seeds)} seeds count; {who} no value{of}"


def _of_sounds(table: Table, track: Board) -> Iterator[str]:
    """Clips of a track in which not all methods heard the same."""
    cells = {name for entry in track.methods for name in entry.cells}
    values = [item for (name, _), item in table.values.items() if name in cells]
    if all((item.sound == values[0].sound).all() for item in values):
        return
    heard: dict[int, set[str]] = {}
    for item in values:
        for clip in item.seen.nonzero()[0].tolist():
            heard.setdefault(clip, set()).add(str(item.sound[clip]))
    count = sum(len(sounds) > 1 for sounds in heard.values())
    if count:
        clips = "1 clip has" if count == 1 else f"{count:,} clips have"
        yield f"{track.track}: {clips} not the same sound in all methods; there they are not compared"


def of_rows(table: Table) -> Iterator[str]:
    """Rows that do not count."""
    for name, count in table.damaged.items():
        rows = "1 row damaged" if count == 1 else f"{count:,} rows damaged"
        yield f"{name}: {rows} or lost, and not counted; zoo benchmark makes them again"
    for name, count in table.stale.items():
        rows = "1 stale row" if count == 1 else f"{count:,} stale rows"
        yield f"{name}: {rows} (other code, weights, data, protocol or clip) not counted; zoo benchmark mends that"
    if table.aside:
        older, cells = sum(table.aside.values()), len(table.aside)
        what = "1 older row" if older == 1 else f"{older:,} older rows"
        where = "one cell" if cells == 1 else f"{cells} cells"
        yield f"{what} of {where}, of other code, weights, data, protocol or clips, kept in stale/ and not counted"
