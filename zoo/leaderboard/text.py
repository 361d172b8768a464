"""The leaderboard as text: for the terminal, as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from zoo.evaluation.results import Track
from zoo.leaderboard.board import plain
from zoo.leaderboard.records import Board, Column, Entry, Leaderboard, Score
from zoo.leaderboard.reported import Reported
from zoo.registry.spec import Better
from zoo.support.printable import csv_cell, printable

SCHEMA = 1
"""Version of ``leaderboard.json``."""

ARROWS: dict[Better, str] = {"lower": "↓", "higher": "↑", "near 0": "→0", "near 1": "→1"}
"""Which values are better."""

MARKS = {"best": "★", "tie": "≈", "apart": "∅"}
"""Beside a value: the best, not significantly worse, cannot be compared."""

SIGNS = {
    "★": "best",
    "≈": "not significantly worse than the best (paired bootstrap on the clips that both were scored on with the same "
    "sound, Holm's correction within the column, p ≥ 0.05)",
    "∅": "shares no such clip with the best",
    "†": "another protocol than the column's, not ranked",
}
"""What the signs beside values mean."""

LEGEND = "; ".join(f"{sign} {meaning}" for sign, meaning in SIGNS.items()) + "."

NEAR = "→0 and →1 are ordered by the mean distance of the clips' values from that number, of rates by that of the rate."

RTF = "Real-time factor: time taken over time shown, at 25 frames per second; below 1 is faster than real time."

LARGE = 1e15
"""From here on numbers are written with an exponent: their last digits say nothing."""

FACTS = ("shown", "parameters", "frames/s", "real-time factor", "device", "training", "trained on", "weights", "seeds",
         "status")  # fmt: skip

WORDS = {"", "shown", "device", "training", "trained on", "weights", "status", "dataset", "method"}
"""Columns of words stand to the left, those of numbers to the right."""

CSV = (
    *("track", "kind", "method", "metric", "better", "unit", "value", "low", "high", "clips", "coverage", "seeds"),
    *("seeds_scored", "spread", "state", "p", "ranked", "protocol", "shown", "parameters", "fps", "rtf", "device"),
    *("training", "trained_on", "source", "status", "reason"),
)
"""Columns of ``leaderboard.csv``."""


def number(value: float | None, decimals: int) -> str:
    """A value with the decimals of its column (-1: scientific), rounded as the page does; a dash for none."""
    if value is None:
        return "–"
    if decimals < 0 or abs(value) >= LARGE:
        mantissa, exponent = f"{abs(value):.2e}".split("e")
        text, zero = f"{mantissa}e{int(exponent)}", value == 0
    else:
        rounded = abs(Decimal(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        text, zero = f"{rounded:,f}", rounded == 0
    return f"−{text}" if value < 0 and not zero else text


def significant(value: float, digits: int) -> str:
    """A positive value with so many digits that count, for example ``1,410`` or ``0.018``."""
    size = math.floor(math.log10(float(f"{value:.{digits - 1}e}"))) if value > 0 else 0
    return f"{round(value, digits - 1 - size):,.{max(0, digits - 1 - size)}f}"


def decimals(board: Board, metric: str) -> int:
    """Decimals for a column: those of the methods' values (:func:`digits_for`)."""
    scores = [entry.scores.get(metric) for entry in board.methods] or [e.scores.get(metric) for e in board.references]
    return digits_for([score.value if score else None for score in scores])


def digits_for(values: Sequence[float | None]) -> int:
    """Decimals that give the largest of some values three digits; -1 where that takes scientific notation."""
    largest = max((abs(value) for value in values if value is not None), default=1.0)
    size = math.floor(math.log10(largest)) if largest > 0 else 0
    return -1 if size < -3 else min(4, max(0, 2 - size))


def heading(column: Column) -> str:
    """A metric with its direction and unit."""
    return f"{column.metric} {ARROWS[column.better]}" + (f" ({column.unit})" if column.unit else "")


