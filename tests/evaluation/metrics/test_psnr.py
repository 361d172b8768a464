"""PSNR against scikit-image, torchmetrics and NumPy's uint8 arithmetic."""

from __future__ import annotations

import jaxtyping
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

from zoo.evaluation.footage import grey_levels
from zoo.evaluation.metrics.psnr import PSNR, psnr


def pair(*shape: int, noise: float = 12.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    real = torch.randint(0, 256, shape, generator=generator).float()
    made = (real + noise * torch.randn(shape, generator=generator)).clamp(0, 255)
    return made.round(), real


@pytest.mark.parametrize("shape", [(4, 40, 50), (4, 3, 40, 50)])
def test_against_scikit_image_and_torchmetrics(shape: tuple[int, ...]):
    made, real = pair(*shape)
    made[1] = real[1].flip(-1)  # unrelated
    values = psnr(made, real)
    want = [
        peak_signal_noise_ratio(b.double().numpy(), a.double().numpy(), data_range=255)
        for a, b in zip(made, real, strict=True)
    ]
    assert values.dtype == torch.float64
    assert values.tolist() == pytest.approx(want, abs=1e-10)
    whole = psnr(made, real, variant="video")
    assert whole.shape == ()
    assert whole.item() == pytest.approx(
        peak_signal_noise_ratio(real.double().numpy(), made.double().numpy(), data_range=255), abs=1e-10
    )
    assert whole.item() == pytest.approx(torchmetrics_psnr(made.double(), real.double(), data_range=255.0).item())
    assert abs(whole.item() - values.mean().item()) > 1  # which mean is taken matters
    assert torch.equal(psnr(made.to(torch.uint8), real.to(torch.uint8)), values)


def by_the_published_line(made: np.ndarray, real: np.ndarray) -> float:
    error = np.mean((made - real) ** 2)
    return 100.0 if error == 0 else float(20 * np.log10(255.0 / np.sqrt(error)))


def test_the_legacy_variant_wraps():
    made, real = pair(6, 64, 64)
    made[1] = real[1]
    made[2] = torch.randint(0, 256, (64, 64)).float()  # unrelated
    values = psnr(made, real, variant="legacy-uint8")
    bytes_made, bytes_real = made.numpy().astype(np.uint8), real.numpy().astype(np.uint8)
    want = [by_the_published_line(a, b) for a, b in zip(bytes_made, bytes_real, strict=True)]
    assert values.tolist() == pytest.approx(want, abs=1e-12)
    assert values[1] == 100
    assert 27 < values[2] < 29
    assert psnr(made, real)[2] < 12
    assert psnr(real + 0.0, real, variant="legacy-uint8")[0] == 100


def test_the_legacy_variant_is_of_grey_pictures():
    made, real = (frames.to(torch.uint8) for frames in pair(3, 3, 32, 32))
    grey = [grey_levels(frames).round() for frames in (made, real)]
    assert torch.equal(psnr(made, real, variant="legacy-uint8"), psnr(*grey, variant="legacy-uint8"))


def test_properties():
    made, real = pair(3, 20, 20)
    assert torch.equal(psnr(made, real), psnr(real, made))
    assert psnr(real, real).isinf().all()
    assert psnr(real, real, variant="video").isinf()
    assert psnr(made[:0], real[:0]).shape == (0,)
    assert psnr(torch.full((1, 4, 4), 10.0), torch.full((1, 4, 4), 20.0)).item() == pytest.approx(28.1308036)


def test_what_cannot_be_scored(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match=r"psnr: needs grey levels 0\.\.255, got 0\.1\.\.1: multiply by 255"):
        psnr(torch.full((1, 8, 8), 9.0), torch.linspace(0.1, 1, 64).reshape(1, 8, 8))
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"pictures of one shape, got \(2, 8, 8\) and \(3, 8, 8\)"):
        psnr(torch.zeros(2, 8, 8), torch.zeros(3, 8, 8))
    for call in (lambda: psnr(torch.zeros(1, 8, 8), torch.zeros(1, 8, 8), variant="db"), lambda: PSNR(variant="db")):
        with pytest.raises(ValueError, match="variant must be one of float, video, legacy-uint8; got 'db'"):
            call()


def test_the_metric():
    made, real = pair(6, 32, 32)
    metric = PSNR()
    metric.update("a", made, real[:4], torch.tensor([True, True, False, True]))
    metric.update("b", made[:1], real[:1])
    metric.update("c", made[:0], real)
    a, b, c = metric.rows()
    frames = psnr(made, real)
    assert metric.clip_value(a) == pytest.approx(frames[[0, 1, 3]].mean().item())
    assert (a.scored, a.total, a.reason) == (3, 6, "2 frames missing, 1 frame without a face")
    assert (c.stats, c.total, c.reason) == ((), 6, "6 frames missing")
    result = metric.result()
    assert result.value == pytest.approx((metric.clip_value(a) + metric.clip_value(b)) / 2)
    assert (result.clips, result.total, result.coverage) == (2, 3, 4 / 13)
    assert result.signature.startswith("psnr|variant:float|")


@pytest.mark.parametrize("variant", ["float", "video", "legacy-uint8"])
def test_identical_pictures_do_not_hide_others(variant: str):
    made, real = pair(4, 32, 32)
    metric = PSNR(variant=variant)
    metric.update("same", real, real)
    assert metric.compute() == 100
    some = made.clone()
    some[0] = real[0]
    metric.update("some", some, real)
    same, mixed = (metric.clip_value(row) for row in metric.rows())
    want = psnr(some, real, variant=variant).clamp(max=100).mean().item()
    assert (same, mixed) == (100, pytest.approx(want))
    assert metric.compute().item() == pytest.approx((100 + want) / 2)
    assert metric.result().high < float("inf")


def test_which_frames_are_compared():
    """The crops' places decide: where they are the real video's, a face lost in the generated one is no excuse."""
    made, real = pair(4, 32, 32)
    seen = torch.tensor([True, True, True, False])
    for place, want in ((None, [1, 2]), ("real", [0, 1, 2])):
        side = Side(made, torch.tensor([False, True, True, True]), place)
        metric = PSNR()
        metric.observe("a", side, Side(real, seen, None))
        assert metric.compute().item() == pytest.approx(psnr(made, real)[want].mean().item())
        assert metric.rows()[0].scored == len(want)


class Side:
    """One side of a comparison."""

    def __init__(self, grey: Tensor, seen: Tensor, place: object):
        self.grey, self.seen, self.place = grey, seen, place

    def __len__(self) -> int:
        return len(self.grey)
