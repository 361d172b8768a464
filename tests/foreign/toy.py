"""A method without weights to learn, for tests of the benchmark: it shows the still, a little brighter."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.request import Request
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import InputSpec, MethodSpec, Uses, setting
from zoo.support.errors import ZooError


@dataclass
class ToyConfig:
    """What goes wrong."""

    fails: str = setting(
        "", "nothing, in generation (raise), the process (die or stop, once per file $TOY_MARK), in fits (fit, diverge)"
    )
    gain: float = setting(1.1, "brightness")


class Toy(TalkingFaceMethod):
    """Shows the still."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.gain = nn.Parameter(torch.tensor(config.gain))
        self.layer = nn.Conv2d(3, 3, 1)
        self.unused = nn.Linear(100, 100)

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(64, 64), frames=2, context=640)

    def generate(self, request: Request) -> Tensor:
        if self.config.fails == "raise":
            raise RuntimeError("no idea\nwhat a mouth is")
        if self.config.fails in ("die", "stop") and not Path(os.environ["TOY_MARK"]).exists():
            Path(os.environ["TOY_MARK"]).touch()
            os.kill(os.getpid(), signal.SIGSEGV if self.config.fails == "die" else signal.SIGSTOP)
        still = request.stills[:, 0]
        bright = 0.05 * self.layer(still).tanh() + still * self.gain
        assert request.sound is not None
        loud = request.sound.abs().mean(1)[:, None, None, None]
        return (bright + loud).clamp(0, 1)[:, None].expand(-1, request.num_frames, -1, -1, -1)

    def reconstruct(self, batch: Any) -> Tensor:
        return self.generate(batch.given)

    def for_inference(self) -> Toy:
        """Joins its layer with what comes after, so that it is no module any more."""
        super().for_inference()
        layer = self.layer
        del self.layer
        self.layer = lambda pictures: layer(pictures)
        return self

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if self.config.fails == "fit":
            raise ZooError("this toy learns nothing")
        loss = (self.reconstruct(batch) - batch.frames).abs().mean()
        return loss * torch.nan if self.config.fails == "diverge" else loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


SPEC = MethodSpec(
    name="toy", summary="shows the still", target="toy:Toy", config="toy:ToyConfig", modes=(("sound", Uses()),)
)
