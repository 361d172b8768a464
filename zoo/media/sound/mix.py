"""Mixing the channels of any layout to mono or stereo, and noticing where a mix would lose the speech."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64

HALF_POWER = math.sqrt(0.5)
"""-3 dB, the gain of centre and surround channels in ITU-R BS.775-3, Annex 4."""

LOST_DB = 10.0
"""A mix that is so many dB quieter than its loudest channel has lost what is said there."""

FAR_BELOW_DB = 20.0
"""One of two channels that is so many dB below the other holds no speech."""

LEFT, RIGHT = (1.0, 0.0), (0.0, 1.0)
LEFT_SURROUND, RIGHT_SURROUND = (HALF_POWER, 0.0), (0.0, HALF_POWER)
CENTRE, REAR, NOWHERE = (HALF_POWER, HALF_POWER), (0.5, 0.5), (0.0, 0.0)

GAINS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("FL", "FLC", "DL", "WL"), LEFT),
    **dict.fromkeys(("FR", "FRC", "DR", "WR"), RIGHT),
    **dict.fromkeys(("BL", "SL", "SDL", "TFL", "TBL", "TSL", "BFL"), LEFT_SURROUND),
    **dict.fromkeys(("BR", "SR", "SDR", "TFR", "TBR", "TSR", "BFR"), RIGHT_SURROUND),
    "FC": CENTRE,
    "AMBI0": CENTRE,
    **dict.fromkeys(("BC", "TC", "TFC", "TBC", "BFC"), REAR),
    **dict.fromkeys(("LFE", "LFE2"), NOWHERE),
}
"""What goes to left and right of each channel, by FFmpeg's names; of Ambisonics the part without direction."""

USUAL: Mapping[int, str] = {
    1: "FC",
    2: "FL FR",
    3: "FL FR LFE",
    4: "FL FR FC BC",
    5: "FL FR FC BL BR",
    6: "FL FR FC LFE BL BR",
    7: "FL FR FC LFE BC SL SR",
    8: "FL FR FC LFE BL BR SL SR",
}
"""The channels that players assume where a file gives only their number."""


def mix_gains(channels: Sequence[str], outputs: int) -> Float64[np.ndarray, "outputs C"]:
    """The gains of a mix as ITU-R BS.775-3 has it, without the low-frequency effects.

    Speech keeps its loudness in mono: that of the centre, and where there is none that of both fronts together, so that
    stereo is averaged. Gains may add up to more than 1 (:class:`Mixer` says so).

    Args:
        channels: FFmpeg's names, such as ``FL FR FC LFE BL BR``; ``NONE`` where the file does not say.
        outputs: 1 or 2.
    """
    names = list(channels)
    count = len(names)
    if all(name == "NONE" for name in names) and count in USUAL:
        names = USUAL[count].split()
    if count == 1:
        return np.ones((outputs, 1))
    unknown = NOWHERE if any(name in GAINS for name in names) else (1 / count, 1 / count)
    gains = np.array([GAINS.get(name, unknown) for name in names]).T
    if "FL" in names:  # what is mixed already comes on top of what it was mixed from
        gains[:, [name in ("DL", "DR") for name in names]] = 0
    if not gains.any():
        gains[:] = 1 / count
    if outputs == 2:
        return gains
    centre = any(name in ("FC", "AMBI0") for name in names)
    return gains.sum(0, keepdims=True) * (HALF_POWER if centre else 0.5)


@dataclass
class _Layout:
    """What was mixed of one layout: the gains, and the energies that went in and came out."""

    gains: Float64[np.ndarray, "outputs C"]
    energy: Float64[np.ndarray, " C"]
    mixed: float = 0.0


@dataclass
class Mixer:
    """Mixes parts of a sound, whatever layout each has, and keeps account of the loudness of channels and mix.

    Attributes:
        outputs: number of channels that come out, 1 or 2.
        alone: for some layouts the one channel that is taken, at full loudness.
    """

    outputs: int
    alone: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    _layouts: dict[tuple[str, ...], _Layout] = field(default_factory=dict)

    def __call__(
        self, samples: Float32[np.ndarray, "C n"], channels: tuple[str, ...]
    ) -> Float32[np.ndarray, "outputs n"]:
        """Mix one part."""
        layout = self._layouts.get(channels)
        if layout is None:
            layout = self._layouts[channels] = _Layout(self._gains(channels), np.zeros(len(channels)))
        mixed = layout.gains.astype(np.float32) @ samples
        layout.energy += np.einsum("cn,cn->c", samples, samples, dtype=np.float64)
        layout.mixed += float(np.einsum("cn,cn->", mixed, mixed, dtype=np.float64))
        return mixed

    def _gains(self, channels: tuple[str, ...]) -> Float64[np.ndarray, "outputs C"]:
        gains = mix_gains(channels, self.outputs)
        if channels in self.alone:
            gains = np.zeros_like(gains)
            gains[:, self.alone[channels]] = 1
        return gains

    @property
    def widest(self) -> int:
        """The largest number of channels that came in."""
        return max((len(channels) for channels in self._layouts), default=0)

    @property
    def can_clip(self) -> bool:
        """Whether a mix of full-scale channels is louder than full scale."""
        return any(layout.gains.sum(1).max() > 1 + 1e-9 for layout in self._layouts.values())

    def lost(self) -> dict[tuple[str, ...], int]:
        """Layouts whose mix lost the loudest channel, as where channels of opposite phase cancel, and its index."""
        found = {}
        for channels, layout in self._layouts.items():
            # Effects are loud in films and no speech; they count where the file does not say which channel they are in.
            energy = np.where([name in ("LFE", "LFE2") for name in channels], 0, layout.energy)
            if layout.mixed / self.outputs < energy.max() * 10 ** (-LOST_DB / 10):
                found[channels] = int(energy.argmax())
        return found

    def notes(self) -> list[str]:
        """What a person should know of the mix."""
        said = []
        for channels, layout in self._layouts.items():
            if channels in self.alone:
                which = _name(channels, self.alone[channels])
                why = "they are in opposite phase" if len(channels) == 2 else "its loudest would be lost"
                said.append(f"its {len(channels)} channels are not mixed ({why}): {which} alone is read")
            elif len(channels) == 2 and self.outputs == 1:
                quiet, loud = np.sort(layout.energy)
                if loud > 0 and quiet < loud * 10 ** (-FAR_BELOW_DB / 10):
                    which = _name(channels, int(layout.energy.argmin()))
                    said.append(f"{which} is silent or far below the other: their mean is half as loud as the other")
        return said


def _name(channels: Sequence[str], index: int) -> str:
    if len(channels) == 2 and set(channels) == {"NONE"}:
        channels = USUAL[2].split()
    names = {"FL": "the left channel", "FR": "the right channel", "FC": "the centre channel"}
    return names.get(channels[index], f"channel {index + 1}")
