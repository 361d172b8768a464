"""How much a face moves: against NumPy, and what it shows that LMD hides."""

from __future__ import annotations

import math
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

import zoo.evaluation.metrics.motion as motion_module
from zoo.evaluation.footage import FACE_BOX, FACE_SIZE, Footage
from zoo.evaluation.judges import Judges
from zoo.evaluation.metrics.lmd import landmark_distance
from zoo.evaluation.metrics.motion import MotionRatio, motion, motion_ratio
from zoo.face import crop
from zoo.face.track import landmarks_in_boxes, track_face
from zoo.media.video import read_video

LIPS = slice(48, 68)


def points(seed: int, frames: int = 16) -> Tensor:
    return torch.randn(frames, 68, 2, generator=torch.Generator().manual_seed(seed)) * 5 + 100


def talking(frames: int = 75, phase: float = 0.0, seed: int = 0) -> Tensor:
    """A head that sways, with lower lip and jaw going up and down, and a detector that flickers a little."""
    draw = torch.Generator().manual_seed(seed)
    face = torch.rand(68, 2, generator=torch.Generator().manual_seed(9)) * 100 + 70
    time = torch.arange(frames) / 25
    moving = face.expand(frames, 68, 2).clone()
    opening = 4 * (torch.sin(2 * math.pi * 3 * time + phase) + torch.sin(2 * math.pi * 1.7 * time + phase))
    moving[:, [*range(5, 12), *range(54, 60), *range(64, 68)], 1] += opening[:, None]
    moving += 10 * torch.sin(2 * math.pi * 0.4 * time)[:, None, None]
    return moving + 0.1 * torch.randn(frames, 68, 2, generator=draw)


def by_hand(face: Tensor, which: list[int], measure: str, sigma: float) -> float:
    x = face.double().numpy()[:, which]
    x = x - x.mean(1, keepdims=True)
    if sigma:
        smoothed = np.zeros_like(x)
        for t in range(len(x)):
            weights = np.exp(-0.5 * ((np.arange(len(x)) - t) / sigma) ** 2)
            smoothed[t] = np.tensordot(weights / weights.sum(), x, 1)
        x = smoothed
    if measure == "speed":
        return float(
            np.mean([[np.hypot(*(b - a)) for a, b in zip(x[:-1, p], x[1:, p], strict=True)] for p in range(x.shape[1])])
        )
    return float(np.sqrt(((x - x.mean(0)) ** 2).sum(-1).mean()))


@pytest.mark.parametrize("region", ["mouth", "outside"])
@pytest.mark.parametrize("measure", ["extent", "speed"])
@pytest.mark.parametrize("smooth", [0.0, 1.0, 2.5])
def test_the_formula(region: str, measure: str, smooth: float) -> None:
    which = list(range(48, 68)) if region == "mouth" else list(range(48))
    setting = {"region": region, "measure": measure, "smooth": smooth}
    pred, real = points(1), points(2) * 1.2
    made, truth = (by_hand(side, which, measure, smooth) for side in (pred, real))
    assert motion(pred, **setting).item() == pytest.approx(made, rel=1e-10)
    assert motion(pred.numpy(), **setting) == motion(pred, **setting)
    assert motion_ratio(pred, real, **setting).item() == pytest.approx(made / truth, rel=1e-10)


def test_smoothing_is_a_gaussian_mean() -> None:
    """Away from the ends, as in SciPy, which repeats the last frame there."""
    x = points(1, 60)
    got = motion_module._smoothed(x.double(), torch.ones(60, dtype=torch.bool), 1.5)
    wanted = gaussian_filter1d(x.double().numpy(), 1.5, axis=0, truncate=12)
    assert np.abs(got.numpy() - wanted)[20:40].max() < 1e-9


