"""Rules of face backends: detectors, landmark predictors and embedders, on two drawn people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.data.store.store import Store
from zoo.face.base import Box, Detector, Embedder, Landmarker
from zoo.registry.spec import FaceSpec
from zoo.testing.corpus import tiny_corpus
from zoo.testing.rules import Broken, Case, NotHere, Rules, require_no_calls, rule
from zoo.testing.specs import importable

RULES: Rules = []

NEAR = 0.15
"""How far points may lie from dlib's on a drawn face, mean distance over the face's size."""


@dataclass
class FaceCase(Case):
    """A face backend, and frames of two people with dlib's points.

    Attributes:
        spec: its spec.
        corpus: the tiny corpus; ``None``: where :func:`zoo.testing.corpus.tiny_corpus` keeps it.
    """

    spec: FaceSpec
    corpus: Path | None = None

    @cached_property
    def made(self) -> object:
        """The backend."""
        return self.spec.load()()

    @cached_property
    def people(self) -> list[tuple[UInt8[Tensor, "2 3 H W"], Float32[Tensor, "2 68 2"]]]:
        """Two frames of each of two people, and where their points are."""
        store = Store(self.corpus or tiny_corpus())
        first = store.clip(0)
        other = next(clip for clip in map(store.clip, range(len(store))) if clip.speaker != first.speaker)
        return [(clip.frames[[0, 9]], clip.landmarks[[0, 9]].float()) for clip in (first, other)]

    def answer(self) -> list[Tensor]:
        """All that the backend says of them."""
        found = []
        for frames, points in self.people:
            if isinstance(self.made, Detector):
                found += [torch.tensor([*box]) for frame in frames for box in self.made.detect(frame)]
            if isinstance(self.made, Landmarker):
                found += [self.made.landmarks(f, box_of(p)) for f, p in zip(frames, points, strict=True)]
            if isinstance(self.made, Embedder):
                found.append(self.made.embed(frames, points))
        return found


def box_of(points: Float32[Tensor, "68 2"]) -> Box:
    """The square around a face's points."""
    low, high = points.amin(0), points.amax(0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2
    x, y = middle.tolist()
    return Box(x - half, y - half, x + half, y + half)


@rule(
    RULES,
    "it is a face backend",
    "its class is made without arguments and has detect(), landmarks() or embed()",
    "see zoo.face.base: Detector, Landmarker, Embedder",
    needs=(importable,),
)
def is_backend(case: FaceCase) -> None:
    """Make it."""
    if not isinstance(case.made, (Detector, Landmarker, Embedder)):
        raise Broken(f"{case.spec.target} has neither detect() nor landmarks() nor embed()")


@rule(
    RULES,
    "it finds faces",
    "a detector gives boxes around drawn faces, the largest first, and none of a black picture",
    "give zoo.face.base.Box objects in pixels of the picture, as dlib draws them: brows to chin, ear to ear",
    needs=(is_backend,),
)
def _detects(case: FaceCase) -> None:
    if not isinstance(case.made, Detector):
        raise NotHere("it is no detector")
    for frames, points in case.people:
        boxes = case.made.detect(frames[0])
        if not all(isinstance(box, Box) for box in boxes):
            raise Broken(f"detect() gives {', '.join(sorted({type(box).__name__ for box in boxes}))}")
        if [box.area for box in boxes] != sorted((box.area for box in boxes), reverse=True):
            raise Broken("detect() does not give the largest box first")
        shared = max((box.overlap(box_of(points[0])) for box in boxes), default=0.0)
        if shared < 0.3:
            raise Broken(f"{len(boxes)} boxes, none on the face (the best shares {shared:.0%} with it)")
    dark = case.made.detect(torch.zeros_like(case.people[0][0][0]))
    if dark:
        raise Broken(f"{len(dark)} faces in a black picture")


@rule(
    RULES,
    "it finds the points of a face",
    f"landmarks() gives (68, 2) float32 in pixels, in iBUG's order, within {NEAR:.0%} of the face's size of dlib's",
    "give x and y in pixels of the picture, in the order of iBUG 300-W",
    needs=(is_backend,),
)
def _points(case: FaceCase) -> None:
    if not isinstance(case.made, Landmarker):
        raise NotHere("it is no landmark predictor")
    for frames, points in case.people:
        box = box_of(points[0])
        found = case.made.landmarks(frames[0], box)
        if tuple(found.shape) != (68, 2) or found.dtype != torch.float32:
            raise Broken(f"landmarks() gives {tuple(found.shape)} {found.dtype}")
        far = float((found - points[0]).norm(dim=1).mean()) / box.side
        if not far <= NEAR:
            raise Broken(f"points that lie {far:.0%} of the face's size away from dlib's")


@rule(
    RULES,
    "it tells people apart",
    "embed() gives (T, dim) float32; two pictures of one person lie closer together than those of two",
    "return one embedding per picture, and let `dim` be its length",
    needs=(is_backend,),
)
def _embeds(case: FaceCase) -> None:
    if not isinstance(case.made, Embedder):
        raise NotHere("it is no embedder")
    one, other = (case.made.embed(frames, points) for frames, points in case.people)
    if tuple(one.shape) != (2, case.made.dim) or one.dtype != torch.float32 or not bool(one.isfinite().all()):
        raise Broken(f"embed() gives {tuple(one.shape)} {one.dtype}, not finite float32 of (2, {case.made.dim})")
    same, apart = float((one[0] - one[1]).norm()), float((one - other).norm(dim=1).min())
    if not same < apart:
        raise Broken(f"one person's pictures lie {same:.3g} apart, two people's {apart:.3g}")


@rule(
    RULES,
    "the same answer twice",
    "the same pictures give the same answer to the bit",
    "keep nothing from call to call, and draw nothing at random",
    needs=(is_backend,),
)
def _deterministic(case: FaceCase) -> None:
    first, second = case.answer(), case.answer()
    if len(first) != len(second) or not all(map(torch.equal, first, second)):
        raise Broken("another answer for the same pictures")


@rule(
    RULES,
    "no network access",
    "nothing is asked of another machine while it is made and used",
    "read weights from files that the user names, and tell in the card where to get them",
    needs=(is_backend,),
)
def _network(case: FaceCase) -> None:
    require_no_calls(case, case.answer)
