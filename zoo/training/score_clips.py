"""The test of ``zoo fit`` and ``zoo test``: rows keyed by clip, gathered over processes and reduced once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytorch_lightning as pl
import torch

from zoo.data.batch import Batch
from zoo.data.module import TalkingFaceData
from zoo.data.splits import SPEAKER_DEPENDENT
from zoo.evaluation.rows import Row, text_of
from zoo.support.files import write_text_aside

if TYPE_CHECKING:
    from zoo.evaluation.single import SingleCell

T = TypeVar("T")


class ScoreClips(pl.Callback):
    """Scores every test clip and keeps the rows of all processes, each clip once.

    Args:
        folder: where ``rows.jsonl`` (of a method: what the metrics say, as in a benchmark), ``own.jsonl`` (what an
            expert or a discriminator says of each clip) and ``summary.json`` are written; ``None`` writes nothing.
        cell: makes what generates and scores the clips of a method, on a device; ``None``: an expert scores itself.

    Attributes:
        rows: what the metrics say, after the test those of all processes.
        own: what the module itself says of each clip, likewise.
        summary: of both, with data set and split.
    """

    def __init__(self, folder: Path | None = None, cell: Callable[[torch.device], SingleCell] | None = None) -> None:
        self.folder, self.make_cell = folder, cell
        self.cell: SingleCell | None = None
        self.rows: list[Row] = []
        self.own: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self.rows, self.own = [], []
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
        self.own += pl_module.score(outputs, batch, data.store)
        self.rows += self.cell.rows(batch.clip) if self.cell else []

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Gather the rows of all processes and write them on the first one."""
        self.own = sorted({row["clip"]: row for row in gather(self.own)}.values(), key=itemgetter("clip"))
        self.rows = sorted(
            {(row.clip, row.method, row.metric): row for row in gather(self.rows)}.values(),
            key=attrgetter("method", "clip", "metric"),
        )
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        split = {"dataset": data.store.meta["dataset"], "split": data.split}
        found = self.cell.summary(self.rows) if self.cell else {}
        own = pl_module.summarise(self.own)
        remarks = [*found.get("remarks", ()), *own.get("remarks", ())]
        self.summary = split | {"speaker_dependent": data.split in SPEAKER_DEPENDENT} | found | own
        self.summary |= {"remarks": remarks} if remarks or self.cell else {}
        if self.folder is not None and trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.cell:
                write_text_aside(self.folder / "rows.jsonl", text_of(self.rows))
            if any(row.keys() - {"clip", "speaker"} for row in self.own):
                write_text_aside(self.folder / "own.jsonl", "".join(json.dumps(row) + "\n" for row in self.own))
            write_text_aside(self.folder / "summary.json", json.dumps(without_nan(self.summary), indent=2) + "\n")


def gather(rows: Sequence[T]) -> list[T]:
    """The rows of all processes, on every process; also where some have none or more than others."""
    if not torch.distributed.is_initialized():
        return list(rows)
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, list(rows))
    return [row for part in parts for row in part]


def without_nan(value: Any) -> Any:
    """The same with ``None`` for what is not a number, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
