"""What changes in the course of a run, by the share of its training steps that are done."""

from __future__ import annotations

import math

from pytorch_lightning import LightningModule

from zoo.callbacks import steps_done, steps_planned
from zoo.errors import ConfigError


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
