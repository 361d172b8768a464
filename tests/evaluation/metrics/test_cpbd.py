"""CPBD against MATLAB's fixtures and against cpbd-py312, step by step and as a whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cpbd as oracle
import jaxtyping
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import rgb2gray
from skimage.feature import canny as skimage_canny

from tests.helpers.paths import ROOT
from zoo.evaluation.metrics.cpbd import CPBD, cpbd, edge_widths, sharp_share
from zoo.evaluation.metrics.edges import canny, count_blocks, edge_blocks, sobel_edges

Picture = NDArray[np.float64]


@pytest.fixture(scope="session")
def matlab() -> dict[str, Picture]:
    """A picture (``input``) and MATLAB's ``sobel``, ``canny`` and ``marziliano`` of it."""
    root = Path(os.environ.get("ZOO_CPBD_ROOT", ROOT.parent / "shared" / "data" / "cpbd"))
    if not root.is_dir():
        message = f"no MATLAB fixtures in {root}: set ZOO_CPBD_ROOT"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    names = ("input", "sobel", "canny", "marziliano")
    return {name: np.loadtxt(root / f"reference_img1_{name}.txt", delimiter=",") for name in names}


@pytest.fixture(scope="session")
def photograph() -> Picture:
    """A portrait of 512x512 pixels as whole grey levels."""
    return np.round(rgb2gray(data.astronaut()) * 255)


def pictures(photograph: Picture) -> Iterator[Picture]:
    """Pictures of all sorts, of which some have edge blocks, all have or none has."""
    rng = np.random.default_rng(0)
    yield photograph[100:228, 150:290]
    yield rng.random((100, 130)) * 255
    yield rng.integers(0, 256, (64, 64)).astype(float)
    yield gaussian_filter(rng.random((100, 130)), 3) * 255
    yield np.round(gaussian_filter(photograph, 6))[:200, :256]
    yield gaussian_filter(rng.random((256, 256)), 9) * 40
    yield np.zeros((70, 70))
    half = np.full((128, 192), 90.0)  # flat, slanted, textured
    half[:, 64:128] += 0.03 * np.arange(64)
    half[:, 128:] = photograph[:128, 128:192]
    yield half
    few = np.full((128, 128), 90.0)  # rings of weak edges, of which the one that touches a strong edge counts
    few[20:24, 20:24] = 90.04
    few[80:84, 80:84] = 90.05
    few[84:86, 84:86] = 96
    yield few


def random_crops(source: Picture, count: int) -> Iterator[Picture]:
    """Crops of several sizes, as they are, blurred, noisy or scaled, whole numbers or not."""
    rng = np.random.default_rng(7)
    for i in range(count):
        height, width = rng.integers(64, 200, 2)
        y, x = rng.integers(0, source.shape[0] - height), rng.integers(0, source.shape[1] - width)
        crop = source[y : y + height, x : x + width]
        if i % 4 == 1:
            crop = gaussian_filter(crop, rng.uniform(0.3, 4))
        elif i % 4 == 2:
            crop = np.clip(crop + rng.normal(0, rng.uniform(0.2, 20), crop.shape), 0, 255)
        elif i % 4 == 3:
            crop = crop * rng.uniform(0.02, 0.3) + 1
        yield np.round(crop) if i % 3 else crop


def test_matlabs_edge_map_and_widths(matlab: dict[str, Picture]):
    edges = sobel_edges(matlab["input"], "matlab", 4.0)
    assert (edges != (matlab["sobel"] > 0)).sum() == 0
    assert (sobel_edges(matlab["input"].astype(np.float32), "matlab", 4.0) != edges).sum() == 0
    assert (edge_widths(matlab["input"], edges) != matlab["marziliano"]).sum() == 0
    assert (matlab["marziliano"] > 0).sum() == 9585


