"""A digest of the source code that makes rows and weights, so that a changed checkout is told from the last one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_NEVER = ("cli/", "evaluation/analyze/", "leaderboard/", "registry/scaffold/", "testing/")
"""Parts of the zoo that neither train, generate nor score."""

_NOT_IN_FITS = (*_NEVER, "benchmark/", "evaluation/")
"""Parts that leave the weights of a fit alone."""

_SAID = ("suites/",)
"""Parts of a method's package that are compared by what they say, setting by setting."""


def code_of(target: str = "", *, fit: bool = False) -> str:
    """The code behind rows, or behind a fit: eight digits for the zoo, and eight for a method's own package.

    Args:
        target: ``package.module:Class`` of the method; empty for a reference.
        fit: of training alone.
    """
    zoo = _digest("zoo", _NOT_IN_FITS if fit else _NEVER)
    return f"{zoo}-{_digest(target.split(':')[0].split('.')[0], _SAID)}" if target else zoo


@cache
def _digest(package: str, without: tuple[str, ...]) -> str:
    """Of the Python and recipe files of a package, or of a module that is one file."""
    digest = hashlib.sha256()
    for name, path in sorted(_files(package)):
        if not name.startswith(without):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:8]


def _files(package: str) -> Iterator[tuple[str, Path]]:
    found = find_spec(package)
    if found is None:
        return
    if not found.submodule_search_locations:
        yield from [(package, Path(found.origin))] if found.origin else []
        return
    for folder in map(Path, found.submodule_search_locations):
        for path in folder.rglob("*"):
            if path.suffix in (".py", ".yaml"):
                yield path.relative_to(folder).as_posix(), path
