"""Rules of methods: what generate() makes, of whom, of which sound, of what length, and at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from zoo.audio import num_samples
from zoo.clip import Word
from zoo.data.batch import Batch
from zoo.data.module import TalkingFaceData
from zoo.data.request import Pictures, Request
from zoo.data.windows import Draw, collate
from zoo.method import TalkingFaceMethod
from zoo.spec import MethodSpec
from zoo.synthesis.make import uses_of
from zoo.testing.guards import watch_state
from zoo.testing.memory import live_bytes
from zoo.testing.rules import Broken, NotHere, Rules, rule
from zoo.testing.trainables import TrainableCase
from zoo.trainable import TrainableModule

RULES: Rules = []

ALONE = 1e-4
"""Largest difference in [0, 1] between a clip made alone and the same clip beside another."""

LENGTHS = (1, 16, 75, 200)
"""Frames of the clips that every method makes."""

AGREE = 1e-2
"""Largest difference in [0, 1] between what a CPU and an accelerator make."""


class MethodCase(TrainableCase):
    """A method on the tiny corpus."""

    spec: MethodSpec

    @cached_property
    def ready(self) -> TalkingFaceMethod:
        """The method after its steps on one batch, in evaluation mode."""
        module = super().ready
        assert isinstance(module, TalkingFaceMethod)
        return module

    @cached_property
    def clips(self) -> list[Batch]:
        """Two whole clips of different speakers, pictures in [0, 1]."""
        data = TalkingFaceData(self.config.data, self.ready.input_spec, 0, self.ready.uses)
        data.setup()
        return [collate([data.windows[Draw(data.clips[part][0], None)]]).unit() for part in ("train", "test")]

    @cached_property
    def lengths(self) -> dict[int, tuple[Any, int]]:
        """A clip of each of :data:`LENGTHS`, and the bytes of memory that making it took."""
        return {frames: live_bytes(partial(self.make, frames)) for frames in LENGTHS}

    def make(
        self, frames: int, who: int = 0, sound: int = 0, seed: int = 0, device: str = "cpu"
    ) -> Float[Tensor, "B T 3 H W"]:
        """A clip of one of the two speakers with one of the two sounds, which is repeated where it is too short."""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            return self.generate(self.ready.to(device), self.request(frames, who, sound).to(device))

    def generate(self, module: TalkingFaceMethod, request: Request) -> Any:
        """What ``generate()`` gives back for a request of its default mode, whatever it is."""
        with torch.no_grad():
            return module.generate(request.only(self.spec.default_mode, uses_of(module, self.spec)))

    def request(self, frames: int, who: int = 0, sound: int = 0, *, driver: bool = False) -> Request:
        """A clip of one of the two speakers with one of the two sounds.

        Args:
            frames: how many.
            who: number of the speaker.
            sound: number of the sound, which is repeated where it is too short.
            driver: whether the speaker's video is the driver; of a photo there is none.
        """
        given = self.clips[who].given
        seen = None if given.driver is None or not driver else given.driver.part(0, frames)
        return replace(given, num_frames=frames, sound=self.wave(frames, sound), driver=seen)

    def both(self, frames: int, *, driver: bool = False) -> Request:
        """Both speakers at once, each with a sound."""
        return _together([self.request(frames, who, who, driver=driver) for who in (0, 1)])

    def answers(self, module: TrainableModule) -> dict[str, Tensor]:
        """See :meth:`TrainableCase.answers`; and a clip that it makes."""
        assert isinstance(module, TalkingFaceMethod)
        said = super().answers(module)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made = self.generate(module.eval(), self.request(8))
        return said | {"what generate() makes": made}

    def use(self) -> None:
        """See :meth:`TrainableCase.use`."""
        super().use()
        self.make(8)
        with torch.no_grad():
            self.ready.test_step(self.clips[0], 0)

    def wave(self, frames: int, sound: int = 0) -> Float32[Tensor, "1 S"]:
        """One of the two sounds, as long as so many frames."""
        heard, wanted = self.clips[sound].given.sound, num_samples(frames)
        if heard is None:
            raise NotHere("its modes use no sound")
        return heard.repeat(1, -(-wanted // heard.shape[1]))[:, :wanted].contiguous()


@rule(
    RULES,
    "generate() gives frames in [0, 1]",
    "for two clips at once: (2, T, 3, H, W) of the input spec's size, floats in [0, 1]; the pose may be missing",
    "clamp or squash what the network gives, and read the size from input_spec",
)
def _shapes(case: MethodCase) -> None:
    module, frames = case.ready, 7
    for driver in (False, True):
        made = case.generate(module, case.both(frames, driver=driver))
        _require_frames(made, (2, frames, 3, *module.input_spec.size))
    with torch.no_grad():
        seen = module.reconstruct(case.batch)
    _require_frames(seen, tuple(case.batch.frames.shape), "reconstruct()")


def _together(requests: Sequence[Request]) -> Request:
    """Several requests as one of several clips."""
    first, drivers = requests[0], [each.driver for each in requests if each.driver is not None]
    sounds = [each.sound for each in requests if each.sound is not None]
    return replace(
        first,
        identity=_stacked([each.identity for each in requests]),
        sound=torch.cat(sounds) if sounds else None,
        driver=_stacked(drivers) if drivers else None,
        words=tuple(words for each in requests for words in each.words),
        labels={name: tuple(label for each in requests for label in each.labels[name]) for name in first.labels},
        arrays={name: torch.cat([each.arrays[name] for each in requests]) for name in first.arrays},
    )


def _stacked(pictures: Sequence[Pictures]) -> Pictures:
    frames = [each.frames for each in pictures if each.frames is not None]
    return Pictures(frames=torch.cat(frames) if frames else None, points=torch.cat([each.points for each in pictures]))


def _require_frames(made: Any, shape: tuple[int, ...], who: str = "generate()") -> None:
    if not isinstance(made, Tensor):
        raise Broken(f"{who} gives a {type(made).__name__}")
    if tuple(made.shape) != shape:
        raise Broken(f"{who} gives {tuple(made.shape)}, not {shape}")
    if not made.is_floating_point():
        raise Broken(f"{who} gives {made.dtype}")
    if not bool(made.isfinite().all()):
        raise Broken(f"{who} gives numbers that are not finite")
    low, high = float(made.min()), float(made.max())
    if low < -1e-4 or high > 1 + 1e-4:
        raise Broken(f"{who} gives values in [{low:.3g}, {high:.3g}]")


@rule(
    RULES,
    "clips of 1, 16, 75 and 200 frames",
    "generate() makes clips of every length, whatever the window of training is",
    "go over the clip in windows and cut the sound with zoo.audio.frame_window, which gives silence beyond its ends",
)
def _lengths(case: MethodCase) -> None:
    for frames, (made, _) in case.lengths.items():
        _require_frames(made, (1, frames, 3, *case.ready.input_spec.size))


@rule(
    RULES,
    "determinism under a seed",
    "the same clip made twice is the same to the bit",
    "draw noise from a torch.Generator that generate() seeds itself, and do not keep anything from call to call",
)
def _deterministic(case: MethodCase) -> None:
    one, two = case.make(20), case.make(20)
    if not torch.equal(one, two):
        raise Broken(f"two clips that differ by up to {float((one - two).abs().max()):.3g}")


@rule(
    RULES,
    "clips of a batch do not mix",
    f"each of two clips made at once is the one that is made alone, to {ALONE:g} of the range",
    "let nothing pass from one clip of a batch to another: no mean over them, no noise that depends on their number",
)
def _alone(case: MethodCase) -> None:
    both = case.generate(case.ready, case.both(8))
    alone = torch.cat([case.make(8, who, who) for who in (0, 1)])
    apart = float((both - alone).abs().max())
    if not apart <= ALONE:
        raise Broken(f"a clip that differs by up to {apart:.3g} when another is made beside it")


@rule(
    RULES,
    "identity matters",
    "with another speaker's picture other frames are made",
    "check that the identity picture reaches the network that draws",
)
def _identity(case: MethodCase) -> None:
    if torch.equal(case.make(8, who=0), case.make(8, who=1)):
        raise Broken("the same frames for two speakers")


@rule(
    RULES,
    "sound matters",
    "with another sound other frames are made, also early and late in the clip; with another middle or ending, those",
    "check that the sound of each frame, and of no other time, reaches the network that draws (zoo.audio.frame_window)",
)
def _sound(case: MethodCase) -> None:
    difference = (case.make(40, sound=0) - case.make(40, sound=1)).abs().amax((0, 2, 3, 4))
    still = [part for part, frames in (("first", difference[:20]), ("last", difference[20:])) if not bool(frames.any())]
    if len(still) == 2:
        raise Broken("the same frames for two sounds")
    if still:
        raise Broken(f"the same frames for two sounds in the {still[0]} half of the clip")
    for number, part in ((1, "middle"), (2, "last")):
        early, there = _moved(case, number)
        if not there > early:
            raise Broken(
                f"with another sound in the {part} third, frames of the first third differ by {early:.2g} on "
                f"average, those of the {part} by {there:.2g}"
            )


def _moved(case: MethodCase, number: int) -> tuple[float, float]:
    """By how much frames of the first third and of third ``number`` differ when the sound of that one is another."""
    third, (begin, end) = 20, (num_samples(20 * number), num_samples(20 * (number + 1)))
    one, other = case.wave(3 * third), case.wave(3 * third, 1)
    two = torch.cat([one[:, :begin], other[:, begin:end], one[:, end:]], 1)
    given = case.request(3 * third)
    made = [case.generate(case.ready, replace(given, sound=sound)) for sound in (one, two)]
    apart = (made[0] - made[1]).abs().mean((0, 2, 3, 4)).view(3, third).mean(1)
    return float(apart[0]), float(apart[number])


@rule(
    RULES,
    "sees no more than it declares",
    "what the spec's modes do not name changes nothing in a test, whatever the true video, landmarks and words are",
    "take all from the request that generate() is given, and declare what each mode uses (zoo.spec.Uses)",
)
def _shown(case: MethodCase) -> None:
    clip, uses = case.clips[0], case.spec.uses()
    if uses.driver == "video":
        raise NotHere("it declares that it is shown the video")
    others = _hidden(clip, clip.frames.shape[-2] // 2 if uses.driver == "upper half" else 0)
    with torch.no_grad():
        made = case.ready.test_step(clip, 0)
        for what, other in others.items():
            if not torch.equal(made, case.ready.test_step(other, 0)):
                raise Broken(f"given {uses}, it makes other frames when {what} another")


def _hidden(clip: Batch, first: int) -> dict[str, Batch]:
    """The same clip with something else where a method must not look: below row ``first``, and what is said.

    Landmarks of the first frame, which is the still, stay.
    """
    frames, points = clip.frames.clone(), clip.landmarks.clone()
    frames[..., first:, :] = 1 - frames[..., first:, :]
    low = points[:, 1:, :, 1:] >= first
    points[:, 1:] *= torch.where(low, points.new_tensor([1.25, 1.5]), 1)
    said = tuple((Word(0.0, 0.2, "zoo"),) for _ in clip.words)
    return {
        "the rest of the true video is": _driven(replace(clip, frames=frames)),
        "the landmarks of what it is not shown are": _driven(replace(clip, landmarks=points)),
        "what is said is": replace(clip, given=replace(clip.given, words=said)),
    }


def _driven(clip: Batch) -> Batch:
    """The clip with its own true video as the driver, where there is one."""
    if clip.given.driver is None:
        return clip
    return replace(clip, given=replace(clip.given, driver=Pictures(frames=clip.frames, points=clip.landmarks)))


@rule(
    RULES,
    "generating changes nothing",
    "generate() leaves torch's, NumPy's and Python's settings and random numbers, and its own weights, as they were",
    "use a torch.Generator of your own, and keep nothing in buffers while generating",
)
def _generate_state(case: MethodCase) -> None:
    weights = {name: value.clone() for name, value in case.ready.state_dict().items()}
    training, sound = case.ready.training, case.wave(20)
    with watch_state() as changed:
        case.generate(case.ready, replace(case.request(20), sound=sound))
    changed += [name for name, value in case.ready.state_dict().items() if not torch.equal(value, weights[name])]
    changed += ["its training mode"] if case.ready.training != training else []
    if changed:
        raise Broken(f"generate() changes {', '.join(changed)}")


@rule(
    RULES,
    "CPU and accelerator agree",
    f"the same frames on both, to {AGREE:g} of the range",
    "create tensors on the device of what is given, and keep sound features in float32",
)
def _accelerator(case: MethodCase) -> None:
    if not torch.accelerator.is_available():
        raise NotHere("no accelerator in this machine")
    device = str(torch.accelerator.current_accelerator())
    here = case.make(20)
    try:
        there = case.make(20, device=device).float().cpu()
    finally:
        case.ready.to("cpu")
    apart = float((here - there).abs().max())
    if not apart <= AGREE:
        raise Broken(f"frames that differ by up to {apart:.3g} between cpu and {device}")