def test_matlabs_scores(matlab: dict[str, Picture]):
    edges = matlab["sobel"] > 0
    assert sharp_share(matlab["input"], edges, count_blocks(matlab["canny"] > 0)) == pytest.approx(0.1349, abs=5e-5)
    assert cpbd(torch.tensor(matlab["input"])[None]).item() == pytest.approx(0.1352566, abs=1e-6)
    assert cpbd(torch.tensor(matlab["input"])[None], variant="at-a-glance").item() == pytest.approx(0.0291, abs=5e-5)


@pytest.mark.parametrize("source", ["matlab", "photograph"])
def test_python_against_cpbd_py312(source: str, request: pytest.FixtureRequest):
    found = request.getfixturevalue(source)
    crops = list(random_crops(found["input"] if source == "matlab" else found, 50))
    want = [oracle.compute(crop) for crop in crops]
    got = [cpbd(torch.tensor(crop)[None], variant="python").item() for crop in crops]
    assert np.abs(np.subtract(got, want)).max() < 1e-9
    assert np.std(want) > 0.05  # they differ from each other
    assert oracle.compute(crops[0]) > 0


def test_the_python_edge_map_and_widths(photograph: Picture):
    steps = sys.modules["cpbd.compute"]  # the function of this name hides the module
    rng = np.random.default_rng(1)
    for picture in [*pictures(photograph), rng.integers(0, 4, (80, 90)).astype(float)]:
        edges = sobel_edges(picture, "octave", None)
        assert (edges != steps.sobel(picture)).sum() == 0
        everywhere = np.ones(picture.shape, dtype=bool)
        assert (edge_widths(picture, everywhere) != steps.marziliano_method(everywhere, picture)).sum() == 0


def test_long_walks_end_where_the_published_ones_do():
    ramp = np.tile(np.arange(300.0) / 2, (70, 1))
    everywhere = np.ones(ramp.shape, dtype=bool)
    for picture in (ramp, ramp[:, ::-1].copy(), ramp + 100 * (np.arange(70) == 40)[:, None]):
        want = sys.modules["cpbd.compute"].marziliano_method(everywhere, picture)
        assert (edge_widths(picture, everywhere) == want).all()
    assert want.max() == 202


def test_canny_and_its_short_cut(photograph: Picture):
    found = set()
    for picture in pictures(photograph):
        want = skimage_canny(picture)
        assert (canny(picture, "skimage") != want).sum() == 0
        assert (edge_blocks(picture, "skimage") != count_blocks(want)).sum() == 0
        blocks = count_blocks(canny(picture, "matlab"))
        assert (edge_blocks(picture, "matlab") != blocks).sum() == 0
        found |= {bool(found) for found in count_blocks(want).ravel()}
    assert found == {True, False}


def test_short_cut_on_many_blocks(photograph: Picture):
    """Blocks from below the thresholds to well above them."""
    rng = np.random.default_rng(3)
    counts = []
    for level in np.geomspace(0.1, 0.4, 40):
        picture = np.full((64, 128), 100.0)
        picture[:, :64] += gaussian_filter(rng.normal(0, 1, (64, 64)), 2) * level
        picture[10:12, 70:74] += level * 4
        counts.append(int(skimage_canny(picture)[:64, :64].sum()))
        assert (edge_blocks(picture, "skimage") == count_blocks(skimage_canny(picture))).all()
        assert (edge_blocks(picture, "matlab") == count_blocks(canny(picture, "matlab"))).all()
    assert min(counts) < 9 < max(counts)


def test_canny_is_relative_in_matlab_and_absolute_in_scikit_image(photograph: Picture):
    crop = photograph[:128, 128:256]
    assert (canny(crop / 4, "matlab") == canny(crop, "matlab")).mean() > 0.9999
    assert canny(crop / 255, "skimage").sum() < canny(crop, "skimage").sum() * 0.7