def test_a_still_face_and_a_swaying_head_do_not_move() -> None:
    still = talking()[:1].expand(75, 68, 2)
    sway = 20 * torch.randn(75, 1, 2, generator=torch.Generator().manual_seed(0))
    for region in ("mouth", "outside"):
        for measure in ("extent", "speed"):
            assert motion(still, region=region, measure=measure) < 1e-10
            assert motion(still + sway, region=region, measure=measure) < 1e-4
            assert motion_ratio(still, talking(), region=region, measure=measure) < 1e-10


def test_regions_do_not_see_each_other() -> None:
    face, other = talking(), talking()
    other[:, :48] += points(3, 75)[:, :48]
    assert motion(other) == motion(face)
    assert motion(other, region="outside") > 2 * motion(face, region="outside")


def test_mumbling_lowers_lmd_and_the_ratio_tells() -> None:
    real, out_of_step = talking(), talking(phase=2.0, seed=1)
    centre = out_of_step[:, LIPS].mean(1, keepdim=True)
    shape = (out_of_step[:, LIPS] - centre).mean(0)
    distances, ratios = [], []
    for share in (1.0, 0.6, 0.3, 0.0):
        mumbled = out_of_step.clone()
        mumbled[:, LIPS] = centre + shape + share * (out_of_step[:, LIPS] - centre - shape)
        distances.append(landmark_distance(mumbled, real).item())
        ratios.append(motion_ratio(mumbled, real).item())
    assert distances == sorted(distances, reverse=True)  # the less it moves, the better LMD finds it
    assert distances[-1] < 0.75 * distances[0]
    assert ratios == pytest.approx([ratios[0] * share for share in (1.0, 0.6, 0.3, 0.0)], abs=1e-5)
    assert ratios[0] == pytest.approx(1.0, abs=0.1)


def test_trembling_shows_in_speed() -> None:
    real = talking()
    trembling = real + 1.5 * torch.randn(75, 68, 2, generator=torch.Generator().manual_seed(5))
    assert motion_ratio(trembling, real, measure="speed", smooth=0.0) > 2
    assert motion_ratio(trembling, real) < 1.25


def test_smoothing_lowers_the_floor_of_flickering_points() -> None:
    real = talking()
    frozen = real[:1] + 0.5 * torch.randn(75, 68, 2, generator=torch.Generator().manual_seed(5))
    plain, smoothed = (motion_ratio(frozen, real, smooth=sigma).item() for sigma in (0.0, 1.0))
    assert smoothed < 0.65 * plain


def test_hidden_frames_do_not_count() -> None:
    pred, real = talking(20), talking(20, seed=1)
    seen = torch.ones(20, dtype=torch.bool)
    seen[[4, 5, 11]] = False
    wild = pred.clone()
    wild[~seen] = 1e6
    for measure in ("extent", "speed"):
        for smooth in (0.0, 1.0):
            assert motion(wild, measure=measure, smooth=smooth, seen=seen) == motion(
                pred, measure=measure, smooth=smooth, seen=seen
            )
    kept = [t for t in range(19) if seen[t] and seen[t + 1]]
    lips = pred[:, LIPS].double() - pred[:, LIPS].double().mean(1, keepdim=True)
    steps = (lips[1:] - lips[:-1])[kept].norm(dim=-1).mean()
    assert motion(wild, measure="speed", smooth=0.0, seen=seen).item() == pytest.approx(steps.item())
    wild[7] = torch.nan
    metric = MotionRatio()
    metric.update("a", wild, real, seen)
    seen[7] = False
    (row,) = metric.rows()
    assert (row.scored, row.total, row.reason) == (16, 20, "4 frames without a face")
    assert metric.compute().item() == pytest.approx(
        (motion(wild.nan_to_num(), seen=seen) / motion(real, seen=seen)).item(), rel=1e-12
    )


