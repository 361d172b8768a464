"""Rules of what a method is shown in a test: what its spec names must matter, and what it does not, change nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import JAW, Pictures, Request
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.media.clip import MOUTH, Word
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import InputSpec, Uses
from zoo.synthesis.make import uses_of
from zoo.testing.cases import MethodCase, as_method
from zoo.testing.generation import VISIBLE, generated, seen
from zoo.testing.methods import repeats, tell_unseen
from zoo.testing.rules import Broken, NotHere, Rules, rule
from zoo.testing.specs import valid
from zoo.testing.trainables import learns

RULES: Rules = []


@rule(
    RULES,
    "all that it declares matters",
    "in every mode visibly other frames are made with another driver, other words, another value of each label and "
    "each array, and other stills beyond the first; in modes beside the default also with another speaker or sound",
    "check that in that mode it reaches the network that draws, or take it out of the spec's Uses",
    needs=(valid, repeats, learns),
)
def _matters(case: MethodCase) -> None:
    asked, unseen = 0, []
    for mode in dict(case.spec.modes):
        for what, requests in _choices(case, mode, uses_of(case.ready, case.spec, mode)).items():
            moved, asked = _moved(case, mode, what, requests), asked + 1
            if moved < VISIBLE and (case.ckpt or what != SOUND):
                unseen.append(f"mode '{mode}' makes frames that differ by {moved:.2g} whatever {what}")
    if not asked:
        raise NotHere("it uses a still and sound alone, which have rules of their own")
    if unseen:
        tell_unseen(case, "; ".join(unseen))


def _moved(case: MethodCase, mode: str, what: str, requests: Sequence[Request]) -> float:
    """By how much frames can be seen to differ among requests; of a trial after its lesson, where it had one.

    Raises:
        Broken: not at all.
    """
    modules = [case.ready, case.listener] if case.spec.uses().sound else [case.ready]
    most = 0.0
    for module in dict.fromkeys(modules):
        one, *others = (generated(module, request, mode) for request in requests)
        if all(torch.equal(one, other) for other in others):
            raise Broken(f"mode '{mode}' makes the same frames whatever {what}")
        most = max(most, *(float(seen(one, other).max()) for other in others))
    return most


SOUND = "the sound is"
"""Few steps teach little of it, so that a trial need not show it in modes beside the default."""


def _choices(case: MethodCase, mode: str, uses: Uses) -> dict[str, list[Request]]:
    """Requests that differ in one thing that a mode uses, by what it is: those of which not all may look the same."""
    given, other = (clip.given for clip in case.clips)
    found: dict[str, list[Request]] = {}
    if mode != case.spec.default_mode:
        found["the speaker is"] = [given, replace(given, identity=other.identity)]
    if mode != case.spec.default_mode and uses.sound:
        found[SOUND] = [given, replace(given, sound=other.sound)]
    if uses.driver:
        found["the driver is"] = [given, replace(given, driver=other.driver)]
    if uses.words:
        found["the words are"] = [given, replace(given, words=other.words)]
    if uses.stills > 1:
        found["the stills beyond the first are"] = [given, replace(given, identity=_further(given, other))]
    for name in uses.labels:
        values = dict(case.spec.label_values)[name]
        labels = [dict(given.labels) | {name: (value,)} for value in values]
        found[f"the label '{name}' is"] = [replace(given, labels=each) for each in labels]
    for name in uses.arrays:
        arrays = dict(given.arrays) | {name: other.arrays[name]}
        found[f"the array '{name}' is"] = [given, replace(given, arrays=arrays)]
    return found


def _further(given: Request, other: Request) -> Pictures:
    """The first still of one request and the further ones of another."""
    first, further = given.identity.part(0, 1), other.identity.part(1, other.identity.points.shape[1] - 1)
    assert first.frames is not None
    assert further.frames is not None
    return Pictures(
        frames=torch.cat([first.frames, further.frames], 1), points=torch.cat([first.points, further.points], 1)
    )


class OtherVideo(Windows):
    """A store in which one clip goes on otherwise: from its second frame on, rows from some row on are negatives.

    Args:
        store: the clips.
        spec: how the method wants them cut.
        uses: what else it is given.
        clip: which.
        row: the first row that is another.
    """

    def __init__(self, store: Store, spec: InputSpec, uses: Uses, clip: int, row: int) -> None:
        super().__init__(store, spec, uses)
        self.clip, self.row = clip, row

    def pictures(self, clip: int, which: Sequence[int]) -> UInt8[Tensor, "n 3 H W"]:
        """See :meth:`zoo.data.windows.Windows.pictures`."""
        cut = super().pictures(clip, which).clone()
        later = [place for place, frame in enumerate(which) if clip == self.clip and frame > 0]
        cut[later, :, self.row :] = 255 - cut[later, :, self.row :]
        return cut


@rule(
    RULES,
    "sees no more than it declares",
    "what a mode of the spec does not name changes nothing, to the bit, whatever the true video, landmarks, words, "
    "labels and arrays are, also after for_inference()",
    "take all from the request that generate() is given, and declare what each mode uses (zoo.registry.spec.Uses)",
    needs=(repeats,),
)
def _declared(case: MethodCase) -> None:
    for mode, uses in case.spec.modes:
        clip, others = case.clips[0], _others(case, uses)
        for module, when in _asked(case):
            made = _frames(module, clip, mode)
            for what, other in others.items():
                if not all(map(torch.equal, made, _frames(module, other, mode))):
                    raise Broken(f"mode '{mode}', given {uses}, makes other frames when {what} another{when}")


def _frames(module: TalkingFaceMethod, batch: Batch, mode: str) -> list[Tensor]:
    """What a mode generates."""
    return [generated(module, batch.given, mode)]


def _asked(case: MethodCase) -> Iterator[tuple[TalkingFaceMethod, str]]:
    """The method as it was trained, and as whoever only generates has it."""
    yield case.ready, ""
    yield as_method(copy.deepcopy(case.fresh).for_inference()), " after for_inference()"


def _others(case: MethodCase, uses: Uses) -> dict[str, Batch]:
    """The first clip with something else in all that a mode does not use.

    The first frame, which is the first reference frame, and its landmarks stay.
    """
    clip, number = case.clips[0], case.whose[0]
    words = tuple((Word(0.0, 0.2, "zoo"),) for _ in clip.words)
    noise = torch.rand(1, clip.given.num_frames, 4, generator=torch.Generator().manual_seed(0))
    found = {
        "a label is": _given(clip, labels=dict(clip.given.labels) | {"undeclared": ("zoo",)}),
        "an array is": _given(clip, arrays=dict(clip.given.arrays) | {"undeclared": noise}),
    }
    if not uses.words:
        found["what is said is"] = _given(clip, words=words)
    if not uses.sound and clip.given.sound is not None:
        found["the sound is"] = _given(clip, sound=clip.given.sound.flip(1))
    if uses.driver == "video":
        return found
    row = case.ready.input_spec.size[0] // 2 if uses.driver == "upper half" else 0
    other = OtherVideo(case.data.store, case.ready.input_spec, case.ready.uses, number, row)
    points = _other_points(clip.landmarks, uses, row)
    driver = None if clip.given.driver is None else replace(clip.given.driver, points=points)
    return found | {
        "the rest of the true video is": collate([other[Draw(number, None)]]).unit(),
        "the landmarks of what it is not shown are": _given(replace(clip, landmarks=points), driver=driver),
    }


def _given(clip: Batch, **changes: object) -> Batch:
    return replace(clip, given=replace(clip.given, **changes))  # type: ignore[arg-type]


def _other_points(landmarks: Float32[Tensor, "B T 68 2"], uses: Uses, row: int) -> Float32[Tensor, "B T 68 2"]:
    """Landmarks of which those that a mode is not given lie elsewhere, from the second frame on."""
    hidden = torch.ones_like(landmarks[..., :1], dtype=torch.bool)
    if uses.driver == "points":
        hidden[:] = False
        hidden[..., MOUTH, :] = hidden[..., JAW, :] = True
    elif uses.driver:
        hidden = landmarks[..., 1:] >= row
    hidden[:, 0] = False
    return torch.where(hidden, landmarks * landmarks.new_tensor([1.25, 1.5]), landmarks)
