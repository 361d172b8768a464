"""``zoo version``."""

from __future__ import annotations

import argparse

from zoo.support.printable import say

HELP = "show the version of the zoo and of what it rests on"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print versions without importing the packages."""
    import platform

    from zoo import __version__
    from zoo.cli.output import print_json
    from zoo.training import runs

    found = {"talking-face-zoo": __version__, "python": platform.python_version(), **runs.versions(runs.REPORTED)}
    if args.json:
        print_json(found)
    else:
        for name, version in found.items():
            say(f"{name:20}{version}")
    return 0
