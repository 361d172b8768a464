"""Training steps without a training: modules are told where in a run they are."""

from __future__ import annotations

from pytorch_lightning import LightningModule, Trainer

from zoo.training.callbacks import StopAfter


def at_step(module: LightningModule, done: int, planned: int) -> None:
    """Let a module believe that so many steps of a run are done."""
    module.trainer = Trainer(max_epochs=-1, callbacks=[StopAfter(planned)], accelerator="cpu", logger=False)
    module.trainer.fit_loop.epoch_loop.batch_progress.total.processed = done
