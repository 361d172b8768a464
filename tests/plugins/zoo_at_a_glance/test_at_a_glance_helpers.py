"""The mouth autoencoder and the flow network: warps whose flow is known, losses by hand, learning, scores."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from zoo_at_a_glance.autoencoder.module import MouthAutoencoder
from zoo_at_a_glance.config import AutoencoderConfig, FlowConfig
from zoo_at_a_glance.flow.module import LEVEL_WEIGHTS, MouthFlow, endpoint_error, known_motion

from zoo import registry
from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.methods import trainable
from zoo.methods.module import TrainableModule


def expert(name: str, config: Any) -> TrainableModule:
    return trainable.build(registry.trainable(name), config, seed=1)


def mouths(store: Store, module: TrainableModule, *, whole: bool = False) -> Batch:
    windows = Windows(store, module.input_spec)
    draws = [Draw(0, None)] if whole else [Draw(k, (k,)) for k in range(4)]
    return collate([windows[draw] for draw in draws]).unit()


def descend(module: TrainableModule, batch: Batch, monkeypatch: pytest.MonkeyPatch, steps: int) -> list[float]:
    """A few steps of plain Adam; every parameter must get a gradient in the first."""
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    optimiser, losses = torch.optim.Adam(module.parameters(), 3e-3), []
    for number in range(steps):
        torch.manual_seed(number % 2)
        loss = module.training_step(batch, number)
        optimiser.zero_grad()
        loss.backward()
        if number == 0:
            assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_the_flow_of_a_warp_is_what_was_drawn():
    pictures = F.interpolate(torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)), (64, 64))
    motion = known_motion(pictures, 3.0, 0.0, torch.Generator().manual_seed(1))
    assert torch.equal(motion.second, pictures)
    assert (motion.flow[:, :, :1, :1] == motion.flow).all()  # nothing bends
    assert 0 < motion.flow.abs().max() <= 3
    for first, second, flow in zip(*motion, strict=True):
        x, y = flow[:, 0, 0].tolist()
        # A shift by hand: bilinear between the four neighbours of a pixel in the middle.
        px, py = 32 + x, 32 + y
        x0, y0, fx, fy = int(px), int(py), px - int(px), py - int(py)
        expected = (
            (1 - fx) * (1 - fy) * second[:, y0, x0] + fx * (1 - fy) * second[:, y0, x0 + 1]
            + (1 - fx) * fy * second[:, y0 + 1, x0] + fx * fy * second[:, y0 + 1, x0 + 1]
        )  # fmt: skip
        assert torch.allclose(first[:, 32, 32], expected, atol=1e-4)
    bent = known_motion(pictures, 0.0, 3.0, torch.Generator().manual_seed(1)).flow
    assert bent.std((2, 3)).max() > 0.1
    again = known_motion(pictures, 0.0, 3.0, torch.Generator().manual_seed(1)).flow
    assert torch.equal(bent, again)


def test_the_endpoint_error_by_hand():
    truth = torch.zeros(2, 2, 64, 64)
    flow = truth.clone()
    flow[0, 0], flow[0, 1] = 3.0, 4.0
    flow[1, 0, 0, 0] = 1000.0  # in the border, which is not scored
    assert endpoint_error(flow, truth).tolist() == [5.0, 0.0]


def test_the_flow_network_learns_and_says_how_well(tiny_store: Path, monkeypatch: pytest.MonkeyPatch):
    module = expert("mouth-flow", FlowConfig(width=0.06, frames=2))
    assert isinstance(module, MouthFlow)
    store = Store(tiny_store)
    batch = mouths(store, module)
    motion = module.motion(batch, seed=3)
    monkeypatch.setattr(module, "motion", lambda *_: motion)
    logged: list[Tensor] = []
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.append(value))
    expected = sum(
        weight * (found - F.adaptive_avg_pool2d(motion.flow, found.shape[-2:]) / 20).norm(dim=1).sum((1, 2)).mean()
        for weight, found in zip(LEVEL_WEIGHTS, module.network.pyramid(motion.first, motion.second), strict=True)
    )
    assert module.training_step(batch, 0).item() == pytest.approx(float(torch.as_tensor(expected).detach()), rel=1e-5)
    losses = descend(module, batch, monkeypatch, 80)
    assert losses[-1] < 0.6 * losses[0]
    whole = mouths(store, module, whole=True)
    whole.frames, whole.length = whole.frames[:, :8], torch.tensor([8])
    with torch.inference_mode():
        rows = module.score(module.test_step(whole, 0), whole, store)
    assert rows[0]["clip"] == store.clips[0].id
    assert rows[0]["classical"] < 0.6 * rows[0]["still"]
    summary = module.summarise(rows)
    assert summary["epe"] == round(rows[0]["epe"], 4)
    assert [row[0].strip() for row in summary["table"]] == ["endpoint error", "of Lucas-Kanade", "of no movement"]


def test_the_autoencoder_learns_and_says_how_well(tiny_store: Path, monkeypatch: pytest.MonkeyPatch):
    module = expert("mouth-autoencoder", AutoencoderConfig(width=0.06, frames=2))
    assert isinstance(module, MouthAutoencoder)
    store = Store(tiny_store)
    batch = mouths(store, module)
    torch.manual_seed(0)
    mirrored = torch.rand(4) < 0.5
    pictures = torch.stack([f.flip(-1) if m else f for f, m in zip(2 * batch.frames - 1, mirrored, strict=True)])
    torch.manual_seed(0)
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    expected = (module.network(pictures.flatten(0, 1)) - pictures.flatten(0, 1)).square().mean()
    assert module.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-4)
    losses = descend(module, batch, monkeypatch, 15)
    assert losses[-1] < 0.5 * losses[0]
    whole = mouths(store, module, whole=True)
    module.eval()
    with torch.inference_mode():
        rows = module.score(module.test_step(whole, 0), whole, store)
        pictures = 2 * whole.frames[0] - 1
        error = (module.network(pictures) - pictures).square().mean().item()
    assert rows[0]["mse"] == pytest.approx(error, rel=1e-3)
    assert rows[0]["mean_mse"] == pytest.approx((pictures - pictures.mean(0)).square().mean().item(), rel=1e-3)
    assert module.summarise(rows)["mse"] == round(rows[0]["mse"], 6)
