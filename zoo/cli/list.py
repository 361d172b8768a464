"""``zoo list``: what is installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.registry import Record

HELP = "list methods, experts, data sets and metrics"
GROUPS = ("methods", "experts", "datasets", "metrics")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("what", nargs="?", choices=GROUPS, help="only these")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print one line per plugin; broken ones are named, with the way to the reason."""
    from zoo import registry
    from zoo.cli.output import print_json, print_table

    groups = [args.what] if args.what else list(GROUPS)
    found = {group: registry.records(f"zoo.{group}") for group in groups}
    if args.json:
        print_json({group: [_plain(record) for record in records] for group, records in found.items()})
        return 0
    for group, records in found.items():
        rows = [
            (
                record.entry.name,
                record.spec.summary if record.spec and record.ok else f"broken: {record.error}",
                f"{record.entry.dist} {record.entry.version}".strip(),
            )
            for record in records
        ]
        print_table((group, "summary", "from"), rows)
    warn(record for records in found.values() for record in records)
    return 0


def warn(records: Iterable[Record]) -> None:
    """Say on standard error that some plugins are broken, where they are."""
    if not all(record.ok for record in records):
        print("some plugins cannot be used; `zoo doctor` tells why", file=sys.stderr)


def _plain(record: Record) -> dict[str, object]:
    from dataclasses import asdict

    spec = record.spec
    light = {"summary": spec.summary, "api_version": spec.api_version} if spec else {}
    return {**asdict(record.entry), "ok": record.ok, "error": record.error or None, **light}
