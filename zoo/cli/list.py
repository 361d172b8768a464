"""``zoo list``: what is installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zoo.support.printable import say

if TYPE_CHECKING:
    from zoo.registry import Record

HELP = "list methods, experts, data sets, metrics and suites of `zoo benchmark`"
GROUPS = ("methods", "experts", "datasets", "metrics", "suites")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("what", nargs="?", choices=GROUPS, help="only these")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print one line per plugin; broken ones are named, with the way to the reason."""
    from zoo import registry
    from zoo.cli.output import print_json, print_table

    groups = [args.what] if args.what else list(GROUPS)
    found = {group: [_read(record) for record in registry.records(f"zoo.{group}")] for group in groups}
    if args.json:
        print_json({group: [_plain(*item) for item in items] for group, items in found.items()})
        return 0
    for group, items in found.items():
        rows = [
            (
                record.entry.name,
                summary if record.ok else f"broken: {record.error}",
                f"{record.entry.dist} {record.entry.version}".strip(),
            )
            for record, summary in items
        ]
        print_table((group, "summary", "from"), rows)
    warn(record for items in found.values() for record, _ in items)
    return 0


def _read(record: Record) -> tuple[Record, str]:
    """A plugin and what it is in one line: a suite's title stands in its file, which may turn out to be broken."""
    if record.spec or not record.ok:
        return record, record.spec.summary if record.spec else ""
    from dataclasses import replace

    from zoo.benchmark.suite import title
    from zoo.support.errors import ConfigError

    try:
        return record, title(record.entry)
    except ConfigError as error:
        return replace(record, error=str(error), status="broken"), ""


def warn(records: Iterable[Record]) -> None:
    """Say on standard error that some plugins are broken, where they are."""
    if not all(record.ok for record in records):
        say("some plugins cannot be used; `zoo doctor` tells why", file=sys.stderr)


def _plain(record: Record, summary: str) -> dict[str, object]:
    from dataclasses import asdict

    light = {"summary": summary} if record.spec or record.ok else {}
    version = {"api_version": record.spec.api_version} if record.spec else {}
    return {**asdict(record.entry), "ok": record.ok, "error": record.error or None, **light, **version}
