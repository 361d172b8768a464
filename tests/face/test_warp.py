"""A photograph that moves as its landmarks say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.helpers.inputs import photograph
from zoo.data.store import Store
from zoo.face.backends import make_detector, make_landmarker
from zoo.face.crop import upright
from zoo.face.mouth import LOWER_LIP, close_mouth, eye_distance, lip_gap
from zoo.face.warp import FaceWarp


@pytest.fixture(scope="module")
def face() -> tuple[Tensor, Tensor]:
    """A photograph in [0, 1] of a smile, and its landmarks."""
    picture = photograph()
    box = make_detector("dlib").detect(picture)[0]
    return picture.float() / 255, make_landmarker("dlib").landmarks(picture, box)


def opened(points: Tensor, share: float) -> Tensor:
    """The lower lip and the chin lower by a share of the eyes' distance."""
    moved = points.clone()
    down = torch.tensor([0.0, share * float(eye_distance(points[None]))])
    moved[list(LOWER_LIP)] += down
    moved[4:13] += 0.7 * down
    return moved


def seen(picture: Tensor, points: Tensor) -> Tensor:
    """Landmarks as a tracker finds them in a picture."""
    box = make_detector("dlib").detect((picture * 255).round().to(torch.uint8))[0]
    return make_landmarker("dlib").landmarks((picture * 255).round().to(torch.uint8), box)


def test_where_nothing_moves_it_is_the_picture(face: tuple[Tensor, Tensor]):
    picture, points = face
    assert torch.equal(FaceWarp(picture, points).render(points[None].expand(3, -1, -1)), picture.expand(3, -1, -1, -1))


def test_a_mouth_opens_and_closes_as_it_is_told(face: tuple[Tensor, Tensor]):
    """As dlib sees it, which knows nothing of the warp."""
    picture, points = face
    targets = torch.stack([close_mouth(points), opened(close_mouth(points), 0.15), opened(close_mouth(points), 0.3)])
    frames = FaceWarp(picture, points).render(targets)
    gaps = lip_gap(torch.stack([seen(frame, points) for frame in frames]))
    wanted = lip_gap(targets)
    assert wanted[0] < 0.01
    assert gaps[0] < 0.08
    assert (gaps - wanted).abs().max() < 0.1
    assert gaps[0] + 0.08 < gaps[1] < gaps[2] - 0.05


def test_nothing_changes_above_the_nose_and_beside_the_face(face: tuple[Tensor, Tensor]):
    picture, points = face
    (frame,) = FaceWarp(picture, points).render(opened(points, 0.25)[None])
    eyes = float(eye_distance(points[None]))
    assert torch.equal(frame[:, : int(points[17:27, 1].min())], picture[:, : int(points[17:27, 1].min())])
    around = (frame[:, : int(points[36:48, 1].max())] - picture[:, : int(points[36:48, 1].max())]).abs().max()
    assert around < 0.25  # the skin below the eyes gives by parts of a pixel
    left, right = int(points[:, 0].min() - 0.6 * eyes), int(points[:, 0].max() + 0.6 * eyes)
    assert torch.equal(frame[:, :, :left], picture[:, :, :left])
    assert torch.equal(frame[:, :, right:], picture[:, :, right:])
    low = int(points[8, 1] + 1.5 * eyes)
    assert torch.equal(frame[:, low:], picture[:, low:])


def test_the_skin_is_neither_torn_nor_folded(face: tuple[Tensor, Tensor]):
    """Beside the mouth neighbouring pixels come from neighbouring places."""
    picture, points = face
    ramp = torch.arange(picture.shape[1]).float()[:, None].expand(picture.shape[1], picture.shape[2]) / 512
    (frame,) = FaceWarp(ramp.expand(3, -1, -1).contiguous(), points).render(opened(points, 0.3)[None])
    x = int(points[54, 0] + 0.12 * float(eye_distance(points[None])))  # just beside the corner
    column = frame[0, int(points[33, 1]) : int(points[8, 1]) + 20, x]
    steps = column.diff() * 512
    assert steps.min() > 0.2
    assert steps.max() < 2.5


def test_teeth_stand_with_the_skull_and_what_the_photograph_shows_is_kept(face: tuple[Tensor, Tensor]):
    picture, points = face
    (frame,) = FaceWarp(picture, points).render(opened(points, 0.2)[None])
    x, y = (points[62] * 0.5 + points[66] * 0.5).round().long().tolist()  # between the lips of the smile: upper teeth
    assert (frame[:, y, x] - picture[:, y, x]).abs().max() < 0.06


def test_the_inside_of_a_closed_mouth_is_drawn_dark_and_light(tiny_store: Path):
    clip = Store(tiny_store).clip(0)
    still = int(lip_gap(clip.landmarks).argmin())
    picture, points = clip.frames[still].float() / 255, clip.landmarks[still]
    (frame,) = FaceWarp(picture, points).render(opened(points, 0.35)[None])
    target = opened(points, 0.35)
    x, top, low = int(target[62, 0]), int(target[62, 1]) + 2, int(target[66, 1]) - 1
    inside = frame[:, top:low, x].mean(0)
    assert inside.max() > inside.min() + 0.2  # teeth, and the dark behind them
    lips = picture[:, int(points[66, 1]) + 2, x].mean()
    assert inside.min() < 0.6 * lips


def test_faces_far_too_large_or_half_outside(face: tuple[Tensor, Tensor]):
    picture, points = face
    x0, y0 = int(points[:, 0].mean()), int(points[27, 1])
    part, moved = picture[:, y0:, x0:].contiguous(), points - torch.tensor([float(x0), float(y0)])
    frames = FaceWarp(part, moved).render(opened(moved, 0.2)[None])
    assert frames.shape == (1, *part.shape)
    assert frames.isfinite().all()
    far = FaceWarp(picture, points).render(points[None] + 4000)
    assert far.isfinite().all()


def test_shapes_without_the_head(tiny_store: Path):
    points = Store(tiny_store).clip(0).landmarks
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    assert torch.allclose(upright(points), upright(1.7 * points @ turn.T + 30), atol=1e-4)
