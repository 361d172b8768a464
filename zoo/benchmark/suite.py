"""Suites: what is compared, on which clips, with which metrics and judges, and the budget for training."""

from __future__ import annotations

import dataclasses
import difflib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.evaluation.tracks import SPEECH, TRACKS
from zoo.registry import api
from zoo.registry.config import Layer, check_values, dotlist, explain, parse_layer, read_layer, source_of
from zoo.registry.spec import REFERENCES, MethodSpec, setting
from zoo.support.errors import ConfigError
from zoo.support.plain import check_plain

WITHOUT_CROSS = ("real", "wrong-sound", "warp-true")
"""References that are not run with the sound of others: they have no meaning there, or are the same again."""


@dataclass
class SuiteData:
    """Which clips."""

    name: str = setting("synthgrid", "data set")
    root: str | None = setting(None, "folder (or fsspec URL) of the prepared store; none: made in the cache")
    split: str | None = setting(None, "how clips are divided into train, val and test; none: the data set's first")
    clips: int = setting(200, "how many clips are made where the data set makes its own", least=1)
    seed: int = setting(0, "seed of made clips", least=0)


@dataclass
class Judging:
    """Who judges; none: metrics that need this judge are left out."""

    sync: str | None = setting("synthgrid", "sync expert: a checkpoint, or weights that come with it")
    reader: str | None = setting("synthgrid", "lip reader: the same")
    embedder: str | None = setting("dlib", "who compares identities")
    landmarker: str | None = setting("dlib", "who finds the 68 points: dlib or mesh")


@dataclass
class Budget:
    """What a method without a checkpoint is trained with: its recipe, for as many steps as everyone else's."""

    max_steps: int | None = setting(
        None, "training steps, a batch each, instead of the recipe's; none: each recipe's own", least=1
    )
    max_time: str | None = setting(None, "training ends there at the latest, DD:HH:MM:SS; none: no limit")
    settings: dict[str, Any] = setting({}, "settings of `zoo fit` over each method's recipe; `options` generate")


@dataclass
class Configuration:
    """A method with settings of its own, under a name of its own."""

    method: str = setting("", "registered name")
    settings: dict[str, Any] = setting({}, "of `zoo fit` over the method's recipe and the budget; `options` generate")
    summary: str = setting("", "one line; empty: the settings")


@dataclass
class SuiteConfig:
    """A suite as its file says it; ``zoo benchmark key=value`` changes it."""

    title: str = setting("", "for headings")
    data: SuiteData = field(default_factory=SuiteData)
    test_clips: int | None = setting(None, "how many test clips, evenly out of those of the split; none: all", least=1)
    tracks: list[str] = setting(list(SPEECH), "which are run", choices=tuple(TRACKS))
    modes: str = setting("default", "of each method: default, or all", choices=("default", "all"))
    metrics: list[str] = setting(["lmd"], "in the order of the columns")
    options: dict[str, Any] = setting({}, "of metrics, as cpbd: {variant: python}")
    judges: Judging = field(default_factory=Judging)
    budget: Budget = field(default_factory=Budget)
    configurations: dict[str, Configuration] = setting(
        {}, "compared instead of the methods that are installed, by name, as {l1: {method: lipgan, settings: {...}}}"
    )
    seeds: list[int] = setting([0], "training seeds of every method", least=0)
    references: list[str] = setting(
        ["real", "still", "wrong-sound", "retrieval"], "reference rows", choices=tuple(REFERENCES)
    )
    videos: bool = setting(True, "keep the videos that were scored")
    runs: str | None = setting(
        "runs", "folder of `zoo fit`, whose best fitting run is taken; none: it is not looked at"
    )
    retrieval_clips: int = setting(200, "training clips that the retrieval draws from, at most", least=1)
    clip_limit: int | None = setting(
        None,
        "seconds that a clip may take; none: 20 times what the slowest took, frame for frame, and a minute at least",
        least=1,
    )
    submitit: dict[str, Any] = setting({}, "parameters of submitit's AutoExecutor, such as slurm_partition; `cluster`")


@dataclass(frozen=True)
class NamedSuite:
    """A suite and what it is called."""

    name: str
    config: SuiteConfig


@dataclass(frozen=True)
class Entry:
    """What is trained and compared: a method, or a configuration of one.

    Attributes:
        name: in tables and of its folders.
        spec: of the method.
        settings: of `zoo fit` over the method's recipe and the suite's budget, and options.
        summary: one line.
    """

    name: str
    spec: MethodSpec
    settings: Mapping[str, Any]
    summary: str


def entry_names(config: SuiteConfig) -> list[str]:
    """Everything that a suite compares: its configurations, or else every method that is installed."""
    installed = [registry.full_name(r.spec) for r in registry.records("zoo.methods") if r.spec is not None]
    return list(config.configurations) or installed


