"""Where a method's weights come from: given, of its best run, shipped, or to be fitted under the suite's budget."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache, reduce
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.benchmark.chosen import training_layers, without
from zoo.benchmark.code import code_of
from zoo.benchmark.suite import Budget, Entry, leaves, seconds
from zoo.benchmark.suite_set import SuiteSet
from zoo.data.module import store_path
from zoo.data.splits import split_clips
from zoo.data.store.store import Store
from zoo.methods import trainable
from zoo.methods.checkpoint_settings import check_settings
from zoo.methods.corpora import corpora_of, drawn_only
from zoo.registry import config as configs
from zoo.registry.config import DataConfig, RunConfig
from zoo.registry.spec import MethodSpec
from zoo.support.errors import ConfigError, ZooError
from zoo.training import past_run
from zoo.training.requirements import Requirement, find, unmet

FIT_OVERHEAD_S = 30.0
"""What a fit takes beside training: starting, validating, its own test clip. Measured with LipGAN, one thread."""

RECIPE_S = 150.0
"""Training by a small recipe on one thread of an idle core, for estimates: LipGAN's takes 100 to 150 s."""

STEP_S = 0.2
"""A training step of the small recipes on one thread, for estimates."""


@dataclass(frozen=True)
class Fit:
    """A fit under the suite's budget.

    Attributes:
        method: its registered name.
        folder: of its runs; its name ends in a digest of the settings, so that other settings are another fit.
        settings: what ``zoo fit --config`` reads.
        budget: for people.
        remark: what the plan says of it besides; empty where there is nothing.
    """

    method: str
    folder: Path
    settings: dict[str, Any]
    budget: str
    remark: str = ""

    def weights(self) -> Path | None:
        """The weights, where the fit was finished."""
        return next(map(weights_of, finished(self.folder)), None)

    def expected(self) -> float:
        """Seconds that it will take, about: of a small network, and no longer than its settings allow."""
        trainer = self.settings["trainer"]
        steps, limit = trainer.get("max_steps", -1), trainer.get("max_time")
        training = STEP_S * steps if steps > 0 else RECIPE_S
        return FIT_OVERHEAD_S + min(training, seconds(limit) if limit else math.inf)


@dataclass
class Weights:
    """The weights of one method and seed.

    Attributes:
        source: ``given``, ``run``, ``shipped`` or ``fitted``.
        path: the file; ``None`` as long as it must be fitted first.
        seed: of its training.
        fit: how it is fitted, or was.
        training: see :class:`zoo.evaluation.results.Cell`.
        trained_on: the same.
    """

    source: str
    path: Path | None
    seed: int
    fit: Fit | None = None
    training: dict[str, Any] = field(default_factory=dict)
    trained_on: str = "unknown"

    def digest(self) -> str:
        """SHA-256 of the file; empty as long as there is none."""
        return "" if self.path is None else digest_of(self.path)

    def learn(self, suite_set: SuiteSet) -> None:
        """Take the weights that the fit left behind, and what it says of the training."""
        if self.fit is not None and self.path is None:
            self.path = self.fit.weights()
            if self.path is not None:
                _of_run(suite_set, self, self.path.parent)

    def drawn_only(self) -> str:
        """The data sets that it knows, where all their faces were drawn; empty where it knows others."""
        return "" if self.path is None else _drawn_only(self.path, self.path.stat().st_mtime_ns)

    def described(self) -> str:
        """For the plan: where they come from."""
        if self.source == "fitted" and self.fit is not None:
            will = "; ".join(filter(None, [f"fit: {self.fit.budget}", self.fit.remark]))
            return f"fitted: {self.fit.budget}" if self.path else will
        return f"{self.source}: {self.path}"


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _drawn_only(path: Path, modified: int) -> str:
    return drawn_only(corpora_of(trainable.read_checkpoint(path)["zoo"], path))


def find_weights(suite_set: SuiteSet, entry: Entry, seed: int, given: Mapping[str, Path], fits: Path) -> Weights:
    """The weights of an entry: given, else of its best run, else shipped, else to be fitted.

    Args:
        suite_set: data and settings.
        entry: a method, or a configuration of one: then a run counts where it had its settings.
        seed: a run counts where it had this one.
        given: paths by name of entry.
        fits: folder for fits.

    Raises:
        ZooError: a path that was given holds no weights of this method, or other settings than the entry's or the
            budget's.
    """
    spec = entry.spec
    if entry.name in given:
        path = trainable.find_weights(spec, given[entry.name])
        kept = trainable.read_checkpoint(path)["zoo"]
        if kept["method"] != spec.name:
            raise ConfigError(f"--ckpt {entry.name}={path}: a checkpoint of {kept['method']}")
        check_settings(spec, path, training_layers(suite_set.suite.config, entry))
        run = path.parent.parent if path.parent.name == "checkpoints" else path.parent
        return _of_run(suite_set, Weights("given", path, kept["seed"]), run)
    best, shorter = _best_run(suite_set, entry, seed)
    if best is not None:
        return _of_run(suite_set, Weights("run", weights_of(best), seed), best)
    asked = training_layers(suite_set.suite.config, entry)
    shipped = None if asked else _shipped(spec, suite_set.suite.config.data.name)
    if shipped is not None:
        return Weights("shipped", shipped, trainable.read_checkpoint(shipped)["zoo"]["seed"])
    fit = plan_fit(suite_set, entry, seed, fits)
    remarks = [f"{shorter} took fewer steps and is not taken"] if shorter else []
    remarks += [f"needs a {needed.expert}, trained first" for needed in _unmet(entry, fit)]
    remarks.append(_taught(suite_set, _teacher(entry, fit)))
    weights = Weights("fitted", None, seed, replace(fit, remark="; ".join(filter(None, remarks))))
    weights.learn(suite_set)
    return weights


