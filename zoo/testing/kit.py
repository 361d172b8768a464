"""Checking one installed plugin against the contract of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import registry
from zoo.registry import kind_of
from zoo.registry.spec import DatasetSpec, ExpertSpec, FaceSpec, MethodSpec, MetricSpec, Spec
from zoo.support.errors import BrokenPluginError, ConfigError, UnknownNameError
from zoo.testing.report import Check, Report

if TYPE_CHECKING:
    from zoo.testing.rules import Case, Rule


def check(
    name: str, *, kind: str | None = None, quick: bool = False, root: Path | None = None, ckpt: Path | None = None
) -> Report:
    """Hold an installed plugin against the contract of its kind.

    Methods and experts are trained for seconds on six drawn clips, with the settings of their spec's
    :attr:`~zoo.registry.spec.TrainableSpec.trial`; data sets prepare a few clips of their spec's
    :attr:`~zoo.registry.spec.DatasetSpec.example`; metrics score drawn clips.

    Args:
        name: the plugin as ``zoo list`` shows it, or ``dist:name``.
        kind: ``method``, ``expert``, ``dataset``, ``metric``, ... ; ``None``: whichever has that name.
        quick: leave out what starts further processes or trains more than once.
        root: a folder of raw clips for a data set, in place of its example.
        ckpt: a checkpoint of the method, which is held to the rules of generation in place of a network that is trained
            for seconds.

    Returns:
        One :class:`zoo.testing.Check` per rule; a plugin that is installed but broken is a report with that failure.

    Raises:
        UnknownNameError: no plugin has that name, or several kinds have it and ``kind`` does not say which.
        ConfigError: ``ckpt`` for something that is no method.
        DataError: ``ckpt`` is missing, or no checkpoint of this method.
    """
    group = find_group(name, kind)
    from zoo.testing.rules import hold

    kind = kind_of(group)
    entries = [entry for entry in _meant(name) if entry.group == group]
    dist, version = (entries[0].dist, entries[0].version) if len(entries) == 1 else ("", "")
    try:
        spec = registry.get(group, name)
    except BrokenPluginError as error:
        failed = Check("spec is valid", "failed", "the spec loads", str(error), "run `zoo doctor`")
        return Report(name, kind, dist, version, [failed])
    version = _version(spec.dist) or version
    with usual_torch():
        case = make_case(spec, root=root, ckpt=ckpt)
        checks = [hold(case, rule) for rule in rules_of(spec, quick=quick, ckpt=ckpt)]
    return Report(name, kind, spec.dist, version, checks, case.asked)


def _meant(name: str) -> list[registry.Entry]:
    """All that a name, or ``dist:name``, may mean."""
    dist, _, bare = name.rpartition(":")
    return [entry for entry in registry.entries() if entry.name == bare and dist in ("", entry.dist)]


def find_group(name: str, kind: str | None = None) -> str:
    """The entry-point group of a name.

    Raises:
        UnknownNameError: see :func:`check`.
    """
    groups = [group for group in registry.GROUPS if kind in (None, kind_of(group))]
    if not groups:
        raise UnknownNameError(
            f"no kind of plugin is called '{kind}'; known: {', '.join(map(kind_of, registry.GROUPS))}"
        )
    having = [group for group in groups if any(entry.group == group for entry in _meant(name))]
    if not having:
        known = sorted({entry.name for entry in registry.entries() if entry.group in groups})
        raise UnknownNameError(f"no {kind or 'plugin'} is called '{name}'; known: {', '.join(known) or 'none'}")
    if len(having) > 1:
        raise UnknownNameError(f"'{name}' is a {' and a '.join(map(kind_of, having))}; say which kind is meant")
    return having[0]


def _version(dist: str) -> str:
    try:
        return metadata.version(dist)
    except metadata.PackageNotFoundError:
        return ""


def rules_of(spec: Spec, *, quick: bool = False, ckpt: Path | None = None) -> list[Rule]:
    """The rules of a spec's kind, those of its class bases included; last, whether any of it asked the network.

    Args:
        spec: the plugin's.
        quick: leave out what is slow.
        ckpt: leave out what is about training.
    """
    from zoo.testing import capabilities, cards, conditioning, datasets, faces, methods, metrics, specs, trainables

    trained = [*cards.RULES, *trainables.RULES]
    for kinds, rules in (
        (MethodSpec, [*trained, *methods.RULES, *conditioning.RULES, *capabilities.RULES]),
        (ExpertSpec, trained),
        (DatasetSpec, datasets.RULES),
        (MetricSpec, metrics.RULES),
        (FaceSpec, faces.RULES),
    ):
        if isinstance(spec, kinds):
            held = [rule for rule in (*specs.RULES, *rules) if not ((quick and rule.slow) or (ckpt and rule.training))]
            return sorted(held, key=lambda rule: rule.name == "no network access")
    return specs.RULES


def make_case(spec: Spec, *, root: Path | None = None, peers: Sequence[str] = (), ckpt: Path | None = None) -> Case:
    """What the rules of a spec's kind look at.

    Args:
        spec: the plugin's.
        root: a folder of raw clips, for a data set.
        peers: other methods and experts that are checked in the same session.
        ckpt: a checkpoint of the method.

    Raises:
        ConfigError: ``ckpt`` for something that is no method.
        DataError: ``ckpt`` is no checkpoint of this method.
    """
    from zoo.testing import cases, datasets, faces, metrics, rules

    if ckpt is not None:
        if not isinstance(spec, MethodSpec):
            raise ConfigError(f"'{spec.name}' is no method: --ckpt is for what generates")
        found = cases.MethodCase(spec, ckpt=ckpt)
        _ = found.given
        return found

    if isinstance(spec, MethodSpec):
        return cases.MethodCase(spec, peers=tuple(peers))
    if isinstance(spec, ExpertSpec):
        return cases.TrainableCase(spec, peers=tuple(peers))
    if isinstance(spec, DatasetSpec):
        return datasets.DatasetCase(spec, root=root)
    if isinstance(spec, MetricSpec):
        return metrics.MetricCase(spec)
    if isinstance(spec, FaceSpec):
        return faces.FaceCase(spec)
    return rules.Case(spec)


@contextmanager
def usual_torch() -> Iterator[None]:
    """One thread, which is fastest for tiny networks, and random numbers that are put back."""
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
