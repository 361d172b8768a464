"""From phoneme times to the movement of the mouth: viseme targets blended by dominance (coarticulation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from zoo.data.sources.synthgrid.voice import Phoneme

SPREAD_S = 0.035
"""Width of the blend between neighbouring sounds (the standard deviation of the Gaussian that smooths each target)."""

CLOSURE_BEFORE_S = 0.045
"""espeak times a stop by its burst: the closure that the burst ends is this long."""

CLOSURE_AFTER_S = 0.012
"""How long the lips still touch after the burst begins. A closure outlasts a frame, so that one always shows it."""

CLOSURE_RAMP_S = 0.075
"""How long the lips take to close and to part."""


class Viseme(NamedTuple):
    """Where the mouth goes for a sound.

    Attributes:
        open: gap between the lips, 0 (closed) .. 1.
        jaw: drop of the jaw, 0 .. 1.
        wide: -1 (round and narrow) .. 0 (rest) .. 1 (spread).
        tongue: 0 (lies low) .. 1 (tip at or between the upper teeth).
        tuck: 1 where the lower lip touches the upper teeth.
        press: 1 where the lips are pressed together.
        shape: how strongly the sound insists on ``open``, ``jaw`` and ``wide`` against its neighbours.
        tip: how strongly it insists on the tongue.
    """

    open: float
    jaw: float
    wide: float
    tongue: float = 0.0
    tuck: float = 0.0
    press: float = 0.0
    shape: float = 1.0
    tip: float = 1.0


_REST = Viseme(0.0, 0.0, 0.0, shape=1.0)
_BILABIAL = Viseme(0.0, 0.12, 0.0, press=1.0, shape=0.8)
_LABIODENTAL = Viseme(0.16, 0.15, 0.05, tuck=1.0, shape=1.3)
_DENTAL = Viseme(0.34, 0.22, 0.1, tongue=1.0, shape=0.8, tip=2.0)
_ALVEOLAR = Viseme(0.36, 0.22, 0.15, tongue=0.75, shape=0.45, tip=1.5)
_SIBILANT = Viseme(0.27, 0.06, 0.4, tongue=0.3, shape=0.9)
_PALATAL = Viseme(0.36, 0.12, -0.5, tongue=0.4, shape=1.0)
_VELAR = Viseme(0.4, 0.35, 0.1, shape=0.4)
_I = Viseme(0.4, 0.2, 0.9)
_IH = Viseme(0.44, 0.32, 0.55)
_EH = Viseme(0.65, 0.56, 0.45)
_A = Viseme(0.88, 0.84, 0.3)
_AH = Viseme(1.0, 1.0, 0.0)
_UH = Viseme(0.6, 0.55, 0.05)
_SCHWA = Viseme(0.42, 0.36, 0.0, shape=0.7)
_O = Viseme(0.7, 0.66, -0.55)
_OH = Viseme(0.55, 0.5, -0.65)
_U = Viseme(0.24, 0.2, -0.95, shape=1.2)
_W = Viseme(0.13, 0.15, -1.0, shape=1.3)
_R = Viseme(0.32, 0.22, -0.5, tongue=0.3, shape=0.8)

VISEMES: dict[str, tuple[Viseme, ...]] = {
    **dict.fromkeys(("_", "_:", ""), (_REST,)),
    **dict.fromkeys(("p", "b", "m"), (_BILABIAL,)),
    **dict.fromkeys(("f", "v"), (_LABIODENTAL,)),
    **dict.fromkeys(("T", "D", "t["), (_DENTAL,)),
    **dict.fromkeys(("t", "t#", "d", "n", "l"), (_ALVEOLAR,)),
    **dict.fromkeys(("s", "z"), (_SIBILANT,)),
    **dict.fromkeys(("S", "Z", "tS", "dZ"), (_PALATAL,)),
    **dict.fromkeys(("k", "g", "h", "?"), (_VELAR,)),
    **dict.fromkeys(("r", "r-"), (_R,)),
    **dict.fromkeys(("w", "w#"), (_W,)),
    **dict.fromkeys(("j", ";"), (Viseme(0.34, 0.16, 0.6, shape=0.7),)),
    **dict.fromkeys(("i:", "i"), (_I,)),
    "I": (_IH,),
    "E": (_EH,),
    "a": (_A,),
    **dict.fromkeys(("A:", "A@"), (_AH,)),
    **dict.fromkeys(("0", "O:", "O"), (_O,)),
    **dict.fromkeys(("O@", "o@"), (_O, _OH)),
    **dict.fromkeys(("u:", "U"), (_U,)),
    **dict.fromkeys(("V", "3:"), (_UH,)),
    **dict.fromkeys(("@", "a#", "3", "I2"), (_SCHWA,)),
    "eI": (_EH, _I),
    "e:": (_EH, _IH),
    **dict.fromkeys(("aI", "aI2"), (_A, _IH)),
    "aU": (_A, _U),
    **dict.fromkeys(("oU", "o:", "VU"), (_OH, _U)),
    "i@": (_I, _SCHWA),
}
"""What the mouth does for each of espeak's English mnemonics that GRID's words need; diphthongs have two parts."""


@dataclass
class MouthTrack:
    """The mouth over time, one value per frame, float64.

    Attributes:
        open, jaw, tongue, tuck, press: 0 .. 1.
        wide: -1 .. 1.
    """

    open: Float64[Tensor, " T"]
    jaw: Float64[Tensor, " T"]
    wide: Float64[Tensor, " T"]
    tongue: Float64[Tensor, " T"]
    tuck: Float64[Tensor, " T"]
    press: Float64[Tensor, " T"]


def _segments(phonemes: Sequence[Phoneme]) -> list[tuple[float, float, Viseme]]:
    """Targets with their times; rest before and after the utterance reaches to infinity."""
    parts: list[tuple[float, float, Viseme]] = []
    for sound in phonemes:
        targets = VISEMES[sound.name]
        step = (sound.end_s - sound.start_s) / len(targets)
        parts += [
            (sound.start_s + k * step, sound.start_s + (k + 1) * step, target) for k, target in enumerate(targets)
        ]
    spoken = [part for part in parts if part[2] is not _REST]
    # Lips close a little after the voice has died away, not with its last sample.
    first, last = spoken[0][0], spoken[-1][1] - 0.05
    return [(-1e3, first, _REST), *spoken, (last, 1e3, _REST)]


def _closure(time: Float64[Tensor, " T"], segments: Sequence[tuple[float, float, Viseme]], field: str) -> Tensor:
    """0 .. 1: how far a closure (``press`` or ``tuck``) is made; 1 throughout the closure itself."""
    made = torch.zeros_like(time)
    for start, end, target in segments:
        if not getattr(target, field):
            continue
        until = start + CLOSURE_AFTER_S if field == "press" else max(end - 0.02, start + 0.02)
        outside = torch.maximum(start - CLOSURE_BEFORE_S - time, time - until).clamp(min=0) / CLOSURE_RAMP_S
        made = torch.maximum(made, 0.5 + 0.5 * torch.cos(torch.pi * outside.clamp(max=1)))
    return made


def mouth_track(phonemes: Sequence[Phoneme], time: Float64[Tensor, " T"], *, lead_s: float = 0.04) -> MouthTrack:
    """Move the mouth to an utterance.

    Every sound pulls towards its viseme with a weight that rises before it and falls after it (dominance functions,
    Cohen and Massaro, 1993); what shows is the weighted mean. Closures of the lips are made in full on top of that.

    Args:
        phonemes: sounds with their times in seconds; each name must be in :data:`VISEMES`.
        time: seconds at which to look, for example the middle of each frame.
        lead_s: how far lips and jaw run ahead of the sound, in seconds. Closures do not: they end with the burst.

    Returns:
        One value per time.
    """
    segments = _segments(phonemes)
    start, end = (torch.tensor([part[k] for part in segments], dtype=torch.float64) for k in (0, 1))
    value = {
        name: torch.tensor([getattr(part[2], name) for part in segments], dtype=torch.float64)
        for name in Viseme._fields
    }
    now = (time + lead_s)[:, None]
    scale = SPREAD_S * 2**0.5
    presence = (torch.erf((now - start) / scale) - torch.erf((now - end) / scale)) / 2

    def blend(name: str, strength: str) -> Tensor:
        weight = presence * value[strength] + 1e-12
        return (weight * value[name]).sum(1) / weight.sum(1)

    press, tuck = _closure(time, segments, "press"), _closure(time, segments, "tuck")
    opening = blend("open", "shape") * (1 - press)
    opening = opening * (1 - tuck) + 0.16 * tuck * (1 - press)
    return MouthTrack(opening, blend("jaw", "shape"), blend("wide", "shape"), blend("tongue", "tip"), tuck, press)
