"""SSIM against scikit-image and piq."""

from __future__ import annotations

import time

import jaxtyping
import numpy as np
import piq
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity
from torch import Tensor

from zoo.evaluation.metrics.ssim import SSIM, ssim


@pytest.fixture(scope="session")
def pairs() -> tuple[Tensor, Tensor]:
    """Noisy, blurred, turned, flat and equal pictures beside a photograph, as whole grey levels."""
    photograph = np.round(rgb2gray(data.astronaut())[100:228, 150:300] * 255)
    noisy = np.clip(photograph + np.random.default_rng(0).normal(0, 10, photograph.shape), 0, 255)
    flat = np.full_like(photograph, 130)
    made = np.stack([noisy, gaussian_filter(photograph, 1.5), photograph[::-1, ::-1], flat, photograph])
    return torch.tensor(made).round(), torch.tensor(np.stack([photograph] * 5))


ORACLE = {
    "wang": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform7": {},
}


@pytest.mark.parametrize("variant", ["wang", "uniform7"])
def test_against_scikit_image(variant: str, pairs: tuple[Tensor, Tensor]):
    values = ssim(*pairs, variant=variant)
    want = [
        structural_similarity(b.numpy(), a.numpy(), data_range=255, **ORACLE[variant])
        for a, b in zip(*pairs, strict=True)
    ]
    assert values.dtype == torch.float64
    assert values.tolist() == pytest.approx(want, abs=1e-9)
    assert values.tolist() == sorted(values.tolist(), reverse=True) or len({round(v, 2) for v in want}) == 5
    levels = [side.to(torch.uint8) for side in pairs]
    assert torch.equal(ssim(*levels, variant=variant), values)
    assert torch.equal(ssim(*(side.numpy() for side in pairs), variant=variant), values)


def test_wang_against_piq(pairs: tuple[Tensor, Tensor]):
    want = piq.ssim(*(side[:, None] for side in pairs), data_range=255, downsample=False, reduction="none")
    assert ssim(*pairs).tolist() == pytest.approx(want.tolist(), abs=1e-9)


def test_properties(pairs: tuple[Tensor, Tensor]):
    made, real = pairs
    for variant in ("wang", "uniform7"):
        assert ssim(real, real, variant=variant).tolist() == pytest.approx([1] * 5, abs=1e-12)
        assert torch.allclose(ssim(made, real, variant=variant), ssim(real, made, variant=variant))
        assert ssim(made.transpose(1, 2), real.transpose(1, 2), variant=variant).tolist() == pytest.approx(
            ssim(made, real, variant=variant).tolist()
        )
    assert ssim(made[:0], real[:0]).shape == (0,)


def test_what_cannot_be_scored(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="wang needs pictures of at least 11 pixels a side, got 40x10"):
        ssim(torch.zeros(1, 10, 40), torch.zeros(1, 10, 40))
    with pytest.raises(ValueError, match=r"ssim: needs grey levels 0\.\.255"):
        ssim(torch.full((1, 20, 20), -4.0), torch.zeros(1, 20, 20))
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="pictures of one shape"):
        ssim(torch.zeros(1, 20, 20), torch.zeros(1, 20, 21))
    for call in (lambda: ssim(torch.zeros(1, 20, 20), torch.zeros(1, 20, 20), variant="x"), lambda: SSIM(variant="x")):
        with pytest.raises(ValueError, match="variant must be one of wang, uniform7; got 'x'"):
            call()


@pytest.mark.parametrize("variant", ["wang", "uniform7"])
def test_the_metric(variant: str, pairs: tuple[Tensor, Tensor]):
    metric = SSIM(variant=variant)
    metric.update("a", *pairs)
    metric.update("b", pairs[0][:2], pairs[1])
    values = ssim(*pairs, variant=variant)
    assert [metric.clip_value(row) for row in metric.rows()] == pytest.approx(
        [values.mean().item(), values[:2].mean().item()]
    )
    assert metric.rows()[1].reason == "3 frames missing"
    assert metric.result().signature.startswith(f"ssim|variant:{variant}|")


def test_a_clip_takes_well_below_half_a_second():
    made, real = torch.rand(2, 75, 256, 256, generator=torch.Generator().manual_seed(0)) * 255
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ssim(made[:1], real[:1])
        start = time.process_time()
        ssim(made, real)
        assert time.process_time() - start < 1.0  # 0.16 s on an idle core; this machine may be busy
    finally:
        torch.set_num_threads(threads)
