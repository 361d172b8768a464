"""Plausible results of a benchmark that never ran: 3 methods with 2 seeds, 4 references, 2 tracks, 20 clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.evaluation.metrics import specs
from zoo.evaluation.results import Cell, Failure, Metric, Row, Suite, Track, line_of, write_cell, write_suite
from zoo.support.files import write_text_aside

RATIO = {"wer", "cer", "sync_acc", "motion"}

METRICS = [
    Metric(spec.name, spec.summary, spec.unit, spec.better, "ratio" if spec.name in RATIO else "mean")
    for spec in (
        specs.LMD, specs.MOTION, specs.LSE_D, specs.LSE_C, specs.AV_OFFSET, specs.SYNC_ACC, specs.WER, specs.CER,
        specs.CPBD, specs.SSIM, specs.PSNR, specs.ACD,
    )
]  # fmt: skip

CLIPS = {f"s{speaker}/clip{index:02d}": f"s{speaker}" for speaker in range(1, 6) for index in range(4)}

LEVELS = {  # mean and standard deviation over clips; of ratios the ratio itself and the clips' noise
    "real": (0, 1, 6.5, 7.0, 0, 0.97, 0.12, 0.06, 0.28, 1, 48, 0.0001),
    "still": (2.6, 0, 12.9, 0.9, 3, 0.31, 0.96, 0.70, 0.27, 0.81, 25.1, 0.0000),
    "wrong-sound": (2.4, 1.02, 12.1, 1.4, 2.5, 0.34, 0.95, 0.71, 0.28, 0.80, 24.8, 0.0001),
    "retrieval": (1.9, 1.1, 9.9, 3.0, 0.6, 0.66, 0.48, 0.29, 0.28, 0.79, 24.5, 0.0002),
    "lipgan": (1.35, 0.81, 8.4, 5.2, 0.2, 0.84, 0.35, 0.19, 0.21, 0.88, 28.9, 0.00021),
    "at-a-glance": (1.42, 0.74, 8.8, 4.6, 0.3, 0.80, 0.44, 0.25, 0.19, 0.86, 28.6, 0.00024),
    "speech-driven-gan": (1.71, 1.22, 9.3, 4.1, -0.7, 0.75, 0.52, 0.31, 0.24, 0.83, 27.2, 0.00033),
}

NOISE = (0.25, 0.12, 0.9, 0.8, 0.5, 0.08, 0.15, 0.1, 0.02, 0.02, 1.1, 0.00004)

TRAINING = {"seconds": 93.5, "budget": "2 min", "dataset": "synthgrid", "split": "by-speaker"}

NO_FACE = "no face was found in the generated video"

SHOWN = {
    "lipgan": "upper half of every frame",
    "at-a-glance": "one still",
    "speech-driven-gan": "one still",
}


def write_results(
    folder: Path, tracks: tuple[Track, ...] = ("reconstruction", "cross"), names: dict[str, str] | None = None
) -> Path:
    """Write such a folder; ``names`` renames methods."""
    write_suite(
        folder, Suite("synth", "SynthGRID", "synthgrid", "by-speaker", False, CLIPS, list(tracks), METRICS, data="f00d")
    )
    for track in tracks:
        for index, method in enumerate(LEVELS):
            if (method, track) == ("real", "cross"):
                continue
            for seed in (0, 1) if method in SHOWN else (0,):
                write_one(folder, (names or {}).get(method, method), method, seed, track, index)
    return folder


def write_one(folder: Path, name: str, like: str, seed: int, track: Track, index: int) -> None:
    """Write one cell with its rows."""
    safe = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in name)
    method = like in SHOWN
    cell = Cell(
        name=f"{safe}-seed{seed}-{track}",
        key=f"{index:08x}{seed:04x}{len(track):04x}",
        suite="synth",
        method=name,
        kind="method" if method else "reference",
        track=track,
        seed=seed,
        status="done",
        summary=f"plausible numbers of {like}",
        dist="talking-face-zoo" if method else "",
        shown=SHOWN.get(like, ""),
        checkpoint=f"{index}{seed}abcdef01234567"[:16] if method else "",
        source="fitted" if method else "",
        parameters=[0, 0, 0, 0, 2_412_345, 5_812_001, 11_020_300][index],
        training=TRAINING | {"steps": 2000 + 10 * seed} if method else {},
        trained_on="unseen speakers" if method else "",
        device="CPU, 1 thread" if method else "",
        frames=1500 if method else 0,
        seconds=[0, 0, 0, 0, 18.2, 30.9, 71.3][index] if method else 0.0,
        failures=[Failure("s2/clip01", "", NO_FACE)] if (like, seed) == ("at-a-glance", 1) else [],
        made={"zoo": "0.1.0"},
        protocols={metric.name: f"{metric.name}|crop:face256|zoo:0.1.0" for metric in METRICS},
    )  # fmt: skip
    write_cell(folder, cell)
    write_text_aside(folder / "cells" / cell.name / "rows.jsonl", "".join(map(line_of, rows_of(cell, like, index))))


def rows_of(cell: Cell, like: str, index: int) -> list[Row]:
    """Rows around the levels above; hard clips are hard for everyone."""
    hard = np.random.default_rng(7).normal(0, 0.7, (len(CLIPS), len(METRICS)))
    own = np.random.default_rng([index, cell.seed, len(cell.track)]).normal(0, 0.5, hard.shape)
    shift = np.random.default_rng([99, index, cell.seed]).normal(0, 0.15, len(METRICS))
    found = []
    for place, (clip, speaker) in enumerate(CLIPS.items()):
        for column, metric in enumerate(METRICS):
            level = LEVELS[like][column]
            noise = NOISE[column] * (hard[place, column] + own[place, column] + shift[column])
            exact = like == "real" and metric.reduce == "mean"
            value: float | None = round(level + (0.0 if exact else noise), 6)
            assert value is not None
            if metric.name not in ("av_offset",):
                value = max(value, 0.0)
            total, scored, reason = 75, 75, ""
            stats: tuple[float, ...] = (value * 75, 75.0)
            if metric.reduce == "ratio":
                total = scored = 6
                stats = (float(round(value * 6)), 6.0) if metric.name != "motion" else (value * 4, 4.0)
                value = stats[0] / stats[1]
            if (like, cell.seed, clip) == ("at-a-glance", 1, "s2/clip01"):
                value, stats, scored, reason = None, (), 0, NO_FACE
            found.append(
                Row(cell.key, "synth", cell.method, cell.seed, cell.track, cell.checkpoint, clip, speaker, metric.name,
                    cell.protocols[metric.name], value, stats, scored, total, reason,
                    "" if cell.track == "reconstruction" else "s1/clip00")
            )  # fmt: skip
    return sorted(found, key=lambda row: (row.clip, row.metric))
