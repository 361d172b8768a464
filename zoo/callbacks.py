"""Callbacks of training: its end after so many steps, and progress, in plain lines where the output is a file."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar

from zoo.printable import say


class StopAfter(pl.Callback):
    """Ends training after so many steps. A step is a batch; Lightning's ``max_steps`` counts each optimiser's.

    Args:
        steps: how many, those before a resume included.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing is left of a run that is resumed at its end."""
        self._look(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop; what is done at an epoch's end is done now."""
        self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        if steps_done(trainer) >= self.steps:
            trainer.should_stop = True


def steps_done(trainer: pl.Trainer) -> int:
    """Training steps so far, those before a resume included."""
    total: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(total.processed)


def steps_planned(trainer: pl.Trainer) -> int | float:
    """Training steps of the whole run, infinite where nothing limits them but time."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    limits = [callback.steps for callback in callbacks if isinstance(callback, StopAfter)]
    return min([*limits, trainer.estimated_stepping_batches])


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
        self.first_step = steps_done(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Print where training is."""
        now = time.monotonic()
        if now - self.last >= self.every and trainer.is_global_zero:
            self.last = now
            say(self._line(trainer, now), flush=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print how it ended."""
        if trainer.is_global_zero:
            say(self._line(trainer, time.monotonic()), flush=True)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say that scoring begins."""
        if trainer.is_global_zero:
            say(f"scoring {sum(trainer.num_test_batches)} test clips per process", flush=True)

    def _line(self, trainer: pl.Trainer, now: float) -> str:
        done, total = steps_done(trainer), steps_planned(trainer)
        losses = " ".join(
            f"{name}={value:.4f}" for name, value in sorted(trainer.progress_bar_metrics.items()) if name != "v_num"
        )
        text = f"epoch {trainer.current_epoch + 1} step {done}"
        if total != math.inf:
            epochs = math.ceil(total / trainer.num_training_batches)
            speed = (now - self.started) / max(1, done - self.first_step)
            text = f"epoch {min(trainer.current_epoch + 1, epochs)}/{epochs} step {done}/{int(total)}"
            losses += f" {clock(speed * max(0, total - done))} left"
        return f"{text} {losses} ({clock(now - self.started)} so far)"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def training_progress() -> pl.Callback:
    """The progress callback that fits where the output goes."""
    return RichProgressBar(leave=False) if sys.stdout.isatty() else PlainProgress()
