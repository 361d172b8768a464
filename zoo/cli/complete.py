"""Shell completion of names and settings; read only while a shell asks for it."""

from __future__ import annotations

import argparse
from typing import Any


def names(*groups: str) -> Any:
    """A completer for the names of groups, for example ``methods``."""

    def complete(**_: Any) -> list[str]:
        return _names(*groups)

    return complete


def overrides(parsed_args: argparse.Namespace, prefix: str = "", **_: Any) -> list[str]:
    """The settings of the method that was typed, as ``key=``; after it the values where they can be counted."""
    from zoo import registry
    from zoo.registry import config
    from zoo.support.errors import ZooError

    found = [f"data={name}" for name in _names("datasets")]
    try:
        run = config.RunConfig(model=registry.trainable(parsed_args.method).settings())
    except ZooError:
        return found
    for key, item in config.settings(run):
        values = item.metadata.get("choices", ())
        found += [f"{key}={value}" for value in values] if prefix.startswith(f"{key}=") else [f"{key}="]
    return found


def _names(*groups: str) -> list[str]:
    from zoo import registry
    from zoo.support.errors import ZooError

    try:
        return sorted({entry.name for entry in registry.entries() if entry.group.removeprefix("zoo.") in groups})
    except ZooError:
        return []
