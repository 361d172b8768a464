"""Callbacks of training: progress bars in a terminal, plain lines where the output is a file."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar


class PlainProgress(pl.Callback):
    """A line now and then with step, losses and time left, for logs and pipes.

    Args:
        every: seconds between lines.
    """

    def __init__(self, every: float = 15.0) -> None:
        self.every = every
        self.started = self.last = 0.0
        self.first_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started = self.last = time.monotonic()
        self.first_step = self._batches(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Print where training is."""
        now = time.monotonic()
        if now - self.last >= self.every and trainer.is_global_zero:
            self.last = now
            print(self._line(trainer, now), flush=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print how it ended."""
        if trainer.is_global_zero:
            print(self._line(trainer, time.monotonic()), flush=True)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say that scoring begins."""
        if trainer.is_global_zero:
            print(f"scoring {sum(trainer.num_test_batches)} test clips per process", flush=True)

    @staticmethod
    def _batches(trainer: pl.Trainer) -> int:
        return trainer.fit_loop.epoch_loop.batch_progress.total.completed

    def _line(self, trainer: pl.Trainer, now: float) -> str:
        done = self._batches(trainer)
        per_epoch = trainer.num_training_batches
        losses = " ".join(
            f"{name}={value:.4f}" for name, value in sorted(trainer.progress_bar_metrics.items()) if name != "v_num"
        )
        text = f"epoch {trainer.current_epoch + 1} step {done}"
        epochs = trainer.max_epochs or -1
        if epochs > 0 and per_epoch != float("inf"):
            total = int(epochs * per_epoch)
            speed = (now - self.started) / max(1, done - self.first_step)
            text = f"epoch {min(trainer.current_epoch + 1, epochs)}/{epochs} step {done}/{total}"
            losses += f" {clock(speed * max(0, total - done))} left"
        return f"{text} {losses} ({clock(now - self.started)} so far)"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def training_progress() -> pl.Callback:
    """The progress callback that fits where the output goes."""
    return RichProgressBar(leave=False) if sys.stdout.isatty() else PlainProgress()
