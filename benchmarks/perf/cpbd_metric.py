"""Time of CPBD against cpbd-py312, which goes pixel by pixel, and how far the values differ.

    python benchmarks/perf/cpbd_metric.py [--video FILE] [--frames 75] [--size 256] [--repeat 3] [--json out.json]

Without a video the frames are moving crops of a photograph (scikit-image's). Both run in one process, in turn, on the
same grey levels; the fastest of a few runs counts. cpbd-py312 computes the ``python`` variant, so that values must be
equal there; the other variants do other work and have no counterpart but are given the same ratio. (This file is not
called cpbd.py: a script's own folder comes first where Python looks for the package.)
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import cpbd as reference
import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from zoo.evaluation.footage import grey_levels
from zoo.evaluation.metrics.cpbd import Variant, cpbd
from zoo.media.video import read_video

TOLERANCE = 1e-9


@dataclass
class Measured:
    """One variant: seconds for all frames, mean value, and the largest difference from cpbd-py312 where it has one."""

    variant: str
    seconds: float
    mean: float
    difference: float | None


def pixel_by_pixel(frames: NDArray[np.float64]) -> Tensor:
    """CPBD of each frame by cpbd-py312."""
    return torch.tensor([float(reference.compute(frame)) for frame in frames], dtype=torch.float64)


def photograph(frames: int, size: int) -> Float32[Tensor, "T size size"]:
    """Crops of a portrait that move by a pixel or two a frame, whole grey levels."""
    from skimage import data

    pixels = np.array(data.astronaut())  # type: ignore[no-untyped-call]
    picture = grey_levels(torch.from_numpy(pixels).permute(2, 0, 1)).round()
    down, right = picture.shape[0] - size + 1, picture.shape[1] - size + 1
    return torch.stack([picture[i % down :, 2 * i % right :][:size, :size] for i in range(frames)])


def from_video(path: Path, frames: int, size: int) -> Float32[Tensor, "T size size"]:
    """The first frames of a video, scaled to a square, whole grey levels."""
    pictures = read_video(path).frames[:frames].float()
    scaled = torch.nn.functional.interpolate(pictures, (size, size), mode="bilinear", antialias=True)
    return grey_levels(scaled.round().to(torch.uint8)).round()


def timed(work: Callable[[], Tensor], repeat: int) -> tuple[float, Tensor]:
    """Seconds of the fastest run, and the result."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def main() -> None:
    """Measure, print a table, and write it to a file with ``--json``; exit code 1 where values differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="take frames from this file")
    parser.add_argument("--frames", type=int, default=75)
    parser.add_argument("--size", type=int, default=256, help="side of the pictures in pixels")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    size = (args.frames, args.size)
    grey = from_video(args.video, *size) if args.video else photograph(*size)
    pixels = grey.double().numpy()
    variants = get_args(Variant)
    for variant in variants:  # fills the caches
        cpbd(grey[:1], variant=variant)
    slow_s, want = timed(partial(pixel_by_pixel, pixels), 1)
    rows = []
    for variant in variants:
        fast_s, got = timed(partial(cpbd, grey, variant=variant), args.repeat)
        difference = float((got - want).abs().max()) if variant == "python" else None
        rows.append(Measured(variant, fast_s, float(got.mean()), difference))
    table = Table(title=f"{len(grey)} frames of {args.size}x{args.size}")
    for heading in ("", "s", "ms/frame", "ratio", "mean", "largest difference"):
        table.add_column(heading)
    table.add_row("cpbd-py312", f"{slow_s:.2f}", f"{slow_s / len(grey) * 1e3:.1f}", "1", f"{want.mean():.6f}", "")
    for row in rows:
        numbers = (f"{row.seconds:.3f}", f"{row.seconds / len(grey) * 1e3:.2f}", f"{slow_s / row.seconds:.1f}")
        equal = "another algorithm" if row.difference is None else f"{row.difference:.1e}"
        table.add_row(f"zoo, {row.variant}", *numbers, f"{row.mean:.6f}", equal)
    Console().print(table)
    if args.json:
        machine = {"machine": platform.machine(), "processor": platform.processor(), "torch": torch.__version__}
        found = {"cpbd_py312_seconds": slow_s, "frames": len(grey), "zoo": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps({**found, **machine}, indent=1))
    if any(row.difference is not None and not row.difference < TOLERANCE for row in rows):
        raise SystemExit("the values differ")


if __name__ == "__main__":
    main()
