"""Where losses, learning rates and sample videos go: always a CSV, and W&B or TensorBoard on request."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from jaxtyping import Float32, UInt8
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from torch import Tensor

from zoo import runs
from zoo.clip import FPS, SAMPLE_RATE
from zoo.config import RunConfig, to_dict


def make_loggers(config: RunConfig, run: Path, resumed: bool) -> list[Logger]:
    """The loggers of a run; ``metrics.csv`` and W&B go on where they stopped when a run is resumed."""
    loggers: list[Logger] = [_csv(run, resumed)]
    if config.logger == "tensorboard":
        loggers.append(TensorBoardLogger(run, name="", version="tensorboard"))
    if config.logger == "wandb":
        import os

        kept = run / "wandb_id"
        run_id = kept.read_text().strip() if kept.exists() else None
        offline = os.environ.get("WANDB_MODE") == "offline"
        wandb_logger = WandbLogger(
            project="talking-face-zoo",
            name=f"{config.method}-{config.data.name}-{run.name}",
            save_dir=run,
            id=run_id,
            resume="allow" if run_id else None,
            offline=offline,
        )
        loggers.append(wandb_logger)
    for logger in loggers:
        logger.log_hyperparams(_flat(to_dict(config)))
    if config.logger == "wandb" and runs.is_first_process() and loggers[-1].version is not None:
        (run / "wandb_id").write_text(str(loggers[-1].version))
    return loggers


def _csv(run: Path, resumed: bool) -> CSVLogger:
    path = run / "metrics.csv"
    old: list[dict[str, str]] = []
    # The other processes start later and write nothing: they must leave the file alone.
    if resumed and runs.is_first_process() and path.exists():
        with path.open(newline="") as file:
            old = list(csv.DictReader(file))
        # Lightning deletes an old file; its rows are handed to the new one, which writes them first.
        path.unlink()
    logger = CSVLogger(run, name="", version="", flush_logs_every_n_steps=10)
    if old:
        logger.experiment.metrics = [{k: v for k, v in row.items() if v != ""} for row in old]
        logger.experiment.save()
    return logger


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
