"""Drawing a clip: the painted face is lit once, then warped to every frame; eyes and mouth are drawn into each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from zoo.data.sources.synthgrid.face import SIZE, Eye, Face, Lips
from zoo.data.sources.synthgrid.motion import Motion
from zoo.data.sources.synthgrid.skin import Skin
from zoo.data.sources.synthgrid.viseme import MouthTrack

_CONTROL = 64
"""The warp is computed on a grid of this many points each way and interpolated: it is smooth (error below 0.02 px)."""

_CHUNK = 15
"""Frames drawn at a time, so that the work stays in the processor's cache."""

Track = TypeVar("Track", MouthTrack, Motion)


@dataclass(frozen=True)
class Light:
    """How a clip is lit.

    Attributes:
        direction: where the light comes from: right, down, towards the viewer; a unit vector.
        ambient: share of the light that comes from all sides, 0..1.
        colour: of the light, about 1.
        backdrop: ``(3, 256, 256)`` float32, 0..1.
    """

    direction: tuple[float, float, float]
    ambient: float
    colour: tuple[float, float, float]
    backdrop: Float32[Tensor, "3 256 256"]


def sample_light(rng: np.random.Generator, backdrop: Sequence[Sequence[float]]) -> Light:
    """Draw light and background; ``backdrop`` holds the colours at top and bottom, 0..1."""
    direction = np.array([rng.uniform(-0.55, 0.55), rng.uniform(-0.65, -0.25), 1.0])
    direction /= np.linalg.norm(direction)
    warmth = rng.uniform(-0.05, 0.05)
    bright = rng.uniform(0.92, 1.06)
    ends = torch.tensor(backdrop, dtype=torch.float32) * float(rng.uniform(0.85, 1.15))
    ramp = torch.linspace(0, 1, SIZE)[None, :, None]
    clouds = torch.from_numpy(rng.standard_normal((1, 1, 6, 6)).astype(np.float32)) * 0.06
    clouds = F.interpolate(clouds, (SIZE, SIZE), mode="bicubic", align_corners=True)[0]
    picture = ends[0][:, None, None] * (1 - ramp) + ends[1][:, None, None] * ramp
    colour = (bright * (1 + warmth), bright, bright * (1 - warmth))
    x, y, z = (float(value) for value in direction)
    return Light((x, y, z), float(rng.uniform(0.42, 0.60)), colour, (picture * (1 + clouds)).clamp(0.02, 0.98))


def light_up(skin: Skin, light: Light) -> tuple[Float32[Tensor, "4 256 256"], Float32[Tensor, "256 256"]]:
    """Let light fall on a portrait.

    Returns:
        RGB times alpha and alpha, 0..1; and the brightness that falls on each pixel, about 1.
    """
    direction = torch.tensor(light.direction)
    facing = (skin.normal * direction[:, None, None]).sum(0)
    wrapped = ((facing + 0.25) / 1.25).clamp(min=0)
    level = light.ambient + (1.12 - light.ambient) * wrapped
    # Light that enters skin leaves it redder: shadows are warm.
    tinted = torch.stack([level**0.82, level, level**1.06]) * torch.tensor(light.colour)[:, None, None]
    half = direction + torch.tensor([0.0, 0.0, 1.0])
    glint = (skin.normal * (half / half.norm())[:, None, None]).sum(0).clamp(min=0) ** 28
    lit = (skin.colour * tinted + 0.16 * (glint * skin.shine)).clamp(0, 1)
    return torch.cat([lit * skin.alpha, skin.alpha[None]]), level


def _cut(track: Track, start: int, stop: int) -> Track:
    """Some frames of a track."""
    return type(track)(**{field.name: getattr(track, field.name)[start:stop] for field in fields(track)})


