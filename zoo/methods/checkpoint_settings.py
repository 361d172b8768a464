"""Settings that a checkpoint was made with: what is given beside it must not say otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.registry.config import Layer, RunConfig, dotlist, merge, own_settings, read_layer
from zoo.registry.spec import TrainableSpec
from zoo.support.checkpoint import read_checkpoint
from zoo.support.errors import ConfigError


def given_layers(spec: TrainableSpec, overrides: Sequence[str], file: str | Path | None) -> list[Layer]:
    """What a command line and its file of settings say, without any recipe.

    Args:
        spec: the method or expert.
        overrides: ``key=value`` items.
        file: a YAML file of settings.
    """
    items = dotlist(own_settings(spec, overrides)) if overrides else None
    return [layer for layer in (None if file is None else read_layer(file), items) if layer is not None]


def check_settings(spec: TrainableSpec, checkpoint: Path, given: Sequence[Layer]) -> None:
    """Refuse ``model.*`` and ``seed`` where they are given otherwise than the checkpoint was made with.

    Args:
        spec: of the method or expert; a checkpoint of another is left to its reader.
        checkpoint: of ``zoo fit``, or weights.
        given: settings, the last ones count; ``options.*``, ``data.*``, ``trainer.*`` and the like may be anything.

    Raises:
        ConfigError: one differs; it is named with both values.
        DataError: the checkpoint cannot be read.
    """
    if not given:
        return
    kept = read_checkpoint(checkpoint)["zoo"]
    if kept["method"] != spec.name:
        return
    own = Layer(str(checkpoint), {"model": kept["config"], "seed": kept["seed"]})
    before, after = (dict(_fixed(merge(spec, layers))) for layers in ([own], [own, *given]))
    for key, value in before.items():
        if after.get(key) != value:
            raise ConfigError(
                f"{key}={after.get(key)}: {checkpoint} was made with {key}={value}; after training only "
                "options.KEY=VALUE can be chosen"
            )


def _fixed(config: RunConfig) -> Iterator[tuple[str, Any]]:
    """What training has fixed, by its dotted key."""
    yield "seed", config.seed
    yield from _leaves(dataclasses.asdict(config.model), "model.")


def _leaves(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
