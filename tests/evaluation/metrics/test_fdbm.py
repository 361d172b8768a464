"""FDBM against numpy.fft, to the last frequency."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import rgb2gray

from zoo.evaluation.metrics.fdbm import FDBM, fdbm


@pytest.fixture(scope="session")
def photograph() -> NDArray[np.float64]:
    return np.asarray(np.round(rgb2gray(data.astronaut()) * 255))


def count(picture: NDArray[np.float64]) -> int:
    """The paper's algorithm."""
    amplitude = np.abs(np.fft.fftshift(np.fft.fft2(picture)))
    return int((amplitude > amplitude.max() / 1000).sum())


def test_against_numpy(photograph: NDArray[np.float64]):
    rng = np.random.default_rng(0)
    for size in [(64, 64), (64, 65), (63, 64), (63, 65), (2, 2), (1, 5), (5, 1), (31, 1), (40, 2)]:
        crop = photograph[100 : 100 + size[0], 200 : 200 + size[1]]
        frames = np.stack([crop, gaussian_filter(crop, 1.3), rng.random(size) * 255, np.full(size, 9.0)])
        got = fdbm(torch.tensor(frames))
        assert (got * size[0] * size[1]).round().int().tolist() == [count(frame) for frame in frames]
    assert fdbm(torch.tensor(frames)).dtype == torch.float64


def test_on_many_crops(photograph: NDArray[np.float64]):
    frames = np.stack([photograph[3 * i : 3 * i + 256, 2 * i : 2 * i + 256] for i in range(40)])
    assert (fdbm(frames) * 256 * 256).round().int().tolist() == [count(frame) for frame in frames]


def test_properties(photograph: NDArray[np.float64]):
    crop = torch.tensor(photograph[None, 100:228, 200:328])
    value = fdbm(crop)
    assert fdbm(crop / 4) == value
    assert fdbm(crop.to(torch.uint8)) == value
    assert fdbm(crop.clamp(min=100)) != fdbm(crop.clamp(min=100) - 99)  # brightness matters
    blurred = [fdbm(torch.tensor(gaussian_filter(photograph[100:228, 200:328], s)[None])).item() for s in (0.5, 1, 2)]
    assert value.item() > blurred[0] > blurred[1] > blurred[2] > 0
    assert fdbm(torch.zeros(1, 8, 8)).item() == 0
    assert fdbm(torch.full((1, 8, 8), 3.0)).item() == 1 / 64
    assert fdbm(torch.zeros(0, 8, 8)).shape == (0,)


def test_what_cannot_be_scored():
    with pytest.raises(ValueError, match=r"fdbm: needs grey levels 0\.\.255, got -1\.\.1"):
        fdbm(torch.linspace(-1, 1, 64).reshape(1, 8, 8))
    with pytest.raises(ValueError, match="pictures with pixels, got 8x0"):
        fdbm(torch.zeros(1, 0, 8))


def test_the_metric(photograph: NDArray[np.float64]):
    frames = torch.tensor(np.stack([photograph[i : i + 64, 100:164] for i in range(4)]))
    metric = FDBM()
    metric.update("a", frames, torch.tensor([True, False, True, True]))
    metric.update("b", frames[:0])
    a, b = metric.rows()
    assert metric.clip_value(a) == pytest.approx(fdbm(frames)[[0, 2, 3]].mean().item())
    assert (a.scored, a.total, a.reason) == (3, 4, "1 frame without a face")
    assert (b.stats, b.reason) == ((), "no frames")
