"""What changes in the course of a run, by the share of its training steps that are done."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import LightningModule

from zoo.support.errors import ConfigError


class StepLimit(pl.Callback):
    """A callback that ends training after so many steps.

    Args:
        steps: how many, those before a resume included.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps


def steps_done(trainer: pl.Trainer) -> int:
    """Training steps so far, those before a resume included."""
    total: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(total.processed)


def steps_planned(trainer: pl.Trainer) -> int | float:
    """Training steps of the whole run, infinite where nothing limits them but time."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    limits = [callback.steps for callback in callbacks if isinstance(callback, StepLimit)]
    return min([*limits, trainer.estimated_stepping_batches])


def share_done(module: LightningModule) -> float:
    """The share of the run's training steps that are done, 0 to 1.

    Raises:
        ConfigError: nothing limits the steps but time.
    """
    planned = steps_planned(module.trainer)
    if not math.isfinite(planned):
        raise ConfigError(
            "trainer: learning rates and discriminators follow the number of steps: set max_epochs or max_steps, or "
            "model.lr_decay_fraction=0 model.adversarial_start=0"
        )
    return min(1.0, steps_done(module.trainer) / max(1, planned))


def lr_factor(module: LightningModule, decay_fraction: float) -> float:
    """Factor on a learning rate that falls linearly to zero over the last part of the run, 1 to 0.

    Args:
        module: what is trained.
        decay_fraction: fraction of the run's steps; 0: the learning rate stays.
    """
    return min(1.0, (1 - share_done(module)) / decay_fraction) if decay_fraction else 1.0


def reached(module: LightningModule, share: float) -> bool:
    """Whether this share of the run's steps is done; 0 always is."""
    return not share or share_done(module) >= share
