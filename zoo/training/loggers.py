"""Where losses, learning rates and sample videos go: always a CSV, and W&B or TensorBoard on request."""

from __future__ import annotations

import csv
import io
import re
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jaxtyping import Float32, UInt8
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from zoo.media.clip import FPS, SAMPLE_RATE
from zoo.registry.config import RunConfig, to_dict
from zoo.support.errors import DataError
from zoo.support.files import write_aside, write_text_aside
from zoo.support.printable import say
from zoo.training import runs


class Table(CSVLogger):
    """``metrics.csv``: the folder and the file are made when there is something to write.

    A header that grows is written aside with all rows; rows are appended.

    Args:
        run: the folder.
        resumed: whether the table of an earlier part goes on.
    """

    def __init__(self, run: Path, resumed: bool) -> None:
        super().__init__(run, name="", version="", flush_logs_every_n_steps=10)
        self.run, self.resumed = run, resumed
        self._rows: _Rows | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> _Rows:
        """What holds the rows until they are written."""
        if self._rows is None:
            self._rows = _Rows(self.run, self.resumed)
        return self._rows

    @rank_zero_only
    def go_on(self, steps: int) -> None:
        """Drop the rows of steps that a resumed run does anew, and what a kill left of a line."""
        self.experiment.go_on(steps)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left."""
        self.save()


class _Rows(ExperimentWriter):
    """Rows that are not yet in the file, and the names of the columns that it has."""

    def __init__(self, run: Path, resumed: bool) -> None:  # not Lightning's, which deletes an older file
        self.log_dir, self.path = str(run), run / self.NAME_METRICS_FILE
        self.hparams: dict[str, Any] = {}
        self.metrics: list[dict[str, Any]] = []
        self.metrics_keys: list[str] = []
        self.latest: dict[str, Any] = {}
        # None: they stand in the file as they should.
        self.kept: list[dict[str, Any]] | None = read_rows(self.path) if resumed else []
        self.trimmed = False

    def log_hparams(self, params: dict[str, Any]) -> None:
        """Keep them for when there is a folder."""
        self.hparams.update(params)

    def log_metrics(self, metrics_dict: dict[str, Any], step: int | None = None) -> None:
        """Keep a row; Lightning gives those of the learning rates twice at the start of an epoch."""
        super().log_metrics(metrics_dict, step)
        if self.metrics[-1] == self.latest:
            self.metrics.pop()
        else:
            self.latest = self.metrics[-1]

    def go_on(self, steps: int) -> None:
        """See :meth:`Table.go_on`."""
        rows = read_rows(self.path) if self.kept is None else self.kept
        self.kept = [row for row in rows if float(row["step"]) < steps]
        self.trimmed = True
        if not rows and self.path.is_file():
            self.path.replace(self.path.with_stem("metrics-damaged"))
            say(f"{self.path}: damaged; kept as metrics-damaged.csv, and begun anew", file=sys.stderr)

    def save(self) -> None:
        """Write the rows that are new; the whole table where it begins, or has a new column."""
        if not (self.metrics or self.trimmed):
            return
        names = sorted({name for row in [*(self.kept or []), *self.metrics] for name in row} | set(self.metrics_keys))
        if self.kept is None and names == self.metrics_keys:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, names).writerows(self.metrics)
        else:
            before = read_rows(self.path) if self.kept is None else self.kept
            with write_aside(self.path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                writer.writerows([*before, *self.metrics])
        self.kept, self.metrics, self.metrics_keys, self.trimmed = None, [], names, False
        if self.hparams:
            write_text_aside(self.path.parent / self.NAME_HPARAMS_FILE, yaml.safe_dump(self.hparams, sort_keys=False))
            self.hparams = {}


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table that are whole: a kill may have cut the last one, a disk may have lost some."""
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.reader(line for line in file if "\0" not in line and line.endswith("\n")))
    except (OSError, csv.Error):
        return []
    names = rows[0] if rows else []
    if "step" not in names or len(set(names)) < len(names):
        return []
    whole = [dict(zip(names, row, strict=True)) for row in rows[1:] if len(row) == len(names)]
    values = [{name: value for name, value in row.items() if value} for row in whole]
    return [row for row in values if "step" in row and all(map(_is_number, row.values()))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def make_loggers(config: RunConfig, run: Path, resumed: bool) -> list[Logger]:
    """The loggers of a run; ``metrics.csv`` and W&B go on where they stopped when a run is resumed."""
    return [make_table(config, run, resumed), *more_loggers(config, run)]


def make_table(config: RunConfig, run: Path, resumed: bool) -> Table:
    """``metrics.csv`` of a run."""
    # The other processes start later and write nothing: they must leave the file alone.
    table = Table(run, resumed and runs.is_first_process())
    table.log_hyperparams(_flat(to_dict(config)))
    return table


def more_loggers(config: RunConfig, run: Path) -> list[Logger]:
    """W&B or TensorBoard where the settings name one; they make the run's folder.

    Raises:
        DataError: the run has a W&B name that is none.
    """
    if config.logger == "csv":
        return []
    tensorboard = config.logger == "tensorboard"
    logger = TensorBoardLogger(run, name="", version="tensorboard") if tensorboard else _wandb(config, run)
    logger.log_hyperparams(_flat(to_dict(config)))
    if config.logger == "wandb" and runs.is_first_process() and logger.version is not None:
        write_text_aside(run / "wandb_id", str(logger.version))
    return [logger]


def _wandb(config: RunConfig, run: Path) -> WandbLogger:
    import os

    kept = run / "wandb_id"
    run_id = kept.read_text(errors="replace").strip() if kept.is_file() else None
    if run_id is not None and not re.fullmatch(r"[\w-]{1,128}", run_id):
        raise DataError(f"{kept}: damaged; remove it, and W&B gets a run of its own from here on")
    return WandbLogger(
        project="talking-face-zoo",
        name=f"{config.method}-{config.data.name}-{run.name}",
        save_dir=run,
        id=run_id,
        resume="allow" if run_id else None,
        offline=os.environ.get("WANDB_MODE") == "offline",
    )


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def log_video(
    trainer: pl.Trainer, name: str, path: Path, frames: UInt8[Tensor, "T 3 H W"], wave: Float32[Tensor, " S"]
) -> None:
    """Show a sample video with its sound in every logger that can.

    Args:
        trainer: whose loggers are used.
        name: for example ``sample/test01``.
        path: the finished video file, with sound.
        frames: its pictures, 25 fps.
        wave: its sound, 16 kHz.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            logger.experiment.log({name: wandb.Video(str(path), format="mp4")})
        elif isinstance(logger, TensorBoardLogger):
            _add_animation(logger, name, frames, trainer.global_step)
            logger.experiment.add_audio(f"{name}/sound", wave[None], trainer.global_step, sample_rate=SAMPLE_RATE)
            # Lightning closed its file at the end of training and will not close this one.
            logger.experiment.flush()


def _add_animation(logger: TensorBoardLogger, name: str, frames: UInt8[Tensor, "T 3 H W"], step: int) -> None:
    """TensorBoard shows no MP4: an animated GIF at the video's rate stands in for it."""
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]

    pictures = [Image.fromarray(frame.permute(1, 2, 0).numpy()) for frame in frames]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, format="GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / FPS), loop=0
    )
    height, width = frames.shape[2:]
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=buffer.getvalue())
    writer = logger.experiment._get_file_writer()
    writer.add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)
