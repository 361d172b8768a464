"""Experts that a method needs before it is trained: found among finished runs, or trained when told so."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from zoo import registry
from zoo.methods import trainable
from zoo.methods.corpora import corpora_of, corpus, drawn_only
from zoo.registry.config import DataConfig, RunConfig, resolve, to_yaml
from zoo.registry.spec import MethodSpec
from zoo.support.errors import ConfigError, DataError
from zoo.support.locks import locked
from zoo.support.printable import say
from zoo.training import past_run, runs

DATA = ("root", "split", "clips", "seed", "max_clips")
"""Settings of the data that an expert shares with the method it is trained for."""

COMMAND = (sys.executable, "-P", "-m", "zoo")
"""How a command is started: ``-P``, for a folder called ``zoo`` where the user stands is not this package."""

OTHERS = ("ZOO_RUN", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT",
          "NODE_RANK")  # fmt: skip
"""What the environment says of the processes that train the method, not the expert."""


@dataclass(frozen=True)
class Requirement:
    """An expert that a method needs.

    Attributes:
        expert: its name.
        setting: the method's setting that takes its weights.
    """

    expert: str
    setting: str


def unmet(config: RunConfig) -> list[Requirement]:
    """What must be found or trained before a method is: its default weights know no real faces, or there are none.

    Weights that the user names are the user's choice.

    Raises:
        BrokenPluginError: the spec requires an expert that no setting takes.
    """
    spec = registry.trainable(config.method)
    if not isinstance(spec, MethodSpec):
        return []
    return [each for each in _requirements(spec, config) if not _met(each, config)]


def _requirements(spec: MethodSpec, config: RunConfig) -> Iterator[Requirement]:
    for expert in spec.requires:
        fields = [field for field in dataclasses.fields(config.model) if field.metadata.get("weights") == expert]
        if not fields:
            raise spec.broken(f"it requires {expert}, and none of its settings says weights='{expert}'")
        for field in fields:
            unless = field.metadata["unless"]
            if not unless or getattr(config.model, unless):
                yield Requirement(expert, field.name)


def _met(needed: Requirement, config: RunConfig) -> bool:
    spec = registry.trainable(config.method)
    which = getattr(config.model, needed.setting)
    if which is None or which != getattr(spec.settings(), needed.setting):
        return which is not None
    try:
        path = trainable.find_weights(registry.expert(needed.expert), which)
    except DataError:
        return False
    known = corpora_of(trainable.read_checkpoint(path)["zoo"], path)
    return not drawn_only(known) or bool(corpus(config.data.name).drawn)


def train_apart(config: RunConfig) -> None:
    """Train in a process of its own: Lightning starts this command anew for each further device of its trainer.

    Raises:
        DataError: training failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "expert.yaml"
        file.write_text(to_yaml(config), encoding="utf-8")
        alone = {key: value for key, value in os.environ.items() if key not in OTHERS}
        done = subprocess.run([*COMMAND, "fit", config.method, "--config", str(file)], env=alone, check=False)
    if done.returncode:
        raise DataError(f"{config.method} could not be trained (exit code {done.returncode})")


def with_requirements(config: RunConfig, folder: Path, train: Callable[[RunConfig], None] = train_apart) -> RunConfig:
    """The same settings with the weights of every expert that the method needs: of a finished run, or trained now.

    Args:
        config: of the method.
        folder: where runs of experts are looked for and made.
        train: trains one.

    Raises:
        DataError: training left no weights.
    """
    for needed in unmet(config):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{needed.expert} of {config.data.name}"
        lock = folder / f".{needed.expert}-{config.data.name}.lock"
        with locked(lock, "", waiting=f"zoo fit: another process trains the {name}; waiting for it"):
            weights = find(needed.expert, config.data, folder)
            if weights is None:
                say(f"zoo fit: {config.method} needs a {name}, which is trained first", file=sys.stderr)
                train(_settings(needed.expert, config, folder))
                weights = find(needed.expert, config.data, folder)
        if weights is None:
            raise DataError(f"{folder}: training left no weights of {needed.expert}")
        say(f"zoo fit: model.{needed.setting}={weights}", file=sys.stderr)
        config = replace(config, model=replace(config.model, **{needed.setting: str(weights)}))
    return config


def find(expert: str, data: DataConfig, folder: Path) -> Path | None:
    """The weights of the newest finished run of an expert on the same clips; ``None`` where there is none."""
    for path in sorted((folder / expert / data.name).glob("*/run.json"), reverse=True):
        weights, known = path.parent / "weights.safetensors", past_run.read_data(path.parent)
        same = known is not None and all(getattr(known, key) == getattr(data, key) for key in DATA)
        if same and past_run.ended_well(path.parent) and weights.is_file():
            return weights.resolve()
    return None


def refuse_unmet(config: RunConfig, folder: Path) -> RunConfig:
    """Take the weights of finished runs, and say the one command for what there is none of.

    Raises:
        ConfigError: an expert must be trained first.
    """
    for needed in unmet(config):
        weights = find(needed.expert, config.data, folder)
        if weights is None:
            settings = [f"data={config.data.name}"]
            settings += [
                shlex.quote(f"data.{key}={value}")
                for key in DATA
                if (value := getattr(config.data, key)) != getattr(DataConfig(), key)
            ]
            command = " ".join(["zoo fit", needed.expert, *settings])
            raise ConfigError(
                f"{config.method} needs a {needed.expert} of {config.data.name}: run `{command}` first, or add "
                f"--with-requirements, or name one with model.{needed.setting}=WEIGHTS"
            )
        if runs.is_first_process():
            say(f"zoo fit: model.{needed.setting}={weights}", file=sys.stderr)
        config = replace(config, model=replace(config.model, **{needed.setting: str(weights)}))
    return config


def _settings(expert: str, config: RunConfig, folder: Path) -> RunConfig:
    """The expert's own recipe, on the method's clips."""
    made = resolve(registry.expert(expert), [f"data={config.data.name}"])
    data = replace(made.data, **{key: getattr(config.data, key) for key in DATA})
    trainer = replace(
        made.trainer,
        **{key: getattr(config.trainer, key) for key in ("accelerator", "devices", "strategy", "num_nodes")},
    )
    return replace(made, data=data, trainer=trainer, out=str(folder), seed=config.seed)
