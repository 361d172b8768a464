"""FID against pytorch-fid, torchmetrics and NumPy, in one process and in several."""

from __future__ import annotations

from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from numpy.typing import NDArray
from pytorch_fid.fid_score import calculate_frechet_distance
from torch import Tensor

from zoo.evaluation.metrics.fid import FID, feature_distance, frechet_distance, load_inception
from zoo.support.errors import DataError

Statistics = tuple[NDArray[np.float64], NDArray[np.float64]]


def statistics(size: int, frames: int, seed: int) -> Statistics:
    rng = np.random.default_rng(seed)
    features = rng.normal(rng.normal(0, 1, size), rng.uniform(0.2, 3, size), (frames, size)) @ rng.normal(
        0, 1, (size, size)
    )
    return features.mean(0), np.cov(features, rowvar=False)


def brightness(frames: Tensor) -> Tensor:
    """Features without a network: means of quarters, two of each colour."""
    return torch.nn.functional.adaptive_avg_pool2d(frames / 255, (2, 1)).flatten(1)


def clip(seed: int, frames: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    base = 40 + 150 * torch.rand(1, 3, 4, 4, generator=generator)
    return (base + 60 * torch.rand(frames, 3, 4, 4, generator=generator)).clamp(0, 255).round()


@pytest.mark.parametrize("size", [2, 10, 64, 200])
def test_against_pytorch_fid(size: int):
    one, other = statistics(size, 5 * size, 1), statistics(size, 5 * size, 2)
    assert frechet_distance(*one, *other) == pytest.approx(calculate_frechet_distance(*one, *other), rel=1e-6)
    near = (one[0] + 0.01, one[1] * 1.02)
    assert frechet_distance(*one, *near) == pytest.approx(calculate_frechet_distance(*one, *near), rel=1e-6)
    assert frechet_distance(*map(torch.tensor, one), *map(torch.tensor, other)) == frechet_distance(*one, *other)


def test_where_the_value_is_known():
    rng = np.random.default_rng(0)
    spreads = rng.uniform(0, 4, (2, 20))
    means = rng.normal(0, 1, (2, 20))
    want = ((means[0] - means[1]) ** 2).sum() + ((np.sqrt(spreads[0]) - np.sqrt(spreads[1])) ** 2).sum()
    turn = np.linalg.qr(rng.normal(0, 1, (20, 20)))[0]
    covariances = [turn @ np.diag(spread) @ turn.T for spread in spreads]
    assert frechet_distance(turn @ means[0], covariances[0], turn @ means[1], covariances[1]) == pytest.approx(want)
    one = statistics(30, 10, 5)  # fewer frames than dimensions: singular
    assert frechet_distance(*one, *one) == pytest.approx(0, abs=1e-6 * np.trace(one[1]))
    assert frechet_distance(*one, one[0] + 2, one[1]) == pytest.approx(120, rel=1e-6)
    other = statistics(30, 12, 6)
    # Eigenvalues that should be zero are so within rounding of the largest; what is summed are their square roots.
    rounding = 30 * np.sqrt(np.finfo(float).eps * np.linalg.norm(one[1], 2) * np.linalg.norm(other[1], 2))
    assert frechet_distance(*one, *other) == pytest.approx(frechet_distance(*other, *one), abs=rounding)


def test_of_features():
    rng = np.random.default_rng(0)
    made, real = rng.normal(0, 1, (50, 6)).astype(np.float32), rng.normal(0.3, 2, (40, 6)).astype(np.float32)
    sides = [(side.astype(float).mean(0), np.cov(side.astype(float), rowvar=False)) for side in (made, real)]
    assert feature_distance(made, real) == pytest.approx(calculate_frechet_distance(*sides[0], *sides[1]), rel=1e-6)
    assert np.isnan(feature_distance(made[:1], real))
    assert feature_distance(made[:, :1], made[:, :1] + 3) == pytest.approx(9, rel=1e-5)


def test_wrong_shapes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"needs means \(D,\) and covariances \(D, D\), got \(3,\), \(3, 3\), \(2,\)"):
        frechet_distance(np.zeros(3), np.eye(3), np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="every must be at least 1; got 0"):
        FID(every=0)


def want_of(made: list[Tensor], real: list[Tensor]) -> float:
    sides = [brightness(torch.cat(side)).double().numpy() for side in (made, real)]
    moments = [(side.mean(0), np.cov(side, rowvar=False)) for side in sides]
    return float(calculate_frechet_distance(*moments[0], *moments[1]))


