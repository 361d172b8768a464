"""Where a method's weights come from: given, of its best run, shipped, or to be fitted under the suite's budget."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoo import registry, runs, trainable
from zoo.benchmark.bench import Bench
from zoo.benchmark.suite import Budget, seconds
from zoo.config import DataConfig
from zoo.data.module import store_path
from zoo.data.splits import split_clips
from zoo.data.store import Store
from zoo.errors import ConfigError, ZooError
from zoo.spec import MethodSpec

FIT_OVERHEAD_S = 30.0
"""What a fit takes beside training: starting, validating, its own test clip. Measured with LipGAN, one thread."""

STEP_S = 0.15
"""A training step of the small recipes on one thread, for estimates."""


@dataclass(frozen=True)
class Fit:
    """A fit under the suite's budget.

    Attributes:
        method: its name.
        folder: of its runs; its name ends in a digest of the settings, so that other settings are another fit.
        settings: what ``zoo fit --config`` reads.
        budget: for people.
    """

    method: str
    folder: Path
    settings: dict[str, Any]
    budget: str

    def weights(self) -> Path | None:
        """The weights, where the fit was finished."""
        return next(map(weights_of, finished(self.folder)), None)

    def expected(self) -> float:
        """Seconds that it will take, about."""
        trainer = self.settings["trainer"]
        limits = [STEP_S * trainer["max_steps"]] if trainer.get("max_steps", -1) > 0 else []
        limits += [seconds(trainer["max_time"])] if trainer.get("max_time") else []
        return FIT_OVERHEAD_S + min(limits, default=300.0)


@dataclass
class Weights:
    """The weights of one method and seed.

    Attributes:
        source: ``given``, ``run``, ``shipped`` or ``fitted``.
        path: the file; ``None`` as long as it must be fitted first.
        fit: how it is fitted, or was.
        training: see :class:`zoo.benchmark.results.Cell`.
        trained_on: the same.
    """

    source: str
    path: Path | None
    fit: Fit | None = None
    training: dict[str, Any] = field(default_factory=dict)
    trained_on: str = "unknown"

    def digest(self) -> str:
        """SHA-256 of the file; empty as long as there is none."""
        if self.path is None:
            return ""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def learn(self, bench: Bench) -> None:
        """Add what the fit left behind of the training."""
        if self.path is not None and self.fit is not None:
            _of_run(bench, self, self.path.parent)

    def described(self) -> str:
        """For the plan: where they come from."""
        if self.source == "fitted" and self.fit is not None:
            return f"fitted: {self.fit.budget}" if self.path else f"fit: {self.fit.budget}"
        return f"{self.source}: {self.path}"


def find_weights(bench: Bench, spec: MethodSpec, seed: int, given: Mapping[str, Path], fits: Path) -> Weights:
    """The weights of a method: given, else of its best run, else shipped, else to be fitted.

    Args:
        bench: data and settings.
        spec: the method.
        seed: a run counts where it had this one.
        given: paths by method.
        fits: folder for fits.

    Raises:
        ZooError: a path that was given holds no weights of this method.
    """
    name = registry.full_name(spec)
    if name in given:
        path = trainable.find_weights(spec, given[name])
        kept = trainable.read_checkpoint(path)["zoo"]["method"]
        if kept != spec.name:
            raise ConfigError(f"--ckpt {name}={path}: a checkpoint of {kept}")
        run = path.parent.parent if path.parent.name == "checkpoints" else path.parent
        return _of_run(bench, Weights("given", path), run)
    best = _best_run(bench, spec, seed)
    if best is not None:
        return _of_run(bench, Weights("run", weights_of(best)), best)
    shipped = _shipped(spec, bench.suite.config.data.name)
    if shipped is not None:
        return Weights("shipped", shipped)
    fit = plan_fit(bench, spec, seed, fits)
    found = next(finished(fit.folder), None)
    weights = Weights("fitted", weights_of(found) if found else None, fit)
    return _of_run(bench, weights, found) if found else weights


def finished(folder: Path) -> Iterator[Path]:
    """Runs below a folder that ended, the newest first."""
    for path in sorted(folder.glob("**/run.json"), reverse=True):
        if "summary" in _facts(path.parent) and weights_of(path.parent).is_file():
            yield path.parent


def weights_of(run: Path) -> Path:
    """The last weights of a run: those that its own test scored."""
    exported = run / "weights.safetensors"
    return exported if exported.is_file() else run / "checkpoints" / "last.ckpt"


def _best_run(bench: Bench, spec: MethodSpec, seed: int) -> Path | None:
    """The run of the same data, split and seed whose own test came out best."""
    config = bench.suite.config
    if config.runs is None:
        return None
    found = []
    for run in finished(Path(config.runs) / spec.name / config.data.name):
        summary, data = _facts(run)["summary"], _data(run)
        same = data is not None and data.seed == config.data.seed and summary.get("split") == bench.data.split
        lmd = summary.get("lmd")
        if same and _facts(run).get("seed") == seed and isinstance(lmd, (int, float)) and math.isfinite(lmd):
            found.append((lmd, str(run)))
    return Path(min(found)[1]) if found else None


def _shipped(spec: MethodSpec, dataset: str) -> Path | None:
    if not spec.weights:
        return None
    try:
        return trainable.find_weights(spec, dataset)
    except ZooError:
        return None


def plan_fit(bench: Bench, spec: MethodSpec, seed: int, fits: Path) -> Fit:
    """The fit of a method with a seed: its recipe of the data set, the suite's data and budget over it."""
    config = bench.suite.config
    clips, budget = config.data, config.budget
    limits: dict[str, Any] = {"devices": 1, "limit_test_batches": 1}
    if budget.max_steps is not None or budget.max_time is not None:
        limits |= {"max_epochs": -1, "max_steps": budget.max_steps or -1, "max_time": budget.max_time}
    settings = {"seed": seed, "data": asdict(clips) | {"split": bench.data.split}, "trainer": limits}
    settings = _merged(settings, budget.settings)
    version = runs.versions([spec.dist]).get(spec.dist, "")
    facts = json.dumps([settings, spec.dist, version, bench.fingerprint], sort_keys=True)
    digest = hashlib.sha256(facts.encode()).hexdigest()[:8]
    folder = fits / f"{file_name(registry.full_name(spec))}-seed{seed}-{digest}"
    return Fit(registry.full_name(spec), folder, settings | {"out": str(folder.resolve())}, describe_budget(budget))


