"""One LMD: `zoo fit`, `zoo test` and `zoo benchmark` give the same numbers for the same weights and clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.cli.output import print_scores
from zoo.evaluation.single import METRICS, SingleCell, at_chance
from zoo.face.crop import place_crops
from zoo.face.paste import paste_back
from zoo.registry.config import resolve
from zoo.registry.spec import InputSpec
from zoo.synthesis.scene import Scene
from zoo.synthesis.subjects import Subject


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


class Frozen(Subject):
    """A method whose mouth never moves."""

    def make(self, scene: Scene) -> Tensor:
        spec = InputSpec(paste="lower")
        crops = place_crops(scene.still[:1], spec.crop, spec.size).cut(scene.clip.frames[:1], [0]).float() / 255
        frozen = crops.expand(len(scene.clip.frames), -1, -1, -1).contiguous()
        still = scene.clip.frames[:1].expand_as(scene.clip.frames)
        return paste_back(still, frozen, scene.still, spec)


def test_a_frozen_mouth_scores_as_the_still_does(tiny_run: Path, tiny_store: Path):
    """Laid over the real video, its seam and jaw would tell of the true mouth: it scored up to 20 % better."""
    settings = resolve(registry.method("lipgan"), [f"data.root={tiny_store}"])
    cell = SingleCell(settings, tiny_run / "weights.safetensors", torch.device("cpu"))
    cell.subjects[""] = Frozen()
    (index,) = cell.bench.test
    (scores,) = cell.rows([cell.bench.info(index).id])
    assert scores["lmd"] == pytest.approx(scores["lmd_still"], rel=0.06)
    assert scores["sync_acc"] == pytest.approx(scores["sync_acc_still"], abs=0.1)
    assert scores["motion"] < 0.15


def row(accuracy: float | None, still: float | None) -> dict[str, Any]:
    return {"sync_acc": accuracy, "sync_acc_still": still}


def test_synchrony_is_at_chance_where_the_still_is_in_sync_as_often():
    assert at_chance([row(0.6, 0.2), row(0.5, 0.3), row(0.7, 0.25)]) is False
    assert at_chance([row(0.3, 0.2), row(0.1, 0.3), row(0.25, 0.25)]) is True
    assert at_chance([row(0.2, 0.2)] * 5) is True
    for few in ([], [row(None, 0.2)], [row(0.26, 0.25)]):
        assert at_chance(few) is None, "one clip tells nothing"


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


def test_what_could_not_be_scored_is_said(capsys: pytest.CaptureFixture[str]):
    nothing = {f"{name}{of}": float("nan") for name in METRICS for of in ("", "_still")}
    about = {"dataset": "d", "split": "s", "speaker_dependent": False, "clips": 3, "speakers": 1, "protocol": "lmd|x"}
    print_scores(nothing | about | {"better_than_still": None, "sync_at_chance": None, "remarks": []})
    out = capsys.readouterr().out
    assert out.count("not scored") == 6
    assert "chance" not in out
    assert "nan" not in out