def finished(folder: Path) -> Iterator[Path]:
    """Runs below a folder that ended, the newest first."""
    for path in sorted(folder.glob("**/run.json"), reverse=True):
        if past_run.ended_well(path.parent) and weights_of(path.parent).is_file():
            yield path.parent


def weights_of(run: Path) -> Path:
    """The last weights of a run: those that its own test scored."""
    exported = run / "weights.safetensors"
    return exported if exported.is_file() else run / "checkpoints" / "last.ckpt"


def _best_run(suite_set: SuiteSet, entry: Entry, seed: int) -> tuple[Path | None, Path | None]:
    """The run of the same settings, clips, split and seed that validated best at its end; its test is never asked.

    Where none was validated the newest is taken. One of fewer steps than the budget's was a trial; the newest such is
    the second that is returned.
    """
    config, spec = suite_set.suite.config, entry.spec
    if config.runs is None:
        return None, None
    found, shorter = [], []
    asked = list(leaves(reduce(_merged, (layer.values for layer in training_layers(config, entry)), {})))
    for run in finished(Path(config.runs) / spec.name / config.data.name):
        facts, data = past_run.read_facts(run), past_run.read_data(run)
        same = facts.get("seed") == seed and facts["summary"].get("split") == suite_set.data.split
        had = list(leaves(settings_of(run, spec)))
        same = same and all(item in had for item in asked)
        if same and data is not None and _same_clips(suite_set, data):
            if _steps(facts) < (config.budget.max_steps or 0):
                shorter.append(run)
            else:
                found.append((validated(run, spec), run))
    best = min(found, key=lambda item: item[0])[1] if found else None  # of equal ones the first is the newest
    return best, next(iter(shorter), None)


def settings_of(run: Path, spec: MethodSpec) -> dict[str, Any]:
    """All settings of a run, by their names of today."""
    config = past_run.read_config(run)
    model = config.get("model")
    return config | ({"model": configs.renamed(model, spec.settings(), str(run))} if isinstance(model, dict) else {})


def _steps(facts: past_run.Facts) -> float:
    """How many a run took; of one that does not say so, enough."""
    steps = facts.get("steps")
    return math.inf if steps is None else float(steps)


def _same_clips(suite_set: SuiteSet, data: DataConfig) -> bool:
    """Whether the store of a run holds the clips of the suite."""
    path = store_path(data)
    try:
        return path == suite_set.data.path or Store(path).fingerprint() == suite_set.fingerprint
    except ZooError:
        return False


def validated(run: Path, spec: MethodSpec) -> float:
    """The last value of what the method validates by, lower is better: it is that of the weights a run kept."""
    wanted = spec.load().monitor
    values = past_run.read_metrics(run, wanted)
    return values[-1] if values and math.isfinite(values[-1]) else math.inf


def _shipped(spec: MethodSpec, dataset: str) -> Path | None:
    if not spec.weights:
        return None
    try:
        return trainable.find_weights(spec, dataset)
    except ZooError:
        return None


def plan_fit(suite_set: SuiteSet, entry: Entry, seed: int, fits: Path) -> Fit:
    """The fit of an entry with a seed: its method's recipe, then the suite's data and budget, then its own settings."""
    config, spec = suite_set.suite.config, entry.spec
    clips, budget = config.data, config.budget
    limits: dict[str, Any] = {"devices": 1}
    if budget.max_steps is not None:
        limits |= {"max_epochs": -1, "max_steps": budget.max_steps}
    if budget.max_time is not None:
        limits |= {"max_time": budget.max_time}
    settings = {
        "seed": seed,
        "score": False,
        "data": asdict(clips) | {"split": suite_set.data.split},
        "trainer": limits,
    }
    settings = _merged(_merged(settings, without(budget.settings)), without(entry.settings))
    facts = json.dumps([settings, code_of(spec.target, fit=True), suite_set.fingerprint], sort_keys=True)
    digest = hashlib.sha256(facts.encode()).hexdigest()[:8]
    folder = fits / f"{file_name(entry.name)}-seed{seed}-{digest}"
    return Fit(registry.full_name(spec), folder, settings | {"out": str(folder.resolve())}, describe_budget(budget))


