"""When Wav2Lip's sync expert joins: once its loss on validation windows falls below a bar, for good (code)."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from zoo.data.batch import Batch
from zoo.methods.adversarial import Step
from zoo.methods.framewise import FramewiseMethod
from zoo_wav2lip.config import Wav2LipConfig


class JoinsExpert(FramewiseMethod):
    """A framewise method with a sync expert that validation lets join; whether it has is kept in checkpoints.

    Args:
        config: settings.
    """

    config: Wav2LipConfig
    sync_joined: Tensor

    def __init__(self, config: Wav2LipConfig) -> None:
        super().__init__(config)
        self.register_buffer("sync_joined", torch.zeros((), dtype=torch.long))

    @property
    def expert(self) -> str | None:
        """None where its loss counts nothing."""
        return self.config.expert if self.config.sync_weight else None

    def before_fit(self) -> None:
        """Read the expert; in a new run it has yet to join."""
        self.sync_joined.zero_()
        super().before_fit()

    def on_train_start(self) -> None:
        """Say so where the sync loss cannot join, or where the expert knows no real faces."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.expert and not (data.clips["val"] and self.trainer.limit_val_batches):
            rank_zero_warn(
                "no clip to validate on: the sync loss never joins (it waits for model.sync_bar on validation); "
                "prepare more clips or choose another data.split"
            )
        else:
            super().on_train_start()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """``val/l1`` and the expert's ``val/sync`` on windows held out; the latter decides when the sync loss joins."""
        step = Step(batch=self.whole_windows(batch))
        l1, size = (self.render_window(step) - step.real).abs().mean(), len(batch.clip)
        self.log("val/l1", l1, prog_bar=True, sync_dist=True, batch_size=size)
        if self.expert:
            sync = self.expert_term(step, "sync", self.config.sync_weight).value
            self.log("val/sync", sync, prog_bar=True, sync_dist=True, batch_size=size)

    def on_validation_epoch_end(self) -> None:
        """Let the sync loss join, for good, once it is below the bar."""
        found = self.trainer.callback_metrics.get("val/sync")
        if found is not None and float(found) < self.config.sync_bar:
            self.sync_joined.fill_(1)
