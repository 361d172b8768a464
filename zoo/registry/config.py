"""Settings of a run: defaults, recipe, file and command line, laid over one another and checked for type."""

from __future__ import annotations

import dataclasses
import difflib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import registry
from zoo.registry.spec import MethodSpec, TrainableSpec, reason, setting
from zoo.support.errors import ConfigError, ZooError
from zoo.support.plain import check_plain, first_line, parse_mapping
from zoo.support.printable import say

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
    clips: int = setting(160, "how many clips are made where the data set makes its own", least=1)
    seed: int = setting(0, "seed of made clips; apart from the run's seed, so that runs can share them", least=0)
    batch_size: int = setting(16, "windows per step and process", least=1)
    num_workers: int = setting(0, "processes that load data, at most one per core; 0: the training process", least=0)
    windows_per_clip: int = setting(1, "windows drawn from each training clip in one epoch", least=1)
    max_clips: int | None = setting(None, "use at most so many clips of each split; none: all", least=1)


@dataclass
class TrainerConfig:
    """What goes to the Lightning ``Trainer``."""

    max_epochs: int = setting(1, "passes over the training clips; -1: no limit")
    max_steps: int = setting(-1, "training steps, a batch each, however many optimisers a method has; -1: no limit")
    max_time: str | None = setting(None, "wall clock limit, DD:HH:MM:SS")
    accelerator: str = setting("auto", "auto, cpu, gpu, mps")
    devices: Any = setting("auto", "number of processes or GPUs, or a list of GPU indices")
    strategy: str = setting("auto", "auto, ddp, ... (see Lightning)")
    num_nodes: int = setting(1, "machines", least=1)
    precision: str = setting("32-true", "32-true, bf16-mixed, 16-mixed")
    check_val_every_n_epoch: int = setting(1, "epochs between validations", least=1)
    limit_train_batches: int | float = setting(1.0, "share (float) or number (int) of training batches per epoch")
    limit_val_batches: int | float = setting(1.0, "share or number of validation batches")
    limit_test_batches: int | float = setting(1.0, "share or number of test clips")
    log_every_n_steps: int = setting(10, "steps between rows in metrics.csv", least=1)
    deterministic: bool = setting(False, "ask torch for deterministic algorithms only")


