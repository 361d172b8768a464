"""``zoo predict METHOD``: a face and a sound, a driving video or words become a talking video."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.support.printable import say

HELP = "make a face talk: photo or video in, video with sound out"

LONGEST_S = 86_400.0
"""A video of more than a day is a slip."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    parser.add_argument("method", help="as in `zoo list methods`").completer = complete.names("methods")  # type: ignore[attr-defined]
    parser.add_argument(
        "--ckpt",
        type=Path,
        metavar="C",
        help="checkpoint of `zoo fit`; without: weights that come with the method",
    )
    parser.add_argument("--face", type=Path, required=True, metavar="F", help="a photo or a video")
    parser.add_argument("--audio", type=Path, metavar="A", help="any sound file, or a video with sound")
    parser.add_argument("--driver", type=Path, metavar="V", help="a driving video, where the mode uses one")
    parser.add_argument(
        "--text", default="", metavar="T", help="what is said, or a file: NAME.txt, NAME.align with times"
    )
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="such as emotion=happy; may be repeated"
    )
    parser.add_argument(
        "--array", action="append", default=[], metavar="NAME=FILE.npy", help="one row per frame at 25 fps; the same"
    )
    parser.add_argument("--mode", default="", metavar="M", help="of the method; without it the first that fits")
    parser.add_argument("--seconds", type=float, metavar="S", help="length, where nothing that is given says it")
    parser.add_argument("--out", type=Path, required=True, metavar="O.mp4", help="the video to write")
    parser.add_argument("--face-index", type=int, metavar="N", help="which face, 0 is the largest (default)")
    parser.add_argument("--detector", default="dlib", help="face detector: dlib, mtcnn or mesh")
    parser.add_argument("--landmarker", default="dlib", help="who finds the 68 points: dlib or mesh")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    parser.add_argument(
        "overrides", nargs="*", metavar="options.KEY=VALUE", help="the method's options (`zoo info METHOD`)"
    )


def run(args: argparse.Namespace) -> int:
    """Generate and say where the video is."""
    from zoo import registry

    registry.method(args.method)
    from zoo.synthesis.predict import Conditions, predict

    arrays = {name: Path(path) for name, path in _pairs("--array", args.array).items()}
    given = Conditions(args.audio, args.driver, args.text, _pairs("--label", args.label), arrays, _length(args.seconds))
    done = predict(
        args.method,
        args.ckpt,
        face=args.face,
        out=args.out,
        given=given,
        mode=args.mode,
        options=_options(args.overrides),
        face_index=args.face_index,
        detector=args.detector,
        landmarker=args.landmarker,
        device=args.device,
    )
    say(f"{args.out}  ({done.frames} frames at {done.fps:g} fps, {done.frames / done.fps:.2f} s, mode {done.mode})")
    return 0


def _pairs(argument: str, items: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` items by name."""
    from zoo.support.errors import ConfigError

    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals and value):
            raise ConfigError(f"{argument}: '{item}' is not of the form NAME=VALUE")
        if name in found:
            raise ConfigError(f"{argument}: {name} is given twice")
        found[name] = value
    return found


def _length(seconds: float | None) -> float | None:
    from zoo.support.errors import ConfigError

    if seconds is not None and not 0 < seconds < LONGEST_S:
        raise ConfigError(f"--seconds: must lie between 0 and {LONGEST_S:g}")
    return seconds


def _options(items: list[str]) -> list[str]:
    """The items, which all must be options: a checkpoint brings every other setting."""
    from zoo.support.errors import ConfigError

    for item in items:
        if not item.startswith("options."):
            raise ConfigError(
                f"{item}: only options.KEY=VALUE can be chosen after training; the rest is the checkpoint's"
            )
    return items
