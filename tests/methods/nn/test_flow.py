"""Optical flow against shifts and warps whose flow is known; its gradients; what is said where weights are missing."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.methods.nn.flow import FlowEstimator, FlowNetS, LucasKanade, Raft, warp
from zoo.support.errors import DataError


def texture(size: int = 64, margin: int = 8, count: int = 1, seed: int = 0) -> Tensor:
    """Smooth random pictures, larger than ``size`` by ``margin`` on every side; in [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    side = size + 2 * margin
    noise = torch.rand(count, 3, side // 4, side // 4, generator=random)
    return F.interpolate(noise, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)


def shifted(dx: int, dy: int, size: int = 64, margin: int = 8) -> tuple[Tensor, Tensor]:
    """The same scene twice, everything moved right by ``dx`` and down by ``dy`` whole pixels: no resampling."""
    scene = texture(size, margin)
    first = scene[..., margin : margin + size, margin : margin + size]
    second = scene[..., margin - dy : margin - dy + size, margin - dx : margin - dx + size]
    return first, second


def inner(flow: Tensor, border: int = 8) -> Tensor:
    return flow[..., border:-border, border:-border]


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 0), (0, -1), (2, 3), (-4, 2)])
def test_lucas_kanade_finds_shifts(dx: int, dy: int):
    flow = inner(LucasKanade()(*shifted(dx, dy)))
    assert flow.shape == (1, 2, 48, 48)
    assert flow[:, 0].median() == pytest.approx(dx, abs=0.05)
    assert flow[:, 1].median() == pytest.approx(dy, abs=0.05)
    error = (flow - torch.tensor([dx, dy]).view(1, 2, 1, 1)).norm(dim=1)
    assert error.mean() < 0.15


def test_lucas_kanade_finds_fractions_of_pixels_and_bends():
    scene = texture(count=4)[..., 8:-8, 8:-8]
    random = torch.Generator().manual_seed(1)
    grid = 4 * torch.rand(4, 2, 3, 3, generator=random) - 2
    truth = F.interpolate(grid, (64, 64), mode="bicubic", align_corners=False)
    flow = LucasKanade()(warp(scene, truth), scene)
    error = inner((flow - truth).norm(dim=1, keepdim=True)).mean()
    assert inner(truth.norm(dim=1, keepdim=True)).mean() > 1
    assert error < 0.15


def test_shrunk_pictures_give_flow_in_pixels_of_the_large_ones():
    flow = LucasKanade(levels=2, shrink=2)(*shifted(3, -2))
    assert flow.shape == (1, 2, 64, 64)
    assert inner(flow)[:, 0].median() == pytest.approx(3, abs=0.15)
    assert inner(flow)[:, 1].median() == pytest.approx(-2, abs=0.15)


def test_no_texture_no_movement():
    """A plain wall and noise far below a grey level move nowhere, and nothing becomes infinite."""
    wall = torch.full((1, 3, 64, 64), 0.5)
    assert (LucasKanade()(wall, wall) == 0).all()
    noisy = wall + 1e-4 * torch.randn(wall.shape, generator=torch.Generator().manual_seed(0))
    assert LucasKanade()(wall, noisy).abs().max() < 0.01


def test_warping_with_the_true_flow_undoes_the_movement():
    first, second = shifted(2, 1)
    truth = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64)
    assert (inner(warp(second, truth)) - inner(first)).abs().max() < 1e-5


def test_a_video_is_a_series_of_pairs():
    frames = texture(count=6)[..., 8:-8, 8:-8].view(2, 3, 3, 64, 64)
    estimator = LucasKanade(levels=1, iterations=1)
    flow = estimator.video(frames)
    assert flow.shape == (2, 2, 2, 64, 64)
    assert torch.allclose(flow[1, 1], estimator(frames[1, 1:2], frames[1, 2:3])[0], atol=1e-5)


