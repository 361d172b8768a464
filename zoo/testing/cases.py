"""What the rules of methods and experts look at: a network that was trained for seconds, or a checkpoint's."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from jaxtyping import Float, Float32, Shaped
from torch import Tensor

from zoo import registry
from zoo.data.batch import Batch
from zoo.data.module import TalkingFaceData
from zoo.data.request import Request
from zoo.data.windows import Draw, collate
from zoo.media.audio import num_samples
from zoo.methods import trainable
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.module import TrainableModule
from zoo.registry.config import RunConfig
from zoo.registry.spec import MethodSpec, TrainableSpec
from zoo.testing.corpus import corpus_of
from zoo.testing.generation import VISIBLE, generated, seen, together
from zoo.testing.lesson import Taught, teach
from zoo.testing.memory import live_bytes
from zoo.testing.rules import Case, NotHere
from zoo.testing.trial import STEPS, Practice, fit, practise, trial

LENGTHS = (1, 16, 75, 200)
"""Frames of the clips that every method makes."""

HALF = 16
"""Frames of half a clip in which the sound is another."""


def as_method(module: TrainableModule) -> TalkingFaceMethod:
    """The same, known to be a method."""
    assert isinstance(module, TalkingFaceMethod)
    return module


@dataclass
class TrainableCase(Case):
    """A method or an expert on the tiny corpus, with the settings of its trial (:attr:`.TrainableSpec.trial`).

    Attributes:
        spec: its spec.
        corpus: the tiny corpus; ``None``: where :func:`zoo.testing.corpus.tiny_corpus` keeps it, with
            the labels and arrays of the spec.
        peers: others that are checked in this run: what needs further processes is done for all of them at once.
    """

    spec: TrainableSpec
    corpus: Path | None = None
    peers: tuple[str, ...] = ()

    @cached_property
    def config(self) -> RunConfig:
        """The settings of a trial; with a checkpoint, with its model's."""
        config = trial(self.spec, self.corpus or corpus_of(self.spec))
        return dataclasses.replace(config, model=self.given.config) if self.ckpt else config

    @cached_property
    def given(self) -> TrainableModule:
        """The module of the checkpoint."""
        return trainable.load_checkpoint(str(self.ckpt), registry.full_name(self.spec)).requires_grad_(False)

    @property
    def asked(self) -> str:
        """See :attr:`zoo.testing.rules.Case.asked`."""
        return str(self.ckpt) if self.ckpt else f"a trial, {STEPS} steps on one batch"

    @cached_property
    def batch(self) -> Batch:
        """One training batch, pictures in [0, 1]."""
        if self.ckpt:
            module = self.given
        else:
            module = self.build()
            module.before_fit()
        data = TalkingFaceData(self.config.data, module.input_spec, self.config.seed, module.uses)
        data.setup("fit")
        return next(iter(data.train_dataloader())).unit()

    @cached_property
    def practice(self) -> Practice:
        """Losses of some steps on one batch."""
        return practise(self.build(), self.config, self.batch, self.folder / "practice")

    @cached_property
    def finished(self) -> tuple[TrainableModule, Path]:
        """Two epochs in one go: the module as they left it, and its checkpoint."""
        module, path = fit(self.config, self.folder / "at-once", epochs=2)
        module._trainer = None
        return module, path

    @property
    def trained(self) -> Path:
        """The checkpoint that is checked; else that of two epochs in one go."""
        return self.ckpt or self.finished[1]

    def use(self) -> None:
        """Build it and train it, or load it."""
        _ = self.at_rest()

    def build(self, seed: int = 0) -> TrainableModule:
        """The module with fresh weights."""
        return trainable.build(self.spec, self.config.model, seed=seed)

    def at_rest(self) -> TrainableModule:
        """The module of the checkpoint, or after its steps on one batch, in evaluation mode."""
        return self.given if self.ckpt else self.practice.module.eval().requires_grad_(False)

    @cached_property
    def files(self) -> dict[str, Path]:
        """What a trained module was kept in: its checkpoint, and safetensors."""
        weights = self.folder / "weights.safetensors"
        trainable.save_weights(trainable.load_checkpoint(self.trained, registry.full_name(self.spec)), weights)
        return {"the checkpoint": self.trained, "safetensors": weights}