def test_the_metric():
    made, real = [clip(i) for i in range(3)], [clip(i + 50, 9) for i in range(3)]
    metric = FID(extractor=brightness)
    for i in (2, 0, 1, 0):  # one twice
        metric.update(f"clip{i}", made[i], real[i])
    metric.update("empty", made[0][:0], real[0])
    result = metric.result()
    assert result.value == pytest.approx(want_of(made, real), rel=1e-6)
    assert (result.clips, result.total, result.reason) == (3, 4, "no frames")
    assert np.isnan([result.low, result.high]).all()
    assert metric.compute().item() == result.value
    assert np.isnan([metric.clip_value(row) for row in metric.rows()]).all()
    assert result.signature.startswith("fid|extractor:brightness|every:5|")
    # Of some of the clips, and of rows alone.
    assert metric.result_of(metric.rows()[:2]).value == pytest.approx(want_of(made[:2], real[:2]), rel=1e-6)
    alone = FID(extractor=brightness).result_of(metric.rows())
    assert np.isnan(alone.value)
    assert alone.reason == "rows alone hold no features: score the clips again"
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert metric.compute().isnan()


def test_few_frames():
    metric = FID(extractor=brightness)
    metric.update("a", clip(1, 1), clip(2, 5))
    assert np.isnan(metric.result().value)
    assert metric.result().reason == "fewer than two frames"
    metric.update("b", clip(3, 3), clip(4, 3))
    assert metric.result().value > 0
    assert metric.result().reason == "4 frames for 6 dimensions: the value is too high"
    assert metric.result().coverage == 1


class Side:
    """One side of a comparison."""

    def __init__(self, faces: Tensor, seen: Tensor):
        self.faces, self.seen = faces, seen


def test_each_so_manieth_frame_with_a_face():
    made, real = clip(1, 10), clip(2, 7)
    seen = torch.ones(10, dtype=torch.bool)
    seen[4] = False
    metric = FID(extractor=brightness, every=2)
    metric.observe("a", Side(made, seen), Side(real, torch.ones(7, dtype=torch.bool)))
    (row,) = metric.rows()
    assert (row.stats, row.scored, row.total) == ((4, 4), 4, 5)
    assert row.reason == "1 of 5 frames without a face"
    assert metric.compute().item() == pytest.approx(want_of([made[[0, 2, 6, 8]]], [real[::2]]), rel=1e-6)
    metric.observe("b", Side(made, torch.zeros(10, dtype=torch.bool)), Side(real, torch.ones(7, dtype=torch.bool)))
    assert metric.rows()[1].stats == ()


def process(rank: int, world: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet{world}", rank=rank, world_size=world)
    metric = FID(extractor=brightness)
    for i in range(5):
        if (i % world == rank and rank < 2) or (
            i == 0 and rank == 1
        ):  # the third has none, the second repeats the first
            metric.update(f"clip{i}", clip(i, 4 + i), clip(i + 50, 9 - i))
    Path(folder, f"{world}.{rank}").write_text(repr(metric.result().value))
    dist.destroy_process_group()


@pytest.mark.parametrize("world", [3])
def test_several_processes(world: int, tmp_path: Path):
    mp.spawn(process, (world, str(tmp_path)), nprocs=world)
    chosen = [i for i in range(5) if i % world < 2]
    want = FID(extractor=brightness)
    for i in chosen:
        want.update(f"clip{i}", clip(i, 4 + i), clip(i + 50, 9 - i))
    values = {Path(tmp_path, f"{world}.{rank}").read_text() for rank in range(world)}
    assert values == {repr(want.result().value)}


def test_inception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from torchvision.models import inception_v3

    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *a, **k: pytest.fail("a download"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    metric = FID()
    with pytest.raises(DataError, match=r"^fid: no inception_v3 weights in .*google-0cc3c7bd\.pth: download https"):
        metric.update("a", clip(1, 2), clip(2, 2))
    torch.save({}, tmp_path / "none.pth")
    with pytest.raises(DataError, match=r"none\.pth holds no weights of inception_v3"):
        load_inception(str(tmp_path / "none.pth"))
    torch.manual_seed(0)
    network = inception_v3(weights=None, init_weights=False).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    metric = FID(weights=tmp_path / "weights.pth")
    frames = clip(1, 2).to(torch.uint8)
    features = metric.extract(frames)
    assert features.shape == (2, 2048)
    pooled: list[Tensor] = []
    network.avgpool.register_forward_hook(lambda module, inputs, output: pooled.append(output.flatten(1)))
    network.transform_input = True
    sized = torch.nn.functional.interpolate(frames / 255, (299, 299), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    with torch.no_grad():
        network((sized - mean) / deviation)
    assert torch.allclose(features, pooled[0], atol=1e-5)
