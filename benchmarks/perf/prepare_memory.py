"""Peak memory of `zoo data prepare` on large videos of two lengths: a stream, so both should need the same.

    python benchmarks/perf/prepare_memory.py [--size 1080x1920] [--seconds 4 20] [--faces all] [--json out.json]

A drawn talking face is scaled to a height and width and repeated for so many seconds; a process of its own prepares
each video with one worker, and the largest resident memory that the system saw of it is printed, beside what the
pictures of the video alone would take. ``--empty`` hides the face: then the whole picture is searched all the time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.media.clip import FPS, SAMPLE_RATE
from zoo.media.video import write_video

# Not getrusage: a child's figure there begins with the memory of the process that started it.
CHILD = """
import sys
from zoo.cli.main import run
run(sys.argv[1:])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""

TIMEOUT_S = 900
"""After so long a run is ended and counted as failed."""


def pictures(height: int, width: int, frames: int, *, empty: bool) -> Iterator[Tensor]:
    """A drawn face in the middle of a large picture, forwards and backwards so that there is no cut."""
    source = SynthGrid(clips=3, frames=40)
    drawn = source.read(source.items()[0]).frames[:40]
    side = min(height, width) // 2
    turn = [*range(40), *range(38, 0, -1)]
    noise = torch.randint(0, 40, (3, height, width), dtype=torch.uint8)
    for number in range(frames):
        canvas = noise.roll(number, 2)
        if not empty:
            face = drawn[turn[number % len(turn)]][None]
            y, x = (height - side) // 2, (width - side) // 2
            canvas[:, y : y + side, x : x + side] = F.interpolate(face, (side, side), mode="bilinear", antialias=True)[
                0
            ]
        yield canvas


def measure(folder: Path, size: tuple[int, int], seconds: float, faces: str, *, empty: bool) -> dict[str, object]:
    """Prepare one video of so many seconds in a process of its own."""
    root, out = folder / f"in {seconds}", folder / f"out {seconds}"
    frames = round(seconds * FPS)
    tone = 0.1 * torch.sin(torch.arange(frames * round(SAMPLE_RATE / FPS)) * 0.1)
    write_video(root / "talk.mp4", pictures(*size, frames, empty=empty), wave=tone)
    command = [sys.executable, "-c", CHILD, "data", "prepare", "folder", "--root", str(root), "--out", str(out)]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--workers", "1", "--faces", faces], stdout=subprocess.PIPE, text=True)
    try:
        said, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said = "ran too long"
    return {
        "seconds": seconds,
        "pictures_mb": frames * 3 * size[0] * size[1] / 1e6,
        "peak_mb": float(peak[1]) * 1024 / 1e6 if (peak := re.search(r"VmHWM:\s*(\d+)", said)) else float("nan"),
        "took_s": time.monotonic() - start,
        "said": said.partition("\n")[0],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1080x1920", help="height x width in pixels (default 1080x1920)")
    parser.add_argument("--seconds", type=float, nargs="+", default=[4.0, 20.0])
    parser.add_argument("--faces", choices=["largest", "all"], default="largest")
    parser.add_argument("--empty", action="store_true", help="pictures without a face")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    height, width = (int(side) for side in args.size.split("x"))
    rows = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        for seconds in sorted(args.seconds):
            row = measure(Path(folder), (height, width), seconds, args.faces, empty=args.empty)
            rows.append(row)
            print(
                f"{seconds:6.1f} s of {height} x {width}: pictures {row['pictures_mb']:6.0f} MB, "
                f"peak {row['peak_mb']:5.0f} MB, took {row['took_s']:.0f} s: {row['said']}",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
