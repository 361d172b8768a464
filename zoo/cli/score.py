"""``zoo score --pred DIR --real DIR``: score folders of anybody's videos, without any method."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.support.printable import csv_cell, say

if TYPE_CHECKING:
    from zoo.evaluation.judges import Judges
    from zoo.evaluation.metrics.choose import Chosen

HELP = "score a folder of generated videos against the real ones"
DESCRIPTION = (
    "Score generated videos against the real ones of the same name (path without suffix), whoever made them. "
    "Text for wer and cer: NAME.txt beside the real video, or a GRID file name."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--pred", type=Path, required=True, metavar="DIR", help="the generated videos")
    parser.add_argument("--real", type=Path, required=True, metavar="DIR", help="the real videos of the same names")
    parser.add_argument(
        "--metrics", metavar="A,B", help="which (default: all that can be had here; see `zoo list metrics`)"
    ).completer = _complete  # type: ignore[attr-defined]
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of results (default: score-NAME_OF_PRED)")
    parser.add_argument("--name", metavar="NAME", help="what a leaderboard calls them (default: the name of --pred)")
    parser.add_argument("--device", default="auto", help="for the judges: auto, cpu, cuda, mps")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="METRIC.OPTION=value such as cpbd.variant=python, sync=PATH, reader=PATH, embedder=NAME",
    )


def _complete(prefix: str = "", **_: Any) -> list[str]:
    """Names of metrics, one more behind each comma."""
    from zoo.cli import complete

    before = prefix[: prefix.rfind(",") + 1]
    return [before + name for name in complete.names("metrics")()]


def run(args: argparse.Namespace) -> int:
    """Score, print and write; 1 where a pair could not be scored at all."""
    from contextlib import nullcontext, redirect_stdout

    from zoo.cli.output import print_json
    from zoo.evaluation.metrics.choose import choose, split_options

    options, judging = split_options(args.overrides)
    names = None if args.metrics is None else [name.strip() for name in args.metrics.split(",") if name.strip()]
    from zoo.evaluation.score import find_pairs, score
    from zoo.evaluation.videos import check_folder, write_results

    out = args.out or Path(f"score-{args.pred.resolve().name}")
    check_folder(out)
    with redirect_stdout(sys.stderr) if args.json else nullcontext():
        metrics, left_out, judges = choose(names, options, judging, device=args.device)
        pairs = find_pairs(args.pred, args.real)
        scores = score(pairs, metrics, judges)
    summary = {
        "pred": str(args.pred),
        "real": str(args.real),
        **scores.summary(),
        "left_out": left_out,
        "judges": who_judged(metrics, judges),
    }
    write(out, summary, scores.table())
    name = args.pred.stem if args.pred.is_file() else args.pred.resolve().name
    write_results(out, args.name or name, scores, pairs, summary["judges"])
    if args.json:
        print_json(summary)
    else:
        show(summary)
        say(f"rows: {out}/rows.csv, summary.json; zoo leaderboard {out} [OTHERS] sets them beside others")
    for clip, reason in list(scores.failed.items())[:10]:
        say(f"zoo score: {clip}: {reason}", file=sys.stderr)
    if len(scores.failed) > 10:
        say(f"zoo score: {len(scores.failed) - 10} more pairs were not scored; see {out}/rows.csv", file=sys.stderr)
    return 1 if scores.failed else 0


def who_judged(metrics: Chosen, judges: Judges) -> list[str]:
    """How far each network that judged may be trusted, and which of them know drawn faces only."""
    from zoo.evaluation.judges import TRAINED

    found = []
    drawn = {each.key: each for each in judges.drawn_only(metrics)}
    for key, expert in TRAINED.items():
        names = [name for name, (spec, _) in metrics.items() if expert in spec.needs]
        if names:
            found.append(f"{', '.join(names)} by {getattr(judges, key).quality()}")
        if key in drawn:
            found.append(f"  it knows drawn faces only ({drawn[key].corpora}); {drawn[key].way_out()}")
    return found


def show(summary: dict[str, Any]) -> None:
    """Print the table, the protocols beneath it, who judged and what was left out."""
    from zoo.cli.output import print_table
    from zoo.leaderboard.text import ARROWS

    facts = summary["metrics"]
    rows = [
        (
            f"{name} {ARROWS[item['better']]}",
            f"{_digits(item['value'])} {item['unit']}".strip(),
            "" if item["low"] is None else f"{_digits(item['low'])} to {_digits(item['high'])}",
            _digits(item["real"]),
            f"{item['clips']}/{item['total']}",
            f"{item['coverage']:.1%}",
            item["reason"],
        )
        for name, item in facts.items()
    ]
    title = f"{summary['pred']} against {summary['real']}: {summary['pairs']} pairs"
    columns = ("metric", "value", "95 % interval", "real video", "clips", "coverage", "not scored")
    print_table(columns, rows, title)
    say("\n".join(item["signature"] for item in facts.values()))
    say("".join(f"{line}\n" for line in summary["judges"]), end="")
    why: dict[str, list[str]] = {}
    for name, reason in summary["left_out"].items():
        why.setdefault(reason.removeprefix(f"{name}: "), []).append(name)
    for reason, names in why.items():
        say(f"left out: {', '.join(names)}: {reason}")


def write(out: Path, summary: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write ``rows.csv`` and ``summary.json``, each at once or not at all."""
    import csv
    import io
    import json

    from zoo.support.files import write_text_aside

    table = io.StringIO()
    fields = ("metric", "clip", "value", "real", "scored", "total", "reason")
    writer = csv.DictWriter(table, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    write_text_aside(out / "rows.csv", table.getvalue())
    write_text_aside(out / "summary.json", json.dumps(summary, indent=2) + "\n")


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
