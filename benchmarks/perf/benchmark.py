"""Speed of `zoo benchmark`: two processes against one, and the harness against bare generation and scoring.

    python -m benchmarks.perf.benchmark --ckpt lipgan=RUN [--clips 12] [--json out.json] [data.root=STORE ...]

Two processes against one: wall-clock time of generating and scoring all clips of a method on one track, from the start
of the processes to merged rows. Harness: processor time of the runner in one process against that of a loop that
generates the same clips and asks the same metrics, without files, plans and rows; videos are written in neither. Rows
must be the same in all runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

from zoo.benchmark.bench import Bench
from zoo.benchmark.plan import make_plan
from zoo.benchmark.results import Cell
from zoo.benchmark.run import Workers, execute
from zoo.benchmark.scoring import Scorer
from zoo.benchmark.subjects import make_subject
from zoo.benchmark.suite import find_suite
from zoo.cli.benchmark import checkpoints


def timed(bench: Bench, given: dict[str, Path], workers: Workers) -> tuple[float, float, bytes]:
    """Run all clips; wall-clock and processor seconds of this process, and the rows."""
    out = Path(mkdtemp())
    plan = make_plan(bench, list(given), out, given=given)
    bench._known.clear()
    clocks = time.perf_counter(), time.process_time()
    outcome = execute(bench, plan, workers, show=False)
    wall, processor = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
    assert not outcome.problems, outcome.problems
    rows = b"".join(path.read_bytes() for path in sorted(out.glob("cells/*/rows.jsonl")))
    shutil.rmtree(out)
    return wall, processor, rows


def bare(bench: Bench, given: dict[str, Path]) -> float:
    """Processor seconds of generating and scoring the same clips in a plain loop."""
    bench._known.clear()
    ((name, checkpoint),) = given.items()
    started = time.process_time()
    subject = make_subject(bench, name, checkpoint, torch.device("cpu"))
    scorer = Scorer(bench, Cell(name, "", "perf", name, "method", "reconstruction"))
    for index in bench.test:
        scene = bench.scene(index, foreign=False)
        seen = scorer.look(scene, subject, subject.make(scene))
        for name, (spec, metric) in bench.metrics.items():
            metric.reset()
            pair = seen.pixels if not spec.needs else (seen.pred, seen.real)
            with torch.inference_mode():
                metric.observe(name, *pair)
        bench.keep(scene, seen.real)
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", required=True, metavar="METHOD=PATH", help="weights of the method")
    parser.add_argument("--clips", type=int, default=12, help="test clips")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    parser.add_argument("settings", nargs="*", default=[], help="of the suite")
    args = parser.parse_args()
    torch.set_num_threads(1)
    given = checkpoints([args.ckpt])
    fixed = ["references=[]", "tracks=[reconstruction]", "videos=false", f"test_clips={args.clips}"]
    bench = Bench(find_suite("synth", [*fixed, *args.settings]))
    load = os.getloadavg()[0]
    bare(bench, given)  # loads the models, fills the caches
    harness = [timed(bench, given, Workers("here", 1, ("cpu",))) for _ in range(2)]
    plain = min(bare(bench, given) for _ in range(2))
    overhead = min(run[1] for run in harness) / plain - 1
    walls = {}
    for count in (1, 2):
        wall, _, rows = timed(bench, given, Workers("processes", count, ("cpu",)))
        assert rows == harness[0][2], "the rows differ"
        walls[count] = wall
    found: dict[str, Any] = {
        "clips": args.clips,
        "bare_s": plain,
        "harness_s": min(run[1] for run in harness),
        "overhead": overhead,
        "one_process_s": walls[1],
        "two_processes_s": walls[2],
        "faster": walls[1] / walls[2],
        "load": [load, os.getloadavg()[0]],
    }
    print(f"{args.clips} clips, {len(bench.metrics)} metrics, one thread per process")
    print(f"bare loop {plain:.2f} s, harness {found['harness_s']:.2f} s of processor time: overhead {overhead:+.1%}")
    print(f"one process {walls[1]:.1f} s, two {walls[2]:.1f} s, start included: {found['faster']:.2f} times as fast")
    print(f"rows: the same; load {load:.1f} before, {found['load'][1]:.1f} after")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
