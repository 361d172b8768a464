"""The methods: each breaks one promise, the last three none."""

from __future__ import annotations

from typing import Any

import torch
from broken import CONTEXT, SIZE, First, Sound, everything
from broken_config import TinyConfig
from torch import Tensor

from zoo.data.request import Request
from zoo.registry.spec import InputSpec

VIDEO = 75
"""Stills that, spread over a clip, are the clip."""


class Album(Sound):
    """Asks for so many stills that, spread over the test clip, they would be that clip."""

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(SIZE, SIZE), frames=4, context=CONTEXT, num_identity=VIDEO)

    def generate(self, request: Request) -> Tensor:
        return 0.5 * (super().generate(request) + request.stills.mean(1, keepdim=True))


class Awake(Sound):
    """Looks at the true video once it is made ready for inference."""

    peeks = False

    def for_inference(self) -> Awake:
        self.peeks = True
        super().for_inference()
        return self

    def generate(self, request: Request) -> Tensor:
        made, known = super().generate(request), everything(request)
        return made if known.driver is None or not self.peeks else known.driver.frames[:, : request.num_frames]


class Posing(First):
    """Of api_version 1: gives itself the true video as the pose."""

    def pose(self, frames: Tensor) -> Tensor:
        return frames

    def generate(  # type: ignore[override]
        self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None
    ) -> Tensor:
        made = super().generate(identity, wave, num_frames, pose)
        return made if pose is None else 0.5 * (made + pose)


class NaNFrames(Sound):
    def generate(self, request: Request) -> Tensor:
        return super().generate(request) / 0 * 0


class NaNWeights(Sound):
    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        with torch.no_grad():
            self.brush.bias[1] = torch.nan


class Standing(Sound):
    """A still, whatever the sound is."""

    def generate(self, request: Request) -> Tensor:
        return request.stills[:, :1].repeat(1, request.num_frames, 1, 1, 1)


class Faint(Sound):
    """A still that moves by less than a screen can show."""

    def generate(self, request: Request) -> Tensor:
        return 0.999 * request.stills[:, :1] + 0.001 * super().generate(request)


class Fainter(Sound):
    """The same in its network, so that it learns to move by no more either."""

    def draw(self, still: Tensor, heard: Tensor) -> Tensor:
        loud = super().draw(still, heard)
        return 0.999 * super().draw(still, torch.zeros_like(heard)) + 0.001 * loud


class Remembering(Sound):
    """Every clip begins where the last one ended."""

    last: Tensor | None = None

    def generate(self, request: Request) -> Tensor:
        made = super().generate(request)
        if self.last is not None:
            made = 0.9 * made + 0.1 * self.last.mean()
        self.last = made[:, -1:].detach()
        return made


class Diverging(Sound):
    """A loss that is divided by zero in its fourth step."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = super().training_step(batch, batch_idx) / (self.global_step < 3)
        return loss


class Grainy(Sound):
    """Grain from a generator of its own, the same in every clip."""

    def generate(self, request: Request) -> Tensor:
        made = super().generate(request)
        grain = torch.rand(made.shape[1:], generator=torch.Generator().manual_seed(0))
        return (made + 0.01 * (grain - 0.5)).clamp(0, 1)


class Upper(Sound):
    """Leaves the upper half of the driver as it is."""

    def generate(self, request: Request) -> Tensor:
        made = super().generate(request)
        if request.driver is not None:
            made[..., : SIZE // 2, :] = request.driver.frames[..., : SIZE // 2, :]
        return made
