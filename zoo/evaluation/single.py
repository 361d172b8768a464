"""A benchmark of one cell: what ``zoo fit`` and ``zoo test`` find out about a method, clip by clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from zoo.evaluation.evaluation_set import EvaluationSet
from zoo.evaluation.metrics.base import bootstrap_interval
from zoo.evaluation.results import Cell
from zoo.evaluation.scoring import Scorer
from zoo.registry.config import DataConfig, RunConfig
from zoo.synthesis.subjects import Method, Still, Subject, make_subject

METRICS = ("lmd", "motion", "sync_acc")
"""What is measured: LMD alone rewards a mouth that hardly moves."""


class SingleCell:
    """Generates and scores test clips as ``zoo benchmark`` does, each beside the still.

    Args:
        config: data and method.
        weights: of the method.
        device: where it runs.
    """

    def __init__(self, config: RunConfig, weights: Path, device: torch.device) -> None:
        data = config.data
        clips = DataConfig(data.name, data.root, data.split, data.clips, data.seed)
        self.bench = EvaluationSet(clips, METRICS, device=str(device))
        cell = Cell("test", "", "test", config.method, "method", "reconstruction")
        self.scorer = Scorer(self.bench, cell)
        method = make_subject(self.bench.store, config.method, weights, device)
        assert isinstance(method, Method)
        method.options = config.options
        self.subjects: dict[str, Subject] = {"": method, "_still": Still()}

    def rows(self, clips: Sequence[str]) -> list[dict[str, Any]]:
        """One row per clip: every metric of the generated video and, as ``NAME_still``, of the still.

        Values are ``None`` where a clip could not be scored; ``NAME_stats`` are what a value is made of.
        """
        return [self._row(clip) for clip in clips]

    def video(self, clip: str) -> UInt8[Tensor, "T 3 H W"]:
        """The generated video of a clip, as it is scored."""
        return self.subjects[""].make(self.bench.scene(self.bench.store.index(clip), foreign=False))

    def _row(self, clip: str) -> dict[str, Any]:
        scene = self.bench.scene(self.bench.store.index(clip), foreign=False)
        found: dict[str, Any] = {"clip": clip, "speaker": scene.clip.speaker, "frames": len(scene.clip.frames)}
        for suffix, subject in self.subjects.items():
            seen = self.scorer.look(scene, subject, subject.make(scene))
            for row in self.scorer.rows(scene, seen, list(METRICS)):
                found[f"{row.metric}{suffix}"] = row.value
                found[f"{row.metric}{suffix}_stats"] = list(row.stats)
                if row.reason:
                    found[f"{row.metric}{suffix}_reason"] = row.reason
        return found

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The scores of all clips, as a leaderboard has them, with what they are scores of."""
        values = {f"{name}{suffix}": self._value(name, suffix, rows) for name in METRICS for suffix in ("", "_still")}
        lmd, still = values["lmd"], values["lmd_still"]
        return {
            "protocol": self.bench.metrics["lmd"][1].signature,
            "protocols": self.bench.protocols(list(METRICS)),
            "clips": len(rows),
            "speakers": len({row["speaker"] for row in rows}),
            **{name: round(value, 4) for name, value in values.items()},
            "better_than_still": round(1 - lmd / still, 4) if rows and still > 0 else None,
            "sync_at_chance": at_chance(rows),
            "remarks": _unscored(rows)
            + [
                f"sync accuracy: {judge.name} knows drawn faces only ({judge.corpora}); {judge.way_out()} to zoo "
                f"score, or judges.{judge.key}=WEIGHTS to zoo benchmark"
                for judge in ([] if self.bench.drawn else self.bench.judges.drawn_only(self.bench.metrics))
            ],
        }

    def _value(self, name: str, suffix: str, rows: Sequence[Mapping[str, Any]]) -> float:
        stats = [row[f"{name}{suffix}_stats"] for row in rows if row.get(f"{name}{suffix}_stats")]
        if not stats:
            return float("nan")
        return float(self.bench.metrics[name][1].reduce(np.asarray(stats, dtype=np.float64)))


def at_chance(rows: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether the mouths follow the sound no more often than the still's, at 95 % confidence over clips.

    A still is as often in sync as chance has it. ``None``: fewer than two clips were scored, which tell nothing.
    """
    pairs = [(row["sync_acc"], row["sync_acc_still"]) for row in rows]
    differences = np.array([[one - other] for one, other in pairs if None not in (one, other)], dtype=np.float64)
    if len(differences) < 2:
        return None
    return bootstrap_interval(differences, lambda chosen: chosen.mean((-2, -1)))[0] <= 0


def _unscored(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each metric that some clips have no value of, with the commonest reason."""
    lines = []
    for name in METRICS:
        reasons = [row.get(f"{name}_reason", "") for row in rows if row[name] is None]
        if reasons:
            commonest, _ = Counter(reasons).most_common(1)[0]
            lines.append(f"{name}: {len(reasons)} of {len(rows)} clips could not be scored ({commonest})")
    return lines
