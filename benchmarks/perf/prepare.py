"""Speed of `zoo data prepare`: one core against detection in every frame, and two processes against one.

    python -m benchmarks.perf.prepare --root FOLDER_OF_GRID [--clips 12] [--json out.json]

The first part is prepare_track.py (processor time, so other work on the machine hardly counts); the second is the whole
verb in wall-clock time, process start included, with other work on the machine in the numbers: the load is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.perf.prepare_track import SUFFIXES, measure, spread, summary
from zoo.data.prepare import prepare
from zoo.data.sources.grid import Grid


def wall_seconds(root: Path, workers: int, shard_clips: int) -> float:
    """Seconds that preparing a GRID folder takes with so many processes."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        report = prepare(
            Grid(root), Path(out) / "store", dataset="grid", workers=workers, shard_clips=shard_clips, progress=False
        )
        assert report.prepared, "no clip could be prepared"
        return time.perf_counter() - start


def linked(paths: list[Path], folder: Path) -> Path:
    """A GRID folder of some clips only."""
    for path in paths:
        (folder / path.parent.name).mkdir(exist_ok=True)
        (folder / path.parent.name / path.name).symlink_to(path.resolve())
    return folder


def main() -> None:
    """Measure and print; write all the numbers with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of GRID, as its archives unzip")
    parser.add_argument("--clips", type=int, default=12, help="how many, from all speakers in turn")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each, of which the fastest counts")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = spread(sorted(p for p in args.root.rglob("*") if p.suffix.lower() in SUFFIXES), args.clips)
    if not paths:
        raise SystemExit(f"{args.root}: no videos in this folder")
    load = os.getloadavg()[0]
    measure(paths[0], "dlib", repeat=1)  # loads the models, fills the caches
    track = summary([measure(path, "dlib", args.repeat) for path in paths])
    with tempfile.TemporaryDirectory() as folder:
        root = linked(paths, Path(folder))
        one, two = (min(wall_seconds(root, n, 2) for _ in range(args.repeat)) for n in (1, 2))
    frames = track["frames"]
    print(f"{len(paths)} clips, {frames:.0f} frames, load {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    print(f"per core: every frame {track['every_frame_fps']:.0f}/s, followed {track['followed_fps']:.0f}/s, "
          f"{track['ratio']:.2f} times; landmarks differ by {track['difference_mean_px']:.3f} px")  # fmt: skip
    print(f"verb: 1 process {frames / one:.0f}/s, 2 processes {frames / two:.0f}/s, {one / two:.2f} times")
    if args.json:
        args.json.write_text(json.dumps({"load": load, "track": track, "one_s": one, "two_s": two}, indent=1))


if __name__ == "__main__":
    main()
