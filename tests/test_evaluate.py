"""Rows are kept once per clip and reduced once; the judge sees real, still and generated pictures alike."""

import math
from pathlib import Path

import pytest
import torch

from zoo.data.store import Store
from zoo.evaluate import Row, gather, judged_landmarks, paste_back, score_clip, summary, unique
from zoo.spec import InputSpec

ROWS = [Row("b", "s1", 75, 2.0, 4.0), Row("a", "s1", 10, 1.0, 2.0), Row("c", "s2", 75, 3.0, 3.0)]


def test_each_clip_counts_once():
    assert [row.clip for row in unique([*ROWS, ROWS[0], ROWS[2]])] == ["a", "b", "c"]
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
    assert summary([Row("a", "s", 1, 0.5, 0.0)])["better_than_still"] is None


def test_real_beats_wrong_and_a_still_beats_nothing(tiny_store: Path):
    store = Store(tiny_store)
    clip = store.clip(0)
    part = slice(20, 44)
    real, landmarks = clip.frames[part], clip.landmarks[part]
    perfect = score_clip("a", "s", real, real, landmarks)
    still = score_clip("a", "s", real[:1].expand_as(real), real, landmarks)
    late = score_clip("a", "s", clip.frames[26:50], real, landmarks)
    assert (perfect.lmd, perfect.frames) == (0.0, 24)
    assert perfect.lmd_still == still.lmd_still > 0
    assert still.lmd == pytest.approx(still.lmd_still, rel=0.25)  # the head moves on in the real clip
    assert late.lmd > 0.3
    found = judged_landmarks(real, landmarks)
    assert found.shape == (24, 68, 2)
    assert found.min() > 0
    assert found.max() < 256


def test_a_frozen_mouth_gains_nothing_from_being_laid_on_the_real_video(tiny_store: Path):
    """The seam once let the true lips shine through: a still mouth scored 20 % better than a still."""
    store = Store(tiny_store)
    clip, spec = store.clip(0), InputSpec(paste="lower")
    from zoo.data.windows import Draw, Windows

    crops = Windows(store, spec)[Draw(0, None)].frames[:1].expand(len(clip.frames), -1, -1, -1)
    made = paste_back(clip.frames, (crops.float() / 255).contiguous(), clip.landmarks, spec)
    row = score_clip("a", "s", made, clip.frames, clip.landmarks)
    assert row.lmd > 0.92 * row.lmd_still


def test_pasting_back_uses_the_methods_own_crop(tiny_store: Path):
    clip = Store(tiny_store).clip(0)
    for kind in ("face", "mouth", "aligned"):
        spec = InputSpec(crop=kind)
        made = paste_back(clip.frames[:3], torch.ones(3, 3, 96, 96), clip.landmarks[:3], spec)
        x, y = clip.landmarks[1, 60:68].mean(0).round().long().tolist()
        assert (made[1, :, y, x] == 255).all()
        assert torch.equal(made[:, :, 0], clip.frames[:3, :, 0])
