"""Settings of a run: defaults, recipe, file and command line, laid over one another and checked for type."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ConfigError
from zoo.spec import MethodSpec, load_object, setting

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class DataConfig:
    """Which clips, and how they are fed."""

    name: str = setting("synthgrid", "data set; `data=NAME` also picks the method's recipe for it")
    root: str | None = setting(
        None, "folder (or fsspec URL) of the prepared store; none: the data set's own in the cache"
    )
    split: str | None = setting(None, "how clips are divided into train, val and test; none: the data set's first")
    clips: int = setting(160, "how many clips are made where the data set makes its own")
    seed: int = setting(0, "seed of made clips; apart from the run's seed, so that runs can share them")
    batch_size: int = setting(16, "windows per step and process")
    num_workers: int = setting(0, "processes that load data; 0 loads in the training process")
    windows_per_clip: int = setting(1, "windows drawn from each training clip in one epoch")
    max_clips: int | None = setting(None, "use at most so many clips of each split; none: all")


@dataclass
class TrainerConfig:
    """What goes to the Lightning ``Trainer``."""

    max_epochs: int = setting(1, "passes over the training clips; -1: no limit")
    max_steps: int = setting(-1, "optimiser steps; -1: no limit (a GAN's two optimisers count one step each)")
    max_time: str | None = setting(None, "wall clock limit, DD:HH:MM:SS")
    accelerator: str = setting("auto", "auto, cpu, gpu, mps")
    devices: Any = setting("auto", "number of processes or GPUs, or a list of GPU indices")
    strategy: str = setting("auto", "auto, ddp, ... (see Lightning)")
    num_nodes: int = setting(1, "machines")
    precision: str = setting("32-true", "32-true, bf16-mixed, 16-mixed")
    check_val_every_n_epoch: int = setting(1, "epochs between validations")
    limit_train_batches: Any = setting(1.0, "share (float) or number (int) of training batches per epoch")
    limit_val_batches: Any = setting(1.0, "share or number of validation batches")
    limit_test_batches: Any = setting(1.0, "share or number of test clips")
    log_every_n_steps: int = setting(10, "steps between rows in metrics.csv")
    deterministic: bool = setting(False, "ask torch for deterministic algorithms only")


@dataclass
class RunConfig:
    """Everything that one run needs; ``model`` is the method's own dataclass."""

    method: str = setting("", "name of the method")
    seed: int = setting(0, "seed of weights, of sampling and of made data")
    out: str = setting("runs", "folder that holds the runs")
    logger: str = setting("csv", "csv, wandb or tensorboard; the CSV is always written")
    data: DataConfig = field(default_factory=DataConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    model: Any = None


LOGGERS = ("csv", "wandb", "tensorboard")


@dataclass(frozen=True)
class Layer:
    """Some settings and where they came from, for error messages."""

    source: str
    values: Any


def resolve(
    spec: MethodSpec, overrides: Sequence[str] = (), file: str | Path | None = None, base: Layer | None = None
) -> RunConfig:
    """Lay the settings of a run over one another: defaults, recipe, file, command line.

    Args:
        spec: the method.
        overrides: ``key=value`` items; ``data=NAME`` is short for ``data.name=NAME``.
        file: a YAML file of settings.
        base: settings of an earlier run, used in place of the recipe.

    Returns:
        Plain dataclasses; ``model`` is an instance of the method's config class.

    Raises:
        ConfigError: an unknown key (the nearest valid one is named), a wrong type or an unreadable file.
    """
    dotlist, given = _dotlist(overrides), _file(file)
    name = _first(dotlist.values, given.values if given else None, spec.default_dataset)
    layers = [base or recipe(spec, name)]
    if given is not None:
        layers.append(given)
    layers.append(dotlist)
    return merge(spec, layers)


def merge(spec: MethodSpec, layers: Sequence[Layer]) -> RunConfig:
    """Merge layers over the defaults of a method, checking each against the types.

    Raises:
        ConfigError: see :func:`resolve`.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    config_class = load_object(spec.config)
    config = OmegaConf.structured(RunConfig(method=spec.name, model=config_class()))
    for layer in layers:
        try:
            config = OmegaConf.merge(config, layer.values)
        except OmegaConfBaseException as error:
            raise ConfigError(_explain(error, config, layer)) from error
    try:
        run = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ConfigError(f"settings: {_first_line(error)}") from error
    assert isinstance(run, RunConfig)
    _check_values(run)
    return run


def recipe(spec: MethodSpec, dataset: str) -> Layer:
    """The settings that a method needs on a data set; the method's own file, or none but the data set's name."""
    path = resources.files(spec.recipes) / f"{dataset}.yaml"
    values = _parse(path.read_text(), f"{spec.recipes}/{dataset}.yaml") if path.is_file() else _empty()
    values = _merge_name(values, dataset)
    return Layer(f"recipe {spec.name}/{dataset}.yaml", values)


def recipes(spec: MethodSpec) -> list[str]:
    """The data sets that a method has a recipe for."""
    folder = resources.files(spec.recipes)
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def to_dict(config: RunConfig) -> dict[str, Any]:
    """A config as plain dicts, lists and numbers, for YAML files and checkpoints."""
    return dataclasses.asdict(config)


def to_yaml(config: RunConfig) -> str:
    """A config as YAML that ``--config`` reads again."""
    import yaml

    return str(yaml.safe_dump(to_dict(config), sort_keys=False))


def keys(config: Any, prefix: str = "") -> list[str]:
    """All dotted keys of a config, for shell completion and for error messages."""
    found = []
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        name = f"{prefix}{item.name}"
        found += keys(value, f"{name}.") if dataclasses.is_dataclass(value) else [name]
    return found


def _check_values(run: RunConfig) -> None:
    if run.logger not in LOGGERS:
        raise ConfigError(f"logger: '{run.logger}' is none of {', '.join(LOGGERS)}")
    for key in ("batch_size", "windows_per_clip", "clips"):
        if getattr(run.data, key) < 1:
            raise ConfigError(f"data.{key}: must be at least 1")


def _dotlist(overrides: Sequence[str]) -> Layer:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    items = []
    for item in overrides:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise ConfigError(f"command line: '{item}' is not of the form key=value")
        items.append(f"data.name={value}" if key == "data" else item)
    try:
        return Layer("command line", OmegaConf.from_dotlist(items))
    except (OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(f"command line: {_first_line(error)}") from error


def _file(path: str | Path | None) -> Layer | None:
    if path is None:
        return None
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    values = _parse(text, str(path))
    # A file may say `data: grid`, as the command line does.
    if isinstance(values.get("data"), str):
        values.data = {"name": values.data}
    return Layer(str(path), values)


def _parse(text: str, source: str) -> DictConfig:
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        values = OmegaConf.create(text) if text.strip() else OmegaConf.create({})
    except (YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{source}: not valid YAML ({_first_line(error)})") from error
    if not isinstance(values, DictConfig):
        raise ConfigError(f"{source}: settings must be 'key: value' lines")
    return values


def _empty() -> DictConfig:
    from omegaconf import OmegaConf

    return OmegaConf.create({})


def _merge_name(values: DictConfig, dataset: str) -> DictConfig:
    from omegaconf import DictConfig, OmegaConf

    merged = OmegaConf.merge({"data": {"name": dataset}}, values)
    assert isinstance(merged, DictConfig)
    return merged


def _first(dotlist: DictConfig, file: DictConfig | None, default: str) -> str:
    from omegaconf import OmegaConf

    for layer in (dotlist, file):
        name = OmegaConf.select(layer, "data.name") if layer is not None else None
        if name is not None:
            return str(name)
    return default


def _explain(error: Exception, config: Any, layer: Layer) -> str:
    """One line for an OmegaConf error: where, which key, what is wrong, what may have been meant."""
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigKeyError

    key = getattr(error, "full_key", None) or "?"
    if not isinstance(error, ConfigKeyError):
        return f"{layer.source}: {key}: {_first_line(error)}"
    valid = _paths(OmegaConf.to_container(config, enum_to_str=True))
    near = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
    if not near:
        leaves = {path.rpartition(".")[2]: path for path in valid}
        near = [leaves[match] for match in difflib.get_close_matches(key.rpartition(".")[2], leaves, n=1)]
    hint = f"; did you mean '{near[0]}'?" if near else "; `zoo info METHOD` lists the settings"
    return f"{layer.source}: unknown setting '{key}'{hint}"


def _paths(tree: Any, prefix: str = "") -> list[str]:
    if not isinstance(tree, dict):
        return []
    found = []
    for name, value in tree.items():
        found += [f"{prefix}{name}", *_paths(value, f"{prefix}{name}.")]
    return found


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