def file_name(name: str) -> str:
    """A method's name as part of a file's."""
    return name.replace(":", "-")


def describe_budget(budget: Budget) -> str:
    """The budget in words."""
    limit = f"{budget.max_steps} steps" if budget.max_steps is not None else "its recipe"
    if budget.max_time is not None:
        limit += f", {seconds(budget.max_time)} s at the most"
    changed = " ".join(shlex.quote(f"{key}={value}") for key, value in leaves(budget.settings))
    return "; ".join(filter(None, [limit, changed]))


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(one)
    for key, value in other.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _of_run(suite_set: SuiteSet, weights: Weights, run: Path) -> Weights:
    """Add what a run's folder says of the training."""
    facts, data = past_run.read_facts(run), past_run.read_data(run)
    if data is None:
        return weights
    split = facts.get("summary", {}).get("split") or data.split or registry.dataset(data.name).splits[0]
    budget = weights.fit.budget if weights.fit else f"zoo fit, {facts.get('steps')} steps"
    if weights.fit and _cut_short(run):
        budget += "; ended by the time, so that load had a say in the weights"
    weights.training = {
        "steps": facts.get("steps"),
        "seconds": facts.get("seconds"),
        "budget": budget,
        "dataset": data.name,
        "split": split,
        "remarks": facts.get("summary", {}).get("remarks", []),
    }
    if taught := _taught(suite_set, past_run.read_expert(run)):
        weights.training["taught"] = taught
    weights.trained_on = trained_on(suite_set, data, split)
    return weights


def _settings(entry: Entry, fit: Fit) -> RunConfig | None:
    """All settings of a fit; ``None`` where they cannot be had: the fit will tell why."""
    layer = configs.Layer("the suite", fit.settings)
    try:
        base = configs.recipe(entry.spec, fit.settings["data"]["name"], fit.settings.get("recipe"))
        return configs.merge(entry.spec, [base, layer])
    except ZooError:
        return None


def _teacher(entry: Entry, fit: Fit) -> str | None:
    """``model.expert`` of a fit, where its method has that setting."""
    return getattr(getattr(_settings(entry, fit), "model", None), "expert", None)


def _unmet(entry: Entry, fit: Fit) -> list[Requirement]:
    """The experts that are trained before a fit."""
    settings = _settings(entry, fit)
    needed = [] if settings is None else unmet(settings)
    return [each for each in needed if find(each.expert, settings.data, fit.folder.parent) is None] if settings else []


def _taught(suite_set: SuiteSet, expert: str | None) -> str:
    """What is to be known of a run's ``model.expert``: whether it judges, too, or knows drawn faces only."""
    config, spec = suite_set.suite.config, registry.trainable("sync-expert")
    try:
        teacher = trainable.find_weights(spec, expert) if expert else None
        judge = trainable.find_weights(spec, config.judges.sync) if config.judges.sync else None
        if teacher is None:
            return ""
        if judge is not None and teacher.read_bytes() == judge.read_bytes():
            return "the loss asks the sync expert that judges here"
        known = drawn_only(corpora_of(trainable.read_checkpoint(teacher)["zoo"], teacher))
    except (ZooError, OSError):
        return ""
    if known and not suite_set.drawn:
        return "the loss asks a sync expert that knows drawn faces only (model.expert)"
    return ""


def trained_on(suite_set: SuiteSet, data: DataConfig, split: str) -> str:
    """Whether a training set holds test speakers: ``unseen speakers``, ``same speakers`` or ``unknown``."""
    mine = suite_set.suite.config.data
    drawn = [registry.dataset(each.name).embedded for each in (data, mine)]
    if data.name != mine.name:
        # Nobody in a video is drawn; whom two collections of videos have in common is not known.
        return "unseen speakers" if drawn[0] != drawn[1] else "unknown"
    if drawn[1] and data.seed != mine.seed:
        return "unseen speakers"
    try:
        store = suite_set.store if store_path(data) == suite_set.data.path else Store(store_path(data))
        train = split_clips(store.clips, split)["train"]
    except ZooError:
        return "unknown"
    seen = {store.clips[index].speaker for index in train}
    tested = {suite_set.info(index).speaker for index in suite_set.test}
    return "same speakers" if seen & tested else "unseen speakers"


def _cut_short(run: Path) -> bool:
    """Whether the time ended a run before its steps or its last epoch."""
    trainer, last = past_run.read_trainer(run), past_run.last_epoch(run)
    if trainer.get("max_steps", -1) > 0:
        return (past_run.read_facts(run).get("steps") or 0) < trainer["max_steps"]
    return last is not None and last + 1 < (trainer.get("max_epochs") or 0)
