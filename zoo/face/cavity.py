"""The inside of a mouth behind the lips: what the photograph shows of it, and the rest drawn.

Upper teeth stand still with the skull, lower teeth and tongue go with the jaw.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from zoo.face.crop import sample
from zoo.face.mouth import UPPER_SHARE, LipLine

# Lengths are in distances of the eyes (63 mm in an adult, so that a millimetre is 0.016).
UPPER_TEETH, LOWER_TEETH = (0.135, 0.105, 0.115, 0.105, 0.1), (0.085, 0.09, 0.11, 0.11, 0.11)
"""Widths from the middle outwards: 8.5, 6.6, 7.2 mm above, 5.3, 5.7, 6.9 mm below, and on (Wheeler, Dental Anatomy)."""

UPPER_SHOWN, LOWER_SHOWN = 0.04, 0.01
"""By how much the edges of the teeth lie below and above the line of the closed lips: 2.5 and 0.6 mm (ours)."""

ARCH = 0.06
"""By how much the edge of the teeth comes nearer to the lips' line from the middle to a corner (ours)."""

TONGUE = 0.1
"""How far the tongue lies below the edge of the lower teeth (ours)."""

GAP = 0.12
"""How much darker it is where two teeth meet (ours)."""

LIP_SHARE = 0.85
"""How much of what the jaw does the lower lip tells, and not the chin (ours)."""

JAW_SEEN = 0.12
"""Gap of a photograph's lips from which on its lower third shows what goes with the jaw (ours)."""


class Look(NamedTuple):
    """Colours in [0, 1], RGB, under the photograph's own light."""

    teeth: Float32[Tensor, "3"]
    tongue: Float32[Tensor, "3"]
    dark: Float32[Tensor, "3"]


