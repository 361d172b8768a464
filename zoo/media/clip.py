"""The noun that every part of the zoo shares: a clip of one talking face, its sound and its landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Float32, UInt8
from torch import Tensor

FPS = 25.0
"""Frames per second of every clip in a store (the rate of GRID and of all the papers)."""

SAMPLE_RATE = 16_000
"""Samples per second of every clip's sound in a store, mono."""

NUM_LANDMARKS = 68
"""iBUG 300-W: jaw 0..16, brows 17..26, nose 27..35, eyes 36..47, outer lips 48..59, inner lips 60..67."""

MOUTH = slice(48, 68)
"""The 20 lip points among the 68."""


class Word(NamedTuple):
    """One spoken word with its start and end in seconds from the first frame."""

    start_s: float
    end_s: float
    text: str


@dataclass
class Clip:
    """One talking face.

    Attributes:
        id: unique in its store, for example ``s1/bbaf2n``.
        speaker: who talks, for example ``s1``.
        text: the words spoken, lower case, separated by one blank; empty where unknown.
        frames: ``(T, 3, H, W)`` uint8 RGB, 0..255, at ``fps``: the face track at native resolution.
        wave: ``(S,)`` float32 in [-1, 1], mono at ``sample_rate``, exactly as long as the pictures
            (``S = T * sample_rate / fps``, see :func:`zoo.media.audio.match_length`).
        landmarks: ``(T, 68, 2)`` float32, x and y in pixels of ``frames``; pixel centres at whole numbers.
        words: the words with their times; empty where unknown.
        labels: what is known of the clip, such as ``emotion``: one word by name.
        arrays: further numbers of each frame by name, ``(T, ...)`` float32, such as ``mouth``.
        fps: frames per second.
        sample_rate: samples per second.
    """

    id: str
    speaker: str
    text: str
    frames: UInt8[Tensor, "T 3 H W"]
    wave: Float32[Tensor, " S"]
    landmarks: Float32[Tensor, "T 68 2"]
    words: tuple[Word, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, Float32[Tensor, "T ..."]] = field(default_factory=dict)
    fps: float = FPS
    sample_rate: int = SAMPLE_RATE
