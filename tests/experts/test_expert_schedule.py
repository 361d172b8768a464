"""The experts' learning rate."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer

from zoo.experts.schedule import adam
from zoo.support.errors import ConfigError
from zoo.training.callbacks import StopAfter


def module(*limits: StopAfter) -> Any:
    made: Any = LightningModule()
    made.layer = torch.nn.Linear(1, 1)
    made.trainer = Trainer(max_epochs=-1, callbacks=list(limits), accelerator="cpu", logger=False)
    return made


def test_rises_and_falls_with_the_number_of_steps():
    config: Any = SimpleNamespace(learning_rate=1.0, warmup=0.1, decay=True, weight_decay=0.0)
    (factor,) = adam(module(StopAfter(100)), config)["lr_scheduler"]["scheduler"].lr_lambdas
    assert [round(factor(step), 3) for step in (0, 9, 50, 100)] == [0.1, 0.98, 0.5, 0]
    with pytest.raises(ConfigError, match="set max_epochs or max_steps"):  # time alone limits them
        adam(module(), config)
    config.warmup, config.decay = 0.0, False
    assert isinstance(adam(module(), config), torch.optim.AdamW)