def mark(score: Score) -> str:
    """What stands beside a value."""
    return "†" if score.protocol else MARKS.get(score.state, "")


def interval(score: Score, digits: int) -> str:
    """The 95 % interval, for example ``1.21–1.40``; empty where there is none."""
    if score.low is None or score.high is None:
        return ""
    between = " to " if score.low < 0 or digits < 0 else "–"
    return f"{number(score.low, digits)}{between}{number(score.high, digits)}"


def spread(score: Score, digits: int) -> str:
    """The spread over seeds; empty with one seed."""
    return "" if score.spread is None else f"±{number(score.spread, digits)}"


def seeds(score: Score) -> str:
    """How many seeds the value is of, for example ``2 of 3 seeds``; empty where it is of all, or there is none."""
    counted = score.counted
    return f"{counted} of {len(score.seeds)} seeds" if 0 < counted < len(score.seeds) else ""


def percent(share: float) -> str:
    """A share for reading; whatever is not all of it never reads as 100 %."""
    return "100 %" if share >= 1 else f"{math.floor(share * 1000 + 1e-9) / 10:.1f} %"


def distance(score: Score, column: Column, digits: int) -> str:
    """How far the clips are from the number that they should be near, where the order goes by that."""
    by_clip = column.better.startswith("near") and column.reduce == "mean"
    return f"{number(score.cost, digits)} off" if by_clip and score.cost is not None else ""


def parts(entry: Entry, column: Column, digits: int) -> list[str]:
    """What there is to say of a score: value with mark; distance; interval; spread over seeds; seeds that count; what
    was left out.

    Where all metrics left out the same, the column "coverage" says so, and here nothing does.
    """
    score = entry.scores.get(column.metric)
    if score is None or score.value is None:
        return ["–"]
    alike = len({other.coverage for other in entry.scores.values()}) == 1
    left = "" if alike else f"{percent(score.coverage)} scored" if score.coverage < 1 else ""
    value = number(score.value, digits) + mark(score)
    rest = distance(score, column, digits), interval(score, digits), spread(score, digits), seeds(score), left
    return [value, *filter(None, rest)]


def facts(entry: Entry) -> dict[str, str]:
    """What a reader must know of a line beside its scores."""
    scores = entry.scores.values()
    clips = sorted({score.clips for score in scores})
    return {
        "shown": entry.shown,
        "parameters": size(entry.parameters),
        "frames/s": "" if entry.fps is None else significant(entry.fps, 3),
        "real-time factor": "" if entry.rtf is None else significant(entry.rtf, 2),
        "device": entry.device,
        "training": entry.training,
        "trained on": entry.trained_on,
        "weights": entry.source,
        "seeds": _seeds(entry) if entry.kind == "method" else "",
        "clips": "–".join(map(str, dict.fromkeys((clips[0], clips[-1])))) if clips else "0",
        "coverage": percent(min((score.coverage for score in scores), default=0.0)),
        "status": entry.status + (f": {entry.reason}" if entry.reason else ""),
    }


def _seeds(entry: Entry) -> str:
    """How many there are; where a metric has a value of fewer, the least of those."""
    least = min((score.counted for score in entry.scores.values() if score.counted), default=len(entry.seeds))
    return f"{least} of {len(entry.seeds)}" if least < len(entry.seeds) else str(least)


def size(parameters: int) -> str:
    """A number of parameters, for example ``2.41 M``; empty for none."""
    if not parameters:
        return ""
    power = 2 if parameters >= 999_500 else 1 if parameters >= 1000 else 0
    return significant(parameters / 1000**power, 3) + ("", " k", " M")[power] if power else str(parameters)


