"""Which metrics are scored and with which settings: from names and ``key=value``, checked before any work is done."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import torch

from zoo import registry
from zoo.evaluation.metrics.base import ClipMetric
from zoo.face.backends import USUAL
from zoo.registry.spec import MetricSpec, reason
from zoo.support.errors import BrokenPluginError, ConfigError, ZooError

if TYPE_CHECKING:
    from zoo.evaluation.judges import Judges

JUDGES = {"sync": "sync-expert", "reader": "lip-reader", "embedder": "embedder", "landmarker": "face"}
"""Keys that choose a judge (arguments of :class:`zoo.evaluation.judges.Judges`), with the need that each serves."""

_NAMED_BY_JUDGES = {"expert", "reader", "embedder"}  # who judged comes with the first clip

Options = dict[str, dict[str, str]]
Chosen = dict[str, tuple[MetricSpec, ClipMetric]]


def split_options(settings: Sequence[str]) -> tuple[Options, dict[str, str]]:
    """Take ``METRIC.OPTION=value`` and the settings of judges apart.

    Raises:
        ConfigError: no ``=``, or a key that there is not, with the nearest one.
    """
    options: Options = {}
    judging: dict[str, str] = {}
    for item in settings:
        key, equals, value = item.partition("=")
        name, _, option = key.partition(".")
        if not equals:
            raise ConfigError(f"'{item}' is no setting: write key=value")
        if key in JUDGES:
            judging[key] = value
        elif option and option in parameters(name):
            options.setdefault(name, {})[option] = value
        else:
            raise ConfigError(_unknown(key, name))
    return options, judging


def _names() -> list[str]:
    """Names of all metrics, in the order of their specs where they come with the zoo."""
    from zoo.evaluation.metrics import specs

    own = [spec.name for spec in vars(specs).values() if isinstance(spec, MetricSpec)]
    known = {entry.name for entry in registry.entries() if entry.group == "zoo.metrics"}
    return [*(name for name in own if name in known), *sorted(known - set(own))]


def parameters(name: str) -> dict[str, Any]:
    """Constructor options of a metric that a command line can give, with their types; none for an unknown name."""
    if name.rpartition(":")[2] not in _names():
        return {}
    spec = registry.metric(name)
    cls = spec.load()
    hints = get_type_hints(cls.__init__)
    named = [
        p.name
        for p in inspect.signature(cls).parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    fixed = {option for option, _ in spec.options} | _NAMED_BY_JUDGES
    return {
        option: hints.get(option, str) for option in named if option not in fixed and _reader(hints.get(option, str))
    }


def describe(name: str) -> list[tuple[str, str, str]]:
    """The options of a metric as ``zoo score`` takes them: key, default, and the values that there are."""
    defaults = inspect.signature(registry.metric(name).load()).parameters
    return [
        (
            f"{name}.{option}",
            str(defaults[option].default),
            ", ".join(map(str, get_args(hint))) if get_origin(hint) is Literal else "",
        )
        for option, hint in parameters(name).items()
    ]


def _reader(hint: Any) -> Callable[[str], Any] | None:
    """What makes a value of that type from text; None where nothing does."""
    if get_origin(hint) is Literal:
        return str
    kinds = get_args(hint) or (hint,)
    return next((kind for kind in (int, float, str) if kind in kinds and bool not in kinds), None)


def _read(key: str, text: str, hint: Any) -> Any:
    """The value that a text stands for."""
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise ConfigError(f"{key}={text}: choose one of {', '.join(get_args(hint))}")
        return text
    read = _reader(hint)
    assert read is not None
    try:
        return read(text)
    except ValueError as error:
        raise ConfigError(f"{key}={text}: needs a number") from error


def _options_of(name: str) -> Iterable[str]:
    """The options of a metric; none of one that cannot be used."""
    try:
        return parameters(name)
    except BrokenPluginError:
        return ()


def _unknown(key: str, name: str) -> str:
    known = [*JUDGES, *(f"{metric}.{option}" for metric in _names() for option in _options_of(metric))]
    if name in _names():
        own = [item for item in known if item.startswith(f"{name}.")]
        near = difflib.get_close_matches(key, own, n=1) or own
        return f"{key}: {name} has no such option; " + (f"it has {', '.join(near)}" if near else "it has none")
    near = difflib.get_close_matches(key, known, n=1)
    return f"{key}: no such setting; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


def make_metric(name: str, given: dict[str, str]) -> tuple[MetricSpec, ClipMetric]:
    """A metric of that name with the options of its spec and those given.

    Raises:
        ConfigError: no such metric, or a value that it does not take.
    """
    spec = registry.metric(name)
    options: dict[str, Any] = dict(spec.options)
    hints = parameters(name) if given else {}
    options |= {option: _read(f"{name}.{option}", text, hints[option]) for option, text in given.items()}
    try:
        metric = spec.load()(**options)
    except ZooError:
        raise  # it says what is wrong already
    except ValueError as error:
        settings = " ".join(f"{name}.{option}={text}" for option, text in given.items())
        raise ConfigError(f"{settings}: {error}") from error
    except (Exception, SystemExit) as error:
        raise spec.broken(reason(error)) from error
    return spec, metric


def choose(
    names: Sequence[str] | None, options: Options, judging: dict[str, str], *, device: str = "auto"
) -> tuple[Chosen, dict[str, str], Judges]:
    """The metrics to score with, and the judges.

    Args:
        names: which; ``None`` is all that can be had here.
        options: of metrics, by name.
        judging: of the judges, by their keys in :data:`JUDGES`.
        device: for the judges.

    Returns:
        The metrics by name, those that were left out with the reason, and the judges.

    Raises:
        ConfigError: a name or a value that there is not, or a metric or judge that was asked for and cannot be had.
    """
    from zoo.evaluation.judges import Judges
    from zoo.synthesis.predict import choose_device

    wanted = _names() if names is None else list(dict.fromkeys(names))
    if not wanted:
        raise ConfigError("--metrics: names no metric")
    made, left_out = {}, dict[str, str]()
    for name in wanted:
        try:
            made[name] = make_metric(name, options.get(name, {}))
        except BrokenPluginError as error:
            if names is not None or name in options:
                raise
            left_out[name] = str(error)  # nobody asked for it
    idle = [name for name in options if name not in made]
    if idle:
        raise ConfigError(f"{idle[0]}.{next(iter(options[idle[0]]))} is set, but {idle[0]} is not among --metrics")
    judges = Judges(**judging, device=str(choose_device(device)))
    for key in judging:
        reason = judges.missing(JUDGES[key])
        if reason:
            raise ConfigError(f"{key}={judging[key]}: {reason}")
    for name, (spec, metric) in made.items():
        if judges.landmarker != USUAL.landmarker:  # all crops rest on it
            metric.protocol["landmarker"] = judges.landmarker
        reason = _missing(spec, metric, judges)
        if reason and (names is not None or name in options):
            raise ConfigError(f"{name} cannot be scored: {reason}")
        if reason:
            left_out[name] = reason
    return {name: pair for name, pair in made.items() if name not in left_out}, left_out, judges


def _missing(spec: MetricSpec, metric: ClipMetric, judges: Judges) -> str:
    """Why a metric cannot be scored here, or nothing."""
    for need in spec.needs:
        if need in JUDGES.values():
            reason = judges.missing(need)
            if reason:
                return reason
    return _no_backbone(metric, judges) if "backbone" in spec.needs else ""


def _no_backbone(metric: ClipMetric, judges: Judges) -> str:
    """Try it on two grey pictures: only that shows whether the weights are there and fit."""
    from zoo.evaluation.footage import Footage

    grey = torch.full((2, 3, 64, 64), 128, dtype=torch.uint8)
    clip = Footage(grey, torch.zeros(1280), torch.zeros(2, 68, 2), torch.ones(2, dtype=torch.bool), judges)
    try:
        deepcopy(metric).observe("", clip, clip)
    except ZooError as error:
        return str(error)
    return ""
