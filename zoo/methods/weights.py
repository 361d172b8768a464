"""Weights that others published: read without running anything in them, renamed, checked and kept as ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from zoo import registry
from zoo.methods.module import TrainableModule
from zoo.methods.trainable import build, save_weights
from zoo.registry import config
from zoo.registry.spec import TrainableSpec
from zoo.support.checkpoint import Unreadable, read_tensors
from zoo.support.errors import ConfigError, DataError


class ExternalCheckpoint(NamedTuple):
    """A checkpoint that others published.

    Attributes:
        path: where it lies.
        state: its tensors by their names there.
    """

    path: Path
    state: dict[str, Tensor]


@dataclass(frozen=True)
class Translated:
    """Tensors under our names.

    Attributes:
        state: by the names of the module's ``state_dict``; networks of the module may be left out, but no part of one.
        settings: of ``model``, what the network needs to be the one they are of.
        name: the method or expert that they turn out to be of, where it is not the one that was asked for.
    """

    state: dict[str, Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    name: str = ""


Importer = Callable[[Sequence[ExternalCheckpoint]], Translated]
"""What :attr:`zoo.registry.spec.TrainableSpec.importer` names; raises ``DataError`` for files of others."""


class Taken(NamedTuple):
    """What was written.

    Attributes:
        path: the safetensors file.
        name: the method or expert.
        fresh: networks that the files do not hold, as a new run would begin with them.
    """

    path: Path
    name: str
    fresh: tuple[str, ...]


def import_weights(name: str, paths: Sequence[Path], out: Path | None = None) -> Taken:
    """Take over weights that others trained, as a file for ``--ckpt``, ``init=``, ``sync=`` and ``reader=``.

    Args:
        name: the method or expert.
        paths: their files, one or several.
        out: the file; not given: the first one's name with ``.safetensors``, in the current folder.

    Raises:
        ConfigError: there is no importer, or the file cannot have that name.
        DataError: a file that cannot be read safely, or does not hold what it should.
    """
    spec = registry.trainable(name)
    if not spec.importer:
        raise ConfigError(f"{name}: there is no importer of published weights for it")
    out = out or Path(f"{paths[0].stem}.safetensors")
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out: {out.name} must end in .safetensors")
    found: Translated = spec.load_part(spec.importer)([ExternalCheckpoint(path, read_foreign(path)) for path in paths])
    if found.name:
        spec = registry.trainable(found.name)
    model = config.merge(spec, [config.Layer(spec.importer, {"model": found.settings})]).model
    module = build(spec, model)
    fresh = _fill(spec, module, found.state)
    save_weights(module, out, origin=[path.name for path in paths])
    return Taken(out, spec.name, fresh)


def read_foreign(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of ``torch.save`` (a state dict, alone or under ``state_dict``) or of safetensors.

    Nothing in it is executed. A leading ``module.`` of all names (``DataParallel``) is dropped.

    Raises:
        DataError: there is no such file, reading it would run code, or it holds no state dict.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        kept = read_tensors(path)
    except Unreadable as error:
        raise DataError(f"{path}: refused, {error}; only plain tensors are read") from error
    state = kept.get("state_dict", kept) if isinstance(kept, dict) else None
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items())
    ):
        raise DataError(f"{path}: holds no state dict, or more than tensors in it")
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def match_blocks(foreign: ExternalCheckpoint, theirs: str, own: Mapping[str, Tensor], ours: str) -> dict[str, Tensor]:
    """Translate a stack, ``theirs.1.0.conv_block.0.weight`` to ``ours.1.0.0.weight``, block by block in order.

    A block is a layer 0 (convolution) and perhaps a layer 1 (normalisation). Blocks may be grouped otherwise there.

    Args:
        foreign: the file.
        theirs: what its names begin with.
        own: tensors of the network that is to be filled, by their names.
        ours: what those begin with.

    Raises:
        DataError: other blocks, layers or shapes.
    """
    numbered = _blocks(foreign.state, rf"{re.escape(theirs)}((?:\.\d+)*)\.conv_block")
    there = [numbered[key] for key in sorted(numbered, key=lambda key: [int(part) for part in key.split(".")[1:]])]
    # A network's own names are in order; a last convolution without normalisation is no block.
    here = [block for block in _blocks(own, rf"{re.escape(ours)}((?:\.\w+)*)").values() if "0.weight" in block]
    if len(there) != len(here):
        raise DataError(f"{foreign.path}: {len(there)} blocks under {theirs}, {len(here)} expected")
    found = {}
    for names, wanted in zip(there, here, strict=True):
        for part in names.keys() | wanted.keys():
            if part not in names or part not in wanted:
                place = names.get(part) or f"{theirs} (as {wanted[part]})"
                raise DataError(f"{foreign.path}: {place}: {'unknown' if part in names else 'missing'}")
            found[wanted[part]] = take(foreign, names[part], own[wanted[part]])
    return found


def take(foreign: ExternalCheckpoint, name: str, like: Tensor) -> Tensor:
    """One tensor of the file, of the shape that is expected.

    Raises:
        DataError: it is missing or has another shape.
    """
    if name not in foreign.state:
        raise DataError(f"{foreign.path}: {name}: missing")
    value = foreign.state[name]
    if value.shape != like.shape:
        raise DataError(f"{foreign.path}: {name}: shape {tuple(value.shape)}, {tuple(like.shape)} expected")
    return value


def from_bgr(weight: Tensor) -> Tensor:
    """A first convolution's weight ``(out, 3 n, ...)`` for BGR pictures, as it must be for RGB ones."""
    return weight.view(len(weight), -1, 3, *weight.shape[2:]).flip(2).flatten(1, 2)


def _blocks(state: Mapping[str, Tensor], stack: str) -> dict[str, dict[str, str]]:
    """The blocks of a stack by their place in it: of each the full names by ``layer.tensor``."""
    blocks: dict[str, dict[str, str]] = {}
    for name in state:
        match = re.fullmatch(stack + r"\.([01])\.(\w+)", name)
        if match:
            blocks.setdefault(match[1], {})[f"{match[2]}.{match[3]}"] = name
    return blocks


def _fill(spec: TrainableSpec, module: TrainableModule, state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Fill whole networks; the names of those that stay as they are."""
    own = module.state_dict()
    if unknown := state.keys() - own.keys():
        raise spec.broken(f"{spec.importer} gives tensors that there are not: {min(unknown)}")
    fresh = []
    for part, network in module.named_children():
        names = {f"{part}.{name}" for name, _ in network.named_parameters()}
        if missing := names - state.keys():
            if len(missing) < len(names):
                raise spec.broken(f"{spec.importer} leaves out {min(missing)}")
            fresh.append(part)
    module.load_state_dict(state, strict=False)
    return tuple(fresh)