def count(number: int, noun: str) -> str:
    """A number of things, for example ``1 clip``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def subtitle(board: Leaderboard) -> str:
    """What was tested, in one line."""
    seen = "speaker-dependent: trained on the test speakers" if board.speaker_dependent else "speakers never trained on"
    clips = f"{count(board.clips, 'clip')} of {count(board.speakers, 'speaker')}"
    return f"{board.dataset}, split {board.split} ({seen}): {clips}"


def csv_text(board: Leaderboard) -> str:
    """One line for every track, method or reference, and metric."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for track in board.tracks:
        columns = {column.metric: column for column in track.columns}
        for entry in [*track.methods, *track.references]:
            about = {**vars(entry), "method": entry.name, "track": track.track, "seeds": len(entry.seeds)}
            for name in columns if entry.scores else [""]:
                score = entry.scores.get(name)
                scored = {k: v for k, v in vars(score).items() if k != "seeds"} if score else {}
                column = columns.get(name)
                line = {**about, **(vars(column) if column else {}), **scored}
                line["protocol"] = (score.protocol if score else "") or (column.protocol if column else "")
                line["seeds_scored"] = score.counted if score else 0
                line["ranked"] = bool(score and score.state)
                line["reason"] = "; ".join(filter(None, (entry.reason, score.reason if score else "")))
                writer.writerow({key: "" if value is None else csv_cell(value) for key, value in line.items()})
    return out.getvalue()


def json_text(board: Leaderboard) -> str:
    """Everything, as JSON; what a terminal would obey is escaped, which means the same."""
    text = json.dumps({"schema": SCHEMA, **plain(board)}, indent=1, ensure_ascii=False, allow_nan=False)
    unsafe = {letter for letter in set(text) if letter != "\n" and printable(letter) != letter}
    return text.translate({ord(letter): json.dumps(letter)[1:-1] for letter in unsafe}) + "\n"


def markdown(board: Leaderboard) -> str:
    """Tables with footnotes, for a README or a pull request."""
    lines = [f"# {_md(board.title)}", "", _md(subtitle(board)) + ".", ""]
    for number_of, track in enumerate(board.tracks):
        lines += [f"## {title(track.track, board)}", "", *_ordered(track), *_quality(track, number_of), ""]
        lines += [f"### What they are ({track.track})", "", *_about(track), ""]
    lines += [
        "Each number is the mean over seeds of the value over clips; beneath it the 95 % interval "
        f"({_md(board.intervals)}), and after ± the standard deviation over training seeds. {LEGEND} {NEAR} "
        f"References are not ranked. {RTF}",
        "",
    ]
    if board.notes:
        lines += ["## Notes", "", *(f"- {_md(note)}" for note in board.notes), ""]
    lines += ["## Numbers printed in papers", "", REPORTED_NOTE, "", *_reported(board.reported)]
    for number_of, track in enumerate(board.tracks):
        lines += [f"[^{_note(number_of, c.metric)}]: {_md(c.summary)}. `{_code(c.protocol)}`" for c in track.columns]
        others = other_protocols(track)
        lines += [f"[^{_note(number_of, 'other' + str(i))}]: † `{_code(text)}`" for i, text in enumerate(others)]
    return "\n".join(lines) + "\n"


def title(track: Track, board: Leaderboard) -> str:
    """Heading of a track."""
    if track == "reconstruction":
        return "Reconstruction: each face with its own sound"
    if board.cross_speaker:
        return "Cross-speaker: each face with the sound of another speaker's clip"
    whose = "of the same speaker" if board.speakers == 1 else "of the same speaker or another"
    return f"Cross-clip: each face with the sound of another clip {whose}"


def _ordered(track: Board) -> list[str]:
    return [f"Best {_md(track.sort)} first.", ""] if track.sort else []


REPORTED_NOTE = (
    "As printed, on other clips, with other crops and programs: they stand apart and are not ranked with ours."
)


def other_protocols(track: Board) -> list[str]:
    """Protocols other than their column's, each once."""
    entries = [*track.methods, *track.references]
    return list(dict.fromkeys(s.protocol for entry in entries for s in entry.scores.values() if s.protocol))


