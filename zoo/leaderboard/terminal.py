"""The leaderboard on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from zoo.leaderboard.compare import Comparison
from zoo.leaderboard.records import Board, Column, Entry, Leaderboard
from zoo.leaderboard.text import (
    ARROWS,
    FACTS,
    LEGEND,
    NEAR,
    REPORTED_NOTE,
    WORDS,
    by_source,
    decimals,
    digits_for,
    facts,
    heading,
    number,
    parts,
    reported_cells,
    subtitle,
    title,
)
from zoo.support.printable import printable, printable_record

LONG = ("training", "device")
"""What stands in lines of its own."""

WIDTH = 140
"""Columns where the output is not a terminal."""


def show(board: Leaderboard) -> None:
    """Print all of it; columns that do not fit side by side stand in tables beneath each other."""
    board = printable_record(board)
    console = _console()
    console.print(board.title, style="bold")
    console.print(subtitle(board))
    for track in board.tracks:
        by = f"; best {track.sort} first" if track.sort else ""
        console.print(f"\n{title(track.track, board)}{by}", style="bold")
        for columns in _blocks(track, console.width):
            console.print(_scores(track, columns))
        console.print(_about(track))
        for entry in track.methods:
            about = facts(entry)
            where = f"generated on {about['device']}" if about["device"] else ""
            console.print(f"{entry.name}: {'; '.join(filter(None, (about['training'], where))) or 'nothing is known'}")
    console.print(f"Beneath a value: 95 % interval ({board.intervals}); ± standard deviation over training seeds.")
    console.print(f"{LEGEND} {NEAR} References (italic) are not ranked.")
    for track in board.tracks:
        console.print(f"\nProtocols, {track.track}:")
        for column in track.columns:
            console.print(f"  {column.protocol}")
        for entry in [*track.methods, *track.references]:
            for score in entry.scores.values():
                if score.protocol:
                    console.print(f"  † {entry.name}: {score.protocol}")
    for note in board.notes:
        console.print(f"! {note}", style="yellow")
    _reported(console, board)


def _console() -> Console:
    """Where all of it is printed, with nothing in the texts that means more than itself."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def _blocks(track: Board, width: int) -> list[list[Column]]:
    """Columns in groups that fit the width."""
    entries = [*track.methods, *track.references]
    # Columns stand two spaces apart, and the table has one at either side.
    room = width - 4 - max((len(entry.name) for entry in entries), default=0)
    blocks: list[list[Column]] = [[]]
    used = 0
    for column in track.columns:
        digits = decimals(track, column.metric)
        texts = [text for entry in entries for text in parts(entry, column, digits)]
        need = max(map(len, [*texts, heading(column)])) + 2
        if blocks[-1] and used + need > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += need
    return blocks


def _new(columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if column in WORDS else "right", overflow="fold", no_wrap=not index)
    return table


def _scores(track: Board, columns: Sequence[Column]) -> Table:
    table = _new(["", *map(heading, columns)])
    digits = {column.metric: decimals(track, column.metric) for column in columns}
    for entry in track.methods:
        table.add_row(*_line(entry, columns, digits))
    if track.methods and track.references:
        table.add_section()
    for entry in track.references:
        table.add_row(*_line(entry, columns, digits), style="italic")
    return table


def _line(entry: Entry, columns: Sequence[Column], digits: dict[str, int]) -> list[Text]:
    name = Text(entry.name, style="bold" if entry.kind == "method" else "")
    if entry.status != "done":
        name.append(f"\n{entry.status}", style="yellow")
    cells = []
    for column in columns:
        score = entry.scores.get(column.metric)
        first, *rest = parts(entry, column, digits[column.metric])
        text = Text(first, style="bold green" if score and score.state == "best" else "")
        for item in rest:
            text.append(f"\n{item}", style="not bold dim")
        cells.append(text)
    return [name, *cells]


def _about(track: Board) -> Table:
    names: tuple[str, ...] = (*FACTS[:-1], "clips", "coverage")
    rows = [(entry, facts(entry)) for entry in [*track.methods, *track.references]]
    names = tuple(name for name in names if name not in LONG and any(about[name] for _, about in rows))
    table = _new(["", *names])
    for entry, about in rows:
        table.add_row(Text(entry.name), *(Text(about[name]) for name in names))
    return table


def _reported(console: Console, board: Leaderboard) -> None:
    own = [item for item in board.reported if item.dataset == board.dataset]
    if not own:
        console.print(f"\nNo paper that we know of reports numbers on {board.dataset}; others: leaderboard.md.")
        return
    console.print(f"\nNumbers printed in papers. {REPORTED_NOTE}", style="bold")
    for name, items in by_source(own).items():
        head, lines, flags = reported_cells(items)
        table = _new(head)
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(f"\n{name}")
        console.print(table)
        for flag in flags:
            console.print(flag)


def show_comparison(one: str, other: str, found: Sequence[Comparison], how: str) -> None:
    """Print the differences of two lines, a table for each track."""
    one, other, found = printable(one), printable(other), printable_record(list(found))
    console = _console()
    console.print(f"A {one}\nB {other}", style="bold")
    for track in dict.fromkeys(item.track for item in found):
        table = _new(["", "A", "B", "A − B", "95 % interval", "p", "p, Holm", "clips", "better"])
        for item in found:
            if item.track == track:
                table.add_row(*map(Text, _difference(item, one, other)))
        console.print(f"\n{track.capitalize()}", style="bold")
        console.print(table)
    for line in _fewer_seeds(found, one, other):
        console.print(f"! {line}", style="yellow")
    console.print(f"Paired: {how}. Better: p below 0.05 after Holm's correction over the metrics of the track. {NEAR}")


def _fewer_seeds(found: Sequence[Comparison], one: str, other: str) -> list[str]:
    """Where not all seeds of a side have a value."""
    lines: dict[str, list[str]] = {}
    for item in found:
        for name, (counted, of) in ((one, item.seeds_a), (other, item.seeds_b)):
            if counted < of:
                lines.setdefault(f"{name}: {counted} of {of} seeds have a value", []).append(
                    f"{item.metric} ({item.track})"
                )
    return [f"{text}: {', '.join(metrics)}" for text, metrics in lines.items()]


def _difference(item: Comparison, one: str, other: str) -> list[str]:
    name = f"{item.metric} {ARROWS[item.better]}" + (f" ({item.unit})" if item.unit else "")
    if item.reason or item.difference is None:
        return [name, *["–"] * 6, str(item.clips), item.reason]
    digits = digits_for([item.a, item.b])
    limits = "" if item.low is None else f"{number(item.low, digits)} to {number(item.high, digits)}"
    winner = {"A": one, "B": other}.get(item.winner, "neither")
    values = [number(value, digits) for value in (item.a, item.b, item.difference)]
    return [name, *values, limits, *(_p(value) for value in (item.p, item.p_holm)), str(item.clips), winner]


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value >= 0.001 else "<0.001"
