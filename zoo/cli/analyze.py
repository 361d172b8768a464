"""``zoo analyze STUDY DATA``: studies of the clips of a store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.printable import say

if TYPE_CHECKING:
    from zoo.analyze.av_offset import Study

CLIPS = 200
"""How many clips a data set makes that makes its own: those of most recipes, which are there already."""

HELP = "study the clips of a store"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True, parser_class=type(parser))
    offset = studies.add_parser(
        "av-offset",
        help="by how many frames lips run ahead of the sound (Fig. 4 of At a Glance)",
        description=(
            "For every clip, move the motion of the lips forward in time and correlate it with the change of the "
            "sound; the best offset tells by how much the lips are first."
        ),
    )
    offset.add_argument("data", metavar="DATA", help="a prepared store, or synthgrid")
    offset.add_argument("--out", type=Path, metavar="DIR", help="where table and plot go (default: av-offset-NAME)")
    offset.add_argument("--clips", type=int, metavar="N", help="how many clips, evenly out of all (default: all)")
    offset.add_argument(
        "--offsets", type=int, nargs=2, default=(0, 7), metavar=("LOW", "HIGH"), help="frames tried (default: 0 7)"
    )
    offset.add_argument(
        "--measure", choices=("magnitude", "opening"), default="magnitude",
        help="how much lips and sound change (the paper's), or whether the mouth opens and the sound grows louder",
    )  # fmt: skip
    offset.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Study, print and write."""
    from zoo.errors import ConfigError

    low, high = args.offsets
    if low > high:
        raise ConfigError(f"--offsets {low} {high}: the first is the smaller one")
    if args.clips is not None and args.clips < 1:
        raise ConfigError(f"--clips {args.clips}: at least 1")
    from zoo.analyze import av_offset
    from zoo.cli.output import print_json
    from zoo.data.store import Store
    from zoo.errors import DataError

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
        counts, means = result.counts(), result.means()
        print_json({"offsets": result.offsets, "clips": len(result.clips), "best": counts, "mean_r": means})
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
    from zoo.config import DataConfig
    from zoo.data.module import TalkingFaceData
    from zoo.errors import UnknownNameError
    from zoo.spec import InputSpec

    if "://" in data or Path(data).exists():
        return data
    try:
        embedded = registry.dataset(data).embedded
    except UnknownNameError as error:
        raise UnknownNameError(f"{data}: no store here; `zoo data prepare` makes one, or say synthgrid") from error
    made = TalkingFaceData(DataConfig(name=data, root=None if embedded else data, clips=CLIPS), InputSpec())
    made.prepare_data()
    return made.path


def show(result: Study, name: str) -> None:
    """Print how many clips prefer each offset."""
    from zoo.analyze.av_offset import MEASURES
    from zoo.cli.output import print_table

    used = sum(clip.best is not None for clip in result.clips)
    rows = [
        (f"{offset:+d}", f"{offset * 40:+d} ms", str(count), f"{count / used:.0%}" if used else "", f"{mean:+.3f}")
        for offset, count, mean in zip(result.offsets, result.counts(), result.means(), strict=False)
    ]
    columns = ("offset, frames", "lips first by", "clips that prefer it", "share", "mean r")
    print_table(columns, rows, f"{name}: best audio-video offset of {used} clips")
    say(f"measured    {MEASURES[result.measure]}")
