"""Finding plugins: entry points first (nothing is imported), light specs on demand, classes only when used."""

from __future__ import annotations

import difflib
import os
import re
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache, lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from zoo import __version__
from zoo.registry import api
from zoo.registry.spec import (
    DRIVERS,
    DatasetSpec,
    ExpertSpec,
    FaceSpec,
    MethodSpec,
    MetricSpec,
    Spec,
    TrainableSpec,
    Uses,
    load_object,
    reason,
)
from zoo.support.errors import BrokenPluginError, ConfigError, UnknownNameError
from zoo.support.printable import say

GROUPS: dict[str, type[Spec]] = {
    "zoo.methods": MethodSpec,
    "zoo.experts": ExpertSpec,
    "zoo.datasets": DatasetSpec,
    "zoo.metrics": MetricSpec,
    "zoo.detectors": FaceSpec,
    "zoo.landmarkers": FaceSpec,
    "zoo.embedders": FaceSpec,
}
"""Entry-point groups and what their entry points must point at."""

RESOURCES = ("zoo.suites", "zoo.recipes")
"""Groups whose entry points name a package of YAML files: ``NAME.yaml`` is the suite called NAME; ``DATASET.yaml`` the
recipe on that data set for the method (another's, as a rule) that the entry point is called after."""

HEAVY = ("torch", "pytorch_lightning", "lightning", "numpy")
"""What a spec must not import."""

Status = Literal["ok", "deprecated", "refused", "broken", "claimed"]
"""Plugin status: fine; written for an older api_version; for one that this zoo does not run; unusable; or of a
name that others claim too, so that only ``dist:name`` finds it."""


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
    """Outcome of loading an entry point: its spec, or the error.

    Attributes:
        entry: what was loaded.
        spec: the light spec; ``None`` where it cannot be used, and for the groups of :data:`RESOURCES`.
        error: why it cannot be used by its bare name; empty where it can.
        detail: the traceback, where there is one.
        status: in one word.
        notice: what its author should change soon, where it works for now.
        seconds: that its import took.
        heavy: what it imported of :data:`HEAVY`, which nothing had imported before.
    """

    entry: Entry
    spec: Spec | None = None
    error: str = ""
    detail: str = ""
    status: Status = "ok"
    notice: str = ""
    seconds: float = field(default=0.0, compare=False)
    heavy: tuple[str, ...] = field(default=(), compare=False)

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
    return tuple(entry for entry in _all_entries() if entry.group in GROUPS)


def packages(group: str) -> list[Entry]:
    """The entries of a group of :data:`RESOURCES`, in a stable order; no plugin code is imported."""
    return [entry for entry in _all_entries() if entry.group == group]


@lru_cache(maxsize=1)
def _all_entries() -> tuple[Entry, ...]:
    found = {*_installed_entries(), *_environment_entries(), *_own_suites()}
    return tuple(sorted(found, key=lambda e: (e.group, e.name, e.dist, e.target)))


def _installed_entries() -> Iterator[Entry]:
    seen = set()
    for dist in metadata.distributions():
        if not _mentions_zoo(dist):
            continue
        # What a broken removal leaves has no name: its folder tells what to delete.
        name, version = str(dist.metadata["Name"] or getattr(dist, "_path", "?")), str(dist.version or "")
        if name in seen:  # editable and installed, say: the first on sys.path is the one that is imported
            continue
        seen.add(name)
        try:
            points = [point for point in dist.entry_points if point.group in GROUPS or point.group in RESOURCES]
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


def _own_suites() -> Iterator[Entry]:
    for path in (Path(__file__).parents[1] / "benchmark" / "suites").glob("*.yaml"):
        yield Entry("zoo.suites", path.stem, "zoo.benchmark.suites", api.OURS, __version__)


@cache
def load(entry: Entry) -> Record:
    """Import an entry's light spec. Whatever goes wrong becomes a :class:`Record` with the reason.

    Raises:
        BrokenPluginError: something is wrong and ``ZOO_STRICT_PLUGINS=1``.
    """
    before, started = set(sys.modules), time.perf_counter()
    cause = None
    try:
        record = _load_texts(entry) if entry.group in RESOURCES else _load_spec(entry)
    except (Exception, SystemExit) as error:
        newer = _newer_field(error)
        status: Status = "refused" if newer else "broken"
        record, cause = Record(entry, error=newer or reason(error), detail=traceback.format_exc(), status=status), error
    _raise_if_strict(record, cause)
    heavy = tuple(name for name in HEAVY if name in sys.modules and name not in before)
    return replace(record, seconds=time.perf_counter() - started, heavy=heavy)