@dataclass(frozen=True)
class Cavity:
    """The inside of the mouth of one photograph.

    Args:
        picture: RGB in [0, 1].
        lips: where they part in it.
    """

    picture: Float32[Tensor, "3 H W"]
    lips: LipLine

    def draw(self, target: Float32[Tensor, "68 2"], box: tuple[int, int, int, int]) -> Float32[Tensor, "3 h w"]:
        """The inside of the mouth, as if there were no lips before it.

        Args:
            target: where the points are, in pixels.
            box: which pixels: ``x0, y0, x1, y1``, right and bottom excluded.

        Returns:
            RGB in [0, 1].
        """
        x0, y0, x1, y1 = box
        xs, ys = torch.arange(x0, x1).float(), torch.arange(y0, y1).float()
        pixels = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)
        moved = target - self.lips.points
        skull = moved[31:36].mean(0)
        # Trackers see little of the chin's fall, so that the lower lip tells of the jaw, too.
        jaw = torch.lerp(moved[7:10].mean(0), moved[65:68].mean(0), LIP_SHARE)
        colours = self._drawn(target, pixels, skull, jaw - self._closing)
        for shift, part in ((jaw, 1), (skull, 0)):
            colours = self._seen(colours, pixels - shift, part)
        return colours

    @cached_property
    def gap(self) -> float:
        """Of the photograph's lips in distances of the eyes."""
        upper, lower = self.lips.edges
        return float(((lower - upper) @ self.lips.down)[1:4].mean()) / self.lips.eyes

    @cached_property
    def _closing(self) -> Float32[Tensor, "2"]:
        """How far the jaw of the photograph lies below that of a closed mouth."""
        return (1 - UPPER_SHARE) * self.gap * self.lips.eyes * self.lips.down

    @cached_property
    def _line(self) -> Float32[Tensor, "2"]:
        """Middle of the line of the closed lips."""
        upper, lower = self.lips.edges
        return torch.lerp(upper[2], lower[2], UPPER_SHARE)

    @cached_property
    def look(self) -> Look:
        """The light that falls on lips, skin and the teeth that are seen."""
        points = self.lips.points
        lips = self._colour(
            torch.cat([(points[50:53] + points[61:64]) / 2, (points[[58, 57, 56]] + points[[67, 66, 65]]) / 2])
        )
        skin = self._colour(torch.cat([(points[[3, 13]] + points[[48, 54]]) / 2, (points[[8]] + points[[57]]) / 2]))
        light = (skin.max() / 0.85).clamp(0.2, 1.0)
        teeth = torch.tensor([0.90, 0.86, 0.80]) * light * (0.8 + 0.2 * skin / skin.max().clamp_min(1e-3))
        bright = self._bright()
        tongue = 0.5 * lips + 0.5 * torch.tensor([0.60, 0.32, 0.32]) * light
        return Look(
            (teeth if bright is None else bright).clamp(0, 1),
            tongue.clamp(0, 1),
            lips * torch.tensor([0.2, 0.12, 0.12]),
        )

    def _colour(self, places: Float32[Tensor, "N 2"]) -> Float32[Tensor, "3"]:
        """The median colour at some places."""
        xs, ys = places.round().long().unbind(1)
        height, width = self.picture.shape[1:]
        return self.picture[:, ys.clamp(0, height - 1), xs.clamp(0, width - 1)].median(1).values

    def _bright(self) -> Float32[Tensor, "3"] | None:
        """The colour of the teeth that the photograph shows; ``None`` where it shows too few."""
        if self.gap < 0.06:
            return None
        steps = torch.linspace(0.25, 0.75, 5)[:, None, None]
        upper, lower = self.lips.edges
        seen = (1 - steps) * upper[None, 1:4] + steps * lower[None, 1:4]
        xs, ys = seen.flatten(0, 1).round().long().unbind(1)
        height, width = self.picture.shape[1:]
        colours = self.picture[:, ys.clamp(0, height - 1), xs.clamp(0, width - 1)]
        best = colours[:, colours.sum(0).topk(max(colours.shape[1] // 3, 1)).indices].median(1).values
        plain = best.min() / best.max().clamp_min(1e-3) > 0.55  # no tongue
        return best if plain and best.max() > 0.35 else None

    def _seen(
        self, colours: Float32[Tensor, "3 h w"], source: Float32[Tensor, "h w 2"], part: int
    ) -> Float32[Tensor, "3 h w"]:
        """Lay what the photograph shows between its lips over what was drawn.

        Args:
            colours: so far.
            source: where each pixel comes from in the photograph.
            part: 0, what stands with the skull; 1, what goes with the jaw.
        """
        if self.gap * self.lips.eyes < 2:
            return colours
        upper, lower = self.lips.beyond(source, 0), -self.lips.beyond(source, 1)
        edge = max(0.02 * self.lips.eyes, 1.0)
        mask = torch.sigmoid((upper - edge) / (0.4 * edge)) * torch.sigmoid((lower - edge) / (0.4 * edge))
        mask = mask * torch.sigmoid((0.92 - self.lips.along(source).abs()) / 0.03)
        if self.gap >= JAW_SEEN:
            height = upper / (upper + lower).clamp_min(1e-3)
            mask = mask * torch.sigmoid((height - 0.67 if part else 0.67 - height) / 0.05)
        elif part:
            return colours
        return torch.lerp(colours, sample(self.picture, source), mask.expand_as(colours))

    def _drawn(
        self,
        target: Float32[Tensor, "68 2"],
        pixels: Float32[Tensor, "h w 2"],
        skull: Float32[Tensor, "2"],
        jaw: Float32[Tensor, "2"],
    ) -> Float32[Tensor, "3 h w"]:
        """Teeth, tongue and the dark behind them."""
        mouth = LipLine(target)

        def across_and_down(middle: Float32[Tensor, "2"]) -> tuple[Tensor, Tensor]:
            offset = (pixels - middle) / self.lips.eyes
            return offset @ mouth.right, offset @ mouth.down

        half, soft = self.lips.half_width / self.lips.eyes, 1.0 / self.lips.eyes
        (ux, uy), (lx, ly) = across_and_down(self._line + skull), across_and_down(self._line + jaw)
        upper = torch.sigmoid((UPPER_SHOWN - ARCH * (ux / half).square() - uy) / soft)
        lower = torch.sigmoid((ly + LOWER_SHOWN - 0.6 * ARCH * (lx / half).square()) / soft)
        tongue = torch.sigmoid((ly - TONGUE * (lx / half).square() + 0.03) / 0.02)
        # The upper lip's shadow, and less light towards the corners.
        lip = across_and_down(target[61:64].mean(0))[1]
        shade = (0.75 + 0.25 * (lip / 0.05).clamp(0, 1)) * (1 - 0.6 * (ux / half).square().clamp(0, 1))
        look = Look(*(colour.view(3, 1, 1) for colour in self.look))
        colours = look.dark.expand(3, *pixels.shape[:2])
        layers = (
            (tongue, look.tongue * (0.6 * shade)),
            (lower, look.teeth * (0.55 * shade * _meeting(lx, LOWER_TEETH))),
            (upper, look.teeth * (shade * _meeting(ux, UPPER_TEETH))),
        )
        for alpha, layer in layers:
            colours = torch.lerp(colours, layer, alpha.expand_as(layer))
        return colours


def _meeting(across: Float[Tensor, "h w"], widths: tuple[float, ...]) -> Float[Tensor, "h w"]:
    """1 on a tooth, darker where two meet."""
    edges = torch.cat([torch.zeros(1), torch.tensor(widths).cumsum(0)])
    near = (across.abs()[..., None] - edges).abs().amin(-1)
    return 1 - GAP * torch.exp(-((near / 0.012) ** 2))
