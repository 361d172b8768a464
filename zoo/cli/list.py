"""``zoo list``: what is installed."""

from __future__ import annotations

import argparse
import sys

HELP = "list methods, data sets and metrics"
GROUPS = ("methods", "datasets", "metrics")


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
                record.spec.summary if record.spec and not record.error else f"broken: {record.error}",
                f"{record.entry.dist} {record.entry.version}".strip(),
            )
            for record in records
        ]
        print_table((group, "summary", "from"), rows)
    if any(record.error for records in found.values() for record in records):
        print("some plugins cannot be used; `zoo doctor` tells why", file=sys.stderr)
    return 0


def _plain(record: object) -> dict[str, object]:
    from dataclasses import asdict

    from zoo.registry import Record

    assert isinstance(record, Record)
    return {
        **asdict(record.entry),
        "ok": record.ok and not record.error,
        "error": record.error or None,
        **_spec(record),
    }


def _spec(record: object) -> dict[str, object]:
    from zoo.registry import Record

    assert isinstance(record, Record)
    return {"summary": record.spec.summary, "api_version": record.spec.api_version} if record.spec else {}
