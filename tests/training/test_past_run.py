"""The folder of a run that somebody else made: what has no sense says nothing, and nothing breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo import registry
from zoo.benchmark.checkpoints import settings_of
from zoo.benchmark.suite import leaves
from zoo.training.past_run import (
    last_epoch,
    read_config,
    read_data,
    read_expert,
    read_facts,
    read_metrics,
    read_trainer,
)

FACTS = {"seed": 1, "steps": 9, "seconds": 1.5, "summary": {"split": "by-clip", "remarks": ["slow"]}, "zoo": "0.1.0"}
CONFIG = {"data": {"name": "grid", "seed": 3}, "model": {"expert": "grid"}, "trainer": {"max_steps": 9, "more": None}}
WRONG: list[Any] = [None, True, [], {}, "x", -1, 1.5, 10**400, [[]], {"a": None}]


def written(run: Path, facts: Any = FACTS, config: Any = CONFIG, metrics: str = "epoch,loss\n0,2\n1,1\n") -> Path:
    run.mkdir(exist_ok=True)
    (run / "run.json").write_text(json.dumps(facts))
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "metrics.csv").write_text(metrics)
    return run


def everything(run: Path) -> None:
    """All that a benchmark asks a run for, as it uses it."""
    facts, data = read_facts(run), read_data(run)
    assert (facts.get("steps") or 0) >= 0
    facts.get("summary", {}).get("split")
    list(leaves(read_config(run)))
    assert data is None or isinstance(data.name, str)
    assert isinstance(read_expert(run) or "", str)
    last_epoch(run)


def test_what_a_run_says(tmp_path: Path):
    run = written(tmp_path)
    assert read_facts(run) == FACTS
    data = read_data(run)
    assert data is not None
    assert (data.name, data.seed, read_expert(run)) == ("grid", 3, "grid")
    assert read_trainer(run).get("max_steps") == 9
    assert (read_metrics(run, "loss"), last_epoch(run)) == ([2.0, 1.0], 1)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_has_no_sense_says_nothing(wrong: Any, tmp_path: Path):
    for key in FACTS:
        everything(written(tmp_path, facts=FACTS | {key: wrong}))
    for key in ("split", "remarks"):
        everything(written(tmp_path, facts=FACTS | {"summary": {key: wrong}}))
    for key, part in CONFIG.items():
        everything(written(tmp_path, config=CONFIG | {key: wrong}))
        for inner in part:
            everything(written(tmp_path, config=CONFIG | {key: part | {inner: wrong}}))
    everything(written(tmp_path, wrong, wrong, f"epoch,loss\n{wrong},nan\n"))


def test_files_that_are_none(tmp_path: Path):
    everything(tmp_path)
    for text in (b"\xff\xfe\0", b"[" * 100_000, b"epoch\n\0\n"):
        for name in ("run.json", "config.yaml", "metrics.csv"):
            (tmp_path / name).write_bytes(text)
        everything(tmp_path)


def test_settings_of_a_run_have_the_names_of_today(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("model: {judged_from: 0.5, width: 0.5}\nseed: 1\n")
    found = settings_of(tmp_path, registry.method("lipgan"))
    assert found == {"model": {"adversarial_start": 0.5, "width": 0.5}, "seed": 1}
    assert settings_of(tmp_path / "nowhere", registry.method("lipgan")) == {}
