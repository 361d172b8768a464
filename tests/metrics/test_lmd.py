"""LMD against the paper's formula in NumPy, and what it must and must not notice."""

import doctest

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor

import zoo.metrics.lmd as lmd_module
from zoo.metrics.lmd import LandmarkDistance, landmark_distance


def points(seed: int, frames: int = 16) -> Tensor:
    return torch.randn(frames, 68, 2, generator=torch.Generator().manual_seed(seed)) * 5 + 100


def by_hand(pred: Tensor, target: Tensor, which: slice, align: bool) -> float:
    """(1/T)(1/P) sum over t and p of the length of (F - mean F) - (R - mean R)."""
    total = 0.0
    for made, real in zip(pred.double().numpy()[:, which], target.double().numpy()[:, which], strict=True):
        if align:
            made, real = made - made.mean(axis=0), real - real.mean(axis=0)
        total += sum(np.hypot(*(real[p] - made[p])) for p in range(len(made))) / len(made)
    return total / len(pred)


@pytest.mark.parametrize(("name", "which"), [("mouth20", slice(48, 68)), ("all68", slice(0, 68))])
@pytest.mark.parametrize("align", ["mean", "none"])
def test_the_formula(name: str, which: slice, align: str):
    pred, target = points(1), points(2)
    got = landmark_distance(pred, target, points=name, align=align).item()
    assert got == pytest.approx(by_hand(pred, target, which, align == "mean"), rel=1e-6)


def test_properties():
    pred, target = points(1), points(2)
    value = landmark_distance(pred, target)
    assert landmark_distance(pred, pred) == 0
    assert landmark_distance(target, pred) == value
    assert torch.isclose(landmark_distance(pred + torch.tensor([40.0, -7.0]), target), value, atol=1e-4)
    assert torch.isclose(landmark_distance(2 * pred, 2 * target), 2 * value)
    drift = torch.randn(16, 1, 2)
    assert torch.isclose(landmark_distance(pred + drift, target), value, atol=1e-4)  # frame by frame
    elsewhere = pred.clone()
    elsewhere[:, :48] += 50
    assert landmark_distance(elsewhere, target) == value  # the lips alone count
    assert landmark_distance(pred + 40, pred, align="none") == pytest.approx(40 * 2**0.5, rel=1e-5)


def test_wrong_lengths(monkeypatch: pytest.MonkeyPatch):
    # Users run without the tests' shape checks.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="equally many frames, at least one; got 3 and 4"):
        landmark_distance(points(0, 3), points(0, 4))
    with pytest.raises(ValueError, match="at least one"):
        landmark_distance(points(0, 0), points(0, 0))


def test_the_metric_is_the_mean_over_frames_of_all_clips():
    metric = LandmarkDistance()
    pairs = [(points(1, 5), points(2, 5)), (points(3, 20), points(4, 20))]
    for pred, target in pairs:
        metric.update(pred, target)
    pooled = landmark_distance(*(torch.cat(side) for side in zip(*pairs, strict=True)))
    assert metric.compute().item() == pytest.approx(pooled.item(), rel=1e-6)
    assert metric.compute().item() == pytest.approx(
        (5 * by_hand(*pairs[0], slice(48, 68), True) + 20 * by_hand(*pairs[1], slice(48, 68), True)) / 25, rel=1e-6
    )
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert metric.compute().isnan()
    whole = LandmarkDistance(points="all68", align="none")
    whole.update(*pairs[0])
    assert whole.compute().item() == pytest.approx(by_hand(*pairs[0], slice(0, 68), False), rel=1e-6)


def test_the_docstrings_example():
    assert doctest.testmod(lmd_module).failed == 0
