"""Tiny methods, each broken in exactly one way; the sound one keeps every rule."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from broken_config import TinyConfig
from torch import Tensor, nn

from zoo.data.request import Pictures, Request
from zoo.media import audio
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import InputSpec

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

    def draw_all(self, request: Request) -> Tensor:
        """All frames of a request at once."""
        heard = request.audio_windows(CONTEXT)
        stills = request.stills[:, :1].expand(-1, request.num_frames, -1, -1, -1)
        return self.draw(stills.flatten(0, 1), heard.flatten(0, 1)).unflatten(0, heard.shape[:2])

    def reconstruct(self, batch: Any) -> Tensor:
        return self.draw_all(batch.given)

    def generate(self, request: Request) -> Tensor:
        return torch.cat([self.draw_all(part) for part in request.parts(AT_ONCE)], 1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = (self.reconstruct(batch) - batch.frames).abs().mean()
        self.log("train/l1", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.config.rate)


class First(TalkingFaceMethod):
    """The sound one as it was written for api_version 1, with the upper half of the video that it is shown."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.ear = nn.Linear(2, 4)
        self.brush = nn.Linear(4, 3)

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(SIZE, SIZE), frames=4, context=CONTEXT)

    def draw(self, seen: Tensor, heard: Tensor) -> Tensor:
        loud = torch.stack([heard.abs().mean(-1), heard.square().mean(-1).sqrt()], -1)
        shade = self.brush(self.ear(10 * loud).tanh())
        return (seen * 4 - 2 + shade[..., None, None]).sigmoid()

    def reconstruct(self, batch: Any) -> Tensor:
        heard = audio.per_frame(batch.wave, batch.frames.shape[1], CONTEXT)
        return self.draw(_joined(batch.frames, batch.identity[:, :1].expand_as(batch.frames)), heard)

    def generate(  # type: ignore[override]
        self, identity: Tensor, wave: Tensor, num_frames: int, pose: Tensor | None = None
    ) -> Tensor:
        assert wave.shape[1] == 640 * num_frames
        heard = audio.per_frame(audio.widen(wave, num_frames, CONTEXT), num_frames, CONTEXT)
        still = identity[:, :1].expand(-1, num_frames, -1, -1, -1)
        seen = still if pose is None else _joined(pose, still)
        parts = zip(seen.split(AT_ONCE, 1), heard.split(AT_ONCE, 1), strict=True)
        return torch.cat([self.draw(*part) for part in parts], 1)

    def generate_stream(self, identity: Tensor, audio_chunks: Iterable[Tensor]) -> Iterator[Tensor]:
        heard, t = identity.new_zeros(len(identity), 0), 0
        for chunk in audio_chunks:
            heard = torch.cat([heard, chunk], 1)
            while audio.frame_window(t, 1, CONTEXT)[1] <= heard.shape[1]:
                yield self.draw(identity[:, 0], audio.cut(heard, *audio.frame_window(t, 1, CONTEXT)))
                t += 1
        for late in range(t, audio.num_frames(heard.shape[1])):
            yield self.draw(identity[:, 0], audio.cut(heard, *audio.frame_window(late, 1, CONTEXT)))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = (self.reconstruct(batch) - batch.frames).abs().mean()
        self.log("train/l1", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.config.rate)