def find_entry(config: SuiteConfig, name: str) -> Entry:
    """A configuration of the suite, or a method.

    Raises:
        ConfigError: neither is called so.
    """
    if name not in config.configurations:
        spec = registry.method(name)
        return Entry(registry.full_name(spec), spec, {}, spec.summary)
    found = config.configurations[name]
    settings = " ".join(shlex.quote(f"{key}={value}") for key, value in leaves(found.settings))
    return Entry(name, registry.method(found.method), found.settings, found.summary or f"{found.method} {settings}")


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as dotted names with their values."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def find_suite(which: str, overrides: Sequence[str] = ()) -> NamedSuite:
    """A suite by its name or file, with settings laid over it.

    Args:
        which: name of one that is installed, or a YAML file.
        overrides: ``key=value`` items; ``data=NAME`` is short for ``data.name=NAME``.

    Raises:
        ConfigError: no such suite, an unknown key (the nearest valid one is named), a wrong type or value; or another
            data set than that which an installed suite is made for, with its judges and budget.
    """
    from omegaconf import OmegaConf

    path = Path(which)
    if path.suffix in (".yaml", ".yml"):
        return NamedSuite(path.stem, resolve([read_layer(path), dotlist(overrides)]))
    known, name = names(), which.rpartition(":")[2]
    if name not in known:
        near = difflib.get_close_matches(which, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise ConfigError(f"no suite is called '{which}'; {hint} A file of your own ends in .yaml")
    layer = parse_layer(registry.suite(which), f"suite {name}")
    found = NamedSuite(name, resolve([layer, dotlist(overrides)]))
    _check_data(found, OmegaConf.select(layer.values, "data.name"))
    return found


def _check_data(suite: NamedSuite, made_for: str | None) -> None:
    """Title, judges and budget of an installed suite are for the data set that it names and no other."""
    wanted = suite.config.data.name
    if made_for in (None, wanted):
        return
    registry.dataset(wanted)
    fitting = _suites_for(wanted)
    instead = f"say --suite {fitting[0]}, or give" if fitting else "give"
    raise ConfigError(
        f"suite '{suite.name}' compares on {made_for}, not on {wanted}; {instead} a YAML file of your own to --suite"
    )


def _suites_for(dataset: str) -> list[str]:
    """Installed suites on a data set: those that compare all methods first, and of them the zoo's own."""
    found = []
    for record in registry.records("zoo.suites"):
        if record.ok:
            with suppress(ConfigError):  # it is broken, which is of no matter here
                config = resolve([parse_layer(_text(record.entry), record.entry.name)])
                if config.data.name == dataset:
                    found.append((bool(config.configurations), record.entry.dist != api.OURS, record.entry.name))
    return [name for *_, name in sorted(found)]


_TITLE = re.compile(r"^title: ([A-Za-z0-9][^#:\n]*)(?:\n(?!\s)|\Z)", re.MULTILINE)
"""A title that is no more than a line of plain words."""


def title(entry: registry.Entry) -> str:
    """The title of an installed suite; of most without the YAML library, whose import would slow every list.

    Raises:
        ConfigError: the file is no suite.
    """
    text = _text(entry)
    plain = _TITLE.search(text)
    return plain[1].strip() if plain else resolve([parse_layer(text, f"suite {entry.name}")]).title


def _text(entry: registry.Entry) -> str:
    return registry.yaml_texts(entry.target)[entry.name]


def names() -> list[str]:
    """The suites that come with the zoo and with other packages."""
    return sorted({entry.name for entry in registry.packages("zoo.suites")})


def resolve(layers: Sequence[Layer]) -> SuiteConfig:
    """Lay settings over the defaults, checking each against its type; see :func:`find_suite`."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    config = OmegaConf.structured(SuiteConfig())
    for layer in layers:
        check_plain(layer.values, layer.source)
        try:
            config = OmegaConf.merge(config, OmegaConf.create(layer.values))
            found = OmegaConf.to_object(config)
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            raise ConfigError(explain(error, config, layer, f"known: {', '.join(_keys())}")) from error
    assert isinstance(found, SuiteConfig)
    _check(found, layers)
    check_values(found, layers)
    return found


def _keys() -> list[str]:
    return [item.name for item in dataclasses.fields(SuiteConfig)]


def _check(suite: SuiteConfig, layers: Sequence[Layer]) -> None:
    """Values that have the right type and yet mean nothing."""
    for key in ("tracks", "metrics", "references"):
        if not all(isinstance(value, str) for value in getattr(suite, key)):
            raise ConfigError(f"{source_of(layers, key)}: {key}: a list of words")
    for key in ("tracks", "metrics", "seeds"):
        values = getattr(suite, key)
        if not values or len(set(values)) < len(values):
            raise ConfigError(f"{source_of(layers, key)}: {key}: name at least one, and each once")
    source = source_of(layers, "configurations")
    for name, configuration in suite.configurations.items():
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or name in REFERENCES:
            raise ConfigError(f"{source}: configurations: '{name}': a name is small letters, digits and single dashes")
        if not configuration.method:
            raise ConfigError(f"{source}: configurations.{name}: names no method")
    given = {"budget.settings": suite.budget.settings}
    given |= {f"configurations.{name}": each.settings for name, each in suite.configurations.items()}
    for place, settings in given.items():
        if all(key != "trainer.limit_test_batches" for key, _ in leaves(settings)):
            continue
        raise ConfigError(
            f"{source_of(layers, place)}: trainer.limit_test_batches: what a fit finds out is of all test clips of the "
            "suite"
        )
    if suite.budget.max_time is not None:
        seconds(suite.budget.max_time)


def seconds(clock: str) -> int:
    """``DD:HH:MM:SS`` in seconds.

    Raises:
        ConfigError: it is something else.
    """
    parts = clock.split(":")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        raise ConfigError(f"budget.max_time: '{clock}' is not of the form DD:HH:MM:SS, such as 00:00:02:00")
    days, hours, minutes, rest = map(int, parts)
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
