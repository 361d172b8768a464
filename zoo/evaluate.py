"""Scoring generated test clips: rows keyed by clip, gathered over processes and reduced once."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.clip import Clip
from zoo.data.batch import Batch
from zoo.data.module import TalkingFaceData
from zoo.data.splits import SPEAKER_DEPENDENT
from zoo.face import crop
from zoo.face.paste import paste
from zoo.files import write_text_aside
from zoo.footage import FACE_SIZE, landmarks_in_faces
from zoo.metrics.lmd import landmark_distance
from zoo.spec import InputSpec

PROTOCOL = f"lmd: 20 lip points, dlib 68, centred, px of a {FACE_SIZE} px face"


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
    faces = crop.place_crops(landmarks, "face", (FACE_SIZE, FACE_SIZE)).cut(pictures, range(len(pictures)))
    return landmarks_in_faces(faces)


def score_clip(crops: Float32[Tensor, "T 3 h w"], clip: Clip, spec: InputSpec) -> Row:
    """Score one generated clip against the real one.

    The crops are laid over the clip's first frame, not over the frames they stand for: what the method did not draw is
    then the still's, and nothing of the true mouth or jaw can shine through.

    Args:
        crops: generated, RGB in [0, 1].
        clip: the real one.
        spec: how the crops were cut.
    """
    real, landmarks = clip.frames, clip.landmarks
    first = landmarks[:1].expand_as(landmarks)
    made = paste_back(real[:1].expand_as(real), crops, first, spec)
    truth, found = judged_landmarks(real, landmarks), judged_landmarks(made, first)
    still = truth[:1].expand_as(truth)
    lmd, lmd_still = (round(landmark_distance(points, truth).item(), 4) for points in (found, still))
    return Row(clip.id, clip.speaker, len(real), lmd, lmd_still)


class ScoreClips(pl.Callback):
    """Scores every test clip and keeps the rows of all processes, each clip once.

    Args:
        folder: where ``rows.jsonl`` and ``summary.json`` are written; ``None`` writes nothing.

    Attributes:
        rows: one per clip, after the test those of all processes.
        summary: the module's own of the rows, with data set and split.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
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
        """Add the rows of the clips that were just generated, or judged."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, TalkingFaceData)
        self.rows += pl_module.score(outputs, batch, data.store)

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Gather the rows of all processes and write them on the first one."""
        self.rows = unique(gather(self.rows))
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        split = {"dataset": data.store.meta["dataset"], "split": data.split}
        self.summary = split | {"speaker_dependent": data.split in SPEAKER_DEPENDENT} | pl_module.summarise(self.rows)
        if self.folder is not None and trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text_aside(self.folder / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows))
            write_text_aside(self.folder / "summary.json", json.dumps(without_nan(self.summary), indent=2) + "\n")


def paste_back(
    pictures: UInt8[Tensor, "T 3 H W"],
    crops: Float32[Tensor, "T 3 h w"],
    landmarks: Float32[Tensor, "T 68 2"],
    spec: InputSpec,
) -> UInt8[Tensor, "T 3 H W"]:
    """Generated crops laid back over the native pictures they belong to."""
    return paste(pictures, crops, crop.place_crops(landmarks, spec.crop, spec.size).matrices, spec.paste)


def gather(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of all processes, on every process; also where some have none or more than others."""
    if not torch.distributed.is_initialized():
        return list(rows)
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, list(rows))
    return [row for part in parts for row in part]


def unique(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each clip once, sorted by id."""
    return [row for _, row in sorted({row["clip"]: row for row in rows}.items())]


def without_nan(value: Any) -> Any:
    """The same with ``None`` for what is not a number, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over clips, with what they are means of."""
    count = len(rows)
    lmd = sum(row["lmd"] for row in rows) / count if count else float("nan")
    still = sum(row["lmd_still"] for row in rows) / count if count else float("nan")
    return {
        "protocol": PROTOCOL,
        "clips": count,
        "speakers": len({row["speaker"] for row in rows}),
        "lmd": round(lmd, 4),
        "lmd_still": round(still, 4),
        "better_than_still": round(1 - lmd / still, 4) if count and still > 0 else None,
    }
