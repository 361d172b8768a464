"""What rounding to bfloat16 may cost, whatever the processor: steps in float64, and with roundings drawn by lot.

From the same weights a step in bfloat16 differs from one in float64 by the roundings of its operations, each of at most
``2^-8`` of the value. Which way they go, the processor decides (order of sums, fused operations); here a coin does, as
in Monte Carlo arithmetic (Parker 1997). The spread over some such steps is what any processor may be off by.

Weights are the same in every step: after a step of Adam they are not, on any two processors, whatever the precision.
Its first step is the learning rate times the *sign* of each gradient, and the sign of one that is zero but for rounding
(a bias before normalisation) is anybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from zoo.data.module import TalkingFaceData
from zoo.registry.config import RunConfig
from zoo.testing.trial import fit

STEPS = 3
"""Steps of a run: the third is the first of At a Glance's generator."""

LOTS = 4
"""Runs with roundings drawn by lot."""


class InDouble(TorchFunctionMode):
    """Whatever meets a parameter in float64 is float64 from there on; ``.float()`` leaves it so."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = (args, kwargs or {})
        if any(isinstance(x, Tensor) and x.dtype == torch.float64 for x in tree_leaves(given)):
            if func is Tensor.float:
                return args[0]
            given = tree_map(lambda x: x.double() if _is(x, torch.float32) else x, given)
        return func(*given[0], **given[1])


class ByLot(TorchDispatchMode):
    """Every operation that gives bfloat16 is computed in float32 and rounded up or down by lot, exact on average."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.lots = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        changes = any(argument.alias_info is not None for argument in func._schema.arguments)
        drawn = torch.Tag.nondeterministic_seeded in func.tags
        inputs = any(isinstance(x, Tensor) and x.is_floating_point() for x in tree_leaves((args, kwargs)))
        if changes or drawn or not inputs or not any(_is(x, torch.bfloat16) for x in tree_leaves(found)):
            return found
        wide = tree_map(_widened, (args, kwargs))
        exact = func(*wide[0], **wide[1])
        return tree_map(lambda old, new: self._rounded(new) if _is(old, torch.bfloat16) else old, found, exact)

    def _rounded(self, exact: Tensor) -> Tensor:
        bits = exact.contiguous().view(torch.int32)
        lot = torch.randint(0, 1 << 16, bits.shape, generator=self.lots, dtype=torch.int32)
        return ((bits + lot) & -(1 << 16)).view(torch.float32).bfloat16()


def _is(x: Any, dtype: torch.dtype) -> bool:
    return isinstance(x, Tensor) and x.dtype == dtype


def _widened(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.float() if x.dtype == torch.bfloat16 else x
    return torch.float32 if x is torch.bfloat16 else x


class Look(pl.Callback):
    """Notes what each step logs, and its gradients, which it takes away: weights stay what they were.

    Attributes:
        values: what was logged, step by step.
        types: of every value that was logged.
        gradients: of each optimiser, by its number.
    """

    def __init__(self, double: bool = False) -> None:
        self.double = double
        self.values: dict[str, list[float]] = {}
        self.types: dict[str, torch.dtype] = {}
        self.gradients: dict[int, list[Tensor]] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Before optimisers are made."""
        pl_module.log = self._note  # type: ignore[method-assign]
        for parameter in pl_module.parameters() if self.double else ():
            parameter.data = parameter.data.double()

    def _note(self, name: str, value: Any, *_: Any, **__: Any) -> None:
        self.values.setdefault(name, []).append(float(value.detach()))
        self.types[name] = value.dtype

    def on_train_batch_start(self, *_: Any) -> None:
        """The same random numbers in every step."""
        torch.manual_seed(0)

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        """Parameters without gradients are left alone by every optimiser."""
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        (number,) = (n for n, one in enumerate(trainer.optimizers) if getattr(one, "optimizer", one) is optimizer)
        flat = torch.cat([p.grad.detach().double().flatten() for p in parameters])
        self.gradients.setdefault(number, []).append(flat)
        for parameter in parameters:
            parameter.grad = None


def look(settings: RunConfig, folder: Path, data: Callable[[], TalkingFaceData]) -> tuple[Look, Look, list[Look]]:
    """The same steps in float64, in this processor's bfloat16, and in bfloat16 with roundings by lot.

    Args:
        settings: of the trial.
        folder: for what training leaves behind.
        data: :data:`STEPS` batches.
    """

    def run(mode: AbstractContextManager[Any], precision: str, double: bool = False) -> Look:
        seen = Look(double)
        with mode:
            fit(settings, folder / str(len(list(folder.iterdir()))), epochs=1, data=data(), callbacks=[seen],
                precision=precision, limit_val_batches=0)  # fmt: skip
        return seen

    lots = [run(ByLot(number), "bf16-mixed") for number in range(LOTS)]
    return run(InDouble(), "32-true", double=True), run(nullcontext(), "bf16-mixed"), lots


def off(exact: Look, others: list[Look]) -> Iterator[tuple[str, float]]:
    """How far runs are from the exact one: every value that is logged, and every optimiser's gradient.

    Returns:
        Names, and root mean squares over all runs and steps: of values their distance, of gradients that of the vectors
        as a share of the exact one's length.
    """
    for name, (value, *_) in exact.values.items():
        yield name, _mean([other - value for look in others for other in look.values[name]])
    for number, (gradient, *_) in exact.gradients.items():
        distances = [(other - gradient).norm() / gradient.norm() for look in others for other in look.gradients[number]]
        yield f"gradient of optimiser {number}", _mean([float(distance) for distance in distances])


def _mean(distances: list[float]) -> float:
    return (sum(distance**2 for distance in distances) / len(distances)) ** 0.5
