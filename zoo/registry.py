"""Finding plugins: entry points first (nothing is imported), light specs on demand, classes only when used."""

from __future__ import annotations

import difflib
import os
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata

from zoo.errors import ZooError
from zoo.spec import API_VERSION, DatasetSpec, MethodSpec, MetricSpec, Spec, load_object

GROUPS: dict[str, type[Spec]] = {
    "zoo.methods": MethodSpec,
    "zoo.datasets": DatasetSpec,
    "zoo.metrics": MetricSpec,
}
"""Entry-point groups and what their entry points must point at."""

SUPPORTED_API = (1, API_VERSION)
"""Oldest and newest ``api_version`` that this zoo runs."""


class UnknownNameError(ZooError):
    """A name that no installed distribution offers in this group."""


class BrokenPluginError(ZooError):
    """A plugin that is installed but cannot be used; the message names the distribution and the reason."""


@dataclass(frozen=True)
class Entry:
    """An entry point that was seen but not loaded."""

    group: str
    name: str
    target: str
    dist: str
    version: str


@dataclass(frozen=True)
class Record:
    """What came of loading an entry: a spec, or the reason why there is none."""

    entry: Entry
    spec: Spec | None = None
    error: str = ""
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the plugin can be used."""
        return self.spec is not None


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """All entries of all groups in a stable order; no plugin code is imported.

    The environment variable ``ZOO_PLUGINS`` adds methods without packaging: ``"name=module:SPEC,other=module:SPEC"``.
    """
    found: dict[tuple[str, str, str, str], Entry] = {}
    for group in GROUPS:
        for point in metadata.entry_points(group=group):
            dist = point.dist.metadata["Name"] if point.dist else "?"
            version = point.dist.version if point.dist else "?"
            # A distribution may be seen twice on sys.path (editable and installed).
            found.setdefault(
                (group, point.name, point.value, dist), Entry(group, point.name, point.value, dist, version)
            )
    for entry in _environment_entries():
        found.setdefault((entry.group, entry.name, entry.target, entry.dist), entry)
    return tuple(sorted(found.values(), key=lambda e: (e.group, e.name, e.dist)))


def _environment_entries() -> Iterator[Entry]:
    for part in filter(None, os.environ.get("ZOO_PLUGINS", "").split(",")):
        name, _, target = (text.strip() for text in part.partition("="))
        if not name or ":" not in target:
            raise ZooError(f"ZOO_PLUGINS: '{part}' is not of the form name=module:SPEC")
        yield Entry("zoo.methods", name, target, "ZOO_PLUGINS", "")


@cache
def load(entry: Entry) -> Record:
    """Import an entry's light spec. Whatever goes wrong becomes a :class:`Record` with the reason.

    With ``ZOO_STRICT_PLUGINS=1`` the error is raised instead.
    """
    strict = os.environ.get("ZOO_STRICT_PLUGINS") == "1"
    try:
        spec = load_object(entry.target)
    except (Exception, SystemExit) as error:
        if strict:
            raise
        return Record(entry, error=f"{type(error).__name__}: {error}", detail=traceback.format_exc())
    error_text = _spec_error(entry, spec)
    if error_text and strict:
        raise BrokenPluginError(f"{entry.dist}: {error_text}")
    return Record(entry, error=error_text) if error_text else Record(entry, spec=spec)


def _spec_error(entry: Entry, spec: object) -> str:
    wanted = GROUPS[entry.group]
    if not isinstance(spec, wanted):
        return f"{entry.target} is a {type(spec).__name__}, not a zoo.spec.{wanted.__name__}"
    low, high = SUPPORTED_API
    if not isinstance(spec.api_version, int) or not low <= spec.api_version <= high:
        mend = "upgrade talking-face-zoo" if spec.api_version > high else f"upgrade {entry.dist}"
        return f"written for api_version {spec.api_version}, this zoo runs {low} to {high}; {mend}"
    if spec.name != entry.name:
        return f"the entry point is called '{entry.name}' but its spec '{spec.name}'"
    return ""


def records(group: str) -> list[Record]:
    """Every plugin of a group, loaded or broken; names that several distributions claim are marked as errors."""
    claims = defaultdict(list)
    for entry in entries():
        if entry.group == group:
            claims[entry.name].append(entry)
    result = []
    for claimants in claims.values():
        for entry in claimants:
            record = load(entry)
            if len(claimants) > 1:
                record = Record(entry, record.spec, _collision(claimants), record.detail)
            result.append(record)
    return result


def _collision(claimants: list[Entry]) -> str:
    dists = " and ".join(entry.dist for entry in claimants)
    name = claimants[0].name
    return f"'{name}' is claimed by {dists}; say which: " + " or ".join(f"{e.dist}:{name}" for e in claimants)


def get(group: str, name: str) -> Spec:
    """The spec of one plugin.

    Args:
        group: one of :data:`GROUPS`.
        name: the entry point's name, or ``dist:name`` where two distributions claim it.

    Raises:
        UnknownNameError: never heard of it; the message offers the nearest names.
        BrokenPluginError: claimed twice, failed to load, or written for another api_version.
    """
    dist, _, bare = name.rpartition(":")
    claimants = [e for e in entries() if e.group == group and e.name == bare and dist in ("", e.dist)]
    if not claimants:
        raise UnknownNameError(_unknown(group, name))
    if len(claimants) > 1:
        raise BrokenPluginError(_collision(claimants))
    record = load(claimants[0])
    if record.spec is None:
        entry = record.entry
        raise BrokenPluginError(
            f"'{name}' is installed ({entry.dist} {entry.version}) but broken: {record.error} (see `zoo doctor`)"
        )
    return record.spec


def _unknown(group: str, name: str) -> str:
    known = sorted({entry.name for entry in entries() if entry.group == group})
    near = difflib.get_close_matches(name, known, n=3)
    kind = group.removeprefix("zoo.").removesuffix("s")
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"no {kind} is called '{name}'; {hint}"


def method(name: str) -> MethodSpec:
    """The spec of a method (see :func:`get`)."""
    spec = get("zoo.methods", name)
    assert isinstance(spec, MethodSpec)
    return spec


def dataset(name: str) -> DatasetSpec:
    """The spec of a data set (see :func:`get`)."""
    spec = get("zoo.datasets", name)
    assert isinstance(spec, DatasetSpec)
    return spec


def refresh() -> None:
    """Forget what was found, so that a plugin installed meanwhile is seen."""
    entries.cache_clear()
    load.cache_clear()
