"""One LMD: `zoo fit`, `zoo test` and `zoo benchmark` give the same numbers for the same weights and clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import Zoo

from zoo.benchmark.single import METRICS, above_chance
from zoo.cli.output import print_scores


def test_fit_test_and_benchmark_agree_to_the_digit(zoo: Zoo, tiny_run: Path, tmp_path: Path):
    fitted = json.loads((tiny_run / "summary.json").read_text())
    weights = tiny_run / "weights.safetensors"
    done = zoo("test", "lipgan", "--ckpt", weights, "data.clips=6", "--out", tmp_path / "test", "--json")
    assert done.returncode == 0, done.stderr
    tested = json.loads(done.stdout)
    done = zoo(
        "benchmark", "--methods", "lipgan", "--ckpt", f"lipgan={weights}", "--out", tmp_path / "results",
        "data.clips=6", "test_clips=1", "tracks=[reconstruction]", "references=[still]",
        f"metrics=[{','.join(METRICS)}]",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for cell, of in (("lipgan-seed0-reconstruction", ""), ("still-reconstruction", "_still")):
        lines = (tmp_path / "results" / "cells" / cell / "rows.jsonl").read_text().splitlines()
        values = {row["metric"]: row["value"] for row in map(json.loads, lines)}
        for metric in METRICS:
            key = f"{metric}{of}"
            assert fitted[key] == tested[key] == round(values[metric], 4), key
    assert fitted["protocol"] == tested["protocol"]


def row(accuracy: float | None, still: float | None) -> dict[str, Any]:
    return {"sync_acc": accuracy, "sync_acc_still": still}


def test_synchrony_is_above_chance_where_most_clips_beat_the_still():
    assert above_chance([row(0.6, 0.2), row(0.5, 0.3), row(0.7, 0.25)])
    assert not above_chance([row(0.3, 0.2), row(0.1, 0.3), row(0.25, 0.25)])
    assert not above_chance([row(0.2, 0.2)] * 5)
    assert not above_chance([row(None, 0.2)])
    assert not above_chance([])


@pytest.mark.parametrize("chance", [True, False])
def test_motion_and_synchrony_stand_beside_lmd(chance: bool, capsys: pytest.CaptureFixture[str]):
    values = {
        "lmd": 2.0,
        "motion": 0.116,
        "sync_acc": 0.25,
        "lmd_still": 4.0,
        "motion_still": 0.0,
        "sync_acc_still": 0.24,
    }
    about = {"dataset": "d", "split": "s", "speaker_dependent": False, "clips": 3, "speakers": 1, "protocol": "lmd|x"}
    print_scores(values | about | {"better_than_still": 0.5, "sync_at_chance": chance, "remarks": ["a remark"]})
    out = capsys.readouterr().out
    assert "2.00 (+50% against the still)" in out
    assert "0.12" in out
    assert ("25.0% (at chance)" in out) == chance
    assert out.endswith("protocol    lmd|x\na remark\n")
