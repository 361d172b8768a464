"""The shape of a drawn face and how it moves: every pixel and every landmark comes from the functions here.

Three systems of coordinates, all in pixels of the 256 x 256 picture: the *skin*, on which the resting face is painted;
the *face*, after jaw, cheeks and brows have moved the skin; the *picture*, after the head has turned and moved. Maps
towards the skin are explicit (that is what resampling needs), maps towards the picture invert them to below a hundredth
of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from zoo.data.sources.synthgrid.motion import Motion
from zoo.data.sources.synthgrid.speaker import Speaker
from zoo.data.sources.synthgrid.viseme import MouthTrack

SIZE = 256
"""Height and width of the pictures in pixels."""

_LEFT_HALF = (
    (-0.600, 0.089), (-0.584, 0.258), (-0.564, 0.424), (-0.542, 0.591), (-0.498, 0.749), (-0.417, 0.889),
    (-0.301, 1.002), (-0.163, 1.088), (0.0, 1.117),
    (-0.500, -0.085), (-0.428, -0.164), (-0.318, -0.185), (-0.204, -0.167), (-0.098, -0.126),
    (0.0, 0.0), (0.0, 0.105), (0.0, 0.206), (0.0, 0.315), (-0.123, 0.424), (-0.063, 0.444), (0.0, 0.460),
    (-0.378, 0.038), (-0.312, 0.001), (-0.230, 0.000), (-0.157, 0.047), (-0.232, 0.067), (-0.315, 0.069),
)  # fmt: skip
"""Left half of the mean of dlib's landmarks on six speakers of GRID: origin at point 27, unit = brow span."""

MOUTH_Y = 0.692
MOUTH_HALF_WIDTH = 0.222

_UPPER_OUTER = torch.tensor([-1.0, -0.66, -0.28, 0.0, 0.28, 0.66, 1.0], dtype=torch.float64)
_LOWER_OUTER = torch.tensor([0.67, 0.30, 0.0, -0.30, -0.67], dtype=torch.float64)
_UPPER_INNER = torch.tensor([-0.84, -0.28, 0.0, 0.28, 0.84], dtype=torch.float64)
_LOWER_INNER = torch.tensor([0.28, 0.0, -0.28], dtype=torch.float64)
_EYE_UPPER = torch.tensor([-0.40, 0.34], dtype=torch.float64)
_EYE_LOWER = torch.tensor([0.33, -0.42], dtype=torch.float64)


def mean_points() -> Float64[np.ndarray, "48 2"]:
    """The mean face without lips: iBUG points 0..47, origin at point 27, unit = span of the brows."""
    half = np.array(_LEFT_HALF)
    mirrored = half * (-1, 1)
    jaw = np.concatenate([half[:9], mirrored[7::-1]])
    brows = np.concatenate([half[9:14], mirrored[13:8:-1]])
    nose = np.concatenate([half[14:21], mirrored[19:17:-1]])
    eyes = np.concatenate([half[21:27], mirrored[[24, 23, 22, 21, 26, 25]]])
    return np.concatenate([jaw, brows, nose, eyes])


def speaker_points(speaker: Speaker) -> Float64[np.ndarray, "48 2"]:
    """Bend the mean face to a speaker: iBUG points 0..47, same unit and origin as :func:`mean_points`."""
    width, jaw, chin, eyes, brow, arch, nose, ala, _, _, eye_height, tilt = speaker.shape
    points = mean_points()
    side = np.sign(points[:, 0])
    points[:17, 0] *= 1 + 0.025 * width
    points[3:14, 0] *= 1 + 0.035 * jaw * np.sin(np.linspace(0, np.pi, 11))
    points[5:12, 1] += 0.025 * chin * np.sin(np.linspace(0, np.pi, 7))
    points[17:27, 1] += 0.014 * brow + 0.012 * arch * (np.abs(points[17:27, 0]) - 0.3) / 0.2
    points[[20, 21, 22, 23], 1] -= (0.006, 0.014, 0.014, 0.006)
    points[28:36, 1] *= 1 + 0.04 * nose
    points[31:36, 0] *= 1 + 0.08 * ala
    points[36:48, 0] += side[36:48] * 0.008 * eyes
    lids = [37, 38, 40, 41, 43, 44, 46, 47]
    points[lids, 1] += (points[lids, 1] - 0.045) * (0.12 * eye_height + 0.08)
    points[[36, 45], 1] += 0.007 * tilt
    return points


