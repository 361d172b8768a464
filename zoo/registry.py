"""Finding plugins: entry points first (nothing is imported), light specs on demand, classes only when used."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache, lru_cache
from importlib import metadata

from zoo.errors import BrokenPluginError, ConfigError, UnknownNameError
from zoo.spec import (
    API_VERSION,
    DatasetSpec,
    ExpertSpec,
    MethodSpec,
    MetricSpec,
    Spec,
    TrainableSpec,
    load_object,
    reason,
)

GROUPS: dict[str, type[Spec]] = {
    "zoo.methods": MethodSpec,
    "zoo.experts": ExpertSpec,
    "zoo.datasets": DatasetSpec,
    "zoo.metrics": MetricSpec,
}
"""Entry-point groups and what their entry points must point at."""

SUPPORTED_API = (1, API_VERSION)
"""Oldest and newest ``api_version`` that this zoo runs."""


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
        """Whether the plugin can be used by its bare name."""
        return not self.error


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """All entries of all groups in a stable order; no plugin code is imported.

    The environment variable ``ZOO_PLUGINS`` adds methods without packaging: ``"name=module:SPEC,other=module:SPEC"``.

    Raises:
        ConfigError: ``ZOO_PLUGINS`` is malformed.
    """
    found = {*_installed_entries(), *_environment_entries()}
    return tuple(sorted(found, key=lambda e: (e.group, e.name, e.dist, e.target)))


def _installed_entries() -> Iterator[Entry]:
    seen = set()
    for dist in metadata.distributions():
        if not _mentions_zoo(dist):
            continue
        name, version = str(dist.metadata["Name"]), str(dist.version)
        if name in seen:  # editable and installed, say: the first on sys.path is the one that is imported
            continue
        seen.add(name)
        try:
            points = [point for point in dist.entry_points if point.group in GROUPS]
        except Exception:  # a damaged file: `load` will say so
            yield Entry("zoo.methods", "?", "entry_points.txt", name, version)
            continue
        for point in points:
            yield Entry(point.group, point.name, point.value, name, version)


def _mentions_zoo(dist: metadata.Distribution) -> bool:
    """A quick look that spares parsing the entry points of every package that is installed."""
    try:
        return "zoo." in (dist.read_text("entry_points.txt") or "")
    except (OSError, UnicodeDecodeError):
        return False


def _environment_entries() -> Iterator[Entry]:
    given = os.environ.get("ZOO_PLUGINS", "")
    if given and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # the `zoo` script, unlike `python -m zoo`, does not see the folder it runs in
    for part in filter(None, (part.strip() for part in given.split(","))):
        name, _, target = (text.strip() for text in part.partition("="))
        module, _, attribute = target.partition(":")
        if not (name and module and attribute):
            raise ConfigError(f"ZOO_PLUGINS: '{part}' is not of the form name=module:SPEC")
        yield Entry("zoo.methods", name, target, "ZOO_PLUGINS", "")


@cache
def load(entry: Entry) -> Record:
    """Import an entry's light spec. Whatever goes wrong becomes a :class:`Record` with the reason.

    Raises:
        BrokenPluginError: something is wrong and ``ZOO_STRICT_PLUGINS=1``.
    """
    try:
        spec = load_object(entry.target)
        problem = _spec_error(entry, spec)
        record = Record(entry, error=problem) if problem else Record(entry, replace(spec, dist=entry.dist))
    except (Exception, SystemExit) as error:
        record = Record(entry, error=reason(error), detail=traceback.format_exc())
        _raise_if_strict(record, error)
    _raise_if_strict(record)
    return record


def _raise_if_strict(record: Record, cause: BaseException | None = None) -> None:
    if record.error and os.environ.get("ZOO_STRICT_PLUGINS") == "1":
        raise BrokenPluginError(_broken(record)) from cause


def _spec_error(entry: Entry, spec: object) -> str:
    wanted = GROUPS[entry.group]
    if not isinstance(spec, wanted):
        return f"{entry.target} is a {type(spec).__name__}, not a zoo.spec.{wanted.__name__}"
    low, high = SUPPORTED_API
    if type(spec.api_version) is not int:
        return f"its api_version is {spec.api_version!r}, not a whole number"
    if not low <= spec.api_version <= high:
        mend = "talking-face-zoo" if spec.api_version > high else entry.dist
        return f"written for api_version {spec.api_version}, this zoo runs {low} to {high}; upgrade {mend}"
    if spec.name != entry.name:
        return f"the entry point is called '{entry.name}' but its spec '{spec.name}'"
    return _field_error(spec)


def _field_error(spec: Spec) -> str:
    for item in fields(spec):
        example = item.default if item.default_factory is MISSING else item.default_factory()
        wanted = str if example is MISSING else type(example)
        value = getattr(spec, item.name)
        if not isinstance(value, wanted):
            return f"its {item.name} is a {type(value).__name__}, not a {wanted.__name__}"
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
                record = replace(record, error="; ".join(filter(None, (record.error, _collision(claimants)))))
                _raise_if_strict(record)
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
        raise BrokenPluginError(_broken(record))
    return record.spec


def full_name(spec: Spec) -> str:
    """The name under which :func:`get` finds a spec again: ``dist:name`` where another distribution claims it too."""
    dists = {e.dist for e in entries() if e.name == spec.name and isinstance(spec, GROUPS[e.group])}
    return f"{spec.dist}:{spec.name}" if len(dists) > 1 else spec.name


def _broken(record: Record) -> str:
    entry = record.entry
    origin = f"{entry.dist} {entry.version}".strip()
    return f"'{entry.name}' is installed ({origin}) but broken: {record.error} (see `zoo doctor`)"


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


def trainable(name: str) -> TrainableSpec:
    """The spec of what ``zoo fit NAME`` trains: a method, or else an expert (see :func:`get`)."""
    known = {e.name for e in entries() if e.group == "zoo.experts"} - {
        e.name for e in entries() if e.group == "zoo.methods"
    }
    return expert(name) if name.rpartition(":")[2] in known else method(name)


def expert(name: str) -> ExpertSpec:
    """The spec of an expert (see :func:`get`)."""
    spec = get("zoo.experts", name)
    assert isinstance(spec, ExpertSpec)
    return spec


def metric(name: str) -> MetricSpec:
    """The spec of a metric (see :func:`get`)."""
    spec = get("zoo.metrics", name)
    assert isinstance(spec, MetricSpec)
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
