"""Time of LSE-D, LSE-C and the offset of a clip against the published way, window by window with the same expert.

    python benchmarks/perf/lse.py [--width 0.25 1.0] [--frames 75] [--threads 1 2] [--repeat 5] [--json out.json]

The published way (Wav2Lip's evaluation on joonson/syncnet_python) cuts five faces and their sound for every window,
embeds each alone and goes through the shifts one by one (``calc_pdist``). Both ways run in one process, in turn, on the
same untrained expert; the fastest of a few runs counts. A store's pictures or trained weights would not change the
time. Results must agree within 1e-5. Other work on the machine falls on both, but not evenly: run it on a quiet one.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float32
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from zoo.evaluation.metrics.av_offset import av_offset
from zoo.evaluation.metrics.lse_c import lse_c
from zoo.evaluation.metrics.lse_d import lse_d
from zoo.evaluation.metrics.sync import MAX_SHIFT
from zoo.experts.sync_expert.config import SyncExpertConfig
from zoo.experts.sync_expert.module import SIZE, SyncExpert
from zoo.experts.sync_expert.networks import FRAMES
from zoo.media import audio

TOLERANCE = 1e-5

Scores = tuple[float, float, int]
"""LSE-D, LSE-C and the offset in frames."""


@dataclass
class Measured:
    """One width and number of threads: seconds of both ways, their ratio and the largest difference."""

    width: float
    threads: int
    published_seconds: float
    zoo_seconds: float
    difference: float

    @property
    def ratio(self) -> float:
        """How many times faster the zoo is."""
        return self.published_seconds / self.zoo_seconds


def published(expert: SyncExpert, faces: Float32[Tensor, "T 3 96 96"], wave: Float32[Tensor, " S"]) -> Scores:
    """Window by window, shift by shift."""
    video, sound = [], []
    with torch.no_grad():
        for first in range(len(faces) - FRAMES + 1):
            pictures = torch.cat(list(faces[first : first + FRAMES, :, SIZE // 2 :]))[None]
            start, stop = audio.frame_window(first + FRAMES // 2, 1, expert.mel.samples)
            mel = expert.mel(audio.cut(wave, start, stop)[None])
            video.append(expert.network.embed_faces(pictures.contiguous()))
            sound.append(expert.network.embed_sounds(mel))
    seen = torch.cat(video)
    heard = F.pad(torch.cat(sound), (0, 0, MAX_SHIFT, MAX_SHIFT))
    rows = [
        F.pairwise_distance(seen[[i]].repeat(2 * MAX_SHIFT + 1, 1), heard[i : i + 2 * MAX_SHIFT + 1])
        for i in range(len(seen))
    ]
    means = torch.stack(rows, 1).mean(1)
    least, place = means.min(0)
    return float(least), float(means.median() - least), MAX_SHIFT - int(place)


def of_the_zoo(expert: SyncExpert, faces: Float32[Tensor, "T 3 96 96"], wave: Float32[Tensor, " S"]) -> Scores:
    """What :class:`zoo.evaluation.judges.Judges` and the metrics do."""
    with torch.inference_mode():
        video, sound = expert.embed_clip(faces, wave)
        return float(lse_d(video, sound)), float(lse_c(video, sound)), int(av_offset(video, sound))


def experts(width: float) -> tuple[SyncExpert, SyncExpert]:
    """The same expert as in the published code and as the judges keep it, with lively batch statistics."""
    torch.manual_seed(0)
    plain = SyncExpert(SyncExpertConfig(width=width, channels_last=False)).train()
    with torch.no_grad():  # else activations die out with depth and all windows look alike
        for _ in range(3):
            plain.embed_faces(torch.rand(8, FRAMES, 3, SIZE, SIZE))
            plain.embed_sounds(torch.rand(8, plain.mel.samples) - 0.5)
    ours = SyncExpert(SyncExpertConfig(width=width))
    ours.load_state_dict(plain.state_dict())
    ours.for_inference()
    return plain.eval(), ours


def measure(width: float, threads: int, frames: int, repeat: int) -> Measured:
    """Run both ways in turn."""
    torch.set_num_threads(threads)
    plain, ours = experts(width)
    faces = torch.rand(frames, 3, SIZE, SIZE)
    wave = torch.rand(audio.num_samples(frames)) - 0.5
    of_the_zoo(ours, faces, wave)
    slow_s = fast_s = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        want = published(plain, faces, wave)
        middle = time.perf_counter()
        got = of_the_zoo(ours, faces, wave)
        stop = time.perf_counter()
        slow_s, fast_s = min(slow_s, middle - start), min(fast_s, stop - middle)
    difference = max(abs(a - b) for a, b in zip(want, got, strict=True))
    return Measured(width, threads, slow_s, fast_s, difference)


def main() -> None:
    """Measure, print a table, and write it to a file with ``--json``; exit code 1 where values differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, nargs="+", default=[0.25, 1.0], help="of the expert; 1 is the published")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, default=75)
    parser.add_argument("--repeat", type=int, default=5, help="runs, of which the fastest counts")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    rows = [measure(width, threads, args.frames, args.repeat) for width in args.width for threads in args.threads]
    table = Table(title=f"LSE-D, LSE-C and offset of a clip of {args.frames} frames")
    for heading in ("width", "threads", "window by window, s", "zoo, s", "ratio", "largest difference"):
        table.add_column(heading)
    for row in rows:
        seconds = (f"{row.published_seconds:.3f}", f"{row.zoo_seconds:.3f}")
        table.add_row(f"{row.width:g}", str(row.threads), *seconds, f"{row.ratio:.1f}", f"{row.difference:.1e}")
    Console().print(table)
    if args.json:
        machine = {"machine": platform.machine(), "processor": platform.processor(), "torch": torch.__version__}
        found = {"frames": args.frames, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
        args.json.write_text(json.dumps({**found, **machine}, indent=1))
    if any(not row.difference < TOLERANCE for row in rows):
        raise SystemExit("the values differ")


if __name__ == "__main__":
    main()
