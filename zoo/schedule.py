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
            "trainer: step sizes follow the number of steps: set max_epochs or max_steps, or model.fade=0 "
            "model.judged_from=0"
        )
    return min(1.0, steps_done(module.trainer) / max(1, planned))


def fading(module: LightningModule, fade: float) -> float:
    """What is left of a step size that falls linearly to zero over the last part of the run, 1 to 0.

    Args:
        module: what is trained.
        fade: share of the run's steps; 0: the step size stays.
    """
    return min(1.0, (1 - share_done(module)) / fade) if fade else 1.0


def reached(module: LightningModule, share: float) -> bool:
    """Whether this share of the run's steps is done; 0 always is."""
    return not share or share_done(module) >= share
