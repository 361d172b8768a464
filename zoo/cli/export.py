"""``zoo export METHOD``: the generating network as a file that runs without the zoo."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.support.printable import say

HELP = "write the generating network as ONNX, TorchScript or safetensors, and check it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    parser.add_argument("method", help="as in `zoo list methods`").completer = complete.names("methods")  # type: ignore[attr-defined]
    parser.add_argument("--ckpt", type=Path, required=True, metavar="C", help="checkpoint of `zoo fit`")
    parser.add_argument("--format", required=True, choices=("onnx", "torchscript", "safetensors"), help="of the file")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the file to write (default: beside the checkpoint)")
    parser.add_argument(
        "--frames", type=int, default=25, metavar="T",
        help="frames that an ONNX or TorchScript file makes at once (default: 25, a second)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Export, and say where the file is and how near it comes."""
    from zoo import registry

    registry.method(args.method)
    from zoo.synthesis.export import export

    done = export(args.method, args.ckpt, args.format, args.out, frames=args.frames)
    length = "clips of any length" if done.frames is None else f"clips of {done.frames} frames"
    say(f"{done.path}  ({done.path.stat().st_size / 2**20:.1f} MiB, {length})")
    say(f"largest difference to the method's own frames: {done.difference:.2g} of [0, 1]")
    return 0
