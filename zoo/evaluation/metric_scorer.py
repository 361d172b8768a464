"""One metric on video pairs: what cannot be scored becomes a row with the reason."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zoo.evaluation.footage import Footage
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.metrics.base import Row as ClipRow
from zoo.evaluation.metrics.pairs import PairMetric
from zoo.evaluation.metrics.sync import WINDOW
from zoo.evaluation.metrics.wer import ReadingMetric
from zoo.evaluation.results import Cell, Metric
from zoo.evaluation.rows import Row
from zoo.evaluation.video_pair import VideoPair
from zoo.registry.spec import MetricSpec
from zoo.registry.spec import reason as one_line
from zoo.support.errors import FAILED, MediaError, ZooError

NO_MEMORY = "not enough memory for this pair; cut the videos into shorter parts or make them smaller"


@dataclass
class MetricScorer:
    """One metric, on the generated videos and, where that tells something, on the real ones themselves."""

    spec: MetricSpec
    metric: ClipMetric
    own: ClipMetric | None = None

    def add(self, clip: str, seen: VideoPair) -> None:
        """Score one pair; what cannot be scored becomes a row with the reason."""
        pred, real = seen.pred, seen.real
        reason = self._blocked(seen, pred, seen.silence[0])
        sides = seen.pixels if isinstance(self.metric, PairMetric) and not reason else (pred, real)
        self._observe(self.metric, clip, *sides, reason)
        if self.own is not None:
            self._observe(self.own, clip, real, real, self._blocked(seen, real, seen.silence[1]))

    def fail(self, clip: str, frames: int, text: str, reason: str) -> None:
        """Keep that a pair could not be scored at all."""
        for metric in filter(None, (self.metric, self.own)):
            metric.skip(clip, self._due(metric, frames, text), reason)

    def row(self, cell: Cell, name: str, speaker: str, sound: str = "") -> Row:
        """The row of the one clip that was scored."""
        (found,) = self.metric.rows()
        return make_row(cell, name, self.metric, found, speaker, sound)

    def _observe(self, metric: ClipMetric, clip: str, pred: Footage, real: Footage, reason: str) -> None:
        due = self._due(metric, max(len(pred), len(real)), real.text)
        if reason:
            return metric.skip(clip, due, reason)
        try:
            with torch.inference_mode():
                metric.observe(clip, pred, real)
        except MediaError as error:
            metric.skip(clip, due, str(error))
        except MemoryError:
            metric.skip(clip, due, NO_MEMORY)
        except (ZooError, ImportError):
            raise
        except (Exception, SystemExit) as error:
            metric.skip(clip, due, f"{FAILED}{one_line(error)}")

    def _blocked(self, seen: VideoPair, judged: Footage, silence: str) -> str:
        """Why a video cannot be judged; empty where it can."""
        needs, real = self.spec.needs, seen.real
        if isinstance(self.metric, PairMetric) and seen.mismatch:
            return seen.mismatch
        if "text" in needs and not real.text:
            return seen.text_error or "no text: put what is said into NAME.txt beside the real video"
        if getattr(self.metric, "windows", "all") == "speech" and not real.words:
            return seen.words_error or "no word times: put them into NAME.align beside the real video"
        if "face" in needs and not judged.seen.any():
            return f"no face found in the {'real' if judged is real else 'generated'} video"
        if not self.spec.real_row and not real.seen.any():
            return "no face found in the real video"
        return silence if "sync-expert" in needs else ""

    def _due(self, metric: ClipMetric, frames: int, text: str) -> int:
        """How many frames, windows or words there were to score."""
        if "sync-expert" in self.spec.needs:
            return max(frames - WINDOW + 1, 0)
        if isinstance(metric, ReadingMetric):
            return metric.edits(text, "")[1] if text else 0
        return frames


def make_row(cell: Cell, name: str, metric: ClipMetric, found: ClipRow, speaker: str, sound: str = "") -> Row:
    """A line of ``rows.jsonl``.

    Args:
        cell: what it is of.
        name: registered name of the metric.
        metric: that scored the clip.
        found: what it says of it.
        speaker: who is seen.
        sound: id of the clip that gives the sound; empty where it is the same.
    """
    return Row(
        key=cell.key,
        suite=cell.suite,
        method=cell.method,
        seed=cell.seed,
        track=cell.track,
        checkpoint=cell.checkpoint,
        clip=found.clip,
        speaker=speaker,
        metric=name,
        protocol=metric.signature,
        value=metric.clip_value(found) if found.stats else None,
        stats=found.stats,
        scored=found.scored,
        total=found.total,
        reason=found.reason,
        sound=sound,
    )


def describe_metric(name: str, spec: MetricSpec, metric: ClipMetric) -> Metric:
    """A metric as a results folder describes it."""
    return Metric(name, spec.summary, spec.unit, spec.better, "ratio" if metric.pooled else "mean")
