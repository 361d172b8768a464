"""Callbacks of training: its end after so many steps or where it diverged, and progress, in plain lines in a file."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar
from torch import Tensor

from zoo.methods.schedule import StepLimit, steps_done, steps_planned
from zoo.methods.trainable import not_finite
from zoo.support.errors import DivergedError
from zoo.support.printable import say


class StopAfter(StepLimit):
    """Ends training after so many steps. A step is a batch; Lightning's ``max_steps`` counts each optimiser's.

    Args:
        steps: how many, those before a resume included.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing is left of a run that is resumed at its end."""
        self._look(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop; what is done at an epoch's end is done now."""
        self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        if steps_done(trainer) >= self.steps:
            trainer.should_stop = True


class SameBuffers(pl.Callback):
    """After training every process has the buffers of the first, as the checkpoint has: running means and the like.

    Parameters are the same on all processes by themselves; buffers follow the windows that each process saw.
    """

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before processes part from their devices."""
        if trainer.world_size == 1:
            return
        buffers = dict(pl_module.named_buffers())
        first = trainer.strategy.broadcast({name: buffer.cpu() for name, buffer in buffers.items()})
        for name, buffer in buffers.items():
            buffer.copy_(first[name])


class CheckFinite(pl.Callback):
    """Ends a fit whose losses or weights are no finite numbers any more, before a checkpoint is written of it.

    Logged values stay where they are and are looked at together, since each look waits for the GPU; the weights are
    looked at before each checkpoint. What one process finds ends all.

    Args:
        every: training steps between two looks at the logged values.
    """

    def __init__(self, every: int = 50) -> None:
        self.every = every
        self._logged: list[tuple[int, str, Tensor]] = []
        self._steps = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the values of the step."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        self._keep(trainer, _logged(trainer, on_step=True) | {"the loss": loss})
        self._steps += 1
        if self._steps % self.every == 0:
            self._check(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A checkpoint may follow."""
        self._keep(trainer, _logged(trainer, on_step=False))
        self._check(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same."""
        if trainer.state.fn == "fit":
            self._keep(trainer, _logged(trainer, on_step=False))
            self._check(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing is written of a fit that diverged in its last steps."""
        self._check(trainer, pl_module)

    def _keep(self, trainer: pl.Trainer, values: Mapping[str, Any]) -> None:
        step = steps_done(trainer)
        self._logged += [
            (step, name, value.detach())
            for name, value in values.items()
            if isinstance(value, Tensor) and value.numel() == 1
        ]

    def _check(self, trainer: pl.Trainer, pl_module: pl.LightningModule | None = None) -> None:
        """Raise where a logged value, or a weight of the module, is no finite number; on all processes or on none.

        Raises:
            DivergedError: with the step and the first such value.
        """
        logged, self._logged = self._logged, []
        found = first_not_finite(logged)
        if pl_module is not None and not found and (weights := not_finite(pl_module)):
            found = (steps_done(trainer), weights)
        if trainer.strategy.reduce_boolean_decision(found is None):
            return
        step, what = min(each for each in _of_all_processes(found) if each is not None)
        raise DivergedError(f"{what} at step {step}")


def _logged(trainer: pl.Trainer, *, on_step: bool) -> dict[str, Any]:
    """The values of the loop that is at work (training, validation), without means over nothing, which are no numbers.

    Args:
        trainer: whose loops they are.
        on_step: those of the step; else those of the epoch.
    """
    results: Any = trainer._results
    if results is None:
        return {}
    empty = {
        result.meta.name
        for result in results.values()
        if not on_step and result.is_tensor and result.meta.is_mean_reduction and not result.cumulated_batch_size
    }
    values: dict[str, Any] = results.metrics(on_step)["callback"]
    return {name: value for name, value in values.items() if name not in empty}


def first_not_finite(logged: Sequence[tuple[int, str, Tensor]]) -> tuple[int, str] | None:
    """The first value that is no finite number: its step, and what it is, in words.

    Args:
        logged: steps, names and values of one element, in order.
    """
    if not logged:
        return None
    devices = {value.device for _, _, value in logged}
    numbers: dict[int, float] = {}
    for device in devices:  # one wait for each
        at = [number for number, (_, _, value) in enumerate(logged) if value.device == device]
        numbers |= zip(at, torch.stack([logged[number][2].float().flatten()[0] for number in at]).tolist(), strict=True)
    bad = next((number for number in sorted(numbers) if not math.isfinite(numbers[number])), None)
    return None if bad is None else (logged[bad][0], f"{logged[bad][1]} is {numbers[bad]}")


def _of_all_processes(found: tuple[int, str] | None) -> list[tuple[int, str] | None]:
    if not torch.distributed.is_initialized():
        return [found]
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, found)
    return parts


class PlainProgress(pl.Callback):
    """A line now and then with step, losses and time left, for logs and pipes.

    Args:
        every: seconds between lines.
    """

    def __init__(self, every: float = 15.0) -> None:
        self.every = every
        self.started = self.last = 0.0
        self.first_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started = self.last = time.monotonic()
        self.first_step = steps_done(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Print where training is."""
        now = time.monotonic()
        if now - self.last >= self.every and trainer.is_global_zero:
            self.last = now
            say(self._line(trainer, now), flush=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print how it ended."""
        if trainer.is_global_zero:
            say(self._line(trainer, time.monotonic()), flush=True)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say that scoring begins."""
        if trainer.is_global_zero:
            say(f"scoring {sum(trainer.num_test_batches)} test clips per process", flush=True)

    def _line(self, trainer: pl.Trainer, now: float) -> str:
        done, total = steps_done(trainer), steps_planned(trainer)
        losses = " ".join(
            f"{name}={value:.4f}" for name, value in sorted(trainer.progress_bar_metrics.items()) if name != "v_num"
        )
        text = f"epoch {trainer.current_epoch + 1} step {done}"
        if total != math.inf:
            epochs = math.ceil(total / trainer.num_training_batches)
            speed = (now - self.started) / max(1, done - self.first_step)
            text = f"epoch {min(trainer.current_epoch + 1, epochs)}/{epochs} step {done}/{int(total)}"
            losses += f" {clock(speed * max(0, total - done))} left"
        return f"{text} {losses} ({clock(now - self.started)} so far)"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def training_progress() -> pl.Callback:
    """The progress callback that fits where the output goes."""
    return RichProgressBar(leave=False) if sys.stdout.isatty() else PlainProgress()
