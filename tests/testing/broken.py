"""Tiny methods, each broken in exactly one way; the sound one keeps every rule."""

from __future__ import annotations

import os
import random
import socket
from typing import Any

import numpy as np
import torch
from broken_config import TinyConfig
from torch import Tensor, nn

from zoo import audio
from zoo.method import TalkingFaceMethod
from zoo.spec import InputSpec

CONTEXT = 1280
SIZE = 16
AT_ONCE = 16


class Sound(TalkingFaceMethod):
    """A still, brighter or darker with the sound: eight numbers to learn."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.ear = nn.Linear(2, 4)
        self.brush = nn.Linear(4, 3)

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(SIZE, SIZE), frames=4, context=CONTEXT)

    def draw(self, still: Tensor, heard: Tensor) -> Tensor:
        """``(N, 3, H, W)`` from stills and what each frame hears."""
        loud = torch.stack([heard.abs().mean(-1), heard.square().mean(-1).sqrt()], -1)
        shade = self.brush(self.ear(10 * loud).tanh())
        return (still * 4 - 2 + shade[..., None, None]).sigmoid()

    def reconstruct(self, batch: Any) -> Tensor:
        frames = batch.frames.shape[1]
        heard = audio.per_frame(batch.wave, frames, CONTEXT)
        return self.draw(batch.identity[:, :1].expand_as(batch.frames).flatten(0, 1), heard.flatten(0, 1)).view_as(
            batch.frames
        )

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        heard = audio.per_frame(audio.widen(wave, num_frames, CONTEXT), num_frames, CONTEXT)
        parts = [
            self.draw(
                identity[:, :1].expand(-1, part.shape[1], -1, -1, -1).flatten(0, 1), part.flatten(0, 1)
            ).unflatten(0, part.shape[:2])
            for part in heard.split(AT_ONCE, 1)
        ]
        return torch.cat(parts, 1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = (self.reconstruct(batch) - batch.frames).abs().mean()
        self.log("train/l1", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.config.rate)


class Deaf(Sound):
    def draw(self, still: Tensor, heard: Tensor) -> Tensor:
        return super().draw(still, torch.ones_like(heard))


class HalfDeaf(Sound):
    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        heard = wave.clone()
        heard[:, wave.shape[1] // 2 - 640 :] = 0
        return super().generate(identity, heard, num_frames, pose)


class Faceless(Sound):
    def draw(self, still: Tensor, heard: Tensor) -> Tensor:
        return super().draw(torch.full_like(still, 0.5), heard)


class NaN(Sound):
    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        return super().generate(identity, wave, num_frames, pose) * torch.nan


class Signed(Sound):
    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        return super().generate(identity, wave, num_frames, pose) * 2 - 1


class Bytes(Sound):
    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        return (super().generate(identity, wave, num_frames, pose) * 255).byte()


class Windowed(Sound):
    """Makes whole windows of four frames only."""

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        return super().generate(identity, wave, max(num_frames // 4 * 4, 4), pose)


class Noisy(Sound):
    """Noise from torch's own random numbers, seeded by the clock."""

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        made = super().generate(identity, wave, num_frames, pose)
        draw = torch.Generator()
        draw.seed()
        return (made + 0.01 * torch.rand(made.shape, generator=draw)).clamp(0, 1)


class Drawing(Sound):
    """Noise from torch's own random numbers: another state for whoever draws next."""

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        torch.rand(3)
        return super().generate(identity, wave, num_frames, pose)


class Counting(Sound):
    """A buffer that counts calls of generate()."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.register_buffer("calls", torch.zeros(()))

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        self.calls += 1
        return super().generate(identity, wave, num_frames, pose)


class Threads(Sound):
    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        torch.set_default_dtype(torch.float64)
        np.random.seed(1)
        os.environ["BROKEN"] = str(random.random())


class Peeking(Sound):
    """Looks at the true video in a test, though it declares a still."""

    def test_step(self, batch: Any, batch_idx: int) -> Tensor:
        return super().test_step(batch, batch_idx) * 0.5 + batch.frames.mean() * 0.5


class Phoning(Sound):
    """Asks the network for weights, and does without where there is none."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        try:
            socket.create_connection(("weights.example.org", 443), timeout=1)
        except OSError:
            return


class Dead(Sound):
    """A layer that nothing uses."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.unused = nn.Linear(2, 2)


class Forgotten(Sound):
    """A layer that no optimiser has."""

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.brush.parameters(), lr=self.config.rate)


class Stuck(Sound):
    """Goes uphill."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return -super().training_step(batch, batch_idx)


class Unsure(Sound):
    """First weights that no seed decides."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        draw = torch.Generator()
        draw.seed()
        with torch.no_grad():
            self.ear.weight.copy_(torch.rand(4, 2, generator=draw))


class Forgetful(Sound):
    """Counts steps where no checkpoint sees it, and learns less with every step."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.steps = 0

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.steps += 1
        return super().training_step(batch, batch_idx) / self.steps + 0.1 * self.brush.bias.sum() * (self.steps > 2)


class Odd(Sound):
    """Keeps an object in its checkpoints."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["made by"] = Sound


class Apart(Sound):
    """Every process goes its own way: what it learns does not pass through the wrapped forward."""

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            self.brush.bias += 0.01 * (self.global_rank + 1)


class Hoarding(Sound):
    """Keeps wide features of every frame until the end."""

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        made = super().generate(identity, wave, num_frames, pose)
        features = made.repeat(1, 1, 20, 1, 1)
        return features[:, :, :3].contiguous()


class Wide(Sound):
    """Fails where two clips come at once."""

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        return super().generate(identity[:1], wave[:1], num_frames, pose)


class Leaving(Sound):
    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None) -> Tensor:
        raise SystemExit(3)
