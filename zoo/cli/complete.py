"""Shell completion of names and settings; read only while a shell asks for it."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any


def names(group: str) -> Any:
    """A completer for the names of a group, for example ``methods``."""

    def complete(**_: Any) -> list[str]:
        from zoo import registry

        return [entry.name for entry in registry.entries() if entry.group == f"zoo.{group}"]

    return complete


def overrides(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """The settings of the method that was typed, as ``key=``, and ``data=NAME`` for its data sets."""
    from zoo import config, registry
    from zoo.errors import ZooError
    from zoo.spec import load_object

    try:
        spec = registry.method(parsed_args.method)
        run = config.RunConfig(model=load_object(spec.config)())
    except (ZooError, AttributeError):
        return []
    settings = [f"{key}=" for key in config.keys(dataclasses.replace(run))]
    return settings + [f"data={name}" for name in names("datasets")()]
