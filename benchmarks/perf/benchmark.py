"""Speed of `zoo benchmark`: the harness against bare generation and scoring, and two processes against one.

    python -m benchmarks.perf.benchmark --ckpt lipgan=RUN [--clips 24] [--json out.json] [data.root=STORE ...]

Everything runs as a process of its own, from nothing to finished results: the real command with all that it starts, and
a plain loop that opens the same store, generates the same clips, asks the same metrics and writes the same videos, but
no plan, no rows and no leaderboard. Processor time counts every process. The second numbers, per clip, leave the start
out: they are the difference of two runs, of all clips and of a third of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from zoo.benchmark.suite import find_suite
from zoo.benchmark.suite_set import SuiteSet
from zoo.cli.benchmark import checkpoints
from zoo.evaluation.evaluator import Evaluator
from zoo.evaluation.results import Cell, video_name
from zoo.media.video import write_video
from zoo.synthesis.subjects import make_subject

FIXED = ["references=[]", "tracks=[reconstruction]"]


class Took(NamedTuple):
    """Wall-clock and processor seconds."""

    wall: float
    processor: float


def timed(command: list[str]) -> Took:
    """Run a command and wait for it and all that it started."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def bare(ckpt: str, settings: list[str]) -> None:
    """Generate and score the clips in a plain loop."""
    torch.set_num_threads(1)
    suite = find_suite("synth", settings)
    ((name, checkpoint),) = checkpoints(suite.config, [ckpt]).items()
    suite_set = SuiteSet(suite)
    subject = make_subject(suite_set.store, name, checkpoint, torch.device("cpu"))
    scorer = Evaluator(suite_set, Cell("bare", "", "perf", name, "method", "reconstruction"))
    with TemporaryDirectory() as folder:
        for index in suite_set.test:
            scene = suite_set.scene(index, foreign=False)
            made = subject.make(scene)
            write_video(Path(folder) / video_name(scene.clip.id), made, wave=scene.wave, metadata=subject.tags())
            seen = scorer.pair(scene, subject, made)
            for spec, metric in suite_set.metrics.values():
                metric.reset()
                with torch.inference_mode():
                    metric.observe(scene.clip.id, *(seen.pixels if not spec.needs else (seen.pred, seen.real)))


def harness(ckpt: str, settings: list[str], out: Path, processes: int) -> tuple[Took, bytes]:
    """Run the command; its rows too."""
    method = ckpt.partition("=")[0]
    command = [sys.executable, "-m", "zoo", "benchmark", "--methods", method, "--ckpt", ckpt, "--out", str(out)]
    took = timed([*command, "--devices", str(processes), *settings])
    return took, b"".join(path.read_bytes() for path in sorted(out.glob("cells/*/rows.jsonl")))


def measure(ckpt: str, clips: int, settings: list[str]) -> dict[str, Any]:
    """All the numbers."""
    found: dict[str, Any] = {"clips": clips, "load": [os.getloadavg()[0]]}
    loop = [sys.executable, "-m", "benchmarks.perf.benchmark", "--bare", "--ckpt", ckpt, *FIXED]
    timed([*loop, "test_clips=1", *settings])  # makes the store, reads the weights into the page cache
    with TemporaryDirectory() as folder:
        for count in (clips // 3, clips):
            these = [*FIXED, f"test_clips={count}", *settings]
            plain = timed([*loop, f"test_clips={count}", *settings])
            one, rows = harness(ckpt, these, Path(folder) / f"{count}-1", 1)
            two, others = harness(ckpt, these, Path(folder) / f"{count}-2", 2)
            if rows != others:
                raise SystemExit("two processes made other rows than one")
            found[f"bare_{count}"], found[f"one_{count}"] = plain._asdict(), one._asdict()
            found[f"two_{count}"] = two._asdict()

    def per_clip(kind: str, clock: str) -> float:
        return (found[f"{kind}_{clips}"][clock] - found[f"{kind}_{clips // 3}"][clock]) / (clips - clips // 3)

    found["overhead"] = one.processor / plain.processor - 1
    found["overhead_per_clip"] = per_clip("one", "processor") / per_clip("bare", "processor") - 1
    found["faster"] = one.wall / two.wall
    found["faster_per_clip"] = per_clip("one", "wall") / per_clip("two", "wall")
    found["load"].append(os.getloadavg()[0])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", required=True, metavar="METHOD=PATH", help="weights of the method")
    parser.add_argument("--clips", type=int, default=24, help="test clips")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)  # the plain loop's own process
    parser.add_argument("settings", nargs="*", default=[], help="of the suite")
    args = parser.parse_args()
    if args.bare:
        bare(args.ckpt, args.settings)
        return
    found = measure(args.ckpt, args.clips, args.settings)
    plain, one, two = (found[f"{kind}_{args.clips}"] for kind in ("bare", "one", "two"))
    print(
        f"{args.clips} clips, one thread per process; load {found['load'][0]:.1f} before, {found['load'][1]:.1f} after"
    )
    print(f"bare loop {plain['processor']:.1f} s of processor time, zoo benchmark {one['processor']:.1f} s: "
          f"{found['overhead']:+.1%} in all, {found['overhead_per_clip']:+.1%} per clip")  # fmt: skip
    print(f"one process {one['wall']:.1f} s, two {two['wall']:.1f} s: "
          f"{found['faster']:.2f} times as fast in all, {found['faster_per_clip']:.2f} times per clip")  # fmt: skip
    print("rows: the same")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
