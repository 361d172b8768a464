"""Speed of `zoo benchmark --dry-run` on a large store: an index without pictures is enough to plan by.

    python -m benchmarks.perf.dry_run [--clips 20000] [--speakers 100] [--all-test] [--json out.json]

The real command as a process of its own, the store made before it. Wall-clock and processor time of the second run: the
first one warms the page cache.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zoo.data.store.index import FORMAT, VERSION

PER_SHARD = 1000

NOTHING = bytes(300_000)
"""Stands for a shard: as long as the longest clip, which all lines of the index point at."""


def write(folder: Path, clips: int, speakers: int, *, all_test: bool) -> None:
    """Write the index of a store in the manner of GRID: 75 frames a clip, some shorter, sentences that come again."""
    rng = random.Random(0)
    (folder / "shards").mkdir(parents=True)
    meta = {"format": FORMAT, "version": VERSION, "dataset": "folder", "splits": ["by-speaker"], "fps": 25.0}
    (folder / "store.json").write_text(json.dumps(meta))
    for first in range(0, clips, PER_SHARD):
        lines = [
            _line(rng, number, speakers, all_test=all_test) for number in range(first, min(first + PER_SHARD, clips))
        ]
        name = f"{first // PER_SHARD:05d}"
        text = "".join(lines).encode()
        (folder / "shards" / f"{name}.jsonl").write_bytes(text)
        (folder / "shards" / f"{name}.zip").write_bytes(NOTHING)
        sums = f"{hashlib.sha256(NOTHING).hexdigest()}  {name}.zip\n{hashlib.sha256(text).hexdigest()}  {name}.jsonl\n"
        (folder / "shards" / f"{name}.sha256").write_text(sums)


def _line(rng: random.Random, number: int, speakers: int, *, all_test: bool) -> str:
    who = f"{'test' if all_test else 's'}{number % speakers}"
    row = {
        "id": f"{who}/{number:06d}",
        "speaker": who,
        "text": f"bin blue at {rng.choice('abcdefghij')} {rng.randrange(10)} now",
        "words": [[0.1 * k, 0.1 * k + 0.1, "word"] for k in range(6)],
        "num_frames": rng.choice((75, 75, 75, 74, 70)),
        "height": 2,
        "width": 2,
        "num_samples": 48000,
        "fps": 25.0,
        "sample_rate": 16000,
        "offsets": [0, 0, 0],
        "source": "0",
    }
    return json.dumps(row) + "\n"


def measure(store: Path) -> tuple[float, float]:
    """Wall-clock and processor seconds of one plan."""
    command = [sys.executable, "-m", "zoo", "benchmark", "--methods", "none", "--dry-run", "--suite", "folder"]
    command += [
        "--out",
        str(store.parent / "out"),
        f"data.root={store}",
        "metrics=[lmd,psnr]",
        "runs=null",
        "test_clips=null",
    ]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Measure and print; write the numbers with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--speakers", type=int, default=100)
    parser.add_argument("--all-test", action="store_true", help="all speakers are test speakers, not one in eight")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store"
        write(store, args.clips, args.speakers, all_test=args.all_test)
        (_, (wall, processor)) = [measure(store) for _ in range(2)]
    print(f"{args.clips:,} clips: plan in {wall:.1f} s, processor {processor:.1f} s; load {os.getloadavg()[0]:.1f}")
    if args.json:
        args.json.write_text(json.dumps({"clips": args.clips, "wall": wall, "processor": processor}, indent=1))


if __name__ == "__main__":
    main()
