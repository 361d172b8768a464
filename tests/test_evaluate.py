"""Rows are kept once per clip and reduced once; the judge sees real, still and generated pictures alike."""

import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from zoo.data.store import Store
from zoo.data.windows import Draw, Windows
from zoo.evaluate import Row, gather, judged_landmarks, paste_back, score_clip, summary, unique
from zoo.spec import InputSpec

ROWS = [
    asdict(row) for row in (Row("b", "s1", 75, 2.0, 4.0), Row("a", "s1", 10, 1.0, 2.0), Row("c", "s2", 75, 3.0, 3.0))
]


def test_each_clip_counts_once():
    assert [row["clip"] for row in unique([*ROWS, ROWS[0], ROWS[2]])] == ["a", "b", "c"]
    assert unique([]) == []
    assert gather(ROWS) == ROWS  # one process


def test_summary_is_the_mean_over_clips():
    found = summary(ROWS)
    assert (found["clips"], found["speakers"], found["lmd"], found["lmd_still"]) == (3, 2, 2.0, 3.0)
    assert found["better_than_still"] == pytest.approx(1 / 3, abs=1e-4)
    assert "256" in found["protocol"]


def test_nothing_scored_is_not_a_perfect_score():
    found = summary([])
    assert found["clips"] == 0
    assert math.isnan(found["lmd"])
    assert found["better_than_still"] is None
    assert summary([asdict(Row("a", "s", 1, 0.5, 0.0))])["better_than_still"] is None


def crops_of(store: Store, spec: InputSpec) -> torch.Tensor:
    return Windows(store, spec)[Draw(0, None)].frames.float() / 255


def test_the_real_mouth_beats_a_late_one_and_both_beat_the_still(tiny_store: Path):
    store, spec = Store(tiny_store), InputSpec(size=(192, 192), paste="lower")
    clip, crops = store.clip(0), crops_of(Store(tiny_store), spec)
    real = score_clip(crops, clip, spec)
    late = score_clip(crops.roll(3, 0), clip, spec)
    assert (real.clip, real.speaker, real.frames) == (clip.id, clip.speaker, len(clip.frames))
    assert real.lmd < 0.35 * real.lmd_still
    assert real.lmd + 0.3 < late.lmd < late.lmd_still == real.lmd_still
    found = judged_landmarks(clip.frames, clip.landmarks)
    assert found.min() > 0
    assert found.max() < 256


def test_a_frozen_mouth_scores_as_the_still_does(tiny_store: Path):
    """Laid over the real video, its seam and jaw would tell of the true mouth: it scored up to 20 % better."""
    store, spec = Store(tiny_store), InputSpec(paste="lower")
    clip = store.clip(0)
    frozen = crops_of(store, spec)[:1].expand(len(clip.frames), -1, -1, -1).contiguous()
    row = score_clip(frozen, clip, spec)
    assert row.lmd == pytest.approx(row.lmd_still, rel=0.06)


def test_pasting_back_uses_the_methods_own_crop(tiny_store: Path):
    clip = Store(tiny_store).clip(0)
    for kind in ("face", "mouth", "aligned"):
        spec = InputSpec(crop=kind)
        made = paste_back(clip.frames[:3], torch.ones(3, 3, 96, 96), clip.landmarks[:3], spec)
        x, y = clip.landmarks[1, 60:68].mean(0).round().long().tolist()
        assert (made[1, :, y, x] == 255).all()
        assert torch.equal(made[:, :, 0], clip.frames[:3, :, 0])
