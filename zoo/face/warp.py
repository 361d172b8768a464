"""A photograph that moves as its landmarks say: the skin is warped, and where the lips part, a mouth is drawn.

Thin-plate splines (Bookstein 1989) carry the skin, one that knows the upper lip and one that knows the lower, so that
lips part along their line instead of being stretched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from zoo.face.cavity import Cavity
from zoo.face.crop import sample
from zoo.face.mouth import LOWER_LIP, UPPER_LIP, LipLine
from zoo.media.clip import MOUTH

Box = tuple[int, int, int, int]
"""``x0, y0, x1, y1`` in pixels, right and bottom excluded."""

REACH = 1.45
"""How far the picture moves: an outline of the face this much larger, from its middle, stands still."""

CELL = 1 / 16
"""Side in distances of the eyes of the cells in which the splines are evaluated."""

STIFFNESS = 1e-3
"""Of the splines: how far they may miss their points for smoothness."""

ROUNDS = 5
"""Fixed-point steps to invert a displacement."""

STILL, STILL_SHARE = 0.1, 0.015
"""Motion that is none, in pixels and as a share of the largest: splines swing by a hundredth on the forehead.

From there to twice as much it fades in; where it is none, the picture is left as it is.
"""

SOFT, LAP = 0.6, 1.2
"""Pixels over which the edge of a lip fades, and by which it laps over the line: closed lips show nothing between."""


@dataclass(frozen=True)
class FaceWarp:
    """One picture of a face on the CPU, ready to be moved; every frame depends on its own points alone.

    Args:
        picture: RGB in [0, 1].
        points: its landmarks in pixels (iBUG 300-W).

    Raises:
        ValueError: not 68 points.
    """

    picture: Float32[Tensor, "3 H W"]
    points: Float32[Tensor, "68 2"]

    @torch.no_grad()
    def render(self, targets: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 3 H W"]:
        """The picture with its points elsewhere.

        Args:
            targets: where the points are to be, in pixels of the picture.

        Returns:
            RGB in [0, 1]; what does not move is the picture, bit for bit.
        """
        return torch.stack([self._render(target) for target in targets])

    def _render(self, target: Float32[Tensor, "68 2"]) -> Float32[Tensor, "3 H W"]:
        moved = torch.cat([target - self.points, torch.zeros_like(self.anchors)])
        fields = _settled(torch.stack([(weights @ moved).T.reshape(2, *self.cells) for weights in self.weights]))
        frame, box = self.picture.clone(), self._moving(fields)
        if box is None:
            return frame
        upper, lower = (self._sources(field, box) for field in fields)
        x0, y0, x1, y1 = box
        source = torch.where((self.lips.beyond(upper, 0) <= 0)[..., None], upper, lower)
        frame[:, y0:y1, x0:x1] = sample(self.picture, source)
        left, top, right, bottom = _around(target[MOUTH], box)
        rows, columns = slice(top - y0, bottom - y0), slice(left - x0, right - x0)
        upper, lower = upper[rows, columns], lower[rows, columns]
        above = torch.sigmoid((LAP - self.lips.beyond(upper, 0)) / SOFT)
        below = torch.sigmoid((LAP + self.lips.beyond(lower, 1)) / SOFT)
        beside = (self.lips.along(lower).abs() - 1) * self.lips.half_width  # there is skin, and no mouth
        below = torch.maximum(below, (2 * beside.sigmoid() - 1).clamp(0, 1))
        inside = self.cavity.draw(target, (left, top, right, bottom))
        behind = below * sample(self.picture, lower) + (1 - below) * inside
        frame[:, top:bottom, left:right] = above * sample(self.picture, upper) + (1 - above) * behind
        return frame

    @cached_property
    def lips(self) -> LipLine:
        """Where they part."""
        return LipLine(self.points)

    @cached_property
    def anchors(self) -> Float32[Tensor, "N 2"]:
        """Points that never move: an outline around the face."""
        middle = self.points[27:36].mean(0)
        crown = self.points[17:27] - middle - torch.tensor([0.0, 0.7 * self.lips.eyes])
        return middle + REACH * torch.cat([self.points[:17] - middle, crown])

    @cached_property
    def box(self) -> Box:
        """What may move."""
        low, high = self.anchors.amin(0).floor().long().tolist(), self.anchors.amax(0).ceil().long().tolist()
        height, width = self.picture.shape[1:]
        x0, y0 = (min(max(edge, 0), size - 2) for edge, size in zip(low, (width, height), strict=True))
        x1, y1 = (max(min(edge + 1, size), 2) for edge, size in zip(high, (width, height), strict=True))
        return x0, y0, x1, y1

    @cached_property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the places at which the splines are evaluated."""
        x0, y0, x1, y1 = self.box
        step = max(CELL * self.lips.eyes, 1.0)
        return max(round((y1 - y0) / step), 2) + 1, max(round((x1 - x0) / step), 2) + 1

    @cached_property
    def places(self) -> Float32[Tensor, "rows columns 2"]:
        """Those places, in pixels."""
        (rows, columns), (x0, y0, x1, y1) = self.cells, self.box
        xs, ys = torch.linspace(x0, x1 - 1, columns), torch.linspace(y0, y1 - 1, rows)
        return torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)

    @cached_property
    def weights(self) -> tuple[Float32[Tensor, "G N"], Float32[Tensor, "G N"]]:
        """How much each point's motion counts at each place, for the skin above the lips' line and for that below.

        Beside the mouth both are one mixture, so that the skin does not tear there.
        """
        places = self.places.flatten(0, 1)
        knots = torch.cat([self.points, self.anchors]) / self.lips.eyes
        upper, lower = (spline_weights(knots, other, places / self.lips.eyes) for other in (LOWER_LIP, UPPER_LIP))
        beside = (self.lips.along(places).abs() - 1).clamp_min(0)
        share = torch.sigmoid(-self.lips.across(places) / (0.6 * self.lips.half_width * beside + 0.5))[:, None]
        mixed = share * upper + (1 - share) * lower
        here, fade = (beside == 0)[:, None], self._fade(places)[:, None]
        return fade * torch.where(here, upper, mixed), fade * torch.where(here, lower, mixed)

    @cached_property
    def cavity(self) -> Cavity:
        """What lies behind the lips."""
        return Cavity(self.picture, self.lips)

    def _fade(self, places: Float32[Tensor, "G 2"]) -> Float32[Tensor, " G"]:
        """Nothing moves at the border of the box, where it is not that of the picture: 0 there, 1 well inside."""
        x0, y0, x1, y1 = self.box
        height, width = self.picture.shape[1:]
        sides = [(places[:, 0] - x0, x0 > 0), (places[:, 1] - y0, y0 > 0)]
        sides += [(x1 - 1 - places[:, 0], x1 < width), (y1 - 1 - places[:, 1], y1 < height)]
        far = [distance for distance, inner in sides if inner]
        t = (3 * torch.stack(far).amin(0) / self.lips.eyes).clamp(0, 1) if far else torch.ones(len(places))
        return t * t * (3 - 2 * t)

    def _moving(self, fields: Float32[Tensor, "2 2 rows columns"]) -> Box | None:
        """The part of the box in which anything moves."""
        most = (fields != 0).any(0).any(0)
        if not most.any():
            return None
        x0, y0, x1, y1 = self.box
        edges = []
        for axis, (first, end) in ((0, (x0, x1)), (1, (y0, y1))):
            hit = most.any(axis).nonzero()[:, 0]
            step = (end - 1 - first) / (most.shape[1 - axis] - 1)
            edges.append(
                (
                    max(int(first + (int(hit[0]) - 1) * step), first),
                    min(int(first + (int(hit[-1]) + 1) * step) + 2, end),
                )
            )
        return edges[0][0], edges[1][0], edges[0][1], edges[1][1]

    def _sources(self, field: Float32[Tensor, "2 rows columns"], box: Box) -> Float32[Tensor, "h w 2"]:
        """Where each pixel of a box comes from, in pixels of the picture: the inverse of a displacement."""
        low, high = self.places[0, 0], self.places[-1, -1]

        def look_up(values: Float32[Tensor, "2 r c"], at: Float32[Tensor, "h w 2"]) -> Float32[Tensor, "2 h w"]:
            grid = ((at - low) / (high - low).clamp_min(1) * 2 - 1)[None]
            return F.grid_sample(values[None], grid, mode="bilinear", padding_mode="border", align_corners=True)[0]

        back = -field
        for _ in range(ROUNDS):  # in the cells, since it is as smooth as they are
            back = -look_up(field, self.places + back.permute(1, 2, 0))
        x0, y0, x1, y1 = box
        xs, ys = torch.arange(x0, x1, dtype=field.dtype), torch.arange(y0, y1, dtype=field.dtype)
        pixels = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)
        return pixels + look_up(back, pixels).permute(1, 2, 0)


