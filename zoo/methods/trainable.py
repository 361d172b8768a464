"""What ``zoo fit`` trains: modules from specs, checkpoints and weights, and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.methods.contract1 import adapted
from zoo.methods.corpora import UNKNOWN, corpora_of
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.module import TrainableModule as TrainableModule
from zoo.registry.config import renamed
from zoo.registry.spec import MethodSpec, TrainableSpec, reason
from zoo.support.checkpoint import digest, in_order, read_checkpoint
from zoo.support.errors import DataError, ZooError
from zoo.support.files import write_aside

__all__ = [
    "TrainableModule",
    "build",
    "find_weights",
    "load_checkpoint",
    "not_finite",
    "read_checkpoint",
    "save_weights",
    "start_from",
]


def build(spec: TrainableSpec, config: Any, *, seed: int = 0) -> TrainableModule:
    """Make a module from its spec and settings; the same seed gives the same first weights."""
    torch.manual_seed(seed)
    kind, wanted = spec.load(), TrainableModule
    if isinstance(spec, MethodSpec):
        kind, wanted = adapted(kind) if spec.api_version < 2 else kind, TalkingFaceMethod
    module = kind(config)
    if not isinstance(module, wanted):
        raise spec.broken(f"{spec.target} is not a {wanted.__module__}.{wanted.__name__}")
    assert isinstance(module, TrainableModule)
    module.take_spec(spec, seed)
    return module


@torch.inference_mode(mode=False)  # Lightning tests in it, and through weights made in it goes no gradient
def load_checkpoint(path: str | Path, name: str | None = None) -> TrainableModule:
    """Load a method or an expert from a checkpoint of ``zoo fit``, in evaluation mode on the CPU.

    Nothing in the file is executed: it is read with ``weights_only=True``, or as safetensors.

    Args:
        path: a ``.ckpt`` file, or weights written by :func:`save_weights`.
        name: the method or expert it must be of.

    Raises:
        DataError: the file is missing, no checkpoint of the zoo, or one of another method or expert.
    """
    from zoo import registry
    from zoo.registry import config

    checkpoint = read_checkpoint(path)
    kept = checkpoint["zoo"]
    if name is not None and name.rpartition(":")[2] != kept["method"]:
        raise DataError(f"{path}: a checkpoint of {kept['method']}, not of {name}")
    spec = registry.trainable(name or kept["method"])
    layer = config.Layer(str(path), {"model": kept["config"], "seed": kept["seed"]})
    settings = config.merge(spec, [layer]).model
    try:
        module = build(spec, settings, seed=kept["seed"])
    except ZooError:
        raise
    except Exception as error:  # such as a width of a million
        raise DataError(f"{path}: no network can be made with its settings ({reason(error)})") from error
    _fill(module, checkpoint, path, f"its weights do not fit this version of {spec.name}")
    module.corpora = corpora_of(kept, path)
    return module.eval()


def start_from(module: TrainableModule, path: Path) -> dict[str, Any]:
    """Take over the weights of a checkpoint whose settings give the same network.

    Returns:
        The settings that the weights were made with and that are others here.

    Raises:
        DataError: see :func:`load_checkpoint`; or the weights have other names or sizes than the module's.
    """
    checkpoint = read_checkpoint(path)
    kept = checkpoint["zoo"]["method"]
    if kept != module.method_name:
        raise DataError(f"{path}: a checkpoint of {kept}, not of {module.method_name}")
    _fill(module, checkpoint, path, "the settings give another network than these weights are of")
    module.corpora = corpora_of(checkpoint["zoo"], path) or (UNKNOWN,)
    here = dataclasses.asdict(module.config)
    there = renamed(checkpoint["zoo"]["config"], module.config, str(path))
    return {name: value for name, value in there.items() if here.get(name, value) != value}


def _fill(module: TrainableModule, checkpoint: dict[str, Any], path: Path | str, problem: str) -> None:
    problem = f"{path}: {problem}"
    here, there = module.state_dict(), checkpoint["state_dict"]
    for name in here.keys() & there.keys():
        if here[name].dtype.is_floating_point != there[name].dtype.is_floating_point or there[name].is_complex():
            raise DataError(f"{problem}: {name} is {there[name].dtype}, not {here[name].dtype}")
    try:
        module.load_state_dict(there)
    except RuntimeError as error:
        what = str(error).splitlines()[1:2] or [str(error)]  # the first line only says that something is wrong
        raise DataError(f"{problem}: {what[0].strip()}") from error
    if odd := not_finite(module):
        raise DataError(f"{path}: {odd}: it is of a fit that diverged")


def not_finite(module: nn.Module, state: Mapping[str, Tensor] | None = None) -> str:
    """The first weight that is no finite number, for a message; empty where there is none.

    A buffer may hold infinity, as an attention mask does.

    Args:
        module: the network.
        state: weights by name, of a checkpoint; else the module's own.
    """
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    state = module.state_dict() if state is None else state
    floating = {name: value for name, value in state.items() if value.is_floating_point()}
    if not floating:
        return ""
    wrong = [~value.isfinite() if name in parameters else value.isnan() for name, value in floating.items()]
    flags = torch.stack([each.any() for each in wrong]).tolist()  # one wait for the GPU
    return next((f"{name} is no finite number" for name, bad in zip(floating, flags, strict=True) if bad), "")


def find_weights(spec: TrainableSpec, which: str | Path) -> Path:
    """The file that is meant: a checkpoint or safetensors file, or the name of weights that come with ``spec``.

    Raises:
        DataError: there is no such file.
    """
    path = Path(which)
    if not path.is_file() and spec.weights and find_spec(spec.weights) is not None:
        path = Path(str(resources.files(spec.weights))) / f"{which}.safetensors"
    if not path.is_file():
        raise DataError(
            f"{which}: no weights of {spec.name}; make some with `zoo fit {spec.name}`, then give its checkpoint"
        )
    return path


def own_weights(spec: TrainableSpec) -> Path:
    """The weights that come with a method for anybody's face and voice: ``default.safetensors`` of its ``weights``.

    Raises:
        DataError: it comes without.
    """
    try:
        return find_weights(spec, "default")
    except DataError:
        raise DataError(
            f"--ckpt: {spec.name} comes without weights; make some with `zoo fit {spec.name}`, then give its checkpoint"
        ) from None


def save_weights(
    module: TrainableModule, path: Path, scores: dict[str, Any] | None = None, origin: Sequence[str] = ()
) -> None:
    """Write a module's weights, and what is needed to build it again, as one safetensors file.

    Optimisers, and what Lightning counts, are left out; :func:`load_checkpoint` reads the file.

    Args:
        module: what is kept.
        path: the file.
        scores: on clips held out (:meth:`TrainableModule.summarise`), so that whoever uses the weights can tell them.
        origin: the files that they were taken over from, where others trained them.
    """
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    facts = json.dumps(
        module.checkpoint_metadata() | {"scores": scores or {}} | ({"origin": list(origin)} if origin else {})
    )
    with write_aside(path, durable=True) as aside:
        aside.write_bytes(save(tensors, {"zoo": facts}))
        aside.write_bytes(in_order(save(tensors, {"zoo": facts, "sha256": digest(aside, facts)})))
