"""``zoo plugin``: write a new package, list those that are installed, hold one against the contract."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.support.printable import say

HELP = "write, list or check packages that bring methods, data sets or metrics"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    new = verbs.add_parser("new", help="write a package that works at once")
    new.add_argument("name", metavar="NAME", help="what users will type, for example my-method")
    new.add_argument("--kind", choices=("method", "dataset", "metric"), default="method", help="what it brings")
    new.add_argument("--gan", action="store_true", help="a method with a generator, a discriminator and their losses")
    new.add_argument("--out", metavar="DIR", help="folder to write; it must not exist yet (default: zoo-NAME)")
    new.add_argument(
        "--licence", choices=("MIT", "Apache-2.0", "BSD-3-Clause"), default="MIT", help="its licence (default: MIT)"
    )
    new.add_argument("--author", metavar="NAME", help="who holds the copyright (default: the authors of zoo-NAME)")

    listing = verbs.add_parser("list", help="every package that brings something: version, what, api_version, status")
    listing.add_argument("--json", action="store_true", help="print JSON")

    check = verbs.add_parser("check", help="hold an installed plugin against the contract of its kind")
    name = check.add_argument("name", metavar="NAME", help="as in `zoo list`, or DIST:NAME")
    name.completer = complete.names(  # type: ignore[attr-defined]
        "methods", "experts", "datasets", "metrics", "detectors", "landmarkers", "embedders"
    )
    kinds = ("method", "expert", "dataset", "metric", "detector", "landmarker", "embedder")
    check.add_argument("--kind", choices=kinds, help="which, where several kinds have that name")
    check.add_argument("--root", type=Path, help="raw clips of a data set, where it has no example of its own")
    check.add_argument(
        "--ckpt", type=Path, metavar="CHECKPOINT", help="hold these weights of a method to the rules of generation"
    )
    check.add_argument("--quick", action="store_true", help="leave out what takes long")
    check.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run one action."""
    return {"new": _new, "list": _list, "check": _check}[args.action](args)


def _new(args: argparse.Namespace) -> int:
    from zoo.registry.scaffold.create import create

    folder = create(args.name, args.kind, args.out, args.licence, args.author, gan=args.gan)
    then = {
        "method": f"zoo fit {args.name}",
        "dataset": f"zoo data prepare {args.name} --root ROOT --out STORE",
        "metric": f"zoo score --metrics {args.name} --pred MADE --real REAL",
    }[args.kind]
    say(f"written  {folder}")
    say(f"next     pip install -e {folder}")
    say(f"         zoo plugin check {args.name}")
    say(f"         {then}")
    return 0


def _list(args: argparse.Namespace) -> int:
    from zoo.cli.output import print_json, print_table
    from zoo.registry.listing import distributions, plain

    found = distributions()
    if args.json:
        print_json(plain(found))
        return 0
    rows = [
        (
            f"{dist.name} {dist.version}".strip(),
            "\n".join(f"{kind}: {', '.join(names)}" for kind, names in dist.adds().items()),
            ", ".join(map(str, dist.api_versions)),
            "\n".join([dist.status, *dist.problems()]),
        )
        for dist in found
    ]
    print_table(("package", "adds", "api", "status"), rows)
    return 0


def _check(args: argparse.Namespace) -> int:
    from zoo import testing

    report = testing.check(args.name, kind=args.kind, quick=args.quick, root=args.root, ckpt=args.ckpt)
    if args.json:
        from zoo.cli.output import print_json

        print_json(report.as_dict())
    else:
        say(report.text())
    return 0 if report.ok else 1
