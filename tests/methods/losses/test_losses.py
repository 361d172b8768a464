"""Losses against their formulas in NumPy."""

import numpy as np
import pytest
import torch

from zoo.methods.losses.contrastive import contrastive_loss
from zoo.methods.losses.reconstruction import LIP_MARGIN, lip_weights, weighted_l1


@pytest.mark.parametrize("margin", [1.0, 2.0])
def test_contrastive_loss(margin: float):
    distance = np.array([0.0, 0.3, 0.9, 1.0, 1.4, 2.0])
    for label in (np.zeros(6), np.ones(6), np.array([0, 1, 0, 1, 0, 1])):
        expected = np.mean((1 - label) * distance**2 + label * np.maximum(0, margin - distance) ** 2)
        got = contrastive_loss(torch.tensor(distance), torch.tensor(label).bool(), margin)
        assert got.item() == pytest.approx(expected, abs=1e-9)


def test_contrastive_loss_pulls_and_pushes():
    distance = torch.tensor([0.5, 0.5, 1.5], requires_grad=True)
    contrastive_loss(distance, torch.tensor([False, True, True]), 1.0).backward()
    assert distance.grad is not None
    assert distance.grad.sign().tolist() == [1, -1, 0]  # together: nearer; apart: further, up to the margin


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_weighted_l1(weight: float):
    random = np.random.default_rng(0)
    pred, target = random.random((2, 3, 30, 40)), random.random((2, 3, 30, 40))
    landmarks = np.zeros((2, 68, 2))
    landmarks[:, 48:, 0] = random.uniform(12, 24, (2, 20))
    landmarks[:, 48:, 1] = random.uniform(16, 22, (2, 20))
    expected = np.zeros((2, 3, 30, 40))
    for b in range(2):
        lips = landmarks[b, 48:].astype(np.float32)
        margin = LIP_MARGIN * (lips[:, 0].max() - lips[:, 0].min())
        for y in range(30):
            for x in range(40):
                inside = (lips.min(0) - margin <= [x, y]).all() and ([x, y] <= lips.max(0) + margin).all()
                expected[b, :, y, x] = (weight if inside else 1) * abs(pred[b, :, y, x] - target[b, :, y, x])
    weights = lip_weights(torch.tensor(landmarks).float(), (30, 40), weight)
    assert weights.shape == (2, 1, 30, 40)
    got = weighted_l1(torch.tensor(pred), torch.tensor(target), weights)
    assert got.item() == pytest.approx(expected.mean(), rel=1e-6)
    if weight == 1:
        assert (weights == 1).all()
        assert got.item() == pytest.approx(np.abs(pred - target).mean(), rel=1e-6)