def test_the_classical_gradient_is_that_of_differences():
    """Central differences in double precision agree with backpropagation, for both pictures."""
    first, second = (picture.double() for picture in shifted(1, 0, size=16))
    estimator = LucasKanade(levels=1, iterations=2).double()
    weights = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.double)

    def value(a: Tensor, b: Tensor) -> Tensor:
        return (estimator(a, b) * weights).sum()

    for which in (0, 1):
        pair = [first.clone(), second.clone()]
        pair[which].requires_grad_(True)
        (gradient,) = torch.autograd.grad(value(*pair), pair[which])
        for y, x in ((4, 5), (8, 8), (11, 3)):
            ends = []
            for sign in (1, -1):
                moved = [picture.detach().clone() for picture in pair]
                moved[which][0, 1, y, x] += sign * 1e-6
                ends.append(value(*moved))
            assert gradient[0, 1, y, x] == pytest.approx(((ends[0] - ends[1]) / 2e-6).item(), rel=1e-3, abs=1e-5)


def test_a_picture_that_moves_the_right_way_can_be_learnt_through_the_flow():
    """Descending the distance to a wanted flow moves a picture: what the correlation loss needs."""
    first, second = shifted(1, 0, size=32)
    estimator, offset = LucasKanade(levels=1), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([offset], lr=0.1)
    for _ in range(30):
        flow = torch.stack([offset.expand(1, 32, 32), torch.zeros(1, 32, 32)], 1)
        found = inner(estimator(first, warp(second, flow)), 4)[:, 0].mean()
        optimiser.zero_grad()
        (found - 2).square().backward()  # one pixel further than it is
        optimiser.step()
    assert offset.item() == pytest.approx(-1, abs=0.2)


def test_flownets_has_the_published_layers():
    with torch.device("meta"):
        network = FlowNetS()
        pictures = torch.empty(2, 3, 64, 128, device="meta")
        found = network.pyramid(pictures, pictures)
    assert [tuple(flow.shape) for flow in found] == [(2, 2, 64 // n, 128 // n) for n in (64, 32, 16, 8, 4)]

    def conv(cin: int, cout: int, kernel: int) -> int:
        return cin * cout * kernel**2 + cout

    encoder = conv(6, 64, 7) + conv(64, 128, 5) + conv(128, 256, 5) + conv(256, 256, 3) + conv(256, 512, 3)
    encoder += 3 * conv(512, 512, 3) + conv(512, 1024, 3)
    decoder = conv(1024, 512, 4) + conv(1026, 256, 4) + conv(770, 128, 4) + conv(386, 64, 4)
    flows = sum(conv(cin, 2, 3) for cin in (1024, 1026, 770, 386, 194)) + 4 * conv(2, 2, 4)
    assert sum(p.numel() for p in network.parameters()) == encoder + decoder + flows == 29_238_306


def test_flownets_is_differentiable_and_says_what_size_it_needs():
    torch.manual_seed(0)
    network = FlowNetS(0.06)
    pictures = torch.rand(2, 3, 64, 64, requires_grad=True)
    flow = network(pictures, pictures.flip(0))
    assert flow.shape == (2, 2, 64, 64)
    flow.square().sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="multiples of 64 pixels, not 48x64"):
        network(pictures[..., :48, :], pictures[..., :48, :])


@pytest.fixture
def raft(tmp_path: Path) -> FlowEstimator:
    """RAFT with random weights in the published layout; the published ones are no part of the project."""
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    torch.save(raft_small().state_dict(), tmp_path / "raft.pth")
    return Raft(tmp_path / "raft.pth", updates=1)


def test_raft_reads_weights_and_small_pictures(raft: FlowEstimator):
    pictures = torch.rand(1, 3, 64, 64, requires_grad=True)
    assert not raft.train().network.training  # type: ignore[union-attr]
    flow = raft(pictures, pictures.flip(-1))
    assert flow.shape == (1, 2, 64, 64)
    flow.square().sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.isfinite().all()


def test_raft_explains_itself_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(DataError, match=r"no weights at .*raft_small.*; download https://.*, put it there, or choose"):
        Raft()
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(DataError, match="not the weights of torchvision's raft_small"):
        Raft(tmp_path / "other.pth")