def test_over_clips_it_is_the_ratio_of_sums() -> None:
    real = talking()
    metric = MotionRatio()
    metric.update("lively", 0.5 * real, real)
    hardly = real[:1] + 0.05 * (real - real[:1])
    metric.update("quiet", real, hardly)
    metric.update("frozen", real, real[:1].expand_as(real))
    one, slow = motion(real), motion(hardly)
    result = metric.result()
    assert result.value == pytest.approx(((0.5 * one + one) / (one + slow)).item())
    assert (result.clips, result.total, result.coverage) == (2, 3, 2 / 3)
    assert result.reason == "the real face does not move"
    assert metric.clip_value(metric.rows()[2]) == pytest.approx((one / slow).item())
    assert result.signature.startswith("motion|region:mouth|measure:extent|smooth:1.0|zoo:")
    assert metric.higher_is_better is None


def test_what_cannot_be_scored() -> None:
    real = talking(6)
    metric = MotionRatio(measure="speed")
    metric.update("short", real[:1], real)
    metric.update("alternating", real, real, torch.tensor([1, 0, 1, 0, 1, 0]).bool())
    metric.update("empty", real[:0], real[:0])
    assert metric.compute().isnan()
    assert {row.clip: row.reason for row in metric.rows()} == {
        "short": "5 frames missing",
        "alternating": "3 frames without a face",
        "empty": "no frames",
    }
    one = MotionRatio()
    one.update("one", real[:1], real[:1])
    assert one.result().reason == "fewer than two frames"


def test_wrong_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    real = talking(6)
    for make in (MotionRatio, lambda **setting: motion(real, **setting)):
        with pytest.raises(ValueError, match="region is one of mouth, outside, not 'jaw'"):
            make(region="jaw")
        with pytest.raises(ValueError, match="measure is one of extent, speed, not 'jerk'"):
            make(measure="jerk")
        with pytest.raises(ValueError, match="0 or more, not -1"):
            make(smooth=-1)
    with pytest.raises(ValueError, match=r"shape \(T, 68, 2\); got \(6, 20, 2\)"):
        motion(real[:, :20])
    with pytest.raises(ValueError, match="needs a frame"):
        motion(real[:0])
    with pytest.raises(ValueError, match="speed needs two frames in a row"):
        motion(real[:1], measure="speed")
    with pytest.raises(ValueError, match="equally many frames; got 6 and 5"):
        motion_ratio(real, real[:5])
    with pytest.raises(ValueError, match="moves by 0 px"):
        motion_ratio(real, torch.zeros_like(real))


def test_observe() -> None:
    def side(face: Tensor) -> Footage:
        shown = torch.ones(len(face), dtype=torch.bool)
        frames = torch.zeros(len(face), 3, 8, 8, dtype=torch.uint8)
        made = Footage(frames, torch.zeros(640 * len(face)), face, shown, Judges())
        made.__dict__["points"] = face
        return made

    real = talking()
    metric = MotionRatio(region="outside")
    metric.observe("a", side(0.5 * real[:60]), side(real))
    (row,) = metric.rows()
    assert (row.scored, row.total, row.reason) == (60, 75, "15 frames missing")
    assert metric.compute().item() == pytest.approx(0.5)


@pytest.mark.grid
def test_a_real_mouth_moves_and_its_still_does_not(grid_root: Path) -> None:
    frames = read_video(grid_root / "s2" / "pwij3p.mpg").frames
    landmarks = track_face(frames).landmarks

    def judged(pictures: Tensor, where: Tensor) -> Tensor:
        faces = crop.place_crops(where, "face", (FACE_SIZE, FACE_SIZE)).cut(pictures, range(len(pictures)))
        return landmarks_in_boxes(faces, torch.tensor([FACE_BOX]).expand(len(faces), 4))

    real = judged(frames, landmarks)
    still = judged(frames[:1].expand_as(frames), landmarks[:1].expand_as(landmarks))
    assert 1.0 < motion(real) < 5.0  # px of the 256 px face
    assert motion(real) > 1.2 * motion(real, region="outside")
    for region in ("mouth", "outside"):
        assert motion_ratio(still, real, region=region) < 1e-9