class MethodCase(TrainableCase):
    """A method on the tiny corpus."""

    spec: MethodSpec

    @cached_property
    def ready(self) -> TalkingFaceMethod:
        """The method that is asked, in evaluation mode: a checkpoint's, or after its steps on one batch."""
        _ = self.fresh
        return as_method(self.at_rest())

    @cached_property
    def fresh(self) -> TalkingFaceMethod:
        """The same before it generated anything."""
        return copy.deepcopy(as_method(self.at_rest()))

    @cached_property
    def data(self) -> TalkingFaceData:
        """The tiny corpus as the method eats it."""
        data = TalkingFaceData(self.config.data, self.ready.input_spec, 0, self.ready.uses)
        data.setup()
        return data

    @property
    def whose(self) -> tuple[int, int]:
        """Two clips of different speakers."""
        return self.data.clips["train"][0], self.data.clips["test"][0]

    @cached_property
    def clips(self) -> list[Batch]:
        """Both as a test has them, whole, pictures in [0, 1]."""
        return [collate([self.data.windows[Draw(clip, None)]]).unit() for clip in self.whose]

    def request(self, frames: int, who: int = 0, sound: int = 0, *, driver: bool = False) -> Request:
        """A clip of one of the two speakers with one of the two sounds.

        Args:
            frames: how many.
            who: number of the speaker.
            sound: number of the sound, which is repeated where it is too short.
            driver: whether the speaker's video is the driver; of a photo there is none.
        """
        given = self.clips[who].given
        video = None if given.driver is None or not driver else given.driver.part(0, frames)
        heard = self.wave(frames, sound) if given.sound is not None else None
        arrays = {name: repeated(values, frames) for name, values in given.arrays.items()}
        return replace(given, num_frames=frames, sound=heard, driver=video, arrays=arrays)

    def both(self, frames: int, *, driver: bool = False) -> Request:
        """Both speakers at once, each with a sound."""
        return together([self.request(frames, who, who, driver=driver) for who in (0, 1)])

    @cached_property
    def lengths(self) -> dict[int, tuple[Any, int]]:
        """A clip of each of :data:`LENGTHS`, and the bytes of memory that making it took."""
        return {frames: live_bytes(partial(self.make, frames)) for frames in LENGTHS}

    @cached_property
    def taught(self) -> Taught:
        """Result of a lesson of two sounds (:mod:`zoo.testing.lesson`)."""
        return teach(self.config, self.ready, self.folder / "lesson", self.moved_by_sound, VISIBLE)

    @cached_property
    def moved(self) -> Float[Tensor, "2"]:
        """By how much another sound moves the method as it is asked."""
        return self.moved_by_sound(self.ready)

    @cached_property
    def listener(self) -> TalkingFaceMethod:
        """The method, taught as long as the sound does not move it visibly; a checkpoint as it is."""
        return self.ready if self.ckpt or float(self.moved.min()) >= VISIBLE else self.taught.module

    @property
    def asked(self) -> str:
        """See :attr:`zoo.testing.rules.Case.asked`."""
        lesson = f"; for sound a lesson of {self.taught.steps} steps more" if "taught" in vars(self) else ""
        return super().asked + lesson

    def moved_by_sound(self, module: TalkingFaceMethod) -> Float[Tensor, "2"]:
        """By how much another sound can be seen to move its pictures, at most, in the first and last half of a clip."""
        one, other = (self.make(HALF * 2, sound=sound, module=module) for sound in (0, 1))
        return seen(one, other).view(2, HALF).amax(1)

    def make(
        self, frames: int, who: int = 0, sound: int = 0, device: str = "cpu", module: TalkingFaceMethod | None = None
    ) -> Float[Tensor, "1 T 3 H W"]:
        """A clip of one of the two speakers with one of the two sounds, which is repeated where it is too short."""
        module = (module or self.ready).to(device)
        return generated(module, self.request(frames, who, sound).to(device))

    def use(self) -> None:
        """See :meth:`TrainableCase.use`."""
        super().use()
        self.make(8)
        generated(self.ready, self.clips[0].given)

    def wave(self, frames: int, sound: int = 0) -> Float32[Tensor, "1 S"]:
        """One of the two sounds, as long as so many frames."""
        heard, wanted = self.clips[sound].given.sound, num_samples(frames)
        if heard is None:
            raise NotHere("its modes use no sound")
        return repeated(heard, wanted)


def repeated(values: Shaped[Tensor, "B n *rest"], count: int) -> Shaped[Tensor, "B count *rest"]:
    """So many entries, from the first on again where there are fewer."""
    return values[:, [number % values.shape[1] for number in range(count)]]
