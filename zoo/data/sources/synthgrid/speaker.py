"""Who talks: the looks and the voice of one made-up person, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from zoo.data.sources.synthgrid.voice import Voice

Colour = tuple[float, float, float]
"""RGB, each 0..1."""

SKINS: tuple[Colour, ...] = (
    (0.90, 0.74, 0.66), (0.88, 0.70, 0.60), (0.86, 0.66, 0.53), (0.83, 0.62, 0.48),
    (0.78, 0.57, 0.42), (0.68, 0.47, 0.34), (0.56, 0.37, 0.26), (0.45, 0.30, 0.21),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.10, 0.08, 0.07), (0.17, 0.11, 0.08), (0.28, 0.18, 0.11), (0.42, 0.28, 0.16),
    (0.62, 0.46, 0.27), (0.74, 0.60, 0.38), (0.50, 0.24, 0.11), (0.52, 0.51, 0.50),
)  # fmt: skip
IRISES: tuple[Colour, ...] = (
    (0.24, 0.14, 0.08),
    (0.33, 0.20, 0.10),
    (0.30, 0.36, 0.20),
    (0.27, 0.40, 0.52),
    (0.36, 0.42, 0.46),
)
CLOTHES: tuple[Colour, ...] = (
    (0.16, 0.20, 0.32), (0.45, 0.12, 0.14), (0.85, 0.85, 0.83), (0.15, 0.15, 0.16), (0.22, 0.38, 0.30),
    (0.55, 0.58, 0.64), (0.42, 0.28, 0.46), (0.75, 0.62, 0.40),
)  # fmt: skip

HAIRCUTS_MAN = ("short", "side", "crop", "bald", "curly")
HAIRCUTS_WOMAN = ("long", "bob", "bun", "side", "curly")
BEARDS = ("none", "none", "none", "none", "stubble", "stubble", "full", "goatee", "moustache")
ACCENTS = ("en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-gb-x-gbclan")
VOICES_MAN = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "Andy", "pedro", "antonio")
VOICES_WOMAN = ("f1", "f4", "Annie", "Andrea", "linda", "belinda", "steph", "steph2")
"""espeak's variants. None with breath (f2, f3, f5): it sounds different in every process."""


@dataclass(frozen=True)
class Speaker:
    """One person.

    Attributes:
        voice: how they sound.
        shape: ``(12,)`` numbers, -2..2, that bend the mean face (:func:`.face.speaker_points`).
        unit: pixels between the outer ends of the brows.
        skin, hair, iris, lips, clothes: colours, 0..1.
        haircut, beard: names.
        glasses: 0 (none) or the corner sharpness of the lenses (2 round .. 5 square).
        brow_thickness: in units.
        freckles: 0..1.
        age: 0..1, depth of the folds beside the mouth.
        lead_s: how far the lips run ahead of the sound, seconds.
        open_gain, wide_gain: how lively the mouth is, about 1.
        liveliness: of head and brows, about 1.
        backdrop: two colours, top and bottom.
        texture_seed: for strands of hair and grain of skin.
    """

    voice: Voice
    shape: Float64[np.ndarray, "12"]
    unit: float
    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    clothes: Colour
    haircut: str
    beard: str
    glasses: float
    brow_thickness: float
    freckles: float
    age: float
    lead_s: float
    open_gain: float
    wide_gain: float
    liveliness: float
    backdrop: tuple[Colour, Colour]
    texture_seed: int


def _pick(rng: np.random.Generator, options: tuple[Colour, ...], spread: float) -> Colour:
    """One of the colours, a little changed."""
    base = np.array(options[rng.integers(len(options))])
    r, g, b = np.clip(base * (1 + spread * rng.standard_normal(3)) + spread * rng.standard_normal() / 3, 0.03, 0.98)
    return float(r), float(g), float(b)


def _voice(rng: np.random.Generator, woman: bool) -> Voice:
    variants = VOICES_WOMAN if woman else VOICES_MAN
    return Voice(
        name=f"{ACCENTS[rng.integers(len(ACCENTS))]}+{variants[rng.integers(len(variants))]}",
        rate=int(rng.integers(100, 136)),
        pitch=int(rng.integers(35, 66)),
        pitch_range=int(rng.integers(30, 71)),
        level=float(rng.uniform(0.5, 0.9)),
    )


def sample_speaker(rng: np.random.Generator) -> Speaker:
    """Draw a person. The same generator state gives the same person."""
    woman = bool(rng.random() < 0.5)
    skin = _pick(rng, SKINS, 0.02)
    dark = skin[1] < 0.5
    hair = _pick(rng, HAIRS[:3] if dark else HAIRS, 0.04)
    haircuts = HAIRCUTS_WOMAN if woman else HAIRCUTS_MAN
    make_up = rng.uniform(0.3, 1.0) if woman else rng.uniform(0.0, 0.3)
    natural = np.array(skin) * (0.89, 0.69, 0.68)
    lips = natural * (1 - 0.35 * make_up) + 0.35 * make_up * np.array([0.66, 0.16, 0.22]) * (0.5 + 0.6 * skin[0])
    grey = rng.uniform(0.3, 0.7)
    hue = grey + 0.45 * (rng.uniform(0.25, 0.75, 3) - grey)
    top = hue * rng.uniform(0.7, 1.2)
    bottom = top * rng.uniform(0.6, 1.1)
    return Speaker(
        voice=_voice(rng, woman),
        shape=np.clip(rng.standard_normal(12), -1.8, 1.8) + np.array([-0.4 if woman else 0.4] + [0.0] * 11),
        unit=float(rng.uniform(91, 99)),
        skin=skin,
        hair=hair,
        iris=_pick(rng, IRISES[:2] if dark else IRISES, 0.05),
        lips=(float(lips[0]), float(lips[1]), float(lips[2])),
        clothes=_pick(rng, CLOTHES, 0.05),
        haircut=haircuts[rng.integers(len(haircuts))],
        beard="none" if woman else BEARDS[rng.integers(len(BEARDS))],
        glasses=float(rng.uniform(2, 5)) if rng.random() < 0.22 else 0.0,
        brow_thickness=float(rng.uniform(0.030, 0.042) if woman else rng.uniform(0.042, 0.060)),
        freckles=float(max(0.0, rng.uniform(-1.5, 1.0))) if not dark else 0.0,
        age=float(rng.uniform(0.1, 1.0)),
        lead_s=float(rng.uniform(0.03, 0.05)),
        open_gain=float(rng.uniform(0.88, 1.12)),
        wide_gain=float(rng.uniform(0.88, 1.12)),
        liveliness=float(rng.uniform(0.5, 1.3)),
        backdrop=(
            (float(top[0]), float(top[1]), float(top[2])),
            (float(bottom[0]), float(bottom[1]), float(bottom[2])),
        ),
        texture_seed=int(rng.integers(2**31)),
    )
