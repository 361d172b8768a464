"""Checkpoints of a run: written whole or not at all, and believed in nothing but tensors and counts when it goes on.

Lightning believes what a checkpoint says: the paths of its callbacks it deletes, the attributes of its counters and
schedulers it sets. A checkpoint may be a stranger's; so it is read safely, held against what this run would itself
write, and handed on without the rest.
"""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import CheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.strategies import Strategy
from torch import Tensor

from zoo.methods.trainable import not_finite
from zoo.support.checkpoint import read_checkpoint
from zoo.support.errors import ConfigError, DataError
from zoo.support.files import write_aside

MOST = 2**53
"""Counts are below it."""

_SCORES = ("best_model_score", "current_score", "kth_value")
"""What is kept of a :class:`ModelCheckpoint` besides the paths, which are those of this run."""


class CheckpointFiles(CheckpointIO):
    """What Lightning reads and writes checkpoints with.

    Attributes:
        trainer: whose checkpoints they are; set once it is made.
        read: what was read for a run that goes on, until its optimisers were held against it.
    """

    def __init__(self) -> None:
        self.trainer: pl.Trainer | None = None
        self.read: dict[str, Any] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write beside the path, wait for the disk, and take the path's name: a kill leaves the old file or the new.

        Raises:
            DataError: it cannot be written; the old one is as it was.
        """
        if self.trainer is not None:  # the table must not have less behind it than the weights
            for logger in self.trainer.loggers:
                logger.save()
        try:
            with write_aside(path, durable=True) as aside, aside.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            cause = _disk_error(error)
            if cause is None:
                raise
            raise DataError(
                f"{path}: the checkpoint cannot be written ({cause.strerror or cause}); an older one is kept: make "
                "room, then go on with --resume last"
            ) from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint and hand on what a run needs of it; see the module.

        Raises:
            DataError: it cannot be read safely, or is of another run than this.
        """
        assert self.trainer is not None
        self.read = believed(read_checkpoint(path), self.trainer, str(path))
        return self.read

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint, a plain file in a folder of this run's; never anything else."""
        assert self.trainer is not None
        folders = [Path(str(each.dirpath)) for each in _keepers(self.trainer) if each.dirpath]
        if Path(path).parent in folders and Path(path).is_file():
            Path(path).unlink()


