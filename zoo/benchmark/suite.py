"""Suites: what is compared, on which clips, with which metrics and judges, and the budget for training."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from zoo.config import Layer, dotlist, explain, read_layer
from zoo.errors import ConfigError
from zoo.spec import setting

REFERENCES = {
    "real": "the real video through the same pipeline",
    "still": "the first frame, standing still",
    "wrong-sound": "the real video with the sound of another clip",
    "retrieval": "for every frame the training frame that sounds most like it, its lower face laid over the still",
}
"""Rows that every leaderboard is read against, in its order."""

TRACKS = ("reconstruction", "cross")

WITHOUT_CROSS = ("real", "wrong-sound")
"""References that are not run with the sound of others: one has no meaning there, the other is the same again."""


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


@dataclass
class Budget:
    """What a method without a checkpoint is trained with: its recipe, or so many steps.

    Steps mean different things to different methods (a GAN's optimisers count one each), and time makes weights that
    depend on what else the machine does. So a suite names the recipes, and a time that they do not reach.
    """

    max_steps: int | None = setting(
        None, "optimiser steps instead of the recipe's epochs; a GAN's optimisers count one each", least=1
    )
    max_time: str | None = setting(None, "training ends there at the latest, DD:HH:MM:SS; none: no limit")
    settings: dict[str, Any] = setting({}, "settings of `zoo fit` over each method's recipe")


@dataclass
class SuiteConfig:
    """A suite as its file says it; ``zoo benchmark key=value`` changes it."""

    title: str = setting("", "for headings")
    data: SuiteData = field(default_factory=SuiteData)
    test_clips: int | None = setting(None, "how many test clips, evenly out of those of the split; none: all", least=1)
    tracks: list[str] = setting(list(TRACKS), "which are run", choices=TRACKS)
    metrics: list[str] = setting(["lmd"], "in the order of the columns")
    options: dict[str, Any] = setting({}, "of metrics, as cpbd: {variant: python}")
    judges: Judging = field(default_factory=Judging)
    budget: Budget = field(default_factory=Budget)
    seeds: list[int] = setting([0], "training seeds of every method")
    references: list[str] = setting(list(REFERENCES), "reference rows", choices=tuple(REFERENCES))
    videos: bool = setting(True, "keep the videos that were scored")
    runs: str | None = setting(
        "runs", "folder of `zoo fit`, whose best fitting run is taken; none: it is not looked at"
    )
    retrieval_clips: int = setting(200, "training clips that the retrieval draws from, at most", least=1)
    submitit: dict[str, Any] = setting({}, "parameters of submitit's AutoExecutor, such as slurm_partition; `cluster`")


@dataclass(frozen=True)
class NamedSuite:
    """A suite and what it is called."""

    name: str
    config: SuiteConfig


def find_suite(which: str, overrides: Sequence[str] = ()) -> NamedSuite:
    """A suite by its name or file, with settings laid over it.

    Args:
        which: name of one that comes with the zoo, or a YAML file.
        overrides: ``key=value`` items; ``data=NAME`` is short for ``data.name=NAME``.

    Raises:
        ConfigError: no such suite, an unknown key (the nearest valid one is named), a wrong type or value.
    """
    path = Path(which)
    if path.suffix in (".yaml", ".yml"):
        return NamedSuite(path.stem, resolve([read_layer(path), dotlist(overrides)]))
    known = names()
    if which not in known:
        near = difflib.get_close_matches(which, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise ConfigError(f"no suite is called '{which}'; {hint} A file of your own ends in .yaml")
    with resources.as_file(resources.files("zoo.benchmark.suites") / f"{which}.yaml") as file:
        return NamedSuite(which, resolve([Layer(f"suite {which}", read_layer(file).values), dotlist(overrides)]))


def names() -> list[str]:
    """The suites that come with the zoo."""
    items = resources.files("zoo.benchmark.suites").iterdir()
    return sorted(item.name.removesuffix(".yaml") for item in items if item.name.endswith(".yaml"))


def resolve(layers: Sequence[Layer]) -> SuiteConfig:
    """Lay settings over the defaults, checking each against its type; see :func:`find_suite`."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    config = OmegaConf.structured(SuiteConfig())
    for layer in layers:
        try:
            config = OmegaConf.merge(config, OmegaConf.create(layer.values))
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            raise ConfigError(explain(error, config, layer, f"known: {', '.join(_keys())}")) from error
    found = OmegaConf.to_object(config)
    assert isinstance(found, SuiteConfig)
    _check(found, layers[-1].source)
    return found


def _keys() -> list[str]:
    return [item.name for item in dataclasses.fields(SuiteConfig)]


def _check(suite: SuiteConfig, source: str) -> None:
    """Values that have the right type and yet mean nothing."""
    for key, wanted in (("tracks", TRACKS), ("references", tuple(REFERENCES))):
        for value in getattr(suite, key):
            if value not in wanted:
                near = difflib.get_close_matches(value, wanted, n=1) or wanted
                raise ConfigError(f"{source}: {key}: '{value}' is none of {', '.join(wanted)}; did you mean {near[0]}?")
    for key in ("tracks", "metrics", "seeds"):
        values = getattr(suite, key)
        if not values or len(set(values)) < len(values):
            raise ConfigError(f"{source}: {key}: name at least one, and each once")
    if min(suite.seeds) < 0:
        raise ConfigError(f"{source}: seeds: 0 or more, not {min(suite.seeds)}")
    for part in (suite, suite.data, suite.budget):
        for item in dataclasses.fields(part):
            least, value = item.metadata.get("least"), getattr(part, item.name)
            if least is not None and value is not None and value < least:
                raise ConfigError(f"{source}: {item.name}: must be at least {least}, not {value}")
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
