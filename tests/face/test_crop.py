"""Crops lie where the face is, tell nothing about the mouth, and scale a picture once without shifting it."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.drawn import head, head_movement
from zoo.face import crop
from zoo.media.clip import MOUTH

SPEECH = [*range(17), *range(48, 68)]
"""Points that speech moves: jaw line and lips."""


def talk(landmarks: Tensor) -> Tensor:
    """The same head with its jaw and lips somewhere else."""
    moved = landmarks.clone()
    moved[:, SPEECH] += torch.randn(len(landmarks), len(SPEECH), 2, generator=torch.Generator().manual_seed(0)) * 9
    return moved


@pytest.mark.parametrize("kind", ["face", "aligned"])
def test_the_crop_does_not_follow_the_mouth(kind: str):
    landmarks = head_movement(40)
    still = crop.place_crops(landmarks, kind, (96, 96))
    talking = crop.place_crops(talk(landmarks), kind, (96, 96))
    assert torch.equal(still.matrices, talking.matrices)


def test_the_mouth_crop_does():
    landmarks = head_movement(40)
    assert not torch.equal(crop.mouth_boxes(landmarks), crop.mouth_boxes(talk(landmarks)))


@pytest.mark.parametrize("kind", ["face", "aligned"])
def test_lips_are_in_the_lower_half_and_the_chin_inside(kind: str):
    landmarks = head_movement(60)
    crops = crop.place_crops(landmarks, kind, (96, 96))
    points = crop.map_points(landmarks, crops.matrices)
    assert points[:, MOUTH, 1].min() > 48
    assert points[:, 8, 1].max() < 94
    assert points[:, [36, 45], 1].max() < 48


def test_the_similarity_is_found_exactly():
    angle, scale, shift = 0.4, 31.0, torch.tensor([12.5, -7.25])
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    landmarks = (scale * head() @ turn.T + shift)[None]
    expected = torch.cat([scale * turn, shift[:, None]], dim=1)
    assert torch.allclose(crop.fit_similarity(landmarks)[0], expected, atol=1e-4)


def test_smoothing_is_a_gaussian_mean_cut_at_the_ends():
    values = np.random.default_rng(0).normal(size=(50, 3)) + 500
    time = np.arange(50)
    for sigma in (crop.POSITION_SIGMA, crop.SIZE_SIGMA):
        weights = np.exp(-0.5 * ((time[:, None] - time) / sigma) ** 2)
        expected = weights / weights.sum(1, keepdims=True) @ values
        assert np.allclose(crop._smooth(torch.tensor(values).float(), sigma), expected, atol=1e-4)
    assert crop._smooth(torch.tensor([[3.0, 4.0]]), 8.0).tolist() == [[3.0, 4.0]]


def test_an_hour_of_video_needs_little_memory():
    """Smoothing once made a table of frames by frames: 30 GB for an hour."""
    landmarks = head_movement(25)[:1].expand(90_000, -1, -1)
    assert crop.place_crops(landmarks, "face", (96, 96)).matrices.shape == (90_000, 2, 3)


def test_a_crop_at_native_size_is_the_pixels_themselves():
    frames = torch.randint(0, 256, (2, 3, 60, 70), dtype=torch.uint8)
    boxes = torch.tensor([[10, 5, 50, 45], [30, 20, 70, 60]])
    assert torch.equal(crop.cut_boxes(frames, boxes, (40, 40))[0], frames[0, :, 5:45, 10:50])
    assert torch.equal(crop.cut_boxes(frames, boxes, (40, 40))[1], frames[1, :, 20:60, 30:70])
    shift = torch.tensor([[[1.0, 0, 10], [0, 1, 5]]])
    assert torch.equal(crop.warp(frames[:1], shift, (40, 40))[0], frames[0, :, 5:45, 10:50])


def test_outside_the_picture_its_edge_goes_on():
    frames = torch.randint(0, 256, (1, 3, 20, 20), dtype=torch.uint8)
    cut = crop.cut_boxes(frames, torch.tensor([[-5, -3, 10, 12]]), (15, 15))[0]
    assert torch.equal(cut[:, 3:, 5:], frames[0, :, :12, :10])
    assert (cut[:, 3:, :5] == frames[0, :, :12, :1]).all()
    beyond = crop.cut_boxes(frames, torch.tensor([[30, 30, 40, 40]]), (10, 10))[0]
    assert (beyond == frames[0, :, -1:, -1:]).all()


def test_making_smaller_averages():
    ys, xs = torch.meshgrid(torch.arange(192), torch.arange(192), indexing="ij")
    board = (255 * ((ys + xs) % 2)).to(torch.uint8).expand(1, 3, -1, -1).contiguous()
    cut = crop.cut_boxes(board, torch.tensor([[0, 0, 192, 192]]), (48, 48))
    warped = crop.warp(board, torch.tensor([[[4.0, 0, 1.5], [0, 4, 1.5]]]), (48, 48))
    assert (cut.int() - 127).abs().max() <= 2
    assert (warped.int() - 127).abs().max() <= 2


def test_points_go_to_the_crop_and_back():
    landmarks = head_movement(10)
    matrices = crop.aligned_matrices(landmarks, (80, 96))
    points = crop.map_points(landmarks, matrices)
    back = points @ matrices[:, :, :2].mT + matrices[:, None, :, 2]
    assert torch.allclose(back, landmarks, atol=1e-3)


def test_the_store_keeps_more_than_every_face_box():
    landmarks = head_movement(30, centre=(200.0, 180.0))
    x0, y0, x1, y1 = crop.store_box(landmarks, 400, 420)
    boxes = crop.crop_boxes(landmarks, "face")
    assert x0 < boxes[:, 0].min()
    assert y0 < boxes[:, 1].min()
    assert x1 > boxes[:, 2].max()
    assert y1 > boxes[:, 3].max()
    assert crop.store_box(landmarks, 190, 210)[2:] == (210, 190)
