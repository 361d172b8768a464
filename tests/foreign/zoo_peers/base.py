"""What the three share: a code per frame becomes a warp of the still, and colours laid over it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.nn.frontend import Mel
from zoo.registry.spec import InputSpec

SIZE = 32
CODE = 8
AT_ONCE = 25


class Mouth(nn.Module):
    """A still and a code: the picture of a mouth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.code = nn.Linear(CODE, width * 16)
        self.still = nn.Conv2d(3, width, 3, padding=1)
        self.paint = nn.Sequential(
            nn.ReLU(), nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 1)
        )

    def forward(self, still: Float[Tensor, "N 3 H W"], code: Float[Tensor, "N 8"]) -> Float[Tensor, "N 3 H W"]:
        """RGB in [0, 1]."""
        mood = F.interpolate(self.code(code).unflatten(1, (-1, 4, 4)), size=(SIZE, SIZE), mode="bilinear")
        change = self.paint(torch.cat([self.still(2 * still - 1), mood], 1)).tanh()
        return (still + change).clamp(0, 1)


class Hearing(nn.Module):
    """Audio windows to codes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mel = Mel(16)
        self.layers = nn.Sequential(nn.Linear(80 * 16, width), nn.ReLU(), nn.Linear(width, CODE))

    def forward(self, windows: Float[Tensor, "N samples"]) -> Float[Tensor, "N 8"]:
        """One code for each window."""
        with torch.autocast(windows.device.type, enabled=False):
            mel = self.mel(windows)
        return self.layers(mel.flatten(1) / 4)


class Peer(TalkingFaceMethod):
    """A code per frame, and a mouth that is drawn by it."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.mouth = Mouth(config.width)

    @property
    def input_spec(self) -> InputSpec:
        """The square around the lips."""
        return InputSpec(crop="mouth", size=(SIZE, SIZE), frames=5, context=self.context)

    context = Mel(16).samples
    """Samples of an audio window."""

    @abstractmethod
    def codes(self, request: Request) -> Float[Tensor, "B T 8"]:
        """One code per frame."""

    def draw(self, request: Request, codes: Float[Tensor, "B T 8"]) -> Float[Tensor, "B T 3 H W"]:
        """Frames by their codes."""
        stills = request.stills[:, :1].expand(-1, codes.shape[1], -1, -1, -1)
        return self.mouth(stills.flatten(0, 1), codes.flatten(0, 1)).unflatten(0, codes.shape[:2]).float()

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See the contract; some frames at a time."""
        parts = [self.draw(part, self.codes(part)) for part in request.parts(AT_ONCE)]
        return torch.cat(parts, 1)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """In the default mode."""
        mode = self.spec.default_mode
        given = batch.given.only(mode, self.spec.uses(mode))
        return self.draw(given, self.codes(given))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """L1 in every mode."""
        losses = []
        for mode, uses in self.spec.modes:
            given = batch.given.only(mode, uses)
            losses.append((self.draw(given, self.codes(given)) - batch.frames).abs().mean())
        loss = torch.stack(losses).mean()
        self.log("train/l1", loss.detach(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.config.learning_rate)
