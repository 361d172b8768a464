"""What the tests of At a Glance share: a thin module, a batch, training steps without a Trainer."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from zoo_at_a_glance.config import AtAGlanceConfig
from zoo_at_a_glance.method import AtAGlance
from zoo_at_a_glance.motion import Flow, make_flow

from tests.helpers.batches import window_batch
from zoo import registry
from zoo.data.batch import Batch
from zoo.media import audio
from zoo.methods import trainable

THIN = AtAGlanceConfig(
    width=0.06, last_kernel=3, flow_shrink=2, autoencoder="given", autoencoder_width=0.03, learning_rate=2e-3
)


def make(settings: AtAGlanceConfig) -> AtAGlance:
    module = trainable.build(registry.method("at-a-glance"), settings, seed=1)
    assert isinstance(module, AtAGlance)
    module.flow = Flow(make_flow(settings))
    return module


def random_batch(module: AtAGlance, size: int = 2, frames: int = 16) -> Batch:
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(size * frames, 3, 8, 8, generator=random)
    pictures = F.interpolate(coarse, (64, 64), mode="bilinear").view(size, frames, 3, 64, 64)
    start, stop = audio.frame_window(0, frames, module.frontend.context)
    return window_batch(
        frames=pictures,
        stills=pictures[:, :1].flip(-1),
        sound=torch.rand(size, stop - start, generator=random) - 0.5,
        landmarks=torch.rand(size, frames, 68, 2, generator=random) * 64,
        context=module.frontend.context,
    )


class Run:
    """Training steps of a module without a Trainer; keeps what is logged and what the networks are shown."""

    def __init__(self, module: AtAGlance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = module
        self.optimisers = module.configure_optimizers()
        self.logged: dict[str, float] = {}
        self.shown: dict[str, list[tuple[Any, Tensor]]] = {}
        given = self.optimisers if len(self.optimisers) > 1 else self.optimisers[0]  # as Lightning does
        monkeypatch.setattr(module, "optimizers", lambda: given)
        monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
        monkeypatch.setattr(module, "log", lambda name, value, **_: self.logged.update({name: float(value)}))

    def watch(self, name: str, network: torch.nn.Module) -> None:
        kept = self.shown.setdefault(name, [])
        network.register_forward_hook(lambda _, given, out: kept.append((given, out.detach())))

    def step(self, batch: Batch, number: int = 0) -> None:
        self.module.train()
        self.module.training_step(batch, number)
