"""A method whose fit diverges when told to: in its losses, its weights, or on clips that it is validated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.request import Request
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import InputSpec, MethodSpec, Uses, setting


@dataclass
class DivergingConfig:
    """What is no finite number any more, and from which step on."""

    where: str = setting("", "loss, returned, weights, buffer, validation; empty: nowhere")
    step: int = setting(0, "the first such step, counted from 1")
    rank: int = setting(-1, "the process that it befalls; -1: all")


class Diverging(TalkingFaceMethod):
    """Shows the still, a little brighter. It optimises by itself, as a GAN does, and logs one loss."""

    config: DivergingConfig

    def __init__(self, config: DivergingConfig) -> None:
        super().__init__(config)
        self.automatic_optimization = config.where == "returned"
        self.gain = nn.Parameter(torch.tensor(1.1))
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("mean", torch.tensor(0.0))
        self.steps = 0

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(32, 32), frames=2, context=640)

    def generate(self, request: Request) -> Tensor:
        still = (request.stills[:, :1] * self.gain).clamp(0, 1)
        return still.expand(-1, request.num_frames, -1, -1, -1)

    def reconstruct(self, batch: Any) -> Tensor:
        return self.generate(batch.given)

    def now(self, where: str) -> bool:
        mine = self.config.rank in (-1, self.global_rank)
        return mine and self.config.where == where and self.steps >= self.config.step

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        self.steps += 1
        loss = (self.reconstruct(batch) - batch.frames).abs().mean()
        if self.automatic_optimization:
            return loss * (torch.nan if self.now("returned") else 1)
        optimiser: Any = self.optimizers()
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()
        self.log("train/l1", loss.detach() + (torch.inf if self.now("loss") else 0))
        if self.now("weights"):
            self.gain.data.fill_(torch.inf)
        if self.now("buffer"):
            self.mean.fill_(torch.nan)
        return None

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        l1 = (self.reconstruct(batch) - batch.frames).abs().mean()
        self.log("val/l1", l1 * (torch.nan if self.now("validation") else 1), sync_dist=True, batch_size=2)
        # A mean over nothing is NaN, and says nothing of the fit.
        self.log("val/wer", 0.0, sync_dist=True, batch_size=0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


SPEC = MethodSpec(
    name="diverging", summary="diverges", target="diverging:Diverging", config="diverging:DivergingConfig",
    modes=(("sound", Uses()),),
)  # fmt: skip