class CheckOptimisers(pl.Callback):
    """Holds the optimisers of a checkpoint against those of the run, once there are any, before they are taken over.

    Args:
        files: what read it.
    """

    def __init__(self, files: CheckpointFiles) -> None:
        self.files = files

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse states of other optimisers; drop what has no place in them."""
        read, self.files.read = self.files.read, None
        if read is None:
            return
        path = str(trainer.ckpt_path)
        if type(trainer.strategy).load_checkpoint is not Strategy.load_checkpoint:
            raise ConfigError(f"trainer.strategy: a run under {type(trainer.strategy).__name__} cannot go on")
        states, schedules = read["optimizer_states"], read["lr_schedulers"]
        _same_number(path, "optimisers", states, trainer.optimizers)
        _same_number(path, "schedulers", schedules, trainer.lr_scheduler_configs)
        try:
            states[:] = [_of_optimiser(*pair) for pair in zip(states, trainer.optimizers, strict=True)]
            fresh = [each.scheduler.state_dict() for each in trainer.lr_scheduler_configs]
            schedules[:] = [_like(*pair, "a scheduler") for pair in zip(schedules, fresh, strict=True)]
        except _Odd as error:
            raise DataError(f"{path}: cannot be gone on from: {error}") from error


def believed(kept: dict[str, Any], trainer: pl.Trainer, path: str) -> dict[str, Any]:
    """The part of a checkpoint that a run needs to go on, in the form in which it would itself write it.

    Paths are this run's own. Of the loops, the optimisers and the schedulers counts, numbers and tensors are taken for
    what the run has a place for; callbacks that are not Lightning's checkpoints keep numbers and tensors alone.

    Args:
        kept: as :func:`zoo.support.checkpoint.read_checkpoint` gives it.
        trainer: it has its callbacks and the module, but no optimisers yet (:class:`CheckOptimisers`).
        path: of the checkpoint, for messages.

    Raises:
        DataError: it holds weights alone, or is of another method or of another network.
    """
    module: Any = trainer.lightning_module
    _check_network(kept, module, path)
    needed = ("loops", "callbacks", "optimizer_states", "lr_schedulers")
    if missing := [name for name in needed if name not in kept]:
        raise DataError(f"{path}: weights alone cannot go on ({missing[0]}: missing); start anew from them with init=")
    fresh = {name: loop.state_dict() for name, loop in _loops(trainer).items()}
    try:
        there = _dict(kept["loops"], "loops").get("fit_loop")
        loops = fresh | {"fit_loop": _like(there, fresh["fit_loop"], "loops", counts=True)}
        precision = trainer.precision_plugin
        own = type(precision).__qualname__
        scaling = {own: _like(kept[own], precision.state_dict(), own)} if own in kept and precision.state_dict() else {}
        states = _list(kept["optimizer_states"], "optimizer_states"), _list(kept["lr_schedulers"], "lr_schedulers")
        callbacks = _of_callbacks(_dict(kept["callbacks"], "callbacks"), trainer)
    except _Odd as error:
        raise DataError(f"{path}: cannot be gone on from: {error}") from error
    _check_epochs(loops["fit_loop"], trainer, path)
    return scaling | {
        "epoch": 0,  # Lightning reads both off the loops
        "global_step": 0,
        "pytorch-lightning_version": version("pytorch-lightning"),  # nothing is to be migrated
        "state_dict": kept["state_dict"],
        "zoo": kept["zoo"],
        "loops": loops,
        "callbacks": callbacks,
        "optimizer_states": states[0],
        "lr_schedulers": states[1],
    }


class _Odd(Exception):
    """What in a checkpoint is not as a run writes it."""


def _loops(trainer: pl.Trainer) -> dict[str, Any]:
    names = ("fit_loop", "validate_loop", "test_loop", "predict_loop")
    return {name: getattr(trainer, name) for name in names}


def _keepers(trainer: pl.Trainer) -> list[ModelCheckpoint]:
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [each for each in callbacks if isinstance(each, ModelCheckpoint)]


def _check_network(kept: dict[str, Any], module: Any, path: str) -> None:
    method, name = kept["zoo"]["method"], getattr(module, "method_name", "")
    if method != name:
        raise DataError(f"{path}: a checkpoint of {method}, not of {name}")
    own, state = module.state_dict(), kept["state_dict"]
    odd = sorted(own.keys() ^ state.keys()) or [
        key for key, value in own.items() if value.shape != state[key].shape or value.dtype != state[key].dtype
    ]
    if odd:
        raise DataError(f"{path}: the settings give another network than these weights are of: {odd[0]}")
    if bad := not_finite(module, state):
        raise DataError(f"{path}: {bad}: it is of a fit that diverged")


def _check_epochs(loop: dict[str, Any], trainer: pl.Trainer, path: str) -> None:
    done, most = loop["epoch_progress"]["current"]["processed"], trainer.max_epochs
    if most not in (None, -1) and done > most:
        raise DataError(f"{path}: {done} epochs lie behind it, more than trainer.max_epochs={most}")


def _of_callbacks(kept: dict[Any, Any], trainer: pl.Trainer) -> dict[str, Any]:
    """States by callback, with this run's paths in place of those that stand there."""
    found: dict[str, Any] = {}
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        state = kept.get(callback.state_key)
        if isinstance(callback, ModelCheckpoint):
            found[callback.state_key] = _of_keeper(_dict(state or {}, "callbacks"), callback)
        elif isinstance(state, dict) and _numbers_only(state):
            found[callback.state_key] = state
    return found


def _of_keeper(state: dict[Any, Any], callback: ModelCheckpoint) -> dict[str, Any]:
    own = callback.state_dict()
    if not callback.dirpath or not callback.filename or "{" in callback.filename:
        return own
    file = Path(callback.dirpath) / f"{callback.filename}{callback.FILE_EXTENSION}"
    scores = {name: state.get(name) for name in _SCORES}
    best = scores["best_model_score"]
    if not file.is_file() or not all(value is None or _is_number(value) for value in scores.values()):
        return own
    if best is None:
        return own | {"best_model_path": str(file)}
    known = {"best_model_path": str(file), "kth_best_model_path": str(file), "best_k_models": {str(file): best}}
    return own | {name: value for name, value in scores.items() if value is not None} | known