def _joined(upper: Tensor, lower: Tensor) -> Tensor:
    """The upper half of one face and the lower half of another."""
    return torch.cat([upper[..., : SIZE // 2, :], lower[..., SIZE // 2 :, :]], -2)


class Deaf(Sound):
    def draw(self, still: Tensor, heard: Tensor) -> Tensor:
        return super().draw(still, torch.ones_like(heard))


class HalfDeaf(Sound):
    def generate(self, request: Request) -> Tensor:
        heard = request.sound.clone()
        heard[:, heard.shape[1] // 2 - 640 :] = 0
        return super().generate(replace(request, sound=heard))


class Faceless(Sound):
    def draw(self, still: Tensor, heard: Tensor) -> Tensor:
        return super().draw(torch.full_like(still, 0.5), heard)


class NaN(Sound):
    def generate(self, request: Request) -> Tensor:
        return super().generate(request) * torch.nan


class Signed(Sound):
    def generate(self, request: Request) -> Tensor:
        return super().generate(request) * 2 - 1


class Bytes(Sound):
    def generate(self, request: Request) -> Tensor:
        return (super().generate(request) * 255).byte()


class Windowed(Sound):
    """Makes whole windows of four frames only."""

    def generate(self, request: Request) -> Tensor:
        return super().generate(replace(request, num_frames=max(request.num_frames // 4 * 4, 4)))


class Noisy(Sound):
    """Noise from torch's own random numbers, seeded by the clock."""

    def generate(self, request: Request) -> Tensor:
        made = super().generate(request)
        draw = torch.Generator()
        draw.seed()
        return (made + 0.01 * torch.rand(made.shape, generator=draw)).clamp(0, 1)


class Drawing(Sound):
    """Noise from torch's own random numbers: another state for whoever draws next."""

    def generate(self, request: Request) -> Tensor:
        torch.rand(3)
        return super().generate(request)


class Counting(Sound):
    """A buffer that counts calls of generate()."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.register_buffer("calls", torch.zeros(()))

    def generate(self, request: Request) -> Tensor:
        self.calls += 1
        return super().generate(request)


class Threads(Sound):
    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        torch.set_default_dtype(torch.float64)
        np.random.seed(1)
        os.environ["BROKEN"] = str(random.random())


def everything(request: Request) -> Request:
    """What whoever calls ``generate()`` keeps from it."""
    known = sys._getframe(2).f_locals.get("request", request)
    assert isinstance(known, Request)
    return known


class Peeking(Sound):
    """Looks at the true video, though it declares a still: in the caller's own variables."""

    def generate(self, request: Request) -> Tensor:
        made, known = super().generate(request), everything(request)
        return made if known.driver is None else made * 0.5 + known.driver.frames.mean() * 0.5


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


class Scaling(Sound):
    """Takes longer steps where there are more processes."""

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.config.rate * self.trainer.world_size)


class Hoarding(Sound):
    """Keeps wide features of every frame until the end."""

    def generate(self, request: Request) -> Tensor:
        made = super().generate(request)
        features = made.repeat(1, 1, 20, 1, 1)
        return features[:, :, :3].contiguous()


class Wide(Sound):
    """Fails where two clips come at once."""

    def generate(self, request: Request) -> Tensor:
        who = Pictures(frames=request.stills[:1], points=request.identity.points[:1])
        return super().generate(replace(request, identity=who, sound=request.sound[:1]))


class Leaving(Sound):
    def generate(self, request: Request) -> Tensor:
        raise SystemExit(3)


class Calling(Sound):
    """Asks the network only when it generates."""

    def generate(self, request: Request) -> Tensor:
        with suppress(OSError):
            socket.create_connection(("weights.example.org", 443), timeout=1)
        return super().generate(request)


class Curling(Sound):
    """Has another program ask the network, and does without where there is none."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        with suppress(OSError):
            subprocess.run(["curl", "-s", "https://weights.example.org/w.bin"], check=False, capture_output=True)


class LipReading(Sound):
    """Looks at the true mouth's landmarks."""

    def generate(self, request: Request) -> Tensor:
        made, known = super().generate(request), everything(request)
        if known.driver is None:
            return made
        opened = (
            known.driver.points[:, : request.num_frames, 66, 1] - known.driver.points[:, : request.num_frames, 62, 1]
        )
        return made * 0.9 + 0.1 * opened.sigmoid()[..., None, None, None]


class Prompted(Sound):
    """Knows what is said."""

    def generate(self, request: Request) -> Tensor:
        return super().generate(request) / (1 + len(everything(request).words[0]))


class Fading(Sound):
    """Learns something that no checkpoint holds."""

    gain = 1.0

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.gain = 0.5

    def generate(self, request: Request) -> Tensor:
        return super().generate(request) * self.gain


class Careless(Sound):
    """Sets what others see, but only when it is trained."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        os.environ["BROKEN"] = "trained"
        torch.set_float32_matmul_precision("medium")
        return super().training_step(batch, batch_idx)


_load = torch.load


class Patching(Sound):
    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        torch.load = lambda *given, **more: _load(*given, **more)


class Mixing(Sound):
    """Every clip of a batch gets the mean of all faces."""

    def generate(self, request: Request) -> Tensor:
        faces = request.stills.mean(0, keepdim=True).expand_as(request.stills)
        return super().generate(replace(request, identity=replace(request.identity, frames=faces)))


class Backwards(Sound):
    """Hears the sound from its end to its beginning."""

    def generate(self, request: Request) -> Tensor:
        return super().generate(replace(request, sound=request.sound.flip(1)))


class Shifted(Sound):
    """Hears the sound backwards, and from another second on."""

    def generate(self, request: Request) -> Tensor:
        return super().generate(replace(request, sound=request.sound.roll(16_000, 1).flip(1)))


class Copying(Sound):
    """Gives a video back as it is."""

    def generate(self, request: Request) -> Tensor:
        return super().generate(request) if request.driver is None else request.driver.frames


class Dubbed(Sound):
    """Gives every video the same mouth, whatever the sound is."""

    def generate(self, request: Request) -> Tensor:
        silent = replace(request, sound=torch.zeros_like(request.sound))
        return super().generate(request if request.driver is None else silent)


class Streaming(Sound):
    """Gives each frame as soon as it has heard enough."""

    def stream(self, start: Request, parts: Iterable[Request]) -> Iterator[Tensor]:
        heard, t = start.stills.new_zeros(len(start), 0), 0
        for part in parts:
            heard = torch.cat([heard, part.sound], 1)
            while audio.frame_window(t, 1, CONTEXT)[1] <= heard.shape[1]:
                yield self.frame(start, heard, t)
                t += 1
        for late in range(t, audio.num_frames(heard.shape[1])):
            yield self.frame(start, heard, late)

    def frame(self, start: Request, heard: Tensor, t: int) -> Tensor:
        return self.draw(start.stills[:, 0], audio.cut(heard, *audio.frame_window(t, 1, CONTEXT)))


class Choppy(Streaming):
    """Hears no more than the part that came last."""

    def stream(self, start: Request, parts: Iterable[Request]) -> Iterator[Tensor]:
        begin = t = 0
        for part in parts:
            while 640 * (t + 1) <= begin + part.sound.shape[1]:
                window = (sample - begin for sample in audio.frame_window(t, 1, CONTEXT))
                yield self.draw(start.stills[:, 0], audio.cut(part.sound, *window))
                t += 1
            begin += part.sound.shape[1]


class Waiting(Sound):
    """Says that it streams, and waits for all sound."""