@pytest.mark.parametrize("variant", ["matlab", "python", "at-a-glance"])
def test_properties(variant: str, photograph: Picture):
    whole = torch.tensor(photograph[100:256, 100:290])
    levels = torch.stack([whole, whole.flip(0), torch.full_like(whole, 80.0)])
    values = cpbd(levels, variant=variant)
    assert values.dtype == torch.float64
    assert values.shape == (3,)
    for frame, value in zip(levels, values, strict=True):  # frames do not touch each other
        assert cpbd(frame[None], variant=variant).item() == value
    assert values[2] == 0
    assert torch.equal(cpbd(levels.to(torch.uint8), variant=variant), values)
    assert torch.equal(cpbd(levels.numpy(), variant=variant), values)
    blurred = torch.tensor(np.stack([gaussian_filter(photograph[100:256, 100:290], s) for s in (0.01, 1, 3)]))
    sharpness = cpbd(blurred, variant=variant)
    assert sharpness[0] > sharpness[1] > sharpness[2]
    assert ((sharpness >= 0) & (sharpness <= 1)).all()


def test_only_whole_blocks_count(photograph: Picture):
    crop = torch.tensor(photograph[None, :96, :96])
    beyond = crop.clone()
    beyond[:, 70:] = beyond[:, :, 70:] = 3.0
    for variant in ("at-a-glance", "matlab"):  # the python variant takes its threshold from the whole picture
        assert cpbd(beyond, variant=variant) == pytest.approx(cpbd(crop, variant=variant), abs=0.05)
    assert cpbd(beyond, variant="at-a-glance") == cpbd(crop, variant="at-a-glance")


def test_the_metric(photograph: Picture):
    clip = torch.tensor(np.stack([photograph[i : i + 128, 100:228] for i in range(5)]))
    metric = CPBD()
    metric.update("a", clip + 0.3, torch.tensor([True, False, True, True, False]))
    metric.update("b", torch.full((4, 128, 128), 7.0))  # no edges: all blurred
    metric.update("c", clip[:, :60])
    metric.update("d", clip, torch.zeros(5, dtype=torch.bool))
    a, b, c, d = metric.rows()
    assert metric.clip_value(a) == pytest.approx(cpbd(clip[[0, 2, 3]]).mean().item())  # rounded again
    assert (a.scored, a.total, a.reason) == (3, 5, "2 frames without a face")
    assert (metric.clip_value(b), b.scored) == (0, 4)
    assert (c.stats, c.total, c.reason) == ((), 5, "pictures of 128x60 hold no whole block of 64x64 pixels")
    assert (d.stats, d.reason) == ((), "5 frames without a face")
    result = metric.result()
    assert result.value == pytest.approx(metric.clip_value(a) / 2)
    assert (result.clips, result.total, result.coverage) == (2, 4, 7 / 19)
    assert result.signature.startswith("cpbd|variant:matlab|crop:face|")


@pytest.mark.parametrize("crop", ["face", "lips"])
def test_what_the_metric_looks_at(crop: str, photograph: Picture):
    frames = torch.tensor(photograph).to(torch.uint8)[:256, 100:356].expand(3, 256, 256)
    lips = frames[:, None, 90:154, 60:124].expand(3, 3, 64, 64)
    shown = SimpleNamespace(grey=frames.float(), lips=lips, seen=torch.tensor([True, True, False]))
    metric = CPBD(variant="python", crop=crop)
    metric.observe("a", shown, SimpleNamespace())
    want = oracle.compute((frames[0] if crop == "face" else lips[0, 0]).double().numpy())
    assert metric.compute().item() == pytest.approx(want, abs=1e-12)
    assert metric.rows()[0].scored == 2


def test_what_cannot_be_scored(monkeypatch: pytest.MonkeyPatch):
    assert cpbd(torch.full((2, 63, 200), 9.0)).isnan().all()
    assert cpbd(torch.zeros(0, 64, 64)).shape == (0,)
    with pytest.raises(ValueError, match=r"grey levels 0\.\.255, got 0\..*multiply by 255"):
        cpbd(torch.linspace(0.1, 1, 4096).reshape(1, 64, 64))
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="variant must be one of matlab, python, at-a-glance; got 'octave'"):
        cpbd(torch.zeros(1, 64, 64), variant="octave")
    with pytest.raises(ValueError, match="crop must be one of face, lips; got 'mouth'"):
        CPBD(crop="mouth")
