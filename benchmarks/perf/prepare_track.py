"""Time of finding a face in every frame against following it (zoo.face.track), and how far the landmarks differ.

    python benchmarks/perf/prepare_track.py --root FOLDER_OF_VIDEOS [--clips 20] [--repeat 3] [--json out.json]

Both ways read the same clips in turn in one process on one thread. Times are processor time and include decoding: the
rates are frames per second and core, and the fastest of a few runs counts, since other work on the machine slows both.
*Every frame* is detection in every frame and landmarks from that frame's own box.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float32
from rich.console import Console
from rich.table import Table
from torch import Tensor

from zoo.face.backends import make_detector, make_landmarker
from zoo.face.track import track_face
from zoo.media.video import read_video
from zoo.support.errors import NoFaceError, ZooError

SUFFIXES = {".mpg", ".mp4", ".avi", ".mov", ".mkv", ".webm"}


def every_frame(path: Path, detector: str) -> Float32[Tensor, "T 68 2"]:
    """Landmarks in pixels by detection in every frame; NaN where the detector finds nothing."""
    find, predictor = make_detector(detector), make_landmarker("dlib")
    rows = []
    for frame in read_video(path).frames:
        boxes = find.detect(frame)
        rows.append(predictor.landmarks(frame, boxes[0]) if boxes else torch.full((68, 2), torch.nan))
    return torch.stack(rows)


def followed(path: Path, detector: str) -> Float32[Tensor, "T 68 2"]:
    """Landmarks in pixels as `zoo data prepare` finds them."""
    return track_face(read_video(path).frames, detector=detector).landmarks


def spread(paths: list[Path], count: int) -> list[Path]:
    """``count`` of the paths: as evenly as possible from all folders, and spread within each."""
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    queues = [_scattered(folder) for folder in folders.values()]
    turns = [queue[i] for i in range(max(map(len, queues), default=0)) for queue in queues if i < len(queue)]
    return sorted(turns[:count])


def _scattered(paths: list[Path]) -> list[Path]:
    golden = 0.6180339887
    return sorted(paths, key=lambda path: (paths.index(path) + 1) * golden % 1)


def measure(path: Path, detector: str, repeat: int) -> dict[str, object]:
    """One clip both ways: processor seconds, and how far (pixels, mean of 68) the landmarks of each frame differ."""
    slow_s, slow = _timed(lambda: every_frame(path, detector), repeat)
    try:
        fast_s, fast = _timed(lambda: followed(path, detector), repeat)
    except NoFaceError as error:
        return {"clip": str(path), "failed": str(error)}
    known = slow.isfinite().all(2).all(1)
    distance = (fast - slow)[known].norm(dim=2).mean(1)
    return {
        "clip": str(path),
        "frames": len(slow),
        "frames_without_detection": int((~known).sum()),
        "every_frame_s": slow_s,
        "followed_s": fast_s,
        "difference_px": distance.tolist(),
    }


def _timed(work: Callable[[], Tensor], repeat: int) -> tuple[float, Tensor]:
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


def summary(rows: list[dict[str, object]]) -> dict[str, float]:
    """Totals over the clips that were followed."""
    done = [row for row in rows if "failed" not in row]
    if not done:
        raise ZooError("no clip of the folder shows a face that can be followed")
    frames, slow, fast = (sum(row[key] for row in done) for key in ("frames", "every_frame_s", "followed_s"))  # type: ignore[misc]
    clips = torch.stack([torch.tensor(row["difference_px"]).mean() for row in done])
    pooled = torch.cat([torch.tensor(row["difference_px"]) for row in done])
    return {
        "clips": len(rows),
        "failed": len(rows) - len(done),
        "frames": frames,
        "frames_without_detection": sum(row["frames_without_detection"] for row in done),  # type: ignore[misc]
        "every_frame_fps": frames / slow,
        "followed_fps": frames / fast,
        "ratio": slow / fast,
        "difference_mean_px": pooled.mean().item(),
        "difference_p95_px": pooled.quantile(0.95).item(),
        "difference_worst_clip_px": clips.max().item(),
    }


def main() -> None:
    """Measure, print a table, and write it all to a file with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of videos, searched in depth")
    parser.add_argument("--clips", type=int, default=20, help="how many, from all folders in turn")
    parser.add_argument(
        "--repeat", type=int, default=3, help="runs of each way on each clip, of which the fastest counts"
    )
    parser.add_argument("--detector", default="dlib", help="dlib or mtcnn")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = spread(sorted(p for p in args.root.rglob("*") if p.suffix.lower() in SUFFIXES), args.clips)
    if not paths:
        raise SystemExit(f"{args.root}: no videos in this folder")
    measure(paths[0], args.detector, repeat=1)  # loads the models, fills the caches
    rows = [measure(path, args.detector, args.repeat) for path in paths]
    total = summary(rows)
    table = Table(title=f"{total['clips']} clips, {total['frames']} frames, detector {args.detector}, one thread")
    for heading in ("", "frames/s per core", "ratio", "landmarks differ by (mean, p95, worst clip)"):
        table.add_column(heading)
    table.add_row("detection in every frame", f"{total['every_frame_fps']:.0f}", "1.0", "")
    difference = " ".join(f"{total[f'difference_{key}_px']:.3f}" for key in ("mean", "p95", "worst_clip"))
    table.add_row("followed", f"{total['followed_fps']:.0f}", f"{total['ratio']:.2f}", f"{difference} px")
    console = Console()
    console.print(table)
    for row in rows:
        if "failed" in row:
            console.print(f"failed: {row['clip']}: {row['failed']}")
    if args.json:
        machine = {"machine": platform.machine(), "processor": platform.processor(), "torch": torch.__version__}
        args.json.write_text(json.dumps({"total": total, "clips": rows, **machine}, indent=1))


if __name__ == "__main__":
    main()