@dataclass(frozen=True)
class Lips:
    """The lips over time in face coordinates: tensors ``(T, 1, 1)`` in pixels, to be spread over pixels or landmarks.

    Attributes:
        x, y: between the corners.
        half_width: from there to a corner.
        raised, lowered: how far the inner edges of the upper and lower lip lie from the line between the corners.
        upper, lower: thickness of the lips.
    """

    x: float
    y: Float[Tensor, "T 1 1"]
    half_width: Float[Tensor, "T 1 1"]
    raised: Float[Tensor, "T 1 1"]
    lowered: Float[Tensor, "T 1 1"]
    upper: Float[Tensor, "T 1 1"]
    lower: Float[Tensor, "T 1 1"]

    def edges(self, u: Float[Tensor, "#T *pixels"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Heights of upper outer, upper inner, lower inner and lower outer edge at ``u`` (-1, 1: the corners)."""
        square = (u * u).clamp(max=1)
        arch = (1 - square) ** 0.8
        gap = (1 - square / 0.74).clamp(min=0) ** 0.7
        bow = (1 - square) ** 0.9 * (1 + 0.35 * square - 0.22 * torch.exp(-square / 0.03))
        line = self.y + 0.012 * self.half_width * (1 - square)
        upper_inner, lower_inner = line - self.raised * gap, line + self.lowered * gap
        upper_outer = line - self.raised * arch - self.upper * bow
        lower_outer = line + self.lowered * arch + self.lower * (1 - square) ** 0.7
        return upper_outer, upper_inner, lower_inner, lower_outer

    def points(self) -> Float[Tensor, "T 20 2"]:
        """The 20 lip landmarks (48..67) in face coordinates."""
        outer, upper, lower = torch.cat([_UPPER_OUTER, _LOWER_OUTER]), _UPPER_INNER, _LOWER_INNER
        u = torch.cat([outer, upper, lower]).to(self.y)[None, None]
        edges = [edge.expand(len(self.y), 1, 20)[:, 0] for edge in self.edges(u)]
        y = torch.cat([edges[0][:, :7], edges[3][:, 7:12], edges[1][:, 12:17], edges[2][:, 17:]], 1)
        return torch.stack([self.x + u[0] * self.half_width[:, 0], y], -1)


@dataclass(frozen=True)
class Eye:
    """One eye in face coordinates.

    Attributes:
        middle: x and y between the corners, pixels.
        axis: unit vector from the left to the right corner in the picture.
        half: half the width, pixels.
        up, down: how far the middle of the upper and lower lid lie from the axis, pixels.
    """

    middle: tuple[float, float]
    axis: tuple[float, float]
    half: float
    up: float
    down: float

    def local(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Position along the eye (-1, 1 are the corners) and below its axis (pixels)."""
        dx, dy = x - self.middle[0], y - self.middle[1]
        return (dx * self.axis[0] + dy * self.axis[1]) / self.half, dy * self.axis[0] - dx * self.axis[1]

    def lids(self, along: Tensor, blink: Tensor) -> tuple[Tensor, Tensor]:
        """Heights below the axis (pixels) of upper and lower lid at ``along``, with ``blink`` 0 (open) .. 1 (shut)."""
        square = (along * along).clamp(max=1)
        height = self.up * (1 - blink) - 0.9 * self.down * blink
        return -height * (1 - square**1.15), self.down * (1 - square)

    def points(self, blink: Float64[Tensor, " T"], *, mirrored: bool) -> Float64[Tensor, "T 6 2"]:
        """The 6 landmarks from left corner to right corner and back below, in face coordinates."""
        above, below = (-_EYE_UPPER.flip(0), -_EYE_LOWER.flip(0)) if mirrored else (_EYE_UPPER, _EYE_LOWER)
        along = torch.cat(
            [torch.tensor([-1.0], dtype=torch.float64), above, torch.ones(1, dtype=torch.float64), below]
        )[None]
        upper, lower = self.lids(along, blink[:, None])
        down = torch.cat([upper[:, :4], lower[:, 4:].expand(len(blink), 2)], 1)
        along = along * self.half
        x = self.middle[0] + along * self.axis[0] - down * self.axis[1]
        return torch.stack([x, self.middle[1] + along * self.axis[1] + down * self.axis[0]], -1)


def _smoothstep(value: Tensor, start: float, stop: float) -> Tensor:
    x = ((value - start) / (stop - start)).clamp(0, 1)
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class Face:
    """A speaker's face in pixels.

    Attributes:
        speaker: whose it is.
        origin: x and y of the bridge of the nose (point 27).
    """

    speaker: Speaker
    origin: tuple[float, float] = (127.5, 97.0)

    @property
    def unit(self) -> float:
        """Pixels between the outer ends of the brows."""
        return self.speaker.unit

    @cached_property
    def rest(self) -> Float64[np.ndarray, "48 2"]:
        """Landmarks 0..47 of the resting face in pixels."""
        return speaker_points(self.speaker) * self.unit + self.origin

    @cached_property
    def mouth(self) -> tuple[float, float, float]:
        """X and y of the middle of the resting mouth, and half its width, in pixels."""
        down, wide = 0.012 * self.speaker.shape[2] + 0.012 * self.speaker.shape[6], 1 + 0.05 * self.speaker.shape[8]
        return self.origin[0], self.origin[1] + (MOUTH_Y + down) * self.unit, MOUTH_HALF_WIDTH * wide * self.unit

    @cached_property
    def eyes(self) -> tuple[Eye, Eye]:
        """Left and right in the picture."""
        eyes = []
        for first in (36, 42):
            points = self.rest[first : first + 6]
            middle, across = (points[0] + points[3]) / 2, points[3] - points[0]
            half = float(np.hypot(*across)) / 2
            axis = across / (2 * half)
            below = (points - middle) @ np.array([-axis[1], axis[0]])
            up, down = -below[1:3].mean() / 0.86, below[4:6].mean() / 0.86
            eyes.append(
                Eye(
                    (float(middle[0]), float(middle[1])), (float(axis[0]), float(axis[1])), half, float(up), float(down)
                )
            )
        return eyes[0], eyes[1]

    def jaw_drop(self, track: MouthTrack) -> Float64[Tensor, " T"]:
        """Pixels that the chin moves down."""
        return track.jaw * self.speaker.open_gain * 0.10 * self.unit

    def mouth_widening(self, track: MouthTrack) -> Float64[Tensor, " T"]:
        """Pixels that each corner of the mouth moves outwards."""
        wide = track.wide * self.speaker.wide_gain
        return self.mouth[2] * (wide.clamp(min=0) * 0.13 + wide.clamp(max=0) * 0.30 - 0.04 * track.jaw)

    def lips(self, track: MouthTrack, dtype: torch.dtype = torch.float64) -> Lips:
        """The lips for a movement of the mouth."""
        x, y, half_width = self.mouth
        fullness = 1 + 0.14 * self.speaker.shape[9]
        gap = track.open * self.speaker.open_gain * 0.15 * self.unit
        drop = 0.15 * self.jaw_drop(track)
        rounded = (-track.wide).clamp(min=0)
        raised = 0.22 * gap + 0.012 * self.unit * track.tuck + drop
        thin = 1 - 0.30 * track.press + 0.20 * rounded
        upper = 0.060 * self.unit * fullness * (thin - 0.10 * track.open)
        lower = 0.080 * self.unit * fullness * (thin - 0.12 * track.open - 0.35 * track.tuck)
        values = (y + drop, half_width + self.mouth_widening(track), raised, gap - raised, upper, lower)
        spread = [value.to(dtype)[:, None, None] for value in values]
        return Lips(x, *spread)

    def skin_shift(self, x: Tensor, y: Tensor, track: MouthTrack, motion: Motion) -> tuple[Tensor, Tensor]:
        """How far (pixels) the skin that now lies at a point of the face has been moved by jaw, mouth and brows.

        ``x``, ``y`` broadcast with ``(T, 1, ...)``; the result has their shape.
        """
        shape = (-1,) + (1,) * (x.dim() - 1)
        jaw, wide, brow = (
            value.to(x).reshape(shape) for value in (self.jaw_drop(track), self.mouth_widening(track), motion.brow)
        )
        mouth_x, mouth_y, half = self.mouth
        dx, dy, chin = x - mouth_x, y - mouth_y, float(self.rest[8, 1])
        hang = _smoothstep(y, mouth_y - 0.05 * self.unit, chin - 0.12 * self.unit)
        hang = hang * (1 - _smoothstep(y, chin + 0.04 * self.unit, chin + 0.42 * self.unit))
        down = jaw * hang * torch.exp(-((dx / (0.50 * self.unit)) ** 4))
        near = torch.exp(-((dx / (1.6 * half)) ** 2) - (dy / (0.2 * self.unit)) ** 2)
        out = wide * (dx / half) * near * 1.478  # exp(1 / 1.6²): the corner itself follows in full
        brow_y = float(self.rest[17:27, 1].mean())
        up = brow * torch.exp(-(((y - brow_y) / (0.13 * self.unit)) ** 2) - (dx / (0.62 * self.unit)) ** 4)
        return out, down - up

    def turn_shift(self, x: Tensor, y: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
        """How far (pixels) a point has been moved by turning the head: the middle of the face moves most."""
        shape = (-1,) + (1,) * (x.dim() - 1)
        dx, dy = (x - self.origin[0]) / (0.45 * self.unit), (y - self.origin[1] - 0.35 * self.unit) / (0.75 * self.unit)
        depth = torch.exp(-(dx * dx) - dy * dy)
        return motion.yaw.to(x).reshape(shape) * depth, motion.pitch.to(x).reshape(shape) * depth

    def to_picture(self, points: Float64[Tensor, "T N 2"], motion: Motion) -> Float64[Tensor, "T N 2"]:
        """Face coordinates to picture coordinates."""
        found = points
        for _ in range(12):
            found = points + torch.stack(self.turn_shift(found[..., 0], found[..., 1], motion), -1)
        pivot = torch.tensor(self.pivot, dtype=torch.float64)
        cos, sin = motion.scale * torch.cos(motion.roll), motion.scale * torch.sin(motion.roll)
        x, y = (found - pivot).unbind(-1)
        turned = torch.stack([cos[:, None] * x - sin[:, None] * y, sin[:, None] * x + cos[:, None] * y], -1)
        return turned + pivot + torch.stack([motion.x, motion.y], -1)[:, None]

    @property
    def pivot(self) -> tuple[float, float]:
        """The point in the neck about which the head tilts."""
        return self.origin[0], self.origin[1] + 1.1 * self.unit

    def from_picture(self, x: Tensor, y: Tensor, motion: Motion, *, neck: bool) -> tuple[Tensor, Tensor]:
        """Picture coordinates to face coordinates; with ``neck`` the head's movement dies away to the shoulders."""
        shape = (-1,) + (1,) * (x.dim() - 1)
        cos = (torch.cos(motion.roll) / motion.scale).to(x).reshape(shape)
        sin = (torch.sin(motion.roll) / motion.scale).to(x).reshape(shape)
        px, py = self.pivot
        dx, dy = x - px - motion.x.to(x).reshape(shape), y - py - motion.y.to(x).reshape(shape)
        head_x, head_y = cos * dx + sin * dy + px, cos * dy - sin * dx + py
        if neck:
            chin = float(self.rest[8, 1])
            follow = 1 - _smoothstep(y, chin + 0.20 * self.unit, chin + 0.62 * self.unit)
            head_x, head_y = x + follow * (head_x - x), y + follow * (head_y - y)
        turn_x, turn_y = self.turn_shift(head_x, head_y, motion)
        return head_x - turn_x, head_y - turn_y

    def landmarks(self, track: MouthTrack, motion: Motion) -> Float64[Tensor, "T 68 2"]:
        """All 68 points in pixels of the picture, exactly where they are drawn."""
        skin = torch.from_numpy(self.rest[:36]).expand(len(track.open), 36, 2)
        found = skin
        for _ in range(25):
            found = skin + torch.stack(self.skin_shift(found[..., 0], found[..., 1], track, motion), -1)
        eyes = [eye.points(motion.blink, mirrored=bool(side)) for side, eye in enumerate(self.eyes)]
        return self.to_picture(torch.cat([found, *eyes, self.lips(track).points()], 1), motion)
