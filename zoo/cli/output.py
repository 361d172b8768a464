"""Printing: tables for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from zoo.support.printable import printable, say


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    json.dump(value, sys.stdout, indent=2, default=str)
    say()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """Print a plain table; cells wrap to the width of the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = None if title is None else printable(title)
    table = Table(title=shown, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(printable(column), overflow="fold")
    for row in rows:
        table.add_row(*(printable(cell, keep="\n") for cell in row))
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 140
    console.print(table)


def print_scores(scores: dict[str, Any]) -> None:
    """Print the scores of a test of an expert, or of a method beside the still.

    What a method adds as ``remarks`` follows, a line each.
    """
    seen = "speaker-dependent" if scores["speaker_dependent"] else "speakers never trained on"
    clips = f"{scores['clips']} clips of {scores['speakers']} speakers"
    title = f"{scores['dataset']}, split {scores['split']} ({seen}): {clips}"
    if "table" in scores:
        print_table(("score", "value", "meaning"), scores["table"], title)
        return
    if "lmd" not in scores:  # the metrics are left to a benchmark
        print_lines(title, scores)
        return
    gain, chance = scores["better_than_still"], scores["sync_at_chance"]
    notes = {
        "lmd": "" if gain is None else f" ({gain:+.0%} against the still)",
        "sync_acc": " (at chance)" * bool(chance),
    }

    def cell(name: str, of: str, form: str) -> str:
        value = scores[f"{name}{of}"]
        if value is None or value != value:
            return "not scored"
        return f"{value:{form}}{notes.get(name, '') if not of else ''}"

    rows = [
        (who, cell("lmd", of, ".2f"), cell("motion", of, ".2f"), cell("sync_acc", of, ".1%"))
        for who, of in _compared(scores)
    ]
    heading = ("", "LMD, px (lower is better)", "motion (real: 1)", "sync accuracy (higher is better)")
    print_table(heading, rows, title)
    print_lines(f"protocol    {scores['protocol']}", scores)


def _compared(scores: dict[str, Any]) -> list[tuple[str, str]]:
    """What is compared, and how its scores end: a still with its mouth closed where some clips begin with it open."""
    stills = [("generated", ""), ("still image", "_still")]
    if "lmd_closed_still" not in scores:
        return stills
    number = scores["clips_begun_open"]
    return [*stills, (f"its mouth closed ({number} begin{'s' * (number == 1)} open)", "_closed_still")]


def print_lines(first: str, scores: dict[str, Any]) -> None:
    """A line, and those that a method adds as ``remarks``."""
    say(first)
    for remark in scores.get("remarks", ()):
        say(remark)
