"""References: a still whose mouth is closed where the first frame's is open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from zoo.data.store import Store
from zoo.evaluation.evaluation_set import follow
from zoo.evaluation.metrics.lmd import landmark_distance
from zoo.evaluation.metrics.motion import motion_ratio
from zoo.face.mouth import lip_gap
from zoo.synthesis.scene import Scene
from zoo.synthesis.subjects import ClosedStill, Still, WarpTrue, closed_frame


@pytest.fixture
def scene(tiny_store: Path) -> Scene:
    store = Store(tiny_store)
    clip = store.clip(0)
    return Scene(clip, 0, store.clips[0], clip.wave)


def begun(scene: Scene, frame: int) -> Scene:
    """The same with another first frame."""
    order = [frame, *range(1, len(scene.clip.frames))]
    return replace(
        scene, clip=replace(scene.clip, frames=scene.clip.frames[order], landmarks=scene.clip.landmarks[order])
    )


def test_a_mouth_that_begins_open_is_closed_and_nothing_else_moves(scene: Scene):
    gap = lip_gap(scene.clip.landmarks)
    opened = begun(scene, int(gap.argmax()))
    closed = ClosedStill().make(opened)
    still = Still().make(opened)
    assert closed.shape == still.shape
    assert torch.equal(closed, closed[:1].expand_as(closed))
    # As a tracker sees it, which knows nothing of where the points were drawn.
    before, after = (float(lip_gap(follow(video[:1]).landmarks)) for video in (still, closed))
    assert after < 0.5 * before
    eyes = int(opened.clip.landmarks[0, 36:48, 1].max()) + 4
    assert torch.equal(closed[:, :, :eyes], still[:, :, :eyes])


def test_a_mouth_that_begins_closed_stays(scene: Scene):
    shut = begun(scene, int(lip_gap(scene.clip.landmarks).argmin()))
    assert closed_frame(shut) is None
    assert torch.equal(ClosedStill().make(shut), Still().make(shut))


def test_the_true_landmarks_move_the_still_as_the_real_mouth_moves(scene: Scene):
    made = WarpTrue().make(scene)
    assert made.shape == scene.clip.frames.shape
    real, warped, still = (
        follow(video).landmarks for video in (scene.clip.frames, made, Still().make(scene).contiguous())
    )
    assert landmark_distance(warped, real) < 0.5 * landmark_distance(still, real)
    assert 0.7 < motion_ratio(warped, real) < 1.3
    brows = int(scene.clip.landmarks[0, 17:27, 1].min()) - 10
    assert torch.equal(made[:, :, :brows], Still().make(scene)[:, :, :brows])
