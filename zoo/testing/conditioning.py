"""Rules of what a method is shown in a test: what its spec does not name must change nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import JAW
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.media.clip import MOUTH, Word
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import InputSpec, Uses
from zoo.testing.cases import MethodCase, as_method
from zoo.testing.generation import generated
from zoo.testing.methods import repeats
from zoo.testing.rules import Broken, Rules, rule

RULES: Rules = []


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
