"""``zoo leaderboard [DIR]``: the leaderboard of a results folder, from its rows alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli import publish
from zoo.support.printable import say

if TYPE_CHECKING:
    from zoo.leaderboard.records import Leaderboard
    from zoo.leaderboard.table import Table

HELP = "show the leaderboard of one or more results folders"
DESCRIPTION = (
    "Make the leaderboard of what `zoo benchmark` and `zoo score` wrote, from the rows alone: a table, Markdown, "
    "JSON, CSV, or with --html a page to sort, filter and play the videos side by side. With --wandb it is sent to W&B."
)

FORMATS = {".md": "markdown", ".json": "json", ".csv": "csv", ".html": "html", ".txt": "table"}
"""What a file of that name holds."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "dir",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="results of zoo benchmark or zoo score, one or several (default: the newest of ./benchmark*)",
    )
    parser.add_argument("--format", choices=("table", "markdown", "json", "csv"), help="what to print (default: table)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write it there; what, tells its suffix (.md .json .csv .html .txt)"
    )
    parser.add_argument(
        "--sort", metavar="METRIC", help="order of the lines, best first (default: lmd; lse_d where there is none)"
    )
    parser.add_argument(
        "--html",
        action="store_true",
        help="write index.html, leaderboard.md, .json and .csv into DIR (with --out: the page alone)",
    )
    publish.configure(parser)


def run(args: argparse.Namespace) -> int:
    """Print it, or write it, and send it to W&B where that is asked for."""
    from zoo.leaderboard.board import build
    from zoo.leaderboard.find import newest
    from zoo.support.errors import ConfigError

    form = _format(args)
    project = publish.chosen(args)
    folders = args.dir or [newest()]
    if len(folders) > 1 and ((args.html and args.out is None) or project is not None):
        raise ConfigError("several folders: say --out FILE; --html alone and --wandb are of one")
    made = build(folders, args.sort)
    folder = made[1].folder
    show(args, folder, form, made)
    if project is not None:
        publish.send(folder, project, made=made)
    return 0


def show(args: argparse.Namespace, folder: Path, form: str, made: tuple[Leaderboard, Table]) -> None:
    """Print it, or write it."""
    if args.html and args.out is None:
        from zoo.leaderboard.write import write_leaderboard

        for path in write_leaderboard(folder, made=made):
            say(path)
        return
    if form == "table" and args.out is None:
        from zoo.leaderboard.terminal import show as show_table

        show_table(made[0])
        return
    from zoo.leaderboard.write import text

    shown = text(folder, form, out=args.out, made=made)
    if args.out is None:
        say(shown, end="")
    else:
        from zoo.support.files import write_text_aside

        write_text_aside(args.out, shown)
        say(args.out)


def _format(args: argparse.Namespace) -> str:
    from zoo.support.errors import ConfigError

    if args.html or args.format is not None:
        if args.html and args.format is not None:
            raise ConfigError("--html and --format exclude each other")
        return "html" if args.html else args.format
    if args.out is None:
        return "table"
    if args.out.suffix not in FORMATS:
        raise ConfigError(f"--out {args.out}: name it {', '.join(FORMATS)}, or say --format")
    return FORMATS[args.out.suffix]
