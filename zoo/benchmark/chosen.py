"""What a suite asks of a method: settings that weights were trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.benchmark.suite import Entry, SuiteConfig
from zoo.registry.config import Layer

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
