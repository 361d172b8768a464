"""A benchmark of one cell: what ``zoo fit`` and ``zoo test`` find out about a method, clip by clip."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from zoo.evaluation.evaluation_set import EvaluationSet
from zoo.evaluation.evaluator import Evaluator
from zoo.evaluation.judges import DrawnJudge
from zoo.evaluation.resampling import interval
from zoo.evaluation.results import Cell, Kind
from zoo.evaluation.rows import Row
from zoo.registry.config import DataConfig, RunConfig
from zoo.synthesis.scene import Scene
from zoo.synthesis.subjects import ClosedStill, Method, Still, Subject, closed_frame, make_subject

STILL, CLOSED = "still", "closed-still"
"""The references beside the method; the second where a clip's first frame has its mouth open."""

METRICS = ("lmd", "motion", "sync_acc")
"""What is measured: LMD alone rewards a mouth that hardly moves."""


class SingleCell:
    """Generates and scores test clips as ``zoo benchmark`` does, each beside the still, its mouth open and closed.

    Args:
        config: data and method.
        weights: of the method.
        device: where it runs.
    """

    def __init__(self, config: RunConfig, weights: Path, device: torch.device) -> None:
        data = config.data
        clips = DataConfig(data.name, data.root, data.split, data.clips, data.seed)
        self.evaluation_set = EvaluationSet(clips, METRICS, device=str(device))
        method = make_subject(self.evaluation_set.store, config.method, weights, device)
        assert isinstance(method, Method)
        method.options = config.options
        self.subjects: dict[str, Subject] = {config.method: method, STILL: Still(), CLOSED: ClosedStill()}
        self.method = config.method
        self.cells = {
            config.method: _cell(config.method, "method", config.seed),
            STILL: _cell(STILL, "reference"),
            CLOSED: _cell(CLOSED, "reference"),
        }

        self._first: tuple[str, UInt8[Tensor, "T 3 H W"]] | None = None

    def rows(self, clips: Sequence[str]) -> list[Row]:
        """A row of each metric and clip: of the generated video, of the still, of the closed still where it differs."""
        return [row for clip in clips for name in self.cells for row in self._rows(name, clip)]

    def video(self, clip: str) -> UInt8[Tensor, "T 3 H W"]:
        """The generated video of a clip, as it is scored; of the first that was scored it is still there."""
        if self._first is not None and self._first[0] == clip:
            return self._first[1]
        return self.subjects[self.method].make(self._scene(clip))

    def _rows(self, name: str, clip: str) -> list[Row]:
        scene = self._scene(clip)
        if name == CLOSED and closed_frame(scene) is None:
            return []
        evaluator, subject = Evaluator(self.evaluation_set, self.cells[name]), self.subjects[name]
        made = subject.make(scene)
        if name == self.method and self._first is None:
            self._first = clip, made
        return evaluator.rows(scene, evaluator.pair(scene, subject, made), list(METRICS))

    def _scene(self, clip: str) -> Scene:
        return self.evaluation_set.scene(self.evaluation_set.store.index(clip), foreign=False)

    def summary(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The scores of all clips, as a leaderboard has them, with what they are scores of."""
        opened = {row.clip for row in rows if row.method == CLOSED}
        of = {"": self._of(rows, self.method), "_still": self._of(rows, STILL)}
        if opened:
            of["_closed_still"] = [row for row in of["_still"] if row.clip not in opened] + self._of(rows, CLOSED)
        values = {
            f"{name}{suffix}": self._value(name, [row for row in found if row.metric == name])
            for name in METRICS
            for suffix, found in of.items()
        }
        lmd, still = values["lmd"], values["lmd_still"]
        return {
            "protocol": self.evaluation_set.metrics["lmd"][1].signature,
            "protocols": self.evaluation_set.protocols(list(METRICS)),
            "clips": len({row.clip for row in rows}),
            "clips_begun_open": len(opened),
            "speakers": len({row.speaker for row in rows}),
            **{name: round(value, 4) for name, value in values.items()},
            "better_than_still": round(1 - lmd / still, 4) if rows and still > 0 else None,
            "sync_at_chance": at_chance(rows, self.method),
            "remarks": self._unscored(rows)
            + [
                f"sync accuracy: {judge.name} knows drawn faces only ({judge.corpora}); {judge.way_out()} to zoo "
                f"score, or judges.{judge.key}=WEIGHTS to zoo benchmark"
                for judge in self._drawn_only()
            ],
        }

    def _drawn_only(self) -> list[DrawnJudge]:
        """Judges that know drawn faces only, where these are real."""
        known = self.evaluation_set
        return [] if known.drawn else list(known.judges.drawn_only(known.metrics))

    @staticmethod
    def _of(rows: Sequence[Row], method: str) -> list[Row]:
        return [row for row in rows if row.method == method]

    def _value(self, name: str, rows: Sequence[Row]) -> float:
        stats = [row.stats for row in rows if row.stats]
        metric = self.evaluation_set.metrics[name][1]
        return float(metric.reduce(np.asarray(stats, dtype=np.float64))) if stats else math.nan

    def _unscored(self, rows: Sequence[Row]) -> list[str]:
        """A line for each metric that some generated clips have no value of, with the commonest reason."""
        lines = []
        for name in METRICS:
            own = [row for row in rows if row.method == self.method and row.metric == name]
            reasons = [row.reason for row in own if row.value is None]
            if reasons:
                commonest, _ = Counter(reasons).most_common(1)[0]
                lines.append(f"{name}: {len(reasons)} of {len(own)} clips could not be scored ({commonest})")
        return lines


def _cell(name: str, kind: Kind, seed: int = 0) -> Cell:
    return Cell(f"{name}-reconstruction", "", "test", name, kind, "reconstruction", seed=seed)


def at_chance(rows: Sequence[Row], method: str) -> bool | None:
    """Whether the mouths follow the sound no more often than the still's, at 95 % confidence.

    A still is as often in sync as chance has it. ``None``: fewer than two clips were scored, which tell nothing.

    Args:
        rows: of the method and of the still.
        method: its name.
    """
    found = {(row.method, row.clip): row for row in rows if row.metric == "sync_acc" and row.value is not None}
    own = [row for (who, clip), row in found.items() if who == method and (STILL, clip) in found]
    if len(own) < 2:
        return None
    gains = np.array([(row.value or 0.0) - (found[STILL, row.clip].value or 0.0) for row in own])
    return interval(gains, speakers=[row.speaker for row in own])[0] <= 0
