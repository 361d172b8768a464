"""``zoo predict METHOD``: a face and a sound become a talking video."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.printable import say

HELP = "make a face talk: photo or video in, video with sound out"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    parser.add_argument("method", help="as in `zoo list methods`").completer = complete.names("methods")  # type: ignore[attr-defined]
    parser.add_argument("--ckpt", type=Path, required=True, metavar="C", help="checkpoint of `zoo fit`")
    parser.add_argument("--face", type=Path, required=True, metavar="F", help="a photo or a video")
    parser.add_argument("--audio", type=Path, required=True, metavar="A", help="any sound file, or a video with sound")
    parser.add_argument("--out", type=Path, required=True, metavar="O.mp4", help="the video to write")
    parser.add_argument("--face-index", type=int, metavar="N", help="which face, 0 is the largest (default)")
    parser.add_argument("--detector", default="dlib", help="face detector: dlib or mtcnn")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")


def run(args: argparse.Namespace) -> int:
    """Generate and say where the video is."""
    from zoo import registry

    registry.method(args.method)
    from zoo.predict import predict

    done = predict(
        args.method,
        args.ckpt,
        face=args.face,
        sound=args.audio,
        out=args.out,
        face_index=args.face_index,
        detector=args.detector,
        device=args.device,
    )
    say(f"{args.out}  ({done.frames} frames at {done.fps:g} fps, {done.frames / done.fps:.2f} s)")
    return 0
