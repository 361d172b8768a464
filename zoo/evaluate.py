"""Scoring generated test clips: rows keyed by clip, gathered over processes and reduced once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.module import TalkingFaceData
from zoo.data.splits import SPEAKER_DEPENDENT
from zoo.face import crop
from zoo.face.paste import paste
from zoo.face.track import landmarks_in_boxes
from zoo.files import write_text_aside
from zoo.metrics.lmd import landmark_distance
from zoo.spec import InputSpec

JUDGE_SIZE = 256
"""Side in pixels of the face crop on which landmarks are found: real, generated and still pictures alike."""

JUDGE_BOX = (16.0, -12.0, 240.0, 212.0)
"""Where dlib's own face box lies in that crop: the mean over GRID of its HOG boxes, relative to the eyes."""

PROTOCOL = f"lmd: 20 lip points, dlib 68, centred, px of a {JUDGE_SIZE} px face"


@dataclass(frozen=True)
class Row:
    """The scores of one clip.

    Attributes:
        clip: its id.
        speaker: who talks.
        frames: how many frames were scored.
        lmd: landmark distance of the generated clip, pixels of the 256-pixel face crop.
        lmd_still: the same of the clip's first frame standing still.
    """

    clip: str
    speaker: str
    frames: int
    lmd: float
    lmd_still: float


def judged_landmarks(
    pictures: UInt8[Tensor, "T 3 H W"], landmarks: Float32[Tensor, "T 68 2"]
) -> Float32[Tensor, "T 68 2"]:
    """Find the landmarks of whatever is drawn in the face boxes, at the size of the judge.

    Args:
        pictures: real or generated, native size, 0..255.
        landmarks: they say where the face is.

    Returns:
        Pixels of the 256-pixel face crop.
    """
    faces = crop.place_crops(landmarks, "face", (JUDGE_SIZE, JUDGE_SIZE)).cut(pictures, range(len(pictures)))
    boxes = torch.tensor([JUDGE_BOX]).expand(len(faces), 4)
    return landmarks_in_boxes(faces, boxes)


def score_clip(
    clip: str,
    speaker: str,
    crops: Float32[Tensor, "T 3 h w"],
    real: UInt8[Tensor, "T 3 H W"],
    landmarks: Float32[Tensor, "T 68 2"],
    spec: InputSpec,
) -> Row:
    """Score one generated clip against the real one.

    The crops are laid over the clip's first frame, not over the frames they stand for: what the method did not draw is
    then the still's, and nothing of the true mouth or jaw can shine through.

    Args:
        clip: its id.
        speaker: who talks.
        crops: generated, RGB in [0, 1].
        real: the true pictures at native size, 0..255.
        landmarks: pixels of ``real``.
        spec: how the crops were cut.
    """
    first = landmarks[:1].expand_as(landmarks)
    made = paste_back(real[:1].expand_as(real), crops, first, spec)
    truth, found = judged_landmarks(real, landmarks), judged_landmarks(made, first)
    still = truth[:1].expand_as(truth)
    lmd, lmd_still = (round(landmark_distance(points, truth).item(), 4) for points in (found, still))
    return Row(clip, speaker, len(real), lmd, lmd_still)


class ScoreClips(pl.Callback):
    """Scores every generated test clip and keeps the rows of all processes, each clip once.

    Args:
        folder: where ``rows.jsonl`` and ``summary.json`` are written; ``None`` writes nothing.

    Attributes:
        rows: one per clip, after the test those of all processes.
        summary: :func:`summary` of the rows, with data set and split.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self.summary: dict[str, Any] = {}

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self.rows = []

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score one clip; ``outputs`` are its generated crops ``(1, T, 3, H, W)`` in [0, 1]."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, TalkingFaceData)
        for clip, frames in zip(batch.clip, outputs, strict=True):
            real = data.store.clip(data.store.index(clip))
            made = frames.float().cpu()
            self.rows.append(score_clip(clip, real.speaker, made, real.frames, real.landmarks, pl_module.input_spec))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gather the rows of all processes and write them on the first one."""
        self.rows = unique(gather(self.rows))
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        split = {"dataset": data.config.name, "split": data.split}
        self.summary = split | {"speaker_dependent": data.split in SPEAKER_DEPENDENT} | summary(self.rows)
        if self.folder is not None and trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text_aside(self.folder / "rows.jsonl", "".join(json.dumps(asdict(row)) + "\n" for row in self.rows))
            write_text_aside(self.folder / "summary.json", json.dumps(self.summary, indent=2) + "\n")


def paste_back(
    pictures: UInt8[Tensor, "T 3 H W"],
    crops: Float32[Tensor, "T 3 h w"],
    landmarks: Float32[Tensor, "T 68 2"],
    spec: InputSpec,
) -> UInt8[Tensor, "T 3 H W"]:
    """Generated crops laid back over the native pictures they belong to."""
    return paste(pictures, crops, crop.place_crops(landmarks, spec.crop, spec.size).matrices, spec.paste)


def gather(rows: Sequence[Row]) -> list[Row]:
    """The rows of all processes, on every process; also where some have none or more than others."""
    if not torch.distributed.is_initialized():
        return list(rows)
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, list(rows))
    return [row for part in parts for row in part]


def unique(rows: Sequence[Row]) -> list[Row]:
    """Each clip once, sorted by id."""
    return [row for _, row in sorted({row.clip: row for row in rows}.items())]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Means over clips, with what they are means of."""
    count = len(rows)
    lmd = sum(row.lmd for row in rows) / count if count else float("nan")
    still = sum(row.lmd_still for row in rows) / count if count else float("nan")
    return {
        "protocol": PROTOCOL,
        "clips": count,
        "speakers": len({row.speaker for row in rows}),
        "lmd": round(lmd, 4),
        "lmd_still": round(still, 4),
        "better_than_still": round(1 - lmd / still, 4) if count and still > 0 else None,
    }
