"""``zoo analyze STUDY DATA``: studies of the clips of a store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.support.printable import say

if TYPE_CHECKING:
    from zoo.evaluation.analyze.av_offset import Study
    from zoo.evaluation.analyze.confidence import Verdict

CLIPS = 200
"""How many clips a data set makes that makes its own: those of most recipes, which are there already."""

HELP = "study the clips of a store"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True, parser_class=type(parser))
    offset = studies.add_parser(
        "av-offset",
        help="by how many frames lips run ahead of the sound, or behind it",
        description=(
            "For every clip, move the lips in time and correlate how they move with how the sound says they should; "
            "the best offset tells by how much the lips are first. Where the evidence is thin, the answer is "
            "'cannot tell'. Fig. 4 of At a Glance: --measure magnitude --offsets 0 7."
        ),
    )
    offset.add_argument("data", metavar="DATA", help="a prepared store, or synthgrid")
    offset.add_argument("--out", type=Path, metavar="DIR", help="where table and plot go (default: av-offset-NAME)")
    offset.add_argument("--clips", type=int, metavar="N", help="how many clips, evenly out of all (default: all)")
    offset.add_argument(
        "--offsets", type=int, nargs=2, default=(-15, 15), metavar=("LOW", "HIGH"),
        help="frames tried, positive: lips first (default: -15 15)",
    )  # fmt: skip
    offset.add_argument(
        "--measure", choices=("predicted", "magnitude", "opening"), default="predicted",
        help="lips against those that the sound predicts, with a confidence; how much lips and sound change (the "
        "paper's); or whether the mouth opens and the sound grows louder",
    )  # fmt: skip
    offset.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Study, print and write."""
    from zoo.support.errors import ConfigError

    low, high = args.offsets
    if low > high:
        raise ConfigError(f"--offsets {low} {high}: the first is the smaller one")
    if args.clips is not None and args.clips < 1:
        raise ConfigError(f"--clips {args.clips}: at least 1")
    from zoo.cli.output import print_json
    from zoo.data.store.store import Store
    from zoo.evaluation.analyze import av_offset
    from zoo.support.errors import DataError

    path = find_store(args.data)
    result = av_offset.study(
        Store(path), offsets=range(low, high + 1), measure=args.measure, clips=args.clips, show=not args.json
    )
    out = args.out or Path(f"av-offset-{Path(args.data).name}")
    av_offset.write_csv(result, out / "av_offset.csv")
    plot: Path | None = out / "av_offset.png"
    assert plot is not None
    missing = ""
    try:
        av_offset.write_plot(result, plot, f"{args.data}: {len(result.clips)} clips, {args.measure}")
    except DataError as error:
        plot, missing = None, str(error)
    if args.json:
        print_json(as_plain(result))
    else:
        show(result, args.data)
        say(f"clips       {out / 'av_offset.csv'}")
        say(f"plot        {plot}" if plot else missing)
    return 0


def find_store(data: str) -> str:
    """The folder of a store; of a data set that makes its own clips, made where they are missing.

    Raises:
        ConfigError: neither a folder nor such a data set.
    """
    from zoo import registry
    from zoo.data.module import TalkingFaceData
    from zoo.registry.config import DataConfig
    from zoo.registry.spec import InputSpec
    from zoo.support.errors import UnknownNameError

    if "://" in data or Path(data).exists():
        return data
    try:
        embedded = registry.dataset(data).embedded
    except UnknownNameError as error:
        raise UnknownNameError(f"{data}: no store here; `zoo data prepare` makes one, or say synthgrid") from error
    made = TalkingFaceData(DataConfig(name=data, root=None if embedded else data, clips=CLIPS), InputSpec())
    made.prepare_data()
    return made.path


def as_plain(result: Study) -> dict[str, Any]:
    """For JSON."""
    verdict = result.verdict()
    return {
        "offsets": result.offsets,
        "measure": result.measure,
        "clips": len(result.clips),
        "too_short": result.short,
        "best": result.counts(),
        "mean_r": result.means(),
        "confident": result.counts(confident=True) if verdict else None,
        "store": verdict._asdict() if verdict else None,
    }


def show(result: Study, name: str) -> None:
    """Print how many clips prefer each offset, and what they say together."""
    from zoo.cli.output import print_table
    from zoo.evaluation.analyze.av_offset import MEASURES

    used = sum(clip.best is not None for clip in result.clips)
    verdict = result.verdict()
    sure = result.counts(confident=True) if verdict else None
    rows = [
        (f"{offset:+d}", f"{offset * 40:+d} ms", str(count), f"{count / used:.0%}" if used else "",
         *([str(sure[place])] if sure else []), f"{mean:+.3f}")
        for place, (offset, count, mean) in enumerate(
            zip(result.offsets, result.counts(), result.means(), strict=False)
        )
    ]  # fmt: skip
    columns = ("offset, frames", "lips first by", "clips that prefer it", "share", *(["sure of it"] if sure else []))
    print_table((*columns, "mean r"), rows, f"{name}: best audio-video offset of {used} clips")
    say(f"measured    {MEASURES[result.measure]}")
    if result.short:
        say(f"too short   {result.short} clips more")
    if verdict is not None:
        cannot = len(result.clips) - verdict.confident
        say(f"clips       {verdict.confident} of {len(result.clips)} are sure; {cannot} cannot tell")
        say(f"store       {in_words(verdict)}")


def in_words(verdict: Verdict) -> str:
    """What the clips say together."""
    shown = f"confidence {verdict.confidence:.0%}, {verdict.agree} of {verdict.confident} sure clips within one frame"
    if verdict.offset is None:
        return f"cannot tell: {verdict.reason} ({shown})"
    k = verdict.offset
    who = "lips and sound together" if k == 0 else f"{'lips' if k > 0 else 'sound'} first by {abs(k) * 40} ms"
    return f"{k:+d} frames: {who} ({shown})"
