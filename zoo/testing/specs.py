"""Rules that every spec keeps, of whatever kind: light, whole, and nothing in it that leads nowhere."""

from __future__ import annotations

import math
from importlib.util import find_spec

from zoo import registry
from zoo.registry.spec import CAPABILITIES, DatasetSpec, MethodSpec, MetricSpec, Spec, TrainableSpec
from zoo.support.errors import ZooError
from zoo.testing.light import LONGEST_S, look
from zoo.testing.rules import Broken, Case, Rules, rule

RULES: Rules = []

_seen: dict[str, str] = {}


def _targets(spec: Spec) -> list[str]:
    """What is imported when plugins are listed: the entry point's target, and a trainable's settings."""
    targets = [
        entry.target
        for entry in registry.entries()
        if entry.name == spec.name and entry.dist == spec.dist and isinstance(spec, registry.GROUPS[entry.group])
    ]
    return [*targets, *([spec.config] if isinstance(spec, TrainableSpec) else [])]


def _look_at_all(spec: Spec) -> None:
    """One process for all specs of the registry: whoever asks next finds the answer."""
    if all(target in _seen for target in _targets(spec)):
        return
    targets = dict.fromkeys(entry.target for entry in registry.entries())
    for group in registry.GROUPS:
        for record in registry.records(group):
            if isinstance(record.spec, TrainableSpec):
                targets[record.spec.config] = None
    for target, found in look(list(targets)).items():
        _seen[target] = (
            found.error
            or (f"it imports {' and '.join(found.heavy)}" if found.heavy else "")
            or (f"it prints {found.printed.strip()!r}" if found.printed.strip() else "")
            or (f"it takes {found.seconds:.1f} s" if found.seconds > LONGEST_S else "")
        )


@rule(
    RULES,
    "its code can be imported",
    "the class that the spec names is there, and so are its settings",
    "correct `target` or `config` of the spec, and install what the class imports",
)
def importable(case: Case) -> None:
    """Import them."""
    case.spec.load()
    if isinstance(case.spec, TrainableSpec):
        case.spec.load_part(case.spec.config)


@rule(
    RULES,
    "spec is light",
    f"importing the spec and the settings is quick (under {LONGEST_S} s), silent, and imports none of "
    f"{', '.join(registry.HEAVY)}",
    "keep the spec in a module of its own that imports zoo.registry.spec alone, name classes by strings, and keep the "
    "package's __init__.py empty",
    needs=(importable,),
)
def _light(case: Case) -> None:
    _look_at_all(case.spec)
    found = [f"{target}: {_seen[target]}" for target in _targets(case.spec) if _seen.get(target)]
    if found:
        raise Broken("; ".join(found))


@rule(
    RULES,
    "spec is valid",
    "every name in the spec leads somewhere, and what a reader needs is told",
    "correct that field of the spec",
    needs=(importable,),
)
def valid(case: Case) -> None:
    """Look at every field."""
    spec = case.spec
    told = ("summary",) if isinstance(spec, MetricSpec) else ("summary", "licence")
    found = [f"its {name} is empty" for name in told if not getattr(spec, name).strip()]
    found += ["its summary is more than a line"] if "\n" in spec.summary or len(spec.summary) > 120 else []
    if isinstance(spec, TrainableSpec):
        found += _trainable(spec)
    if isinstance(spec, MethodSpec):
        found += _method(spec)
    if isinstance(spec, DatasetSpec):
        found += _dataset(spec)
    if isinstance(spec, MetricSpec):
        found += _metric(spec)
    if found:
        raise Broken("; ".join(found))


def _trainable(spec: TrainableSpec) -> list[str]:
    from zoo.registry import config

    found = []
    for name in config.recipes(spec):
        try:
            registry.dataset(name)
            config.resolve(spec, [f"data={name}"])
        except ZooError as error:
            found.append(f"its recipe {name}.yaml: {error}")
    for item in (spec.importer,):
        if item:
            spec.load_part(item)
    if spec.recipes and not found and spec.default_dataset not in config.recipes(spec):
        found.append(f"its default_dataset '{spec.default_dataset}' has no recipe")
    if spec.weights and find_spec(spec.weights) is None:
        found.append(f"its weights '{spec.weights}' is no package")
    return found


def _method(spec: MethodSpec) -> list[str]:
    found = [f"no such capability as '{c}'" for c in spec.capabilities if c not in CAPABILITIES]
    values, shapes, used = dict(spec.label_values), dict(spec.array_shapes), spec.trained_with
    few = [name for name in used.labels if len(set(values.get(name, ()))) < 2]
    found += [f"label_values: two values at least of the label '{name}'" for name in few]
    unshaped = [name for name in used.arrays if name not in shapes]
    return found + [f"array_shapes: nothing of the array '{name}'" for name in unshaped]


def _dataset(spec: DatasetSpec) -> list[str]:
    from zoo.data.sources.base import Source

    found = [] if spec.splits else ["it names no split"]
    target = spec.load()
    found += [] if isinstance(target, type) and issubclass(target, Source) else [f"{spec.target} is no {Source!r}"]
    if spec.example:
        spec.load_part(spec.example)
    return found


def _metric(spec: MetricSpec) -> list[str]:
    from typing import get_args

    from zoo.registry.spec import Better, Need

    found = [f"no such need as '{need}'" for need in spec.needs if need not in get_args(Need)]
    found += [] if spec.better in get_args(Better) else [f"better is none of {', '.join(get_args(Better))}"]
    try:
        bounds(spec)
    except ValueError:
        found.append(f"its bounds '{spec.bounds}' are not of the form 0..1, 0.. or ..0")
    return found


def bounds(spec: MetricSpec) -> tuple[float, float]:
    """Least and greatest value of a metric (:attr:`zoo.registry.spec.MetricSpec.bounds`).

    Raises:
        ValueError: they are not written as they should be.
    """
    if not spec.bounds:
        return -math.inf, math.inf
    low, dots, high = spec.bounds.partition("..")
    if not dots:
        raise ValueError(spec.bounds)
    return float(low or -math.inf), float(high or math.inf)