def _of_optimiser(state: Any, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """The state of an optimiser that has the same parameters in the same groups."""
    fresh, state = optimiser.state_dict(), _dict(state, "an optimiser")
    groups, own = _list(state.get("param_groups"), "an optimiser's groups"), fresh["param_groups"]
    if len(groups) != len(own):
        raise _Odd("an optimiser has other groups of parameters")
    parameters = [value for group in optimiser.param_groups for value in group["params"]]
    kept = _dict(state.get("state"), "an optimiser's state")
    for number, values in kept.items():
        if type(number) is not int or not 0 <= number < len(parameters):
            raise _Odd("an optimiser has other parameters")
        for name, value in _dict(values, "an optimiser's state").items():
            if not isinstance(name, str) or not _fits(value, parameters[number], optimiser):
                raise _Odd(f"an optimiser's {name} is not of its parameter's size")
    return {"state": kept, "param_groups": [_of_group(*pair) for pair in zip(groups, own, strict=True)]}


def _of_group(group: Any, own: dict[str, Any]) -> dict[str, Any]:
    group = _dict(group, "an optimiser's group")
    if group.get("params") != own["params"]:
        raise _Odd("an optimiser has other parameters")
    first = {"initial_lr": own["lr"]} if "initial_lr" in group and "lr" in own else {}
    found = {key: _like(group[key], like, key) for key, like in (first | own).items() if key in group}
    return own | found | {"params": own["params"]}


def _fits(value: Any, parameter: Tensor, optimiser: torch.optim.Optimizer) -> bool:
    """Whether something can be the state of a parameter: a number, or a tensor of its shape (1 along some axes)."""
    if not isinstance(value, Tensor):
        return value is None or _numbers_only(value)
    # Others may keep what they like, and L-BFGS keeps all parameters' at the first one.
    known = type(optimiser).__module__.startswith("torch.optim") and not isinstance(optimiser, torch.optim.LBFGS)
    if not known or value.numel() == 1 or value.shape == parameter.shape:
        return True
    return value.ndim == parameter.ndim and all(a in (1, b) for a, b in zip(value.shape, parameter.shape, strict=True))


def _like(value: Any, like: Any, where: str, *, counts: bool = False) -> Any:
    """A value in the form of one that the run has itself: its names, its kinds of value, its words.

    Args:
        value: out of a checkpoint.
        like: the run's own.
        where: for messages.
        counts: whole numbers are counts, of 0 or more.
    """
    if isinstance(like, dict):
        value = _dict(value, where)
        found = {key: part if key not in value else _like(value[key], part, f"{where}: {key}", counts=counts)
                 for key, part in like.items()}  # fmt: skip
        return Counter(found) if isinstance(like, Counter) else found
    if isinstance(like, (list, tuple)):
        if isinstance(value, (list, tuple)) and len(value) == len(like):
            return type(like)(_like(*pair, where, counts=counts) for pair in zip(value, like, strict=True))
    elif counts and type(like) in (bool, int):
        if type(value) in (bool, int) and 0 <= value < MOST:
            return type(like)(value)
    elif like is not None and not _is_number(like):
        return like  # words and functions come from the settings
    elif value is None or _is_number(value):
        return value
    raise _Odd(f"{where}: a {type(value).__name__} where a {type(like).__name__} belongs")


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) or (isinstance(value, Tensor) and value.numel() == 1)


def _numbers_only(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_numbers_only, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_numbers_only, value))
    return value is None or isinstance(value, (bool, int, float, Tensor))


def _dict(value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _Odd(f"{where}: a {type(value).__name__} where names and values belong")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Odd(f"{where}: a {type(value).__name__} where a list belongs")
    return value


def _same_number(path: str, what: str, kept: list[Any], own: list[Any]) -> None:
    if len(kept) != len(own):
        raise DataError(f"{path}: cannot be gone on from: {len(kept)} {what}, where this run has {len(own)}")


def _disk_error(error: BaseException | None) -> OSError | None:
    """The error of the disk behind what torch says of it, which is about positions in a file."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