def _warp(
    face: Face, portrait: Float32[Tensor, "4 256 256"], backdrop: Tensor, track: MouthTrack, motion: Motion
) -> Tensor:
    """Move the portrait to every frame and lay it over the background: ``(T, 3, 256, 256)`` float32, 0..1."""
    count = len(motion.x)
    line = torch.linspace(0, SIZE - 1, _CONTROL)
    x = line[None, None, :].expand(count, _CONTROL, _CONTROL)
    y = line[None, :, None].expand(count, _CONTROL, _CONTROL)
    face_x, face_y = face.from_picture(x, y, motion, neck=True)
    shift_x, shift_y = face.skin_shift(face_x, face_y, track, motion)
    grid = torch.stack([face_x - shift_x, face_y - shift_y], 1) * (2 / (SIZE - 1)) - 1
    grid = F.interpolate(grid, (SIZE, SIZE), mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
    # All frames as one tall picture: one image to sample from, three times as fast as a batch of copies of it.
    tall = grid.reshape(1, count * SIZE, SIZE, 2)
    moved = F.grid_sample(portrait[None], tall, padding_mode="border", align_corners=True).view(4, count, SIZE, SIZE)
    return moved[:3].addcmul_(1 - moved[3:], backdrop[:, None]).transpose(0, 1)


def _window(points: Tensor, margin: float) -> tuple[slice, slice]:
    """Rows and columns around points ``(..., 2)`` of the picture, ``margin`` pixels more on each side."""
    low = (points.reshape(-1, 2).amin(0) - margin).floor().long().clamp(0, SIZE - 1)
    high = (points.reshape(-1, 2).amax(0) + margin).ceil().long().clamp(0, SIZE - 1)
    return slice(int(low[1]), int(high[1]) + 1), slice(int(low[0]), int(high[0]) + 1)


def _face_grid(face: Face, motion: Motion, rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
    """Face coordinates of the pixels of a window: two tensors ``(T, h, w)``."""
    y, x = torch.meshgrid(
        torch.arange(rows.start, rows.stop).float(), torch.arange(columns.start, columns.stop).float(), indexing="ij"
    )
    count = len(motion.x)
    return face.from_picture(x.expand(count, -1, -1), y.expand(count, -1, -1), motion, neck=False)


def _over(picture: Tensor, area: Tensor, colour: Tensor | Sequence[float]) -> None:
    """Lay ``(3,)`` or ``(T, 3, h, w)`` over a picture ``(T, 3, h, w)`` in place, where ``area`` ``(T, h, w)`` is 1."""
    paint = colour if isinstance(colour, Tensor) else torch.tensor(colour)
    paint = paint[None, :, None, None] if paint.dim() == 1 else paint
    picture.lerp_(paint.expand_as(picture), area[:, None].expand_as(picture))


def _inside(distance: Tensor, softness: float = 1.0) -> Tensor:
    """0..1: how much of a pixel lies inside an edge, from its distance to it (pixels, positive inside)."""
    return (distance / softness + 0.5).clamp(0, 1)


def _draw_eye(face: Face, eye: Eye, picture: Tensor, x: Tensor, y: Tensor, motion: Motion, level: float) -> None:
    """Eyeball, iris, lids and lashes of one eye, in place on ``(T, 3, h, w)``."""
    along, below = eye.local(x, y)
    upper, lower = eye.lids(along, motion.blink.float()[:, None, None])
    within = _inside((1 - along.abs()) * eye.half)
    open_area = _inside(below - upper) * _inside(lower - below) * within
    size = 0.053 * face.unit
    iris_x = along * eye.half - motion.gaze_x.float()[:, None, None]
    iris_y = below - motion.gaze_y.float()[:, None, None] + 0.10 * eye.up
    radius = (iris_x * iris_x + iris_y * iris_y).sqrt()
    shade = (level * (0.62 + 0.40 * ((below - upper) / (0.6 * eye.up)).clamp(0, 1)) * (1 - 0.22 * along * along))[
        :, None
    ]
    ball = torch.tensor([0.93, 0.90, 0.88])[None, :, None, None] * shade
    iris = torch.tensor(face.speaker.iris)
    ring = iris[None, :, None, None] * (1.25 - 0.75 * (radius / size).clamp(0, 1) ** 3)[:, None]
    _over(ball, _inside(size - radius, 1.3), ring)
    _over(ball, _inside(0.42 * size - radius, 1.2), [0.03, 0.03, 0.03])
    glint = ((iris_x + 0.32 * size) ** 2 + (iris_y + 0.35 * size) ** 2).sqrt()
    _over(ball, _inside(0.20 * size - glint, 1.5) * 0.9, [1.0, 1.0, 1.0])
    _over(picture, open_area, ball)
    fade = _inside((1.08 - along.abs()) * eye.half, 2.5)
    lash = torch.exp(-(((below - upper + 0.3) / (0.010 * face.unit)) ** 2)) * fade
    crease_at = -eye.up * (1 - (along * along).clamp(max=1) ** 1.15) * 1.05 - 0.035 * face.unit
    crease = torch.exp(-(((below - crease_at) / 1.3) ** 2)) * fade
    rim = torch.exp(-(((below - lower - 0.3) / 0.9) ** 2)) * fade
    picture *= (1 - 0.30 * crease - 0.25 * rim)[:, None]
    dark = [0.25 * value for value in face.speaker.hair]
    _over(picture, (0.85 * lash).clamp(max=1), dark)


def _draw_teeth(inner: Tensor, dx: Tensor, y: Tensor, edges: tuple[float, Tensor], half: float, level: float) -> None:
    """Both rows of teeth, in place: the upper one stays with the skull, the lower one moves with the jaw."""
    upper_edge, lower_edge = edges
    bend = 0.10 * (dx / half) ** 2 * half
    width = (dx / (0.80 * half)).abs()
    side = (1 - 0.55 * width.clamp(max=1) ** 2) * _inside((1 - width) * 0.8 * half, 4.0)
    gaps = 1 - 0.10 * (0.5 + 0.5 * torch.cos(dx * (2 * torch.pi / (0.165 * half * 2)))) ** 6
    ivory = torch.tensor([0.90, 0.87, 0.80])[None, :, None, None] * (level * side * gaps)[:, None]
    _over(inner, _inside(y - lower_edge - bend, 1.2) * (side > 0.02), ivory * 0.72)
    _over(inner, _inside(upper_edge - bend - y, 1.2) * (side > 0.02), ivory)


def _draw_mouth(face: Face, picture: Tensor, x: Tensor, y: Tensor, track: MouthTrack, lips: Lips, level: float) -> None:
    """Cavity, tongue, teeth and lips, in place on ``(T, 3, h, w)``."""
    unit, half = face.unit, face.mouth[2]
    dx = x - lips.x
    u = dx / lips.half_width
    upper_outer, upper_inner, lower_inner, lower_outer = lips.edges(u)
    ends = _inside((1 - u.abs()) * lips.half_width, 1.5)
    jaw = face.jaw_drop(track).float()[:, None, None]
    tongue_up, mouth_y = track.tongue.float()[:, None, None], face.mouth[1]

    under = ((y - lower_outer - 0.055 * unit) / (0.035 * unit)) ** 2 + (u / 0.7) ** 2
    corner = ((u.abs() - 1.0) * lips.half_width / (0.035 * unit)) ** 2 + ((y - lips.y) / (0.030 * unit)) ** 2
    picture *= (1 - 0.10 * torch.exp(-under) - 0.26 * torch.exp(-corner))[:, None]

    inner = torch.tensor([0.20, 0.055, 0.05])[None, :, None, None].expand_as(picture) * (0.6 + 0.4 * level)
    upper_edge, lower_edge = mouth_y + 0.020 * unit, mouth_y + 0.022 * unit + 0.92 * jaw
    top = lower_edge + 0.012 * unit - tongue_up * (0.9 * jaw + 0.012 * unit) + 0.30 * dx * dx / half
    tongue = (
        torch.tensor([0.66, 0.30, 0.29])[None, :, None, None]
        * (level * (0.72 + 0.25 * ((y - top) / (0.05 * unit)).clamp(0, 1)))[:, None]
    )
    _over(inner, _inside(y - top, 2.0), tongue)
    _draw_teeth(inner, dx, y, (upper_edge, lower_edge), half, level)
    inner = inner * (1 - 0.50 * torch.exp(-(((y - upper_inner) / (0.022 * unit)).clamp(min=0))))[:, None]
    gap = _inside(y - upper_inner) * _inside(lower_inner - y) * ends

    thick_upper, thick_lower = (upper_inner - upper_outer).clamp(min=0.5), (lower_outer - lower_inner).clamp(min=0.5)
    across_upper, across_lower = (
        ((upper_inner - y) / thick_upper).clamp(0, 1),
        ((y - lower_inner) / thick_lower).clamp(0, 1),
    )
    is_upper = _inside((upper_inner + lower_inner) / 2 - y)
    near = torch.minimum((y - upper_inner).abs(), (y - lower_inner).abs())
    seam = 1 - 0.50 * torch.exp(-((near / (0.013 * unit)) ** 2)) * ends
    gloss = torch.exp(-(((across_lower - 0.42) / 0.22) ** 2) - (u / 0.45) ** 2) * (1 - is_upper)
    body = is_upper * (0.80 + 0.16 * across_upper) + (1 - is_upper) * (1.06 - 0.24 * (across_lower - 0.35) ** 2 * 2)
    colour = (
        torch.tensor(face.speaker.lips)[None, :, None, None] * (level * body * seam)[:, None] + 0.10 * gloss[:, None]
    )
    area = _inside(y - upper_outer, 1.3) * _inside(lower_outer - y, 1.4) * ends
    _over(picture, area * 0.94, colour)
    _over(picture, gap, inner)


def render(face: Face, skin: Skin, light: Light, track: MouthTrack, motion: Motion) -> UInt8[Tensor, "T 3 256 256"]:
    """Draw a clip.

    Args:
        face: shape of the speaker's face.
        skin: the painted portrait of the same speaker.
        light: how the clip is lit, and its background.
        track: movement of the mouth.
        motion: movement of the head; as many frames as ``track``.

    Returns:
        uint8 RGB, 0..255.
    """
    portrait, level = light_up(skin, light)
    landmarks = face.landmarks(track, motion)
    spots = [(*face.mouth[:2],), *(eye.middle for eye in face.eyes)]
    mouth_level, *eye_levels = (
        float(level[round(y) - 4 : round(y) + 5, round(x) - 8 : round(x) + 9].mean()) for x, y in spots
    )
    drawn = torch.empty(len(motion.x), 3, SIZE, SIZE, dtype=torch.uint8)
    for start in range(0, len(drawn), _CHUNK):
        stop = min(start + _CHUNK, len(drawn))
        part, move, points = _cut(track, start, stop), _cut(motion, start, stop), landmarks[start:stop]
        frames = _warp(face, portrait, light.backdrop, part, move)
        for eye, first, eye_level in zip(face.eyes, (36, 42), eye_levels, strict=True):
            rows, columns = _window(points[:, first : first + 6], 0.09 * face.unit)
            _draw_eye(face, eye, frames[:, :, rows, columns], *_face_grid(face, move, rows, columns), move, eye_level)
        rows, columns = _window(points[:, 48:], 0.16 * face.unit)
        x, y = _face_grid(face, move, rows, columns)
        _draw_mouth(face, frames[:, :, rows, columns], x, y, part, face.lips(part, torch.float32), mouth_level)
        drawn[start:stop] = frames.clamp_(0, 1).mul_(255).round_()
    return drawn
