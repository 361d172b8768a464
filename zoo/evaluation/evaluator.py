"""The one way to a row: from the generated video of a test clip to what every metric says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import UInt8
from torch import Tensor

from zoo.evaluation.evaluation_set import EvaluationSet, follow
from zoo.evaluation.metric_scorer import MetricScorer
from zoo.evaluation.results import Cell, Row
from zoo.evaluation.tracks import TRACKS
from zoo.evaluation.video_pair import VideoPair
from zoo.registry.spec import reason
from zoo.support.errors import FAILED
from zoo.synthesis.scene import Scene
from zoo.synthesis.subjects import Subject


@dataclass(frozen=True)
class Evaluator:
    """Scores the clips of one cell.

    Attributes:
        evaluation_set: clips, metrics and judges.
        cell: what its rows have in common.
    """

    evaluation_set: EvaluationSet
    cell: Cell

    @property
    def foreign(self) -> bool:
        """Whether another clip gives the sound, or the driver."""
        return TRACKS[self.cell.track].foreign or self.cell.method == "wrong-sound"

    def pair(self, scene: Scene, subject: Subject, made: UInt8[Tensor, "T 3 H W"]) -> VideoPair:
        """The generated and the real video as the judges see them; the face is looked for in the generated one."""
        landmarker = self.evaluation_set.judges.landmarker
        track, real = follow(made, landmarker), self.evaluation_set.real(scene)
        pred = replace(real, frames=made, landmarks=track.landmarks, seen=track.seen)
        place = real.landmarks[:1].expand_as(real.landmarks) if subject.over_still else real.landmarks
        return VideoPair(pred, real, place=place)

    def rows(self, scene: Scene, seen: VideoPair, names: Sequence[str]) -> list[Row]:
        """One row for each of these metrics; what cannot be scored becomes a row with the reason."""
        found = []
        for name in names:
            column = self._column(name)
            try:
                if scene.transcript_error and "text" in column.spec.needs:
                    column.fail(scene.clip.id, len(scene.clip.frames), scene.sound.text, scene.transcript_error)
                else:
                    column.add(scene.clip.id, seen)
            except Exception as error:  # weights of a metric that are gone, say: the others go on
                column.metric.reset()
                column.fail(scene.clip.id, len(scene.clip.frames), scene.text, f"{FAILED}{reason(error)}")
            found.append(column.row(self.cell, name, scene.clip.speaker, scene.foreign))
        self.evaluation_set.keep(scene, seen.real)
        return found

    def failed(self, clip: str, names: Sequence[str], why: str) -> list[Row]:
        """Rows that say that nothing could be scored because the program failed; no frame is read."""
        store = self.evaluation_set.store
        index = store.index(clip)
        info, giver = store.clips[index], store.clips[self.evaluation_set.audio_clip(index, foreign=self.foreign)]
        rows = []
        for name in names:
            column = self._column(name)
            column.fail(clip, info.num_frames, giver.text, f"{FAILED}{why}")
            rows.append(column.row(self.cell, name, info.speaker, "" if giver.id == clip else giver.id))
        return rows

    def _column(self, name: str) -> MetricScorer:
        spec, metric = self.evaluation_set.metrics[name]
        metric.reset()
        return MetricScorer(spec, metric)
