"""What changes in the course of a run."""

import pytest
from pytorch_lightning import LightningModule, Trainer

from tests.helpers.steps import at_step
from zoo.methods.schedule import lr_factor, reached, share_done
from zoo.support.errors import ConfigError


def test_learning_rates_fall_over_the_last_part_of_a_run_of_any_length():
    module = LightningModule()
    for planned in (4, 400):
        left = []
        for quarter in range(5):
            at_step(module, quarter * planned // 4, planned)
            assert share_done(module) == quarter / 4
            left.append((lr_factor(module, 0.0), lr_factor(module, 0.5), lr_factor(module, 1.0), reached(module, 0.5)))
        assert left == [(1, 1, 1, False), (1, 1, 0.75, False), (1, 1, 0.5, True), (1, 0.5, 0.25, True), (1, 0, 0, True)]


def test_a_run_that_only_time_ends_has_no_last_part():
    module = LightningModule()
    module.trainer = Trainer(max_epochs=-1, accelerator="cpu", logger=False)
    assert (lr_factor(module, 0.0), reached(module, 0.0)) == (1, True)
    for ask in (lr_factor, reached):
        with pytest.raises(ConfigError, match="set max_epochs or max_steps"):
            ask(module, 0.5)
