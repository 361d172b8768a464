"""Speed of `zoo leaderboard`: a folder of 100,000 rows to the table and to all files, from the start of the process.

    python -m benchmarks.perf.leaderboard [--cells 10] [--metrics 10] [--clips 1000] [--repeat 5] [--json out.json]

The folder is made first. All clips are of one speaker, so that the bootstrap draws clips, which costs most. Wall-clock
time, the fastest of several runs, and the processor time of all threads, in which other work hardly counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from zoo.evaluation.results import Cell, Metric, Row, Suite, line_of, write_cell, write_suite


def write(folder: Path, cells: int, metrics: int, clips: int) -> None:
    """Write results of made-up numbers: every third metric is a ratio of sums, one clip in 50 was not scored."""
    rng = np.random.default_rng(0)
    kinds = [Metric(f"metric{n}", "made up", "", "lower", "ratio" if n % 3 == 0 else "mean") for n in range(metrics)]
    speakers = {f"s1/clip{n:05d}": "s1" for n in range(clips)}
    write_suite(folder, Suite("made-up", "Made up", "synthgrid", "default", True, speakers, ["reconstruction"], kinds))
    for number in range(cells):
        name = f"method{number}"
        cell = Cell(f"{name}-seed0-reconstruction", f"{number:016x}", "made-up", name, "method", "reconstruction")
        cell.status, cell.frames, cell.seconds, cell.device = "done", 75 * clips, 100.0 + number, "CPU, 1 thread"
        cell.protocols = {kind.name: f"{kind.name}|crop:face256|variant:paper|zoo:0.1.0" for kind in kinds}
        write_cell(folder, cell)
        values = rng.gamma(4, 0.3 + 0.02 * number, (clips, metrics))
        lines = []
        for place, clip in enumerate(speakers):
            for kind, value in zip(kinds, values[place].tolist(), strict=True):
                bad = place % 50 == 49
                row = Row(
                    cell.key, "made-up", name, 0, "reconstruction", "0123456789abcdef", clip, "s1", kind.name,
                    cell.protocols[kind.name], None if bad else value, () if bad else (value * 75, 75.0),
                    0 if bad else 75, 75, "no face was found" if bad else "",
                )  # fmt: skip
                lines.append(line_of(row))
        (folder / "cells" / cell.name / "rows.jsonl").write_text("".join(lines), encoding="utf-8")


def measure(*arguments: str) -> tuple[float, float]:
    """Wall-clock and processor seconds of one command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "zoo", "leaderboard", *arguments], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Measure and print; write the numbers with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5, help="runs of each, of which the fastest counts")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), args.cells, args.metrics, args.clips)
        rows = args.cells * args.metrics * args.clips
        size = sum(path.stat().st_size for path in Path(name).rglob("*.jsonl"))
        print(f"{rows:,} rows, {size / 1e6:.0f} MB, load {os.getloadavg()[0]:.1f}")
        for what, more in (("table", ()), ("all files", ("--html",))):
            runs = [measure(name, *more) for _ in range(args.repeat)]
            wall, processor = (min(column) for column in zip(*runs, strict=True))
            found[what] = {"wall": wall, "processor": processor}
            print(f"{what:10s} {wall:5.2f} s, processor {processor:5.2f} s")
        page = (Path(name) / "index.html").stat().st_size
        print(f"index.html {page / 1e6:.1f} MB")
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "page": page, **found}, indent=1))


if __name__ == "__main__":
    main()
