"""LPIPS against the package it wraps and against torchmetrics' copy, with one random backbone."""

from __future__ import annotations

import sys
from pathlib import Path

import jaxtyping
import lpips as package
import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import learned_perceptual_image_patch_similarity

import zoo.evaluation.metrics.lpips as module
from zoo.evaluation.metrics.lpips import LPIPS, NETWORKS, lpips
from zoo.support.errors import DataError, ZooError


def backbone(net: str, folder: Path) -> tuple[package.LPIPS, Path]:
    """The package's network with random features, and these as torchvision would save them."""
    torch.manual_seed(3)
    network = package.LPIPS(net=net, pnet_rand=True, verbose=False)
    state = {"features." + key.split(".", 1)[1]: value for key, value in network.net.state_dict().items()}
    torch.save(state, folder / f"{net}.pth")
    return network, folder / f"{net}.pth"


def pair(frames: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    made, real = torch.randint(0, 256, (2, frames, 3, 64, 64), generator=generator, dtype=torch.uint8)
    return made, real


@pytest.fixture(scope="module")
def alex(tmp_path_factory: pytest.TempPathFactory) -> tuple[package.LPIPS, Path]:
    return backbone("alex", tmp_path_factory.mktemp("alex"))


def by_the_package(network: package.LPIPS, made: Tensor, real: Tensor) -> list[float]:
    with torch.no_grad():
        return [float(network(a[None] / 255, b[None] / 255, normalize=True)) for a, b in zip(made, real, strict=True)]


def test_against_the_package(alex: tuple[package.LPIPS, Path], tmp_path: Path):
    made, real = pair(30)  # more than a batch
    values = lpips(made, real, backbone=alex[1])
    assert values.dtype == torch.float64
    assert values.tolist() == pytest.approx(by_the_package(alex[0], made, real), rel=1e-5)
    scaled = [frames.float() / 127.5 - 1 for frames in (made[:25], real[:25])]
    assert torch.equal(values[:25].float(), alex[0](*scaled).flatten())  # exact: the same network, the same batch
    network, path = backbone("squeeze", tmp_path)
    made, real = pair(2)
    got = lpips(made, real, net="squeeze", backbone=path)
    assert got.tolist() == pytest.approx(by_the_package(network, made, real), rel=1e-5)


def test_against_torchmetrics(alex: tuple[package.LPIPS, Path], monkeypatch: pytest.MonkeyPatch):
    """Its network and heads are written apart; the features are those of the random backbone."""
    import torchmetrics.functional.image.lpips as other

    slices = other.Alexnet.__init__

    def offline(self: torch.nn.Module, requires_grad: bool = False, pretrained: bool = True) -> None:
        slices(self, requires_grad, pretrained=False)
        self.load_state_dict(alex[0].net.state_dict())

    monkeypatch.setattr(other.Alexnet, "__init__", offline)
    made, real = pair()
    want = learned_perceptual_image_patch_similarity(made / 255, real / 255, "alex", normalize=True, reduction="sum")
    assert lpips(made, real, backbone=alex[1]).sum().item() == pytest.approx(want.item(), rel=1e-5)


def test_properties(alex: tuple[package.LPIPS, Path]):
    made, real = pair()
    assert (lpips(real, real, backbone=alex[1]) == 0).all()
    assert (lpips(made, real, backbone=alex[1]) > 0).all()
    assert torch.equal(lpips(made.float(), real.numpy(), backbone=alex[1]), lpips(made, real, backbone=alex[1]))
    assert lpips(made[:0], real[:0], backbone=alex[1]).shape == (0,)
    state = torch.get_rng_state()
    module.load_lpips.cache_clear()
    lpips(made, real, backbone=alex[1])
    assert torch.equal(torch.get_rng_state(), state)  # random weights that are replaced at once are not drawn from it
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = lpips(made, real, backbone=alex[1])
    assert torch.equal(inside, lpips(made, real, backbone=alex[1]))


def test_the_metric(alex: tuple[package.LPIPS, Path]):
    made, real = pair()
    metric = LPIPS(backbone=alex[1])
    metric.update("a", made, real)
    metric.update("b", made[:1], real)
    values = lpips(made, real, backbone=alex[1])
    assert [metric.clip_value(row) for row in metric.rows()] == pytest.approx([values.mean().item(), values[0].item()])
    assert "lpips|net:alex|version:0.1|backbone:alex.pth" in metric.signature
    assert "backbone" not in LPIPS().signature


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alex: tuple[package.LPIPS, Path]):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *a, **k: pytest.fail("a download"))
    made, real = pair(1)
    url = "https://download.pytorch.org/models/"
    for net, name in [("alex", "alexnet-owt-7be5be79.pth"), ("vgg", "vgg16-397923af.pth")]:
        with pytest.raises(DataError) as caught:
            lpips(made, real, net=net)
        file = tmp_path / "hub" / "checkpoints" / name
        assert str(caught.value) == f"lpips: no {NETWORKS[net]} weights in {file}: download {url}{name} to there"
    # A file in torchvision's cache is taken.
    cached = tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(alex[1].read_bytes())
    assert torch.equal(lpips(made, real), lpips(made, real, backbone=alex[1]))
    module.load_lpips.cache_clear()


def test_what_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made, real = pair(1)
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"other\.pth holds no weights of alexnet"):
        lpips(made, real, backbone=tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("not found")
    with pytest.raises(DataError, match=r"text\.pth is not a file of PyTorch weights: download https"):
        lpips(made, real, backbone=tmp_path / "text.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(DataError, match=r"list\.pth is not a state dict of alexnet"):
        lpips(made, real, backbone=tmp_path / "list.pth")
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ZooError, match="needs the package lpips: pip install lpips"):
        lpips(made, real, backbone=tmp_path / "other.pth")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="net must be one of alex, vgg, squeeze; got 'resnet'"):
        LPIPS(net="resnet")
    with pytest.raises(ValueError, match="pictures of one shape"):
        lpips(made, torch.cat([real, real]))
    with pytest.raises(ValueError, match="multiply by 255"):
        lpips(made / 255, real)
