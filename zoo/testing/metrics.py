"""Rules of metrics: exact for any number of processes, one row per clip, and the best value for a perfect clip."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor

from zoo import __version__, registry
from zoo.data.store.store import Store
from zoo.evaluation.footage import Footage
from zoo.evaluation.judges import Judges
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.metrics.choose import choose, make_metric, parameters
from zoo.media.audio import num_samples
from zoo.registry.spec import MetricSpec
from zoo.support.errors import ConfigError
from zoo.testing.corpus import tiny_corpus
from zoo.testing.guards import watch_state
from zoo.testing.rules import Broken, Case, NotHere, Rules, require_no_calls, rule
from zoo.testing.specs import bounds, importable

RULES: Rules = []

CLIPS = 3
"""Clips that are scored."""

FRAMES = 20
"""Frames of each."""

CLOSE = 1e-3
"""How near a perfect clip must come to the best value."""


@dataclass
class MetricCase(Case):
    """A metric and some clips to score.

    Attributes:
        spec: its spec.
        corpus: the tiny corpus; ``None``: where :func:`zoo.testing.corpus.tiny_corpus` keeps it.
    """

    spec: MetricSpec
    corpus: Path | None = None

    @cached_property
    def name(self) -> str:
        """What the registry finds it by."""
        return registry.full_name(self.spec)

    @cached_property
    def judges(self) -> Judges:
        """Those that come with the zoo.

        Raises:
            NotHere: one that the metric needs cannot be had.
        """
        try:
            return choose([self.name], {}, {}, device="cpu")[2]
        except ConfigError as error:
            raise NotHere(str(error)) from error

    @cached_property
    def real(self) -> list[Footage]:
        """The real clips."""
        store = Store(self.corpus or tiny_corpus())
        clips = [store.clip(number) for number in (0, 2, len(store) - 1)]
        return [
            Footage(
                frames=clip.frames[:FRAMES],
                wave=clip.wave[: num_samples(FRAMES)],
                landmarks=clip.landmarks[:FRAMES],
                seen=torch.ones(FRAMES, dtype=torch.bool),
                judges=self.judges,
                text=clip.text,
                words=clip.words,
            )
            for clip in clips
        ]

    @cached_property
    def made(self) -> list[Footage]:
        """The same, badly generated: noisy, and each mouth a quarter of a second late."""
        return [replace(clip, frames=_noisy(clip.frames.roll(6, 0))) for clip in self.real]

    def metric(self, **options: str) -> ClipMetric:
        """The metric, without rows."""
        return make_metric(self.name, options)[1]

    def scored(self, made: list[Footage], numbers: list[int] | None = None) -> ClipMetric:
        """The metric after some clips."""
        metric = self.metric()
        for number in range(len(made)) if numbers is None else numbers:
            with torch.inference_mode():
                metric.observe(f"clip{number}", made[number], self.real[number])
        return metric

    @cached_property
    def all(self) -> ClipMetric:
        """The metric after all generated clips, in order."""
        return self.scored(self.made)

    @cached_property
    def strange(self) -> list[Footage]:
        """Clips that are far from the real ones: their negatives, from the last frame to the first."""
        return [replace(clip, frames=255 - clip.frames.flip(0), landmarks=clip.landmarks.flip(0)) for clip in self.real]


def _noisy(frames: Tensor) -> Tensor:
    noise = torch.randint(-12, 13, frames.shape, generator=torch.Generator().manual_seed(0))
    return (frames.int() + noise).clamp(0, 255).to(torch.uint8)


@rule(
    RULES,
    "it can be made",
    "its class is a zoo.evaluation.metrics.base.ClipMetric, and the options of its spec are all that it needs",
    "give every argument of the constructor a default, or name it in `options`; read files at first use",
    needs=(importable,),
)
def makeable(case: MetricCase) -> None:
    """Make it."""
    target = case.spec.load()
    if not (isinstance(target, type) and issubclass(target, ClipMetric)):
        raise Broken(f"{case.spec.target} is no {ClipMetric.__module__}.ClipMetric")
    target(**dict(case.spec.options))


@rule(
    RULES,
    "values lie within the bounds",
    "each clip gives one row; its value and that of all clips are numbers within the spec's bounds",
    "give each clip to ClipMetric.add once, and declare the true `bounds`",
    needs=(makeable,),
)
def scores(case: MetricCase) -> None:
    """Score all clips."""
    low, high = bounds(case.spec)
    rows = case.all.rows()
    if [row.clip for row in rows] != [f"clip{number}" for number in range(CLIPS)]:
        raise Broken(f"rows of {', '.join(row.clip for row in rows) or 'no clip'}")
    for row in rows:
        if not 0 <= row.scored <= row.total or not row.total:
            raise Broken(f"{row.scored} of {row.total} frames scored")
        if not row.stats:
            raise Broken(f"nothing was scored: {row.reason}")
    for value in [float(case.all.compute()), *map(case.all.clip_value, rows)]:
        if not math.isfinite(value) or not low <= value <= high:
            raise Broken(f"the value {value:g}")


@rule(
    RULES,
    "scoring is deterministic",
    "the same clips scored twice give the same rows to the bit",
    "seed what is drawn at random from a torch.Generator of its own",
    needs=(scores,),
)
def repeats(case: MetricCase) -> None:
    """Score them again."""
    _same(case.all, case.scored(case.made), "when they are scored again")


@rule(
    RULES,
    "a perfect clip gets the best value",
    "the real clip itself gets the best value that there is, and no generated one gets a better",
    "check `better`, `bounds` and `real_row` of the spec: real_row means that real clips get various values",
    needs=(repeats,),
)
def _identity(case: MetricCase) -> None:
    if case.spec.real_row:
        raise NotHere("it declares real_row: its value for the real video is not the best there is")
    low, high = bounds(case.spec)
    best = {"lower": low, "higher": high, "near 0": 0.0, "near 1": 1.0}[case.spec.better]
    own = float(case.scored(case.real).compute())
    if math.isfinite(best) and abs(own - best) > CLOSE:
        raise Broken(f"{own:g} for the real clips themselves, where {best:g} is the best")
    made = float(case.all.compute())
    worse = {"lower": made >= own, "higher": made <= own}.get(case.spec.better, abs(made - best) >= abs(own - best))
    if not worse:
        raise Broken(f"{made:g} for noisy clips whose mouths are late, {own:g} for the real ones")


@rule(
    RULES,
    "what was made decides the value",
    "clips that are noisy and late get other rows than the real clips themselves, and not all clips get one value",
    "score `pred` against `real` in observe(), and compute the statistics from their pictures or sound",
    needs=(repeats,),
)
def _tells_apart(case: MetricCase) -> None:
    own = case.scored(case.real)
    found = [case.all, own]
    if _told(case.all) == _told(own) or not _vary(found):
        found.append(case.scored(case.strange))  # a rate may not move for a little noise
    if not _vary(found):
        raise Broken(f"{case.all.clip_value(case.all.rows()[0]):g} for every clip")
    if len({_told(metric) for metric in found}) < 2:
        raise Broken("the same rows for the real clips, for noisy ones whose mouths are late, and for negatives")


def _told(metric: ClipMetric) -> tuple[tuple[float, ...], ...]:
    return tuple(row.stats for row in metric.rows())


def _vary(metrics: list[ClipMetric]) -> bool:
    """Whether there is more than one value among those of all clips."""
    return len({metric.clip_value(row) for metric in metrics for row in metric.rows()}) > 1


@rule(
    RULES,
    "order and batches change nothing",
    "the same clips in another order, one of them twice, give the same rows and the same value to the bit",
    "keep nothing between clips but rows, and compute the value from them in reduce()",
    needs=(repeats,),
)
def orderless(case: MetricCase) -> None:
    """Score them in another order."""
    other = case.scored(case.made, [2, 0, 1, 0])
    _same(case.all, other, "in another order")


@rule(
    RULES,
    "the number of processes changes nothing",
    "two processes with some clips each give the same rows and the same value as one, to the bit",
    "keep all state in rows (ClipMetric.add), which travel between processes as they are",
    needs=(orderless,),
)
def _processes(case: MetricCase) -> None:
    one, two = case.scored(case.made, [0, 1]), case.scored(case.made, [1, 2])
    shards = {id(metric): torch.cat(list(metric.packed)) for metric in (one, two)}

    def gather(value: Tensor, group: Any = None) -> list[Tensor]:
        return list(shards.values())

    one.sync(dist_sync_fn=gather, distributed_available=lambda: True)
    _same(case.all, one, "on two processes")


def _same(one: ClipMetric, other: ClipMetric, when: str) -> None:
    if one.rows() != other.rows():
        raise Broken(f"other rows {when}")
    if one.result_of(one.rows()) != other.result_of(other.rows()):
        raise Broken(f"another value {when}")


@rule(
    RULES,
    "a clip that cannot be scored is no number",
    "it lowers the coverage and leaves the value as it is; no clip at all is NaN",
    "use ClipMetric.skip, and leave compute() and result() to ClipMetric",
    needs=(repeats,),
)
def _skipped(case: MetricCase) -> None:
    value = float(case.metric().compute())
    if not math.isnan(value):
        raise Broken(f"{value:g} where no clip was given")
    metric = case.scored(case.made)
    before = metric.result_of(metric.rows())
    metric.skip("lost", 25, "the file is broken")
    after = metric.result_of(metric.rows())
    if after.value != before.value:
        raise Broken(f"{after.value:g} with a lost clip and {before.value:g} without")
    if not after.coverage < before.coverage or "the file is broken" not in after.reason:
        raise Broken("a lost clip does not show in the coverage and its reason")


@rule(
    RULES,
    "rows carry their signature",
    "the signature begins with the name, ends with the zoo's version, and stands in every row",
    "give every setting that matters to super().__init__(...), and let add() write the rows",
    needs=(scores,),
)
def signed(case: MetricCase) -> None:
    """Read the rows."""
    metric = case.all
    if not metric.signature.startswith(f"{metric.name}|") and metric.signature != f"{metric.name}|zoo:{__version__}":
        raise Broken(f"the signature {metric.signature}")
    if not metric.signature.endswith(f"|zoo:{__version__}") or "\n" in metric.signature:
        raise Broken(f"the signature {metric.signature}")
    lines = b"".join(bytes(part.cpu().numpy()) for part in metric.packed).splitlines()
    found = {json.loads(line)["of"] for line in lines}
    if found != {metric.signature}:
        raise Broken(f"rows signed {', '.join(sorted(found))}, the metric {metric.signature}")


@rule(
    RULES,
    "the signature tells the options",
    "each option that a command line can give as a number or a choice changes the signature",
    "give every option to super().__init__(...)",
    needs=(makeable, signed),
)
def _options(case: MetricCase) -> None:
    options = parameters(case.name)
    if not options:
        raise NotHere("it has no option")
    choices = {option: _values(hint) for option, hint in options.items()}
    for option, values in choices.items():
        # Some options mean something only beside a certain value of another.
        beside = [{}, *({name: value} for name, others in choices.items() if name != option for value in others)]
        if values and not any(_tells(case, option, values, given) for given in beside if _taken(case, given)):
            raise Broken(f"{case.metric().signature} whatever {option} is")


def _values(hint: Any) -> tuple[str, ...]:
    """Some values of an option: all words that there are, or small numbers; none for free text."""
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    return () if hint is str or str in get_args(hint) else ("0.5", "1", "2", "3")


def _taken(case: MetricCase, given: dict[str, str]) -> bool:
    try:
        case.metric(**given)
    except (ConfigError, TypeError):
        return False
    return True


def _tells(case: MetricCase, option: str, values: tuple[str, ...], given: dict[str, str]) -> bool:
    signatures = {case.metric(**given).signature}
    for value in values:
        with suppress(ConfigError, TypeError):  # not a value that it takes
            signatures.add(case.metric(**given, **{option: value}).signature)
    return len(signatures) > 1


@rule(
    RULES,
    "scoring changes nothing",
    "scoring leaves torch's, NumPy's and Python's settings and random numbers, and the clips, as they were",
    "use generators of your own, and copy before you change",
    needs=(scores,),
)
def _state(case: MetricCase) -> None:
    frames = [clip.frames.clone() for clip in case.made]
    case.scored(case.made)  # judges and lazy imports come with the first clip
    with watch_state() as changed:
        case.scored(case.made)
    changed += [] if all(map(torch.equal, frames, (clip.frames for clip in case.made))) else ["the clips"]
    if changed:
        raise Broken(f"scoring changes {', '.join(changed)}")


@rule(
    RULES,
    "no network access",
    "nothing is asked of another machine while clips are scored",
    "read weights from files that the user names, declare the need `backbone`, and tell where to get them",
    needs=(makeable,),
)
def _network(case: MetricCase) -> None:
    require_no_calls(case, lambda: case.all)
