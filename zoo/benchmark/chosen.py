"""What a suite asks of a method: settings that weights were trained with, and options that generate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.benchmark.suite import Entry, SuiteConfig
from zoo.registry.config import Layer, merge

TRAINED = ("model", "seed")
"""Settings that training fixes in weights."""


def training_layers(config: SuiteConfig, entry: Entry) -> list[Layer]:
    """What weights must have been made with: what the budget says of the network, and a configuration's settings."""
    budget = {key: value for key, value in config.budget.settings.items() if key in TRAINED}
    layers = [
        Layer("budget.settings of the suite", budget),
        Layer(f"{entry.name} of the suite", without(entry.settings)),
    ]
    return [layer for layer in layers if layer.values]


def without(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without options, which training does not ask for."""
    return {key: value for key, value in settings.items() if key != "options"}


def options_of(config: SuiteConfig, entry: Entry) -> dict[str, Any]:
    """The options that a method generates with, as plain values; empty where they are its defaults.

    Raises:
        ConfigError: the method has no such option, or it cannot have that value.
    """
    sources = {"budget.settings of the suite": config.budget.settings, f"{entry.name} of the suite": entry.settings}
    layers = [Layer(name, {"options": each["options"]}) for name, each in sources.items() if "options" in each]
    if not layers:
        return {}
    chosen = plain(merge(entry.spec, layers).options)
    return {} if chosen == plain(entry.spec.choices()) else chosen


def plain(options: Any) -> dict[str, Any]:
    """Options as a file of JSON holds them."""
    from omegaconf import OmegaConf

    found = OmegaConf.to_container(OmegaConf.structured(options), enum_to_str=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}
