"""The conformance kit as pytest tests, one for every plugin and rule, in whose test module imports them.

A package that brings plugins holds them against the contract with a test module of two lines::

    from zoo.testing.tests import *# noqa: F403
    zoo_dist = "zoo-mymethod"  # what this distribution brings; without this line, all that is installed

``zoo_plugins = ["mymethod"]`` names plugins one by one, and ``zoo_quick = True`` leaves out the slow rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from zoo import registry
from zoo.registry import kind_of
from zoo.registry.spec import ExpertSpec, MethodSpec, Spec
from zoo.support.errors import BrokenPluginError
from zoo.testing.kit import make_case, rules_of, usual_torch
from zoo.testing.rules import Case, hold

__all__ = ["pytest_generate_tests", "test_conformance"]

Chosen = tuple[tuple[str, str], ...]
"""Groups and names of plugins."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for every rule of every plugin that the test module chooses."""
    if metafunc.function.__name__ != "test_conformance":
        return
    settings = vars(metafunc.module)
    chosen = _require(settings.get("zoo_plugins"), settings.get("zoo_dist"))
    quick = bool(settings.get("zoo_quick", False))
    found = [(*plugin, title) for plugin in chosen for title in _titles(*plugin, quick)]
    names = [f"{kind_of(group)}-{name}-{title}" for group, name, title in found]
    metafunc.parametrize(("group", "name", "title", "chosen"), [(*one, chosen) for one in found], ids=names)


def _require(names: list[str] | None, dist: str | None) -> Chosen:
    """What a test module chooses; each name must lead somewhere."""
    missing = [name for name in names or () if not list(_chosen([name], dist))]
    chosen = tuple(sorted(_chosen(names, dist)))
    if missing or not chosen:
        brought = sorted({entry.dist for entry in registry.entries()})
        named = f"zoo_plugins: no plugin is called {' or '.join(missing)}" + (f" in {dist}" if dist else "")
        told = named if missing else f"zoo_dist: {dist} brings no plugin" if dist else "zoo_plugins names none"
        raise pytest.UsageError(f"{told}; plugins come with {', '.join(brought)}")
    return chosen


def _plain(dist: str) -> str:
    """A distribution's name as package indices compare it: `-`, `_` and `.` are one, and case is none."""
    return re.sub(r"[-_.]+", "-", dist).lower()


def _chosen(names: list[str] | None, dist: str | None) -> Iterator[tuple[str, str]]:
    wanted = None if names is None else {_full(name) for name in names}
    for entry in registry.entries():
        bare = wanted is None or entry.name in wanted or _full(f"{entry.dist}:{entry.name}") in wanted
        if bare and (dist is None or _plain(dist) == _plain(entry.dist)):
            others = [e for e in registry.entries() if (e.group, e.name) == (entry.group, entry.name)]
            yield entry.group, entry.name if len(others) == 1 else f"{entry.dist}:{entry.name}"


def _full(name: str) -> str:
    dist, colon, bare = name.rpartition(":")
    return f"{_plain(dist)}{colon}{bare}"


def _titles(group: str, name: str, quick: bool) -> list[str]:
    try:
        spec = registry.get(group, name)
    except BrokenPluginError:
        return ["spec is valid"]
    return [rule.name for rule in rules_of(spec, quick=quick)]


@cache
def _case(group: str, name: str, chosen: Chosen) -> Case:
    trainable = [one for one in chosen if isinstance(_spec(*one), (MethodSpec, ExpertSpec))]
    return make_case(registry.get(group, name), peers=[name for _, name in trainable])


def _spec(group: str, name: str) -> Spec | None:
    try:
        return registry.get(group, name)
    except BrokenPluginError:
        return None


def test_conformance(group: str, name: str, title: str, chosen: Chosen) -> None:
    """Hold one plugin against one rule."""
    if isinstance(_spec(group, name), type(None)):
        pytest.fail(f"{name} does not load; run `zoo doctor`", pytrace=False)
    with usual_torch():
        case = _case(group, name, chosen)
        (rule,) = (rule for rule in rules_of(case.spec) if rule.name == title)
        check = hold(case, rule)
    if check.status == "skipped":
        pytest.skip(check.got)
    if check.status == "failed":
        pytest.fail(f"expected {check.expected}\ngot      {check.got}\nmend     {check.mend}", pytrace=False)
    if check.status != "passed":
        pytest.fail(f"{check.status}: {check.got}", pytrace=False)
