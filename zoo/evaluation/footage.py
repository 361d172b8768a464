"""Footage: one side of a comparison, generated or real, as the judges see it; everything is found once and kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from zoo.face import crop
from zoo.face.backends import USUAL
from zoo.face.base import Embedder
from zoo.face.track import landmarks_in_boxes
from zoo.media.clip import Word

FACE_SIZE = 256
"""Side in pixels of the face crop that is judged: real, generated and still pictures alike."""

FACE_BOX = (16.0, -12.0, 240.0, 212.0)
"""Where dlib's own face box lies in that crop: the mean over GRID of its HOG boxes, relative to the eyes."""

LIPS_SIZE = 64
"""Side in pixels of the lip crop (Chen et al. 2018: 64x64)."""


class SyncFeatures(NamedTuple):
    """What the sync expert makes of a clip; window ``i`` is frames ``i`` to ``i + 4`` and their 0.2 s of sound.

    Attributes:
        video: ``(N, D)`` embeddings of the windows' faces, ``N = T - 4``.
        sound: ``(N, D)`` embeddings of their sound.
        scores: ``(N,)`` 0..1: how well each window and its own sound belong together (cosine).
        threshold: score above which they count as in sync.
        expert: name and hash, for protocol signatures.
        seen: ``(N,)`` whether all five frames show a face.
        speech: ``(N,)`` whether a word is spoken; all true where the words are unknown.
    """

    video: Float32[Tensor, "N D"]
    sound: Float32[Tensor, "N D"]
    scores: Float32[Tensor, " N"]
    threshold: float
    expert: str
    seen: Bool[Tensor, " N"]
    speech: Bool[Tensor, " N"]


class Reading(NamedTuple):
    """What the lip reader makes of a clip.

    Attributes:
        log_probs: ``(T, 28)`` natural logs: blank, space, a to z.
        reader: name and hash, for protocol signatures.
    """

    log_probs: Float32[Tensor, "T 28"]
    reader: str


class Experts(ABC):
    """The networks that look at footage (:class:`zoo.evaluation.judges.Judges`).

    Attributes:
        landmarker: name of who finds the 68 points, in whole pictures and once more in face crops; another than the
            usual one stands in the signature of every metric.
    """

    landmarker = USUAL.landmarker

    @property
    @abstractmethod
    def embedder(self) -> Embedder:
        """Tells faces apart."""

    @abstractmethod
    def sync_features(self, footage: Footage) -> SyncFeatures:
        """Embeddings of every window of a clip and of its sound."""

    @abstractmethod
    def read(self, footage: Footage) -> Reading:
        """What the lip reader reads."""


@dataclass
class Footage:
    """One side of a comparison.

    Attributes:
        frames: ``(T, 3, H, W)`` uint8 RGB, 0..255, 25 fps.
        wave: ``(S,)`` float32 in [-1, 1], 16 kHz: the sound that the face is to match.
        landmarks: ``(T, 68, 2)`` float32, x and y in pixels of ``frames``; only those of ``seen`` frames mean anything.
        seen: ``(T,)`` whether a face was found.
        judges: the models that look at it.
        text: the words spoken, lower case, one blank between them; empty where unknown.
        words: the words with their times in seconds; empty where unknown.
        place: landmarks that say where the crops lie, where not its own do (at least as many): the real video's, for
            metrics that compare pixel by pixel.
    """

    frames: UInt8[Tensor, "T 3 H W"]
    wave: Float32[Tensor, " S"]
    landmarks: Float32[Tensor, "T 68 2"]
    seen: Bool[Tensor, " T"]
    judges: Experts
    text: str = ""
    words: tuple[Word, ...] = ()
    place: Float32[Tensor, "places 68 2"] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def faces(self) -> UInt8[Tensor, "T 3 256 256"]:
        """The face crop of every frame, RGB, 0..255."""
        where = self.landmarks if self.place is None else self.place
        return crop.place_crops(where, "face", (FACE_SIZE, FACE_SIZE)).cut(self.frames, range(len(self)))

    @cached_property
    def grey(self) -> Float32[Tensor, "T 256 256"]:
        """:attr:`faces` as grey levels 0..255: ITU-R BT.601 luma, not rounded (MATLAB's and OpenCV's weights)."""
        if not len(self):
            return grey_levels(self.faces)
        # Frame by frame, what is computed stays in the processor's cache: six times faster.
        return torch.stack([grey_levels(face) for face in self.faces])

    @cached_property
    def lips(self) -> UInt8[Tensor, "T 3 64 64"]:
        """The square around the lips in every frame, RGB, 0..255."""
        where = self.landmarks if self.place is None else self.place
        return crop.place_crops(where, "mouth", (LIPS_SIZE, LIPS_SIZE)).cut(self.frames, range(len(self)))

    @cached_property
    def points(self) -> Float32[Tensor, "T 68 2"]:
        """Landmarks found once more in :attr:`faces`, in its pixels, from the same box for everybody."""
        return landmarks_in_faces(self.faces, self.judges.landmarker)

    @cached_property
    def embeddings(self) -> Float32[Tensor, "T D"]:
        """Who the face is: one embedding per frame (:class:`zoo.face.embed.Embedder`)."""
        return self.judges.embedder.embed(self.faces, self.points)

    @cached_property
    def sync(self) -> SyncFeatures:
        """Embeddings of the sync expert, of every window of five frames and of its sound."""
        return self.judges.sync_features(self)

    @cached_property
    def reading(self) -> Reading:
        """What the lip reader reads."""
        return self.judges.read(self)


def landmarks_in_faces(
    faces: UInt8[Tensor, "T 3 256 256"], landmarker: str = USUAL.landmarker
) -> Float32[Tensor, "T 68 2"]:
    """Landmarks of whatever is drawn in face crops, in their pixels, from the same box for everybody."""
    return landmarks_in_boxes(faces, torch.tensor([FACE_BOX]).expand(len(faces), 4), landmarker=landmarker)


def grey_levels(pictures: UInt8[Tensor, "*batch 3 H W"]) -> Float32[Tensor, "*batch H W"]:
    """Luma of ITU-R BT.601, 0..255, not rounded."""
    red, green, blue = pictures.float().unbind(-3)
    return 0.299 * red + 0.587 * green + 0.114 * blue
