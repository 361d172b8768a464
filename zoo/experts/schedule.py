"""The optimiser of the experts and its learning rate over time."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

import torch
from pytorch_lightning import LightningModule

from zoo.methods.schedule import steps_planned
from zoo.support.errors import ConfigError


@runtime_checkable
class Steps(Protocol):
    """The settings that say how large the steps are."""

    learning_rate: float
    warmup: float
    decay: bool
    weight_decay: float


def adam(module: LightningModule, config: Steps) -> Any:
    """AdamW whose learning rate rises over a share of all steps and, if asked, falls to zero along a cosine.

    Raises:
        ConfigError: it depends on how many steps there are, and nothing limits them but time.
    """
    optimiser = torch.optim.AdamW(module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    if not (config.warmup or config.decay):
        return optimiser
    steps = steps_planned(module.trainer)
    if not math.isfinite(steps):
        raise ConfigError(
            "trainer: the learning rate follows the number of steps: set max_epochs or max_steps, or model.warmup=0 "
            "model.decay=false"
        )
    total = max(1, int(steps))

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / max(1.0, config.warmup * total))
        return rise * (0.5 * (1 + math.cos(math.pi * min(step / total, 1.0))) if config.decay else 1.0)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
