"""A lesson that no still can learn: the same picture and two sounds, of which one turns the lower half upside down.

The network of a trial has seen a dozen batches, and the sound moves its pixels by less than anybody can see; so does
that of a method which makes a still. A few dozen steps in which nothing but the sound tells two mouths apart show which
it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.data.batch import Batch
from zoo.data.windows import Draw, Window, collate
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.config import RunConfig
from zoo.testing.generation import seen
from zoo.testing.trial import OneBatch, fit

LESSON = 96
"""Steps after which a method that shows no difference is given up."""

LOOK = 12
"""Steps between two looks."""

DRAWS = 4
"""Windows of each clip among which the loudest and the softest are looked for."""

Look = Callable[[TalkingFaceMethod], Float[Tensor, "2"]]


class TwoSounds(OneBatch):
    """A loud and a soft sound with the same picture, as it is and with its lower half upside down."""

    def train_dataloader(self) -> DataLoader[Any]:
        """The same batch, ``steps`` times."""
        batch = collate(self.pair() * max(1, self.config.batch_size // 2))
        return DataLoader([batch] * self.steps, batch_size=None, collate_fn=lambda item: item)  # type: ignore[arg-type]

    def pair(self) -> list[Window]:
        """The picture with a soft sound, and the other with a loud one; 0..255."""
        draws = [Draw(clip, (number,)) for clip in self.clips["train"] for number in range(DRAWS)]
        windows = sorted((self.windows[draw] for draw in draws), key=lambda window: float(window.sound.square().mean()))
        soft, loud = windows[0], windows[-1]
        points = below(soft.landmarks, soft.frames.shape[-2])
        return [soft, soft._replace(frames=upside_down(soft.frames), landmarks=points, sound=loud.sound)]


def upside_down(frames: Tensor) -> Tensor:
    """Pictures ``(..., H, W)`` whose lower half is turned upside down."""
    turned, half = frames.clone(), frames.shape[-2] // 2
    turned[..., half:, :] = frames[..., half:, :].flip(-2)
    return turned


def below(landmarks: Float[Tensor, "*T 68 2"], height: int) -> Float[Tensor, "*T 68 2"]:
    """The points of such pictures: those in the lower half where they come to lie."""
    half, turned = height // 2, landmarks.clone()
    y = landmarks[..., 1]
    turned[..., 1] = torch.where(y >= half, half + height - 1 - y, y)
    return turned


@dataclass
class Taught:
    """Result of a lesson.

    Attributes:
        module: as it was left, in evaluation mode.
        steps: how many it took.
        moved: what the last look found.
        pair: the lesson itself, a soft and a loud sound, pictures in [0, 1].
    """

    module: TalkingFaceMethod
    steps: int
    moved: Float[Tensor, "2"]
    pair: Batch

    def drawn(self, module: TalkingFaceMethod) -> float:
        """By how much the two mouths of the lesson can be seen to differ as ``reconstruct()`` draws them."""
        with torch.no_grad():
            mouths = module.reconstruct(self.pair)
        return float(seen(mouths[:1], mouths[1:]).max())


class _Looks(pl.Callback):
    """Ends the lesson where it is learnt."""

    def __init__(self, look: Look, enough: float) -> None:
        self.look, self.enough, self.found = look, enough, torch.zeros(2)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look, every now and then."""
        if (batch_idx + 1) % LOOK == 0:
            self.found = self.look(pl_module.eval())
            trainer.should_stop = float(self.found.min()) >= self.enough
            pl_module.train()


def teach(config: RunConfig, like: TalkingFaceMethod, folder: Path, look: Look, enough: float) -> Taught:
    """Give a fresh network the lesson, :data:`LESSON` steps at most.

    Args:
        config: the settings of the trial.
        like: the method, for its input format.
        folder: where checkpoints go.
        look: by how much another sound moves a module in evaluation mode.
        enough: where the lesson ends.
    """
    looks = _Looks(look, enough)
    data = TwoSounds(config.data, like.input_spec, config.seed, LESSON, like.uses)
    module, _ = fit(config, folder, epochs=1, data=data, callbacks=[looks], limit_val_batches=0)
    assert isinstance(module, TalkingFaceMethod)
    steps = module.trainer.fit_loop.epoch_loop.batch_idx + 1
    module._trainer = None
    return Taught(module.eval().requires_grad_(False), steps, looks.found, collate(data.pair()).unit())
