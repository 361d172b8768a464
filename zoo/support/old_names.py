"""Modules under the names they had before the rooms: plugins that import those get the modules of today."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

_ROOMS = {
    "support": "checkpoint errors files locks names plain printable progress records torchrun",
    "registry": "api config spec",
    "media": "audio clip pictures sound transcript video",
    "methods": "checkpoint_settings contract1 corpora losses method nn schedule trainable weights",
    "synthesis": "export",
    "evaluation": "analyze footage judges metrics score",
    "training": "callbacks loggers past_run requirements resume runs",
}

_DATA = {
    "data.sources": "beside examples folder grid specs synthgrid walk",
    "data.store": "index members shard shard_files verify",
}

OLD = {f"zoo.{name}": f"zoo.{room}.{name}" for room, names in _ROOMS.items() for name in names.split()}
OLD |= {f"zoo.data.{name}": f"zoo.{part}.{name}" for part, names in _DATA.items() for name in names.split()}
OLD |= {
    "zoo.data.source": "zoo.data.sources.base",
    "zoo.evaluate": "zoo.training.score_clips",
    "zoo.metrics.ctc": "zoo.experts.lip_reader.ctc",
    "zoo.plugin": "zoo.registry.scaffold",
    "zoo.train": "zoo.training.fit",
}
"""Old name to new, of modules and of packages with all that lies in them."""


def name_of_today(name: str) -> str:
    """The module's name, the longest old beginning of it replaced; the same where none of it is old."""
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        old = ".".join(parts[:length])
        if old in OLD:
            return ".".join([OLD[old], *parts[length:]])
    return name


class _Redirect(Loader):
    """Puts the module of today in the place of the old one.

    Args:
        name: of today.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: ModuleSpec) -> None:
        """An empty one, which is thrown away."""

    def exec_module(self, module: ModuleType) -> None:
        """The import system takes what lies under the name afterwards."""
        warnings.warn(f"{module.__name__} is now {self.name}", DeprecationWarning, stacklevel=2)
        sys.modules[module.__name__] = import_module(self.name)


class _OldNames(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if not fullname.startswith("zoo."):
            return None
        today = name_of_today(fullname)
        return None if today == fullname else spec_from_loader(fullname, _Redirect(today))


def install() -> None:
    """Before all other finders: a package of today would be searched under its old name, and found twice."""
    sys.meta_path.insert(0, _OldNames())
