"""``zoo doctor``: what is installed, what is broken and how to mend it."""

from __future__ import annotations

import argparse
import sys

from zoo.support.printable import say

HELP = "check the installation and name broken plugins"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks of broken plugins")


def run(args: argparse.Namespace) -> int:
    """Print findings; exit code 1 where something is broken."""
    from zoo.cli import checks
    from zoo.cli.output import print_json

    findings = plugin_findings() + checks.all_findings()
    if args.json:
        print_json(findings)
    else:
        for finding in findings:
            say(f"{'ok    ' if finding['ok'] else 'BROKEN'}  {finding['what']}: {finding['message']}")
            if args.verbose and finding.get("detail"):
                say(finding["detail"], file=sys.stderr)
    return 0 if all(finding["ok"] for finding in findings) else 1


def plugin_findings() -> list[dict[str, object]]:
    """One finding per plugin: its distribution, the reason where it cannot be used, and what slows commands down."""
    from zoo import registry
    from zoo.registry.listing import remark

    found: list[dict[str, object]] = []
    for group in (*registry.GROUPS, *registry.RESOURCES):
        for record in registry.records(group):
            entry = record.entry
            told = [f"{entry.dist} {entry.version} ({entry.target})", remark(record)]
            found.append(
                {
                    "what": f"{registry.kind_of(group)} {entry.name}",
                    "ok": record.ok,
                    "message": ": ".join(filter(None, told)),
                    "detail": record.detail,
                }
            )
    return found