@dataclass
class RunConfig:
    """Everything that one run needs; ``model`` and ``options`` are the method's own dataclasses."""

    method: str = setting("", "name of the method or expert")
    seed: int = setting(0, "seed of weights and of sampling", least=0)
    recipe: str | None = setting(
        None,
        "recipe to start from, by its data set: recipe=synthgrid is small enough for a CPU; none: that of data.name",
    )
    out: str = setting("runs", "folder that holds the runs")
    init: str | None = setting(
        None, "weights to start from: a checkpoint, weights.safetensors, or the name of weights that come with it"
    )
    fast: bool = setting(
        False,
        "bf16 autocast, channels-last and torch.compile together; the same results within rounding. Compiling takes "
        "minutes at first, so it is for long runs, on processors with bfloat16",
    )
    score: bool = setting(
        True, "generate and score the test clips of a method after training; false: a benchmark will, in its place"
    )
    logger: str = setting("csv", "where losses go besides the CSV", choices=("csv", "wandb", "tensorboard"))
    data: DataConfig = field(default_factory=DataConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    model: Any = None
    options: Any = None


@dataclass(frozen=True)
class Layer:
    """Some settings and where they came from, for error messages."""

    source: str
    values: Any


def resolve(
    spec: TrainableSpec, overrides: Sequence[str] = (), file: str | Path | None = None, base: Layer | None = None
) -> RunConfig:
    """Lay the settings of a run over one another: defaults, recipe, file, command line.

    Args:
        spec: the method.
        overrides: ``key=value`` items; ``data=NAME`` is short for ``data.name=NAME``, and a setting of the method's own
            may be named without its ``model.``.
        file: a YAML file of settings.
        base: settings of an earlier run, used in place of the recipe.

    Returns:
        Plain dataclasses; ``model`` is an instance of the method's config class.

    Raises:
        ConfigError: an unknown key (the nearest valid one is named), a wrong type or an unreadable file.
    """
    given = dotlist(own_settings(spec, overrides))
    layers = [given] if file is None else [read_layer(file), given]
    if base is None:
        dataset = str(_last(layers, "data.name") or spec.default_dataset)
        named = _last(layers, "recipe")
        base = recipe(spec, dataset, None if named is None else str(named))
    return merge(spec, [base, *layers])


def own_settings(spec: TrainableSpec, overrides: Sequence[str]) -> list[str]:
    """``key=value`` items with ``model.`` before what only the method knows: ``ablation=e`` is ``model.ablation=e``."""
    general = {item.name for item in dataclasses.fields(RunConfig)}
    if all("." in item.partition("=")[0] or item.partition("=")[0] in general for item in overrides):
        return list(overrides)  # without importing the method's settings
    own = {item.name for item in dataclasses.fields(spec.settings())} - general
    own |= {old for old, new in RENAMED.items() if new in own}
    return [f"model.{item}" if item.partition("=")[0] in own else item for item in overrides]


def merge(spec: TrainableSpec, layers: Sequence[Layer]) -> RunConfig:
    """Merge layers over the defaults of a method, checking each against the types.

    Raises:
        ConfigError: see :func:`resolve`.
        BrokenPluginError: the method's settings class cannot be used.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    choices = spec.choices() if isinstance(spec, MethodSpec) else None
    defaults = RunConfig(method=spec.name, model=spec.settings(), options=choices)
    config = OmegaConf.structured(defaults)
    check_plain(config, f"the defaults of {spec.name}", defaults=True)
    for layer in layers:
        check_plain(layer.values, layer.source)
        try:
            values = OmegaConf.create(layer.values)
            _check_method(spec, OmegaConf.select(values, "method"), layer)
            _check_options(spec, choices, values, layer)
            if isinstance(values.get("model"), Mapping):
                values.model = renamed(values.model, defaults.model, layer.source)
            config = OmegaConf.merge(config, values)
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            raise ConfigError(explain(error, config, layer)) from error
    try:
        run = OmegaConf.to_object(config)
    except (OmegaConfBaseException, ValueError, TypeError) as error:  # the last two: the method's own checks
        raise ConfigError(explain(error, config, Layer("settings", {}))) from error
    assert isinstance(run, RunConfig)
    if not isinstance(run.options, type(defaults.options)):
        raise ConfigError(f"options: '{run.options}' is no set of options; give them one by one, as options.KEY=VALUE")
    if not isinstance(run.model, type(defaults.model)):
        raise ConfigError(f"model: '{run.model}' is no set of settings; give them one by one, as model.KEY=VALUE")
    run.method = registry.full_name(spec)
    check_values(run, layers)
    return run


RENAMED = {"judged_from": "adversarial_start", "fade": "lr_decay_fraction"}
"""Settings of methods under their old names: old runs, checkpoints and suites have them."""

_told: set[str] = set()


def renamed(model: Mapping[str, Any], settings: Any, source: str) -> dict[str, Any]:
    """A method's settings with the names of today; the first time in a process one line says so.

    Args:
        model: settings from a file or a command line.
        settings: the method's own dataclass, whose names count: another's ``fade`` stays what it is.
        source: where they come from.
    """
    known = {item.name for item in dataclasses.fields(settings)}
    old = [name for name in model if name not in known and RENAMED.get(name) in known]
    if old and not _told.issuperset(old):
        _told.update(old)
        names = ", ".join(f"model.{name} is now model.{RENAMED[name]}" for name in old)
        say(f"zoo: {source}: {names}", file=sys.stderr)
    return {RENAMED[name] if name in old else name: value for name, value in model.items()}


def read_layer(path: str | Path) -> Layer:
    """Read a YAML file of settings, for example a run's ``config.yaml``.

    Raises:
        ConfigError: the file cannot be read or is no YAML mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return parse_layer(text, str(path))


def parse_layer(text: str, source: str) -> Layer:
    """Settings as YAML text.

    Raises:
        ConfigError: the text is no YAML mapping.
    """
    from omegaconf import OmegaConf

    values = parse_mapping(text, source)
    # A file may say `data: grid`, as the command line does.
    plain: Any = OmegaConf.to_container(values)
    if isinstance(plain.get("data"), str):
        values.data = {"name": plain["data"]}
    return Layer(source, values)


def recipe(spec: TrainableSpec, dataset: str, named: str | None = None) -> Layer:
    """The settings that a method needs on a data set: the recipe of its name, or else of a data set like it.

    Args:
        spec: the method.
        dataset: what it is trained on.
        named: the data set whose recipe it is, if another.

    Raises:
        ConfigError: there is no recipe of the name.
    """
    known = recipes(spec)
    if named and named not in known:
        raise ConfigError(f"recipe: {spec.name} has no recipe '{named}'; known: {', '.join(sorted(known)) or 'none'}")
    which = named or (dataset if dataset in known else _like(dataset))
    name = f"recipe {spec.name}/{which}.yaml"
    return Layer(name, _merge_name(parse_mapping(known.get(which, ""), name), dataset))


def _like(dataset: str) -> str:
    """The data set whose recipes fit as well (:attr:`zoo.registry.spec.DatasetSpec.recipes_of`), or itself."""
    try:
        return registry.dataset(dataset).recipes_of or dataset
    except ZooError:  # that it is none, or broken, is said where it is used
        return dataset


def recipes(spec: TrainableSpec) -> dict[str, str]:
    """The data sets that there is a recipe for, each with the text of its YAML file: the method's own, then others'.

    Raises:
        BrokenPluginError: a package of recipes cannot be read.
    """
    own: dict[str, str] = {}
    if spec.recipes:
        try:
            own = registry.yaml_texts(spec.recipes)
        except Exception as error:
            raise spec.broken(f"its recipes in {spec.recipes} cannot be read: {reason(error)}") from error
    return registry.recipe_texts(spec.name) | own


def to_dict(config: RunConfig) -> dict[str, Any]:
    """A config as plain dicts, lists and numbers, for YAML files and checkpoints."""
    return dataclasses.asdict(config)


def to_yaml(config: RunConfig) -> str:
    """A config as YAML that ``--config`` reads again."""
    import yaml

    return str(yaml.safe_dump(to_dict(config), sort_keys=False))


def settings(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    """All settings with their dotted keys, for shell completion and for checks."""
    for item in dataclasses.fields(config):
        value, key = getattr(config, item.name), f"{prefix}{item.name}"
        if dataclasses.is_dataclass(value):
            yield from settings(value, f"{key}.")
        elif item.metadata:  # not the options of a method that has none
            yield key, item


def check_values(config: Any, layers: Sequence[Layer]) -> None:
    """What :func:`zoo.registry.spec.setting` says of the values of a field, or of a list's, and its type cannot.

    Raises:
        ConfigError: with the layer that a wrong value comes from.
    """
    for key, item in settings(config):
        value, choices, least = attrgetter(key)(config), item.metadata.get("choices"), item.metadata.get("least")
        for one in value if isinstance(value, list) else [value]:
            if choices and one not in choices:
                near = difflib.get_close_matches(str(one), choices, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                known = ", ".join(map(str, choices))
                raise ConfigError(f"{source_of(layers, key)}: {key}: '{one}' is none of {known}{hint}")
            if least is not None and one is not None and not one >= least:
                raise ConfigError(f"{source_of(layers, key)}: {key}: must be at least {least}, not {one}")


def source_of(layers: Sequence[Layer], key: str) -> str:
    """Where the value of a setting comes from."""
    from omegaconf import OmegaConf

    def has(layer: Layer) -> bool:
        return OmegaConf.select(OmegaConf.create(layer.values), key, throw_on_resolution_failure=False) is not None

    return next((layer.source for layer in reversed(layers) if has(layer)), "settings")


def _check_method(spec: TrainableSpec, name: object, layer: Layer) -> None:
    if name is not None and str(name).rpartition(":")[2] != spec.name:
        raise ConfigError(f"{layer.source}: these are settings of '{name}', not of '{spec.name}'")


def _check_options(spec: TrainableSpec, choices: Any, values: Any, layer: Layer) -> None:
    """Options are the method's own: where it has none, none can be given."""
    given = values.get("options")
    if choices is None and given is not None:
        raise ConfigError(f"{layer.source}: options: {spec.name} has none")


def dotlist(overrides: Sequence[str]) -> Layer:
    """``key=value`` items of a command line as a layer; ``data=NAME`` is short for ``data.name=NAME``.

    Raises:
        ConfigError: an item is no such item.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    values = OmegaConf.create({})
    for item in overrides:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise ConfigError(f"command line: '{item}' is not of the form key=value")
        if _CLOCK.fullmatch(value):
            value = f"'{value}'"
        try:
            values.merge_with_dotlist([f"{'data.name' if key == 'data' else key}={value}"])
        except (OmegaConfBaseException, YAMLError, ValueError, TypeError) as error:
            raise ConfigError(f"command line: {item[:80]}: {first_line(error)}") from error
        check_plain(values, "command line")  # before the next item reaches into it
    return Layer("command line", values)


_CLOCK = re.compile(r"\d+(:\d+)+")
"""A time such as 12:00:00:00, which YAML 1.1 reads as a number to the base of 60."""


def _merge_name(values: DictConfig, dataset: str) -> DictConfig:
    from omegaconf import DictConfig, OmegaConf

    merged = OmegaConf.merge(values, {"data": {"name": dataset}})
    assert isinstance(merged, DictConfig)
    return merged


def _last(layers: Sequence[Layer], key: str) -> Any:
    """What the last layer to say so says; ``None`` if none does."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    value = None
    for layer in layers:
        try:
            value = OmegaConf.select(layer.values, key) or value
        except OmegaConfBaseException as error:
            raise ConfigError(f"{layer.source}: {key}: {first_line(error)}") from error
    return value


SETTINGS_LISTED = "`zoo fit METHOD --print-config` lists the settings"


def explain(error: Exception, config: Any, layer: Layer, listed: str = SETTINGS_LISTED) -> str:
    """One line for an OmegaConf error: where, which key, what is wrong, what may have been meant.

    Args:
        error: what was raised.
        config: the settings that there are.
        layer: those that were laid over them.
        listed: where a reader finds the keys, for one that is like none of them.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigKeyError

    key = getattr(error, "full_key", None) or ""
    if not isinstance(error, ConfigKeyError):
        return f"{layer.source}: {key and key + ': '}{first_line(error)}"
    valid = _paths(OmegaConf.to_container(config, enum_to_str=True))
    near = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
    if not near:
        leaves = {path.rpartition(".")[2]: path for path in valid}
        near = [leaves[match] for match in difflib.get_close_matches(key.rpartition(".")[2], leaves, n=1)]
    hint = f"; did you mean '{near[0]}'?" if near else f"; {listed}"
    return f"{layer.source}: unknown setting '{key}'{hint}"


def _paths(tree: Any, prefix: str = "") -> list[str]:
    if not isinstance(tree, dict):
        return []
    found = []
    for name, value in tree.items():
        found += [f"{prefix}{name}", *_paths(value, f"{prefix}{name}.")]
    return found