def _quality(track: Board, number_of: int) -> list[str]:
    heads = [f"{_md(heading(column))}[^{_note(number_of, column.metric)}]" for column in track.columns]
    lines = _head(["", *heads, "clips", "coverage"])
    digits = {column.metric: decimals(track, column.metric) for column in track.columns}
    others = other_protocols(track)
    for entry in [*track.methods, *track.references]:
        cells = [_cell(entry, column, digits[column.metric], number_of, others) for column in track.columns]
        name = f"**{_md(entry.name)}**" if entry.kind == "method" else f"*{_md(entry.name)}* (reference)"
        failed = "" if entry.status == "done" else f"<br>{entry.status}"
        about = facts(entry)
        lines.append(_row([name + failed, *cells, about["clips"], about["coverage"]]))
    return lines


def _cell(entry: Entry, column: Column, digits: int, number_of: int, others: Sequence[str]) -> str:
    score = entry.scores.get(column.metric)
    first, *rest = parts(entry, column, digits)
    if score is not None and score.state == "best":
        first = f"**{first}**"
    if score is not None and score.protocol:
        first += f"[^{_note(number_of, 'other' + str(others.index(score.protocol)))}]"
    return "<br>".join([first, *(f"<sub>{item}</sub>" for item in rest)])


def _about(track: Board) -> list[str]:
    lines = _head(["", *FACTS])
    for entry in track.methods:
        about = facts(entry)
        lines.append(_row([_md(entry.name), *(_md(about[name]) for name in FACTS)]))
    return lines


def by_source(reported: Sequence[Reported]) -> dict[str, list[Reported]]:
    """Lines of the same table of a paper together."""
    found: dict[str, list[Reported]] = {}
    for item in reported:
        found.setdefault(source(item), []).append(item)
    return found


def reported_cells(items: Sequence[Reported]) -> tuple[list[str], list[list[str]], list[str]]:
    """One table of a paper: its heading, its lines, and why the values marked ‡ must not be compared."""
    names = list(dict.fromkeys(name for item in items for name in item.values))
    lines = [
        [item.method, item.dataset, *(item.values.get(name, "") + "‡" * (name in item.flags) for name in names)]
        for item in items
    ]
    flags = dict.fromkeys(f"‡ {name}: {why}." for item in items for name, why in item.flags.items())
    return ["method", "dataset", *names], lines, list(flags)


def _reported(reported: Sequence[Reported]) -> list[str]:
    text = []
    for name, items in by_source(reported).items():
        head, lines, flags = reported_cells(items)
        text += [f"**{_md(name)}**", "", *_head(head), *(_row(list(map(_md, line))) for line in lines), ""]
        text += [line for flag in flags for line in (_md(flag), "")]
    return text


def source(item: Reported) -> str:
    """Where a reported number stands."""
    return ", ".join(filter(None, (item.paper, item.authors, item.venue, item.table)))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|" + "|".join("---" if name in WORDS else "---:" for name in cells) + "|"]


def _note(track: int, name: str) -> str:
    """Label of a footnote."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', name)}-{track + 1}"


def _md(text: Any) -> str:
    """Text that Markdown and HTML leave alone: no markup, no link, not even one that GitHub makes of an address."""
    plain_text = printable(" ".join(str(text).split())).replace("&", "&amp;").replace("<", "&lt;")
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]|~$" else letter for letter in plain_text)
    no_block = re.sub(r"^(\d*)([#>+=.)-])(?=\s|$|[#>+=-])", r"\1\\\2", escaped)  # a heading, a list, a quotation
    return re.sub(r"://|(?<=www)\.", lambda found: _entities(found[0]), no_block, flags=re.IGNORECASE)


def _entities(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)


def _code(text: str) -> str:
    """Text for a code span."""
    return printable(" ".join(text.split())).replace("`", "'") or "-"
