"""A trial: seconds of training on the tiny corpus, for the rules to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from zoo import registry
from zoo.data.batch import Batch
from zoo.data.module import TalkingFaceData
from zoo.methods import trainable
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.module import TrainableModule
from zoo.registry import config as configs
from zoo.registry.config import DataConfig, RunConfig
from zoo.registry.spec import InputSpec, TrainableSpec, Uses
from zoo.testing.guards import watch_state
from zoo.testing.rules import Broken
from zoo.training.fit import make_trainer, quiet, training_batches

STEPS = 12
"""Batches of the training on one batch."""

FEW = 3
"""Steps after which one process and two are compared."""


def trial(spec: TrainableSpec, corpus: Path) -> RunConfig:
    """The settings with which a trainable is tried: those of its ``synthgrid`` recipe, made small."""
    small = ["data=synthgrid", "data.batch_size=4", "data.windows_per_clip=2", "data.num_workers=0", *spec.trial]
    fixed = ["data=synthgrid", f"data.root={corpus}", "data.split=by-speaker", "trainer.max_steps=-1",
             "trainer.accelerator=cpu", "trainer.devices=1", "trainer.precision=32-true"]  # fmt: skip
    return configs.resolve(spec, [*small, *fixed])


def fit(
    config: RunConfig,
    folder: Path,
    *,
    epochs: int,
    resume: Path | None = None,
    data: TalkingFaceData | None = None,
    callbacks: Sequence[Any] = (),
    **trainer: Any,
) -> tuple[TrainableModule, Path]:
    """Train as `zoo fit` does, without its scores and samples.

    Returns:
        The module, and its last checkpoint; beside it lie those of all epochs: ``0.ckpt``, ...
    """
    quiet()
    given = replace(config, trainer=replace(config.trainer, max_epochs=epochs, **trainer))
    module = trainable.build(registry.trainable(config.method), config.model, seed=config.seed)
    module.before_fit()
    data = data or TalkingFaceData(config.data, module.input_spec, config.seed, module.uses)
    if resume is None and isinstance(module, TalkingFaceMethod):
        module.fit_statistics(training_batches(data))
    each = ModelCheckpoint(
        folder, filename="{epoch}", auto_insert_metric_name=False, save_top_k=-1, save_on_train_epoch_end=True
    )
    unused = module.find_unused_parameters
    lightning = make_trainer(given, [each, *callbacks], [], folder, find_unused_parameters=unused)
    lightning.fit(module, data, ckpt_path=resume, weights_only=True)
    return module, folder / f"{epochs - 1}.ckpt"


class OneBatch(TalkingFaceData):
    """The same batch again and again, and in every process."""

    def __init__(self, config: DataConfig, spec: InputSpec, seed: int, steps: int, uses: Uses | None = None) -> None:
        super().__init__(config, spec, seed, uses)
        self.steps = steps

    def train_dataloader(self) -> DataLoader[Any]:
        """The first batch of the training clips, ``steps`` times."""
        batch = next(iter(super().train_dataloader()))
        return DataLoader([batch] * self.steps, batch_size=None, collate_fn=lambda item: item)  # type: ignore[arg-type]

    def _place(self) -> tuple[int, int]:
        return 0, 1


@dataclass
class Practice:
    """Losses of some steps on one batch.

    Attributes:
        module: as it was left.
        before: what ``validation_step`` logs of the batch before the first step.
        after: the same after the last.
        reached: parameters that got a gradient which is not all zero.
        odd: what was not finite first, and at which step; empty where all was.
        owned: parameters that an optimiser has.
        logged: all that was logged, with the last value.
        changed: what training changed of the state that all code shares.
    """

    module: TrainableModule
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    odd: str = ""
    owned: set[str] = field(default_factory=set)
    logged: dict[str, float] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)


class _Gradients(pl.Callback):
    """Notes which parameters get gradients, and where numbers stop being finite."""

    def __init__(self, found: Practice) -> None:
        self.found, self.step = found, 1

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        """Look at what this optimiser is about to use."""
        names = {id(value): name for name, value in pl_module.named_parameters()}
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            name = names.get(id(parameter), "")
            if parameter.grad is None:
                continue
            if not bool(parameter.grad.isfinite().all()):
                self._tell(f"a gradient of {name} is not finite")
            elif bool(parameter.grad.count_nonzero()):
                self.found.reached.add(name)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at what the step logged, and at what it left."""
        for name, value in trainer.callback_metrics.items():
            if not bool(value.isfinite()):
                self._tell(f"{name} is {float(value)}")
        for name, weight in pl_module.named_parameters():
            if not bool(weight.isfinite().all()):
                self._tell(f"{name} is not finite")
        self.step += 1

    def _tell(self, what: str) -> None:
        self.found.odd = self.found.odd or f"in step {self.step} of {STEPS} {what}"


def practise(fresh: TrainableModule, config: RunConfig, batch: Batch, folder: Path) -> Practice:
    """Train on one batch for :data:`STEPS` steps, and look on.

    Args:
        fresh: a module as it is before its first step.
        config: the settings of the trial.
        batch: the batch on which losses are compared.
        folder: where checkpoints go.
    """
    if isinstance(fresh, TalkingFaceMethod):
        fresh.fit_statistics([batch])
    before = watched(fresh, batch)
    found = Practice(fresh, before)
    data = OneBatch(config.data, fresh.input_spec, config.seed, STEPS, fresh.uses)
    quiet()
    with watch_state(drawing=False) as found.changed:
        found.module, _ = fit(config, folder, epochs=1, data=data, callbacks=[_Gradients(found)], limit_val_batches=0)
    trainer = found.module.trainer
    found.logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    names = {id(value): name for name, value in found.module.named_parameters()}
    groups = [group for optimiser in trainer.optimizers for group in optimiser.param_groups]
    found.owned = {names[id(value)] for group in groups for value in group["params"] if id(value) in names}
    found.module._trainer = None
    found.after = watched(found.module, batch)
    return found


class _SameDraws(pl.Callback):
    """Seeds torch before every batch by its number alone: each process draws the same."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Forget which process and which epoch this is."""
        torch.manual_seed(batch_idx)


def few_steps(config: RunConfig, folder: Path, **trainer: Any) -> dict[str, Tensor]:
    """Parameters after :data:`FEW` steps on one batch, which, with the random numbers, is the same in every process.

    Args:
        config: the settings of the trial.
        folder: where checkpoints go.
        **trainer: settings of the trainer, such as ``devices``.
    """
    like = trainable.build(registry.trainable(config.method), config.model)
    data = OneBatch(config.data, like.input_spec, config.seed, FEW, like.uses)
    module, _ = fit(config, folder, epochs=1, data=data, callbacks=[_SameDraws()], limit_val_batches=0, **trainer)
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def watched(module: TrainableModule, batch: Batch) -> dict[str, float]:
    """What ``validation_step`` logs of a batch in training mode, its monitor first."""
    logged: dict[str, Any] = {}
    state = {name: value.clone() for name, value in module.state_dict().items()}
    module.log = lambda name, value, *_, **__: logged.update({name: value})  # type: ignore[method-assign]
    module.train()  # after a few steps the running means of batch normalisation are still those of nothing
    try:
        torch.manual_seed(1)
        with torch.no_grad():
            module.validation_step(batch, 0)
    finally:
        del module.log
        module.load_state_dict(state)  # a look must not leave a trace
    if module.monitor not in logged:
        raise Broken(f"validation_step logs {', '.join(logged) or 'nothing'}, and not '{module.monitor}'")
    first = {module.monitor: logged.pop(module.monitor)}
    return {name: float(value) for name, value in (first | logged).items()}
