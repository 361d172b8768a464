"""At a Glance's optical flow: which estimator, what it is given, and gradients through it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.models.optical_flow import raft_small
from zoo_at_a_glance.config import FlowConfig
from zoo_at_a_glance.flow.module import MouthFlow
from zoo_at_a_glance.motion import Flow, make_flow

from tests.helpers.steps import at_step
from tests.plugins.zoo_at_a_glance.glance import THIN, Run, make, random_batch
from zoo import registry
from zoo.methods import trainable
from zoo.methods.nn.flow import FlowEstimator, FlowNetS, Raft
from zoo.support.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_flow_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expert = trainable.build(registry.trainable("mouth-flow"), FlowConfig(width=0.03), seed=5)
    assert isinstance(expert, MouthFlow)
    trainable.save_weights(expert, tmp_path / "flow.safetensors")
    module = make(replace(THIN, flow="flownets", flow_weights=str(tmp_path / "flow.safetensors")))
    batch = random_batch(module)
    assert module.flow is not None
    estimator = module.flow.estimator
    assert isinstance(estimator, FlowNetS)
    expected = F.avg_pool2d(expert.network.video(batch.frames).flatten(0, 1), 4).view(2, 15, 2, 16, 16)
    assert torch.allclose(module.flow(2 * batch.frames - 1), expected, atol=1e-4)
    assert not any("flow." in name for name in module.state_dict())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(DataError, match="RAFT: no weights"):
        make_flow(replace(THIN, flow="raft"))
    with pytest.raises(ConfigError, match="flownets needs a checkpoint of `zoo fit mouth-flow`"):
        make_flow(replace(THIN, flow="flownets"))
    with pytest.raises(DataError, match="no weights of mouth-flow; make some with `zoo fit mouth-flow`"):
        make_flow(replace(THIN, flow="flownets", flow_weights="nowhere"))


@pytest.mark.parametrize("flow", ["flownets", "raft"])
def test_a_step_with_a_learnt_flow(flow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Gradients pass through the flow network to the generator; the network itself stays as it was."""
    module = make(replace(THIN, ablation="e"))
    if flow == "flownets":
        expert = trainable.build(registry.expert("mouth-flow"), FlowConfig(width=0.03), seed=2)
        assert isinstance(expert, MouthFlow)
        estimator: FlowEstimator = expert.network
    else:
        torch.save(raft_small().state_dict(), tmp_path / "raft.pth")
        estimator = Raft(tmp_path / "raft.pth", updates=1)
    module.flow = Flow(estimator)
    before = [value.clone() for value in estimator.parameters()]
    module.steps_done.fill_(module.warm_up)
    run, batch = Run(module, monkeypatch), random_batch(module)
    fresh = [value.clone() for value in module.generator.parameters()]
    at_step(module, 1, 2)
    run.step(batch, 1)
    assert {"train/correlation_generated", "train/d_loss"} <= run.logged.keys()
    assert all(np.isfinite(value) for value in run.logged.values())
    assert any(not torch.equal(a, b) for a, b in zip(fresh, module.generator.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, estimator.parameters(), strict=True))


def test_the_correlation_loss_is_exact_in_bf16(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, ablation="e")).eval()
    features, _, real = module.inputs(random_batch(module))
    assert module.flow is not None
    with torch.no_grad():
        sound, flow = module.generator.encode(features), module.flow(real)
        exact = module.correlation(sound, real, flow)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(module.correlation(sound, real, flow), exact)
