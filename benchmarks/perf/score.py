"""Speed of `zoo score`: one pair of videos from the files to a row of every metric, models warm, against real time.

    python -m benchmarks.perf.score --pred FOLDER --real FOLDER [--clips 3] [--json out.json] [key=value ...]

Wall-clock time of each stage, the fastest of several runs, and the processor time of all threads, in which other work
on the machine hardly counts. A stage is charged what it is the first to need (lmd cuts the faces out), so the shares
depend on the order and the sum does not. A ratio to real time, the length of the real clip, below 1 is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch

from zoo.evaluation.judges import Judges
from zoo.evaluation.metric_scorer import MetricScorer
from zoo.evaluation.metrics.choose import Chosen, choose, split_options
from zoo.evaluation.score import Pair, find_pairs, load_pair
from zoo.media.clip import FPS


class Run(NamedTuple):
    """One pair, scored once: wall-clock and processor seconds per stage, and the seconds that its real video lasts."""

    wall: dict[str, float]
    processor: dict[str, float]
    lasts: float


def measure(pair: Pair, metrics: Chosen, judges: Judges) -> Run:
    """Score one pair, stage by stage."""
    columns = {
        name: MetricScorer(spec, deepcopy(metric), deepcopy(metric) if spec.real_row else None)
        for name, (spec, metric) in metrics.items()
    }
    clocks = [(time.perf_counter(), time.process_time())]
    seen = load_pair(pair, judges)
    clocks.append((time.perf_counter(), time.process_time()))
    for name, column in columns.items():
        column.add(pair.clip, seen)
        clocks.append((time.perf_counter(), time.process_time()))
        assert column.metric.rows()[0].stats, f"{name}: {column.metric.rows()[0].reason}"
    stages = ["read, find faces", *columns]
    wall, processor = (
        {stage: after[i] - before[i] for stage, (before, after) in zip(stages, pairwise(clocks), strict=True)}
        for i in (0, 1)
    )
    return Run(wall, processor, len(seen.real) / FPS)


def fastest(pair: Pair, metrics: Chosen, judges: Judges, repeat: int) -> Run:
    """The run of the least wall-clock sum."""
    return min((measure(pair, metrics, judges) for _ in range(repeat)), key=lambda run: sum(run.wall.values()))


def main() -> None:
    """Measure and print; write all the numbers with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pred", type=Path, required=True, help="generated videos")
    parser.add_argument("--real", type=Path, required=True, help="real videos of the same names")
    parser.add_argument("--clips", type=int, default=3, help="pairs to measure")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the fastest counts")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    parser.add_argument("settings", nargs="*", default=[], help="as for zoo score")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    options, judging = split_options(args.settings)
    metrics, left_out, judges = choose(None, options, judging, device="cpu")
    pairs = [pair for pair in find_pairs(args.pred, args.real) if pair.pred and pair.real][: args.clips]
    load = os.getloadavg()[0]
    measure(pairs[0], metrics, judges)  # loads the models, fills the caches
    runs = [fastest(pair, metrics, judges, args.repeat) for pair in pairs]
    wall, processor = ({stage: mean(getattr(run, kind)[stage] for run in runs) for stage in runs[0].wall}
                       for kind in ("wall", "processor"))  # fmt: skip
    lasts = mean(run.lasts for run in runs)
    for stage in wall:
        print(f"{stage:18s} {wall[stage]:6.3f} s, processor {processor[stage]:6.3f} s")
    total, busy = sum(wall.values()), sum(processor.values())
    print(f"{'sum':18s} {total:6.3f} s, processor {busy:6.3f} s, for clips of {lasts:.2f} s: {total / lasts:.2f} of "
          f"real time ({len(metrics)} metrics, {args.threads} threads)")  # fmt: skip
    print(f"{len(runs)} clips, load {load:.1f} before, {os.getloadavg()[0]:.1f} after; left out: {', '.join(left_out)}")
    if args.json:
        kept = {"load": load, "ratio": total / lasts, "clips": [run._asdict() for run in runs]}
        args.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