def _settled(fields: Float32[Tensor, "2 2 rows columns"]) -> Float32[Tensor, "2 2 rows columns"]:
    """The displacements of both splines in pixels, without those that are too small to be meant (:data:`STILL`)."""
    size = fields.norm(dim=1).amax(0)
    still = max(STILL, STILL_SHARE * float(size.max()))
    t = (size / still - 1).clamp(0, 1)
    return fields * t * t * (3 - 2 * t)


def _around(points: Float32[Tensor, "n 2"], box: Box, margin: int = 4) -> Box:
    """The part of a box that points lie in, with a margin."""
    low, high = points.amin(0).floor().long().tolist(), points.amax(0).ceil().long().tolist()
    x0, y0 = (min(max(edge - margin, first), end - 1) for edge, first, end in zip(low, box[:2], box[2:], strict=True))
    x1, y1 = (
        max(min(edge + margin + 1, end), first + 1) for edge, first, end in zip(high, (x0, y0), box[2:], strict=True)
    )
    return x0, y0, x1, y1


def spline_weights(
    points: Float32[Tensor, "N 2"], left_out: tuple[int, ...], places: Float32[Tensor, "G 2"]
) -> Float32[Tensor, "G N"]:
    """A thin-plate spline through the motions of points, as weights of these motions.

    Args:
        points: in units that are near 1 across the face.
        left_out: those that do not count.
        places: where the motion is asked.
    """
    used = [number for number in range(len(points)) if number not in left_out]
    knots, at = points[used].double(), places.double()
    count, one = len(knots), knots.new_ones
    system = torch.zeros(count + 3, count + 3, dtype=torch.float64)
    system[:count, :count] = _kernel(knots, knots) + STIFFNESS * torch.eye(count, dtype=torch.float64)
    plane = torch.cat([one(count, 1), knots], 1)
    system[:count, count:], system[count:, :count] = plane, plane.T
    asked = torch.cat([_kernel(at, knots), one(len(at), 1), at], 1)
    weights = torch.zeros(len(places), len(points))
    weights[:, used] = torch.linalg.solve(system, asked.T)[:count].T.float()  # the system is symmetric
    return weights


def _kernel(places: Tensor, knots: Tensor) -> Tensor:
    square = torch.cdist(places, knots).square()
    return square * square.clamp_min(1e-12).log() / 2
