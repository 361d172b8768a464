"""What the folder of a run says of it; somebody else's may say anything, and what has no sense says nothing."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict  # pydantic reads typing's from Python 3.12 on

from zoo.registry.config import DataConfig, read_layer
from zoo.support.errors import ConfigError, DataError
from zoo.support.records import Count, Seconds, parse_record


@with_config(ConfigDict(extra="allow"))
class Summary(TypedDict, total=False):
    """Of the scores of a run's own test."""

    split: str | None
    remarks: list[str]


@with_config(ConfigDict(extra="allow"))
class Facts(TypedDict, total=False):
    """Of ``run.json``, what a benchmark asks for."""

    seed: int | None
    steps: Count | None
    seconds: Seconds | None
    summary: Summary
    diverged: str | None


@with_config(ConfigDict(extra="allow"))
class Trainer(TypedDict, total=False):
    """Of the settings of a run, when it was to end."""

    max_steps: int
    max_epochs: int | None


def read_facts(run: Path) -> Facts:
    """What ``run.json`` says; nothing where it cannot be read."""
    try:
        return parse_record((run / "run.json").read_bytes(), Facts, run)
    except (OSError, DataError):
        return {}


def ended_well(run: Path) -> bool:
    """Whether a run was trained and tested to its end; one that diverged was not."""
    facts = read_facts(run)
    return "summary" in facts and not facts.get("diverged")


def read_config(run: Path) -> dict[str, Any]:
    """What ``config.yaml`` says; nothing where it cannot be read, or is not plain (:mod:`zoo.support.plain`)."""
    from omegaconf import OmegaConf

    try:
        values: Any = OmegaConf.to_container(read_layer(run / "config.yaml").values)
    except ConfigError:
        return {}
    return values if isinstance(values, dict) else {}


def read_data(run: Path) -> DataConfig | None:
    """What a run was trained on; ``None`` where that cannot be read."""
    return _typed(read_config(run).get("data"), DataConfig)


def read_trainer(run: Path) -> Trainer:
    """When a run was to end."""
    found: Trainer | None = _typed(read_config(run).get("trainer"), Trainer)
    return found or {}


def read_expert(run: Path) -> str | None:
    """``model.expert`` of a run, where its method has that setting."""
    model = read_config(run).get("model")
    expert = model.get("expert") if isinstance(model, dict) else None
    return expert if isinstance(expert, str) else None


def read_metrics(run: Path, name: str) -> list[float]:
    """The numbers in a column of ``metrics.csv``, from the first to the last."""
    try:
        with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
            texts = [row.get(name) for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error):
        return []
    return [number for text in texts if text and (number := _number(text)) is not None]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _typed(value: Any, kind: Any) -> Any:
    """A value as a record, or ``None`` where it is none."""
    try:
        return parse_record(json.dumps(value), kind, "") if isinstance(value, dict) else None
    except (DataError, TypeError, ValueError, RecursionError):
        return None


def last_epoch(run: Path) -> int | None:
    """The last epoch that left numbers; ``None`` where none did."""
    epochs = [number for number in read_metrics(run, "epoch") if math.isfinite(number)]
    return int(max(epochs)) if epochs else None
