"""The lips: how far they are apart, their line, and the same face with its mouth closed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from zoo.media.clip import NUM_LANDMARKS

UPPER_LINE, LOWER_LINE = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)
"""The inner edge of each lip, from the right corner of the person to the left."""

UPPER_LIP, LOWER_LIP = (*range(49, 54), 61, 62, 63), (*range(55, 60), 65, 66, 67)
"""Points that only the upper or only the lower lip carries; the corners belong to both."""

CLOSED = 0.02
"""Distance of the inner lips, in distances of the eyes, below which they touch: dlib's points are whole pixels."""

JAW_SHARE, UPPER_SHARE = 0.6, 0.25
"""Where a mouth closes, how far the chin rises and how far the upper lip comes down, as shares of its gap (ours)."""


def eye_distance(landmarks: Float[Tensor, "T 68 2"]) -> Float64[Tensor, " T"]:
    """Distance of the middles of both eyes, in pixels of ``landmarks``."""
    points = landmarks.double()
    return (points[:, 36:42].mean(1) - points[:, 42:48].mean(1)).norm(dim=-1)


def lip_gap(landmarks: Float[Tensor, "T 68 2"]) -> Float64[Tensor, " T"]:
    """Distance of the inner lips, mean over their three middle pairs of points.

    Args:
        landmarks: in pixels of any picture (iBUG 300-W).

    Returns:
        In distances of the eyes (:func:`eye_distance`, its median over the frames), 0 where the lips touch.

    Example:
        >>> import torch
        >>> face = torch.zeros(1, 68, 2)
        >>> face[0, 36:42, 0] = 60.0  # the eyes are 60 pixels apart
        >>> face[0, 61:64, 1] = -6.0
        >>> lip_gap(face).tolist()
        [0.1]
    """
    points = landmarks.double()
    gap = (points[:, UPPER_LINE[1:4]] - points[:, LOWER_LINE[1:4]]).norm(dim=-1).mean(1)
    return gap / eye_distance(landmarks).median().clamp_min(1e-6)


def close_mouth(points: Float32[Tensor, "68 2"]) -> Float32[Tensor, "68 2"]:
    """The same face with its lips together: the lower lip rises with the jaw, the upper comes down a little.

    Args:
        points: landmarks in pixels.
    """
    lips = LipLine(points)
    gap = ((points[list(LOWER_LINE)] - points[list(UPPER_LINE)]) @ lips.down).clamp_min(0)[1:4]
    closed = points.clone()
    for inner, outer, share in (
        ((61, 62, 63), (50, 51, 52), UPPER_SHARE),
        ((67, 66, 65), (58, 57, 56), UPPER_SHARE - 1),
    ):
        shift = share * gap[:, None] * lips.down
        closed[list(inner)] += shift
        closed[list(outer)] += shift
        closed[[49, 53] if share > 0 else [59, 55]] += 0.5 * shift[[0, 2]]
    fall = torch.cos(torch.linspace(-torch.pi / 2, torch.pi / 2, 11)).to(points)  # jaw 3..13, most at the chin
    closed[3:14] -= JAW_SHARE * gap.mean() * fall[:, None] * lips.down
    return closed


@dataclass(frozen=True)
class LipLine:
    """Where the lips part, in a frame of the mouth: along it, and down the face.

    Args:
        points: landmarks in pixels.
    """

    points: Float32[Tensor, "68 2"]

    def __post_init__(self) -> None:
        if self.points.shape != (NUM_LANDMARKS, 2):
            raise ValueError(f"a face has 68 points of x and y; got {tuple(self.points.shape)}")

    @cached_property
    def eyes(self) -> float:
        """Distance of the eyes in pixels."""
        return max(float(eye_distance(self.points[None])), 1.0)

    @cached_property
    def half_width(self) -> float:
        """Half the distance of the inner corners in pixels."""
        return max(float((self.points[64] - self.points[60]).norm()) / 2, 1.0)

    @cached_property
    def middle(self) -> Float32[Tensor, "2"]:
        """Between the corners."""
        return (self.points[60] + self.points[64]) / 2

    @cached_property
    def right(self) -> Float32[Tensor, "2"]:
        """Unit vector from the person's right corner to the left one, to the right in the picture."""
        return (self.points[64] - self.points[60]) / (2 * self.half_width)

    @cached_property
    def down(self) -> Float32[Tensor, "2"]:
        """Unit vector down the face."""
        return torch.stack([-self.right[1], self.right[0]])

    @cached_property
    def edges(self) -> Float32[Tensor, "2 5 2"]:
        """The inner edges of the upper and of the lower lip; where they touch or cross, both are their middle."""
        upper, lower = self.points[list(UPPER_LINE)], self.points[list(LOWER_LINE)]
        apart = ((lower - upper) @ self.down > CLOSED * self.eyes)[:, None]
        return torch.stack([torch.where(apart, line, (upper + lower) / 2) for line in (upper, lower)])

    def along(self, places: Float[Tensor, "*places 2"]) -> Float[Tensor, "*places"]:
        """-1 at the person's right corner, 1 at the left one."""
        return (places - self.middle) @ self.right / self.half_width

    def across(self, places: Float[Tensor, "*places 2"]) -> Float[Tensor, "*places"]:
        """Pixels below the line through the corners."""
        return (places - self.middle) @ self.down

    def beyond(self, places: Float[Tensor, "*places 2"], lip: int) -> Float[Tensor, "*places"]:
        """Pixels below the inner edge of the upper (0) or the lower (1) lip."""
        edge = self.edges[lip]
        return self.across(places) - curve(self.along(edge), self.across(edge), self.along(places))


def curve(
    knots: Float[Tensor, " K"], heights: Float[Tensor, " K"], at: Float[Tensor, "*places"]
) -> Float[Tensor, "*places"]:
    """A smooth line through points (cubic Hermite, slopes of their neighbours), level beyond the first and the last.

    Args:
        knots: increasing.
        heights: there.
        at: where it is asked.

    Example:
        >>> import torch
        >>> curve(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 2.0, 4.0]), torch.tensor([-1.0, 0.5, 3.0])).tolist()
        [0.0, 1.0, 4.0]
    """
    steps = (knots[1:] - knots[:-1]).clamp_min(1e-6)
    slopes = torch.zeros_like(heights)
    slopes[1:-1] = (heights[2:] - heights[:-2]) / (steps[1:] + steps[:-1])
    slopes[0], slopes[-1] = (heights[1] - heights[0]) / steps[0], (heights[-1] - heights[-2]) / steps[-1]
    held = at.clamp(float(knots[0]), float(knots[-1]))
    left = torch.searchsorted(knots.contiguous(), held.contiguous(), right=True).clamp(1, len(knots) - 1) - 1
    t = (held - knots[left]) / steps[left]
    rise = (3 - 2 * t) * t * t
    return (
        (1 - rise) * heights[left]
        + rise * heights[left + 1]
        + steps[left] * t * (1 - t) * ((1 - t) * slopes[left] - t * slopes[left + 1])
    )
