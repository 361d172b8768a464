"""``zoo weights import NAME FILE``: take over weights that others published."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.support.printable import say

HELP = "take over weights that others published: import"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    text = (
        "Read files of torch.save without running anything in them, check names and shapes, and write one safetensors "
        "file for `zoo predict --ckpt`, `init=`, `sync=` and `reader=`."
    )
    action = actions.add_parser("import", help="files of other authors become a file of ours", description=text)
    action.add_argument("name", help="a method or an expert, as in `zoo list`").completer = complete.names(  # type: ignore[attr-defined]
        "methods", "experts"
    )
    action.add_argument("paths", type=Path, nargs="+", metavar="FILE", help="what its authors published")
    action.add_argument(
        "--out", type=Path, metavar="FILE", help="the file to write (default: the first one's name, .safetensors)"
    )


def run(args: argparse.Namespace) -> int:
    """Import and say what came of it."""
    from zoo.methods.weights import import_weights

    taken = import_weights(args.name, args.paths, args.out)
    say(f"{taken.path}  (weights of {taken.name})")
    for part in taken.fresh:
        say(f"  {part}: not in the file, left untrained")
    return 0
