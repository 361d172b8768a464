"""How long training goes on."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.methods.schedule import steps_done, steps_planned
from zoo.training.callbacks import StopAfter


class TwoOptimisers(pl.LightningModule):
    """Both step on every batch, as a GAN's do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.automatic_optimization = False
        self.steps = self.validations = 0

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        for optimiser in self.optimizers():
            self.manual_backward(self.layer(batch).sum())
            optimiser.step()
        self.steps += 1

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.validations += 1

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(self.layer.parameters(), 0.1) for _ in range(2)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("steps", "epochs", "done"), [(5, -1, 5), (5, 9, 5), (99, 2, 6)])
def test_a_step_is_a_batch(tmp_path: Path, steps: int, epochs: int, done: int):
    """However many optimisers there are; the last steps are validated and kept, and a resume has nothing left to do."""

    def fit(path: Path | None) -> tuple[TwoOptimisers, pl.Trainer]:
        quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        kept = ModelCheckpoint(tmp_path, filename="last", enable_version_counter=False)
        trainer = pl.Trainer(
            max_epochs=epochs, callbacks=[StopAfter(steps), kept], accelerator="cpu", num_sanity_val_steps=0, **quiet
        )
        module, batches = TwoOptimisers(), DataLoader(torch.ones(3, 1))
        trainer.fit(module, batches, DataLoader(torch.ones(1, 1)), ckpt_path=path)
        return module, trainer

    module, trainer = fit(None)
    assert (module.steps, module.validations, steps_done(trainer), steps_planned(trainer)) == (done, 2, done, done)
    again, trainer = fit(tmp_path / "last.ckpt")
    assert (again.steps, steps_done(trainer)) == (0, done)
