"""One LMD: `zoo fit`, `zoo test` and `zoo benchmark` give the same numbers for the same weights and clips."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.cli import main
from zoo.cli.output import print_scores
from zoo.data.store import Store
from zoo.evaluation.rows import Row
from zoo.evaluation.single import METRICS, SingleCell, at_chance
from zoo.face.crop import place_crops
from zoo.face.mouth import lip_gap
from zoo.face.paste import blank_lower_face, paste_back
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
    """A method whose mouth never moves, over the moving video whose lower face was blanked."""

    over_still = False

    def make(self, scene: Scene) -> Tensor:
        spec = InputSpec(paste="lower")
        crops = place_crops(scene.still[:1], spec.crop, spec.size).cut(scene.clip.frames[:1], [0]).float() / 255
        frozen = crops.expand(len(scene.clip.frames), -1, -1, -1).contiguous()
        moving = blank_lower_face(scene.clip.frames, scene.clip.landmarks)
        return paste_back(moving, frozen, scene.clip.landmarks, spec)


def test_a_frozen_mouth_scores_no_better_than_the_still(tmp_path: Path, grid_root: Path, tiny_run: Path):
    """On real clips, over the moving head: laid over the bare video, its seam and jaw told of the true mouth."""
    raw = tmp_path / "grid"
    for video in [path for speaker in ("s1", "s2") for path in sorted((grid_root / speaker).glob("*.mpg"))[:3]]:
        (raw / video.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(video, raw / video.parent.name)
    assert main.run(["data", "prepare", "grid", "--root", str(raw), "--out", str(tmp_path / "store")]) == 0
    settings = resolve(registry.method("lipgan"), ["data=grid", f"data.root={tmp_path}/store", "data.split=by-clip"])
    cell = SingleCell(settings, tiny_run / "weights.safetensors", torch.device("cpu"))
    cell.subjects["lipgan"] = Frozen()
    every = range(len(cell.evaluation_set.store.clips))
    scores = cell.summary(cell.rows([cell.evaluation_set.info(index).id for index in every]))
    assert scores["clips"] == len(every) >= 4
    assert scores["lmd"] > 0.97 * scores["lmd_still"]
    assert scores["sync_acc"] == pytest.approx(scores["sync_acc_still"], abs=0.05)
    assert scores["motion"] < 0.25


def test_nothing_of_the_true_mouth_is_left_where_it_was_blanked(tiny_store: Path):
    clip = Store(tiny_store).clip(0)
    blank = blank_lower_face(clip.frames, clip.landmarks)
    place = place_crops(clip.landmarks, "face", (96, 96))
    before, after = (place.cut(frames, range(len(clip.frames))).float() for frames in (clip.frames, blank))
    lower = (slice(None), slice(None), slice(56, 92), slice(8, 88))
    first = after[lower][:1]
    assert (before[lower] - first).abs().mean() > 2 * (after[lower] - first).abs().mean()
    assert (after[lower] - first).abs().mean() < 3
    assert torch.equal(blank[:, :, :20], clip.frames[:, :, :20])


def rows(*pairs: tuple[float | None, float | None], speakers: int = 1) -> list[Row]:
    """Rows of sync accuracy: of the method and of the still, clip by clip."""
    found = []
    for number, pair in enumerate(pairs):
        for method, value in zip(("lipgan", "still"), pair, strict=True):
            found.append(
                Row("", "test", method, 0, "reconstruction", "", f"{number}", f"s{number % speakers}", "sync_acc", "p",
                    value, () if value is None else (value, 1.0), 1, 1)
            )  # fmt: skip
    return found


def test_synchrony_is_at_chance_where_the_still_is_in_sync_as_often():
    assert at_chance(rows((0.6, 0.2), (0.5, 0.3), (0.7, 0.25)), "lipgan") is False
    assert at_chance(rows((0.3, 0.2), (0.1, 0.3), (0.25, 0.25)), "lipgan") is True
    assert at_chance(rows(*[(0.2, 0.2)] * 5), "lipgan") is True
    for few in ([], rows((None, 0.2)), rows((0.26, 0.25))):
        assert at_chance(few, "lipgan") is None, "one clip tells nothing"


def test_clips_of_one_speaker_are_alike_for_chance():
    """Half of the speakers gain, half lose: 80 clips are no more than their eight speakers."""
    gains = [(0.5, 0.2) if number % 8 < 5 else (0.2, 0.5) for number in range(80)]
    assert at_chance(rows(*gains, speakers=80), "lipgan") is False
    assert at_chance(rows(*gains, speakers=8), "lipgan") is True


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


def test_a_clip_that_begins_open_is_compared_with_a_closed_still(
    tiny_store: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
):
    settings = resolve(registry.method("lipgan"), [f"data.root={tiny_store}", "data.clips=6"])
    cell = SingleCell(settings, tiny_run / "weights.safetensors", torch.device("cpu"))
    scene, name = cell.evaluation_set.scene, cell.evaluation_set.info(cell.evaluation_set.test[0]).id

    def opened(index: int, *, foreign: bool) -> Scene:
        found = scene(index, foreign=foreign)
        widest = int(lip_gap(found.clip.landmarks).argmax())
        order = [widest, *range(1, len(found.clip.frames))]
        clip = replace(found.clip, frames=found.clip.frames[order], landmarks=found.clip.landmarks[order])
        return replace(found, clip=clip)

    cell.evaluation_set.scene = opened  # type: ignore[method-assign]
    rows = cell.rows([name])
    assert {row.method for row in rows} == {"lipgan", "still", "closed-still"}
    scores = cell.summary(rows)
    assert scores["clips_begun_open"] == 1
    assert scores["lmd_closed_still"] < scores["lmd_still"]
    assert scores["motion_closed_still"] == 0
    print_scores({"dataset": "d", "split": "s", "speaker_dependent": False} | scores)
    assert "its mouth closed (1 begins open)" in capsys.readouterr().out
    closed = cell.summary([row for row in rows if row.method != "closed-still"])
    assert closed["clips_begun_open"] == 0
    assert "lmd_closed_still" not in closed
