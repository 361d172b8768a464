"""The test of ``zoo fit`` and ``zoo test``: rows keyed by clip, gathered over processes and reduced once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from zoo.data.batch import Batch
from zoo.data.module import TalkingFaceData
from zoo.data.splits import SPEAKER_DEPENDENT
from zoo.support.files import write_text_aside

if TYPE_CHECKING:
    from zoo.evaluation.single import SingleCell


class ScoreClips(pl.Callback):
    """Scores every test clip and keeps the rows of all processes, each clip once.

    Args:
        folder: where ``rows.jsonl`` and ``summary.json`` are written; ``None`` writes nothing.
        cell: makes what generates and scores the clips of a method, on a device; ``None``: an expert scores itself.

    Attributes:
        rows: one per clip, after the test those of all processes.
        summary: of the rows, with data set and split.
    """

    def __init__(self, folder: Path | None = None, cell: Callable[[torch.device], SingleCell] | None = None) -> None:
        self.folder, self.make_cell = folder, cell
        self.cell: SingleCell | None = None
        self.rows: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self.rows = []
        self.cell = self.make_cell(trainer.strategy.root_device) if self.make_cell else None

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
        rows = pl_module.score(outputs, batch, data.store)
        scored = self.cell.rows(batch.clip) if self.cell else [{} for _ in rows]
        self.rows += [row | own for row, own in zip(scored, rows, strict=True)]

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Gather the rows of all processes and write them on the first one."""
        self.rows = unique(gather(self.rows))
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        split = {"dataset": data.store.meta["dataset"], "split": data.split}
        found = self.cell.summary(self.rows) if self.cell else {}
        own = pl_module.summarise(self.rows)
        remarks = [*found.get("remarks", ()), *own.get("remarks", ())]
        self.summary = split | {"speaker_dependent": data.split in SPEAKER_DEPENDENT} | found | own
        self.summary |= {"remarks": remarks} if remarks or self.cell else {}
        if self.folder is not None and trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text_aside(self.folder / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows))
            write_text_aside(self.folder / "summary.json", json.dumps(without_nan(self.summary), indent=2) + "\n")


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
