"""``zoo data``: list data sets, prepare them into a store, check a store, make the embedded corpus."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.support.printable import say

HELP = "list, prepare, verify or make data"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    listing = verbs.add_parser("list", help="list data sets, with licence and splits")
    listing.add_argument("--json", action="store_true", help="print JSON")

    prepare = verbs.add_parser("prepare", help="find the faces of a data set's videos and write a store")
    prepare.add_argument("name", help="data set, for example grid or folder").completer = complete.names("datasets")  # type: ignore[attr-defined]
    prepare.add_argument("--root", type=Path, required=True, metavar="FOLDER", help="the data set as it was unzipped")
    prepare.add_argument("--retry", action="store_true", help="try clips again that were set aside before")
    prepare.add_argument("--detector", default="dlib", help="face detector: dlib, mtcnn or mesh")
    prepare.add_argument("--landmarker", default="dlib", help="who finds the 68 points: dlib or mesh")
    prepare.add_argument(
        "--clip-seconds",
        type=seconds,
        metavar="S",
        help="cut longer videos into clips of at most S seconds (folder: 20)",
    )
    prepare.add_argument(
        "--faces", choices=["largest", "all"], help="which faces of a video become clips (default largest)"
    )

    prepare.add_argument(
        "--patience",
        type=seconds,
        metavar="S",
        help="set a video aside where nothing moves for S seconds (default 900)",
    )

    synth = verbs.add_parser("synth", help="make the embedded corpus in any size")
    synth.add_argument("--clips", type=positive, default=160, help="how many clips of 3 s (default 160)")
    synth.add_argument("--seed", type=int, default=0, help="another seed, another corpus")

    for verb in (prepare, synth):
        verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store")
        verb.add_argument("--workers", type=positive, metavar="N", help="processes (default: one per core)")
        verb.add_argument("--shard-clips", type=positive, metavar="N", help="clips per file (default: chosen by size)")

    verify = verbs.add_parser("verify", help="find flipped bytes and missing files of a store")
    verify.add_argument("store", metavar="DIR")
    verify.add_argument("--json", action="store_true", help="print JSON")


def positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 on")
    return number


def seconds(text: str) -> float:
    """A time of 2 s or more, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 2 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds from 2 on")
    return number


def run(args: argparse.Namespace) -> int:
    """Run one action."""
    return {"list": _list, "prepare": _prepare, "synth": _synth, "verify": _verify}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from zoo import registry
    from zoo.cli.list import warn
    from zoo.cli.output import print_json, print_table
    from zoo.registry.spec import DatasetSpec

    records = registry.records("zoo.datasets")
    specs = [record.spec for record in records if isinstance(record.spec, DatasetSpec)]
    if args.json:
        print_json([asdict(spec) for spec in specs])
    else:
        rows = [(spec.name, spec.summary, spec.licence, ", ".join(map(str, spec.splits))) for spec in specs]
        print_table(("data set", "what it is", "licence", "splits (default first)"), rows)
        warn(records)
    return 0


def _prepare(args: argparse.Namespace) -> int:
    from zoo import registry
    from zoo.support.errors import ConfigError

    spec = registry.dataset(args.name)
    if spec.embedded:
        raise ConfigError(f"{args.name} has no files to prepare, it makes its clips: `zoo data synth --out DIR`")
    from zoo.face.backends import Finders, make_detector, make_landmarker

    make_detector(args.detector)
    make_landmarker(args.landmarker)
    source = spec.load()(args.root)
    _choose_splitting(source, args)
    return _write(source, args, args.name, Finders(args.detector, args.landmarker), retry=args.retry)


def _choose_splitting(source: object, args: argparse.Namespace) -> None:
    """Apply ``--clip-seconds`` and ``--faces`` to a source that cuts its videos."""
    from dataclasses import replace

    from zoo.data.sources.base import Source
    from zoo.support.errors import ConfigError

    assert isinstance(source, Source)
    named = {"clip_seconds": args.clip_seconds, "faces": args.faces}
    chosen = {name: value for name, value in named.items() if value is not None}
    if not chosen:
        return
    if source.splitting is None:
        option = next(iter(chosen)).replace("_", "-")
        raise ConfigError(f"--{option}: each video of {args.name} is one clip as it is; it is for folder")
    source.splitting = replace(source.splitting, **chosen)


def _synth(args: argparse.Namespace) -> int:
    from zoo import registry

    return _write(registry.dataset("synthgrid").load()(clips=args.clips, seed=args.seed), args, "synthgrid")


def _write(
    source: object,
    args: argparse.Namespace,
    name: str,
    finders: tuple[str, str] = ("dlib", "dlib"),
    *,
    retry: bool = False,
) -> int:
    from zoo import registry
    from zoo.data.pool import PATIENCE_S
    from zoo.data.prepare import prepare
    from zoo.data.sources.base import Source

    assert isinstance(source, Source)
    spec = registry.dataset(name)
    report = prepare(
        source,
        args.out,
        dataset=name,
        splits=spec.splits,
        workers=args.workers,
        detector=finders[0],
        landmarker=finders[1],
        shard_clips=args.shard_clips,
        retry=retry,
        licence=spec.licence,
        citation=spec.citation,
        apart=args.action == "prepare",
        patience_s=getattr(args, "patience", None) or PATIENCE_S,
    )
    say(report)
    return report.exit_code


def _verify(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from zoo.cli.output import print_json
    from zoo.data.store.verify import verify

    report = verify(args.store)
    if args.json:
        print_json({"ok": not report.findings, **asdict(report)})
        return report.exit_code
    for finding in report.findings:
        say(finding, file=sys.stderr)
    say(report)
    return report.exit_code
