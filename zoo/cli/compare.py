"""``zoo compare A B``: two methods on the same clips, metric by metric."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "compare two methods of a results folder, paired by clip"
DESCRIPTION = (
    "The difference A less B of every metric on the clips that both were scored on, with its 95 % interval and "
    "p-value. A and B are methods, references or cells of DIR; FOLDER/NAME where one lies in another folder."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("a", metavar="A", help="NAME or FOLDER/NAME")
    parser.add_argument("b", metavar="B", help="NAME or FOLDER/NAME")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="results (default: the newest of ./benchmark*)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the comparison."""
    import dataclasses

    from zoo.leaderboard.compare import compare
    from zoo.leaderboard.find import newest

    named = all("/" in name for name in (args.a, args.b))
    folder = args.dir or (None if named else newest())
    found, how = compare(args.a, args.b, folder)
    if args.json:
        from zoo.cli.output import print_json

        rows = [dataclasses.asdict(item) for item in found]
        print_json({"a": args.a, "b": args.b, "intervals": how, "comparisons": rows})
        return 0
    from zoo.leaderboard.terminal import show_comparison

    show_comparison(args.a, args.b, found, how)
    return 0