def _newer_field(error: BaseException) -> str:
    """What to do about a spec with a field that this zoo does not know; empty for every other error."""
    found = re.match(r"(\w+Spec)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if not (isinstance(error, TypeError) and found):
        return ""
    return (
        f"its {found[1]} has the field '{found[2]}', which this zoo ({__version__}) does not know: upgrade "
        f"{api.OURS}, or correct the field's name"
    )


def _load_spec(entry: Entry) -> Record:
    spec = load_object(entry.target)
    problem = _spec_error(entry, spec)
    if problem:
        return Record(entry, error=problem, status="broken")
    refusal = api.refusal(spec.api_version, entry.dist)
    if refusal:
        return Record(entry, error=refusal, status="refused")
    notice = api.notice(spec.api_version, entry.dist)
    return Record(entry, replace(spec, dist=entry.dist), status="deprecated" if notice else "ok", notice=notice)


def _load_texts(entry: Entry) -> Record:
    found = yaml_texts(entry.target)
    if entry.group == "zoo.suites" and entry.name not in found:
        return Record(entry, error=f"{entry.target} holds no {entry.name}.yaml", status="broken")
    return Record(entry) if found else Record(entry, error=f"{entry.target} holds no .yaml file", status="broken")


def yaml_texts(package: str) -> dict[str, str]:
    """The YAML files of a package: name without suffix, and text.

    Raises:
        Exception: whatever importing the package raises.
    """
    with redirect_stdout(sys.stderr):  # standard output may be JSON
        files = [item for item in resources.files(package).iterdir() if item.name.endswith(".yaml")]
    return {item.name.removesuffix(".yaml"): item.read_text("utf-8") for item in files}


def _raise_if_strict(record: Record, cause: BaseException | None = None) -> None:
    if record.error and os.environ.get("ZOO_STRICT_PLUGINS") == "1":
        raise BrokenPluginError(_broken(record)) from cause


def _spec_error(entry: Entry, spec: object) -> str:
    wanted = GROUPS[entry.group]
    if not isinstance(spec, wanted):
        return f"{entry.target} is a {type(spec).__name__}, not a zoo.registry.spec.{wanted.__name__}"
    if type(spec.api_version) is not int:
        return f"its api_version is {spec.api_version!r}, not a whole number"
    if api.refusal(spec.api_version, entry.dist):
        return ""  # what else may be wrong is for the zoo to say that runs it
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
    for name, known in _words(type(spec)).items():
        value = getattr(spec, name)
        wrong = [word for word in (value if isinstance(value, tuple) else (value,)) if word not in known]
        if wrong:
            return f"its {name} is '{wrong[0]}'; known: {', '.join(filter(None, known))}"
    return _modes_error(spec) if isinstance(spec, MethodSpec) else ""


def _modes_error(spec: MethodSpec) -> str:
    """What is wrong with the modes of a method; empty where nothing is."""
    for mode in spec.modes:
        if not (isinstance(mode, tuple) and len(mode) == 2 and isinstance(mode[0], str) and isinstance(mode[1], Uses)):
            return f"its modes hold {mode!r}, which is no pair of a name and a zoo.registry.spec.Uses"
        name, uses = mode
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            return f"its mode '{name}' is not named in lower case with hyphens"
        if uses.driver not in DRIVERS:
            return f"its mode '{name}' has the driver '{uses.driver}'; known: {', '.join(filter(None, DRIVERS))}"
        if type(uses.stills) is not int or uses.stills < 1:
            return f"its mode '{name}' has {uses.stills!r} stills; at least one says who is to talk"
    if len(dict(spec.modes)) < len(spec.modes):
        return "two of its modes have one name"
    if spec.shown and spec.api_version > 1:
        return f"its shown is '{spec.shown}', which api_version 2 does not have: say it in modes"
    return ""


def _words(kind: type[Spec]) -> dict[str, tuple[str, ...]]:
    """The words that a field may have, or each item of it, by its name; fields that may have any are not there."""
    found: dict[str, tuple[str, ...]] = {}
    for name, hint in get_type_hints(kind).items():
        item = next((part for part in (hint, *get_args(hint)) if get_origin(part) is Literal), None)
        found |= {name: get_args(item)} if item else {}
    return found


def records(group: str) -> list[Record]:
    """Every plugin of a group, loaded or broken; those that a bare name does not find are marked as errors."""
    claims = defaultdict(list)
    for entry in _all_entries():
        if entry.group == group:
            claims[entry.name].append(entry)
    result = []
    for claimants in claims.values():
        for entry in claimants:
            record = load(entry)
            found = _claimed(claimants)
            if len(claimants) > 1 and entry is not found and group != "zoo.recipes":  # which several may bring
                status: Status = "claimed" if record.ok else record.status
                told = "; ".join(filter(None, (record.error, _collision(claimants))))
                record = replace(record, error=told, status=status)
                _raise_if_strict(record)
            result.append(record)
    return result


def _claimed(claimants: list[Entry]) -> Entry | None:
    """Whose a bare name is: the only claimant's; of several the zoo's own, but for methods; else nobody's."""
    ours = [entry for entry in claimants if entry.dist == api.OURS and entry.group != "zoo.methods"]
    return claimants[0] if len(claimants) == 1 else ours[0] if len(ours) == 1 else None


def _collision(claimants: list[Entry]) -> str:
    dists = " and ".join(entry.dist for entry in claimants)
    name = claimants[0].name
    return f"'{name}' is claimed by {dists}; say which: " + " or ".join(f"{e.dist}:{name}" for e in claimants)


def get(group: str, name: str) -> Spec:
    """The spec of one plugin.

    Args:
        group: one of :data:`GROUPS`.
        name: the entry point's name, or ``dist:name``. A bare name that several distributions claim is an error, but
            where it is one of the zoo's own and no method's: then it is the zoo's, and that is said.

    Raises:
        UnknownNameError: never heard of it; the message offers the nearest names.
        BrokenPluginError: claimed twice, failed to load, or written for another api_version.
    """
    record = _one(group, name)
    assert record.spec is not None
    if record.notice:
        _say_once(f"'{record.spec.name}' is {record.notice}")
    return record.spec


def _one(group: str, name: str) -> Record:
    dist, _, bare = name.rpartition(":")
    claimants = [e for e in _all_entries() if e.group == group and e.name == bare and dist in ("", e.dist)]
    if not claimants:
        raise UnknownNameError(_unknown(group, name))
    entry = _claimed(claimants)
    if entry is None:
        raise BrokenPluginError(_collision(claimants))
    if len(claimants) > 1:
        _say_once(f"{_collision(claimants)}; {entry.dist}'s is taken")
    record = load(entry)
    if not record.ok:
        raise BrokenPluginError(_broken(record))
    return record


@cache
def _say_once(text: str) -> None:
    say(f"zoo: {text}", file=sys.stderr)


def suite(name: str) -> str:
    """The text of a suite's YAML file (see :func:`get`)."""
    record = _one("zoo.suites", name)
    return yaml_texts(record.entry.target)[record.entry.name]


def recipe_texts(method: str) -> dict[str, str]:
    """The recipes that packages bring for another's method: text by data set.

    A package that cannot be used is named on standard error and harms nobody who does not need it; where two bring the
    same recipe, the first by name counts, and that is said, too.
    """
    found: dict[str, tuple[str, str]] = {}
    for entry in [entry for entry in packages("zoo.recipes") if entry.name == method]:
        record = load(entry)
        if not record.ok:
            _say_once(f"recipes of {entry.dist} for {method} cannot be used: {record.error}")
            continue
        for dataset, text in yaml_texts(entry.target).items():
            if dataset in found:
                dists = f"{found[dataset][0]} and {entry.dist}"
                _say_once(f"recipe {method}/{dataset}.yaml is brought by {dists}; that of the first is taken")
            found.setdefault(dataset, (entry.dist, text))
    return {dataset: text for dataset, (_, text) in found.items()}


def full_name(spec: Spec) -> str:
    """The name under which :func:`get` finds a spec again: ``dist:name`` where another distribution claims it too."""
    groups = [group for group, kind in GROUPS.items() if isinstance(spec, kind)]
    dists = {e.dist for e in entries() if e.name == spec.name and e.group in groups}
    return f"{spec.dist}:{spec.name}" if len(dists) > 1 else spec.name


def _broken(record: Record) -> str:
    entry = record.entry
    origin = f"{entry.dist} {entry.version}".strip()
    state = "does not fit this zoo" if record.status == "refused" else "broken"
    return f"'{entry.name}' is installed ({origin}) but {state}: {record.error} (see `zoo doctor`)"


def kind_of(group: str) -> str:
    """What the plugins of a group are, in the singular: ``method`` for ``zoo.methods``."""
    return group.removeprefix("zoo.").removesuffix("s")


def _unknown(group: str, name: str) -> str:
    known = sorted({entry.name for entry in _all_entries() if entry.group == group})
    near = difflib.get_close_matches(name, known, n=3)
    kind = kind_of(group)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"no {kind} is called '{name}'; {hint}"


def method(name: str) -> MethodSpec:
    """The spec of a method (see :func:`get`)."""
    spec = get("zoo.methods", name)
    assert isinstance(spec, MethodSpec)
    return spec


def trainable(name: str) -> TrainableSpec:
    """The spec of what ``zoo fit NAME`` trains: a method, or else an expert (see :func:`get`)."""
    dist, _, bare = name.rpartition(":")
    groups = ("zoo.methods", "zoo.experts")
    claimants = [e for e in entries() if e.group in groups and e.name == bare and dist in ("", e.dist)]
    having = {group: [e for e in claimants if e.group == group] for group in groups}
    if all(having.values()):  # a method and an expert of one name: the zoo's own counts
        having = {group: [e for e in found if e.dist == api.OURS] for group, found in having.items()}
        if all(having.values()) or not any(having.values()):
            raise BrokenPluginError(_collision(claimants))
    return expert(name) if having["zoo.experts"] else method(name)


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
    for kept in (_all_entries, entries, load, _say_once):
        kept.cache_clear()