def file_name(name: str) -> str:
    """A method's name as part of a file's."""
    return name.replace(":", "-")


def describe_budget(budget: Budget) -> str:
    """The budget in words."""
    limits = [f"{budget.max_steps} optimiser steps"] if budget.max_steps is not None else []
    if budget.max_time is not None:
        limits.append(f"{seconds(budget.max_time)} s")
    changed = " ".join(shlex.quote(f"{key}={value}") for key, value in _leaves(budget.settings))
    return "; ".join(filter(None, [" or ".join(limits) or "its recipe's", changed]))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(one)
    for key, value in other.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _of_run(bench: Bench, weights: Weights, run: Path) -> Weights:
    """Add what a run's folder says of the training."""
    facts, data = _facts(run), _data(run)
    if data is None:
        return weights
    split = facts.get("summary", {}).get("split") or data.split or registry.dataset(data.name).splits[0]
    budget = weights.fit.budget if weights.fit else f"zoo fit, {facts.get('steps')} optimiser steps"
    weights.training = {
        "steps": facts.get("steps"),
        "seconds": facts.get("seconds"),
        "budget": budget,
        "dataset": data.name,
        "split": split,
    }
    weights.trained_on = trained_on(bench, data, split)
    return weights


def trained_on(bench: Bench, data: DataConfig, split: str) -> str:
    """Whether a training set holds test speakers: ``unseen speakers``, ``same speakers`` or ``unknown``."""
    mine = bench.suite.config.data
    if data.name != mine.name:
        # A folder of anybody's videos may hold anybody.
        return "unknown" if "folder" in (data.name, mine.name) else "unseen speakers"
    if data.name == mine.name and registry.dataset(mine.name).embedded and data.seed != mine.seed:
        return "unseen speakers"
    try:
        store = bench.store if store_path(data) == bench.data.path else Store(store_path(data))
        train = split_clips(store.clips, split)["train"]
    except ZooError:
        return "unknown"
    seen = {store.clips[index].speaker for index in train}
    tested = {bench.store.clips[index].speaker for index in bench.test}
    return "same speakers" if seen & tested else "unseen speakers"


def _facts(run: Path) -> dict[str, Any]:
    try:
        facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _data(run: Path) -> DataConfig | None:
    """What a run was trained on; ``None`` where that cannot be read."""
    import yaml

    try:
        values = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["data"]
        known = {name: value for name, value in values.items() if name in DataConfig.__dataclass_fields__}
        return DataConfig(**known)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        return None
