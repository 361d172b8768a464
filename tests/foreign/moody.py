"""A method with an option: it shows the still, calm or wild."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.request import Request
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import InputSpec, MethodSpec, Uses, setting


@dataclass
class MoodyConfig:
    """Nothing to set."""

    gain: float = setting(1.0, "brightness")


@dataclass
class Mood:
    """What may be chosen after training."""

    mood: str = setting("calm", "how it behaves", choices=("calm", "wild"))


class Moody(TalkingFaceMethod):
    """Shows the still; when wild, upside down."""

    def __init__(self, config: MoodyConfig) -> None:
        super().__init__(config)
        self.gain = nn.Parameter(torch.tensor(config.gain))

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(64, 64), frames=2, context=640)

    def generate(self, request: Request) -> Tensor:
        still = request.stills[:, :1] * self.gain
        shown = still.flip(-2) if request.options.mood == "wild" else still
        return shown.clamp(0, 1).expand(-1, request.num_frames, -1, -1, -1)

    def reconstruct(self, batch: Any) -> Tensor:
        return batch.given.stills[:, :1].expand_as(batch.frames) * self.gain

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return (self.reconstruct(batch) - batch.frames).abs().mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


SPEC = MethodSpec(
    name="moody", summary="a still with moods", target="moody:Moody", config="moody:MoodyConfig",
    options="moody:Mood", modes=(("sound", Uses()),),
)  # fmt: skip
