"""Settings of the tiny methods in ``broken``: one sound class, and two that are not."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.registry.spec import setting


@dataclass
class TinyConfig:
    """Settings of the tiny methods."""

    rate: float = setting(0.05, "learning rate", "ours")


@dataclass
class Bare:
    """A setting without help."""

    rate: float = 0.05


@dataclass
class Turned:
    """A setting that becomes another when it is made."""

    rate: float = setting(0.05, "learning rate", "ours")

    def __post_init__(self) -> None:
        self.rate = self.rate * 2
