"""What does not change while a speaker talks: painted skin, hair, clothes and the relief that the light falls on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from zoo.data.sources.synthgrid.face import SIZE, Face

Map = Float[np.ndarray, "256 256"]
"""One value per pixel."""

Points = Float64[np.ndarray, "N 2"] | Sequence[tuple[float | int, float | int] | Float64[np.ndarray, "2"]]
"""Places x, y."""

Paint = Sequence[float] | Float[np.ndarray, "3"] | Float[np.ndarray, "3 256 256"]
"""RGB, 0..1: one colour or one for each pixel."""

_OVERSAMPLING = 4


def blur(image: Map, sigma: float) -> Map:
    """Gaussian blur, ``sigma`` in pixels; the border repeats."""
    radius = max(1, round(3 * sigma))
    kernel = torch.exp(-(torch.arange(-radius, radius + 1, dtype=torch.float32) ** 2) / (2 * sigma * sigma))
    kernel = kernel / kernel.sum()
    padded = F.pad(torch.from_numpy(image).float()[None, None], (radius,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel[None, None, None])
    return F.conv2d(across, kernel[None, None, :, None])[0, 0].numpy()


def smooth(points: Float64[np.ndarray, "N 2"], *, steps: int = 8, closed: bool = True) -> Float64[np.ndarray, "M 2"]:
    """A curve through all points (Catmull-Rom)."""
    around = (
        np.concatenate([points[-1:], points, points[:2]])
        if closed
        else np.concatenate([points[:1], points, points[-1:]])
    )
    p0, p1, p2, p3 = around[:-3, None], around[1:-2, None], around[2:-1, None], around[3:, None]
    t = (np.arange(steps) / steps)[None, :, None]
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def fill(*polygons: Float64[np.ndarray, "N 2"]) -> Map:
    """The area inside the polygons (pixels), 0..1, with smooth edges."""
    canvas = Image.new("L", (SIZE * _OVERSAMPLING,) * 2)
    draw = ImageDraw.Draw(canvas)
    for polygon in polygons:
        draw.polygon([(float(x), float(y)) for x, y in (polygon + 0.5) * _OVERSAMPLING], fill=255)
    return np.asarray(canvas.reduce(_OVERSAMPLING), dtype=np.float32) / 255


def stroke(points: Float64[np.ndarray, "N 2"], width: float) -> Map:
    """A line through points, ``width`` pixels wide, 0..1, with smooth edges."""
    canvas = Image.new("L", (SIZE * _OVERSAMPLING,) * 2)
    path = [(float(x), float(y)) for x, y in (points + 0.5) * _OVERSAMPLING]
    ImageDraw.Draw(canvas).line(path, fill=255, width=max(1, round(width * _OVERSAMPLING)), joint="curve")
    return np.asarray(canvas.reduce(_OVERSAMPLING), dtype=np.float32) / 255


@dataclass
class Skin:
    """A speaker as painted, before light falls on it.

    Attributes:
        colour: ``(3, 256, 256)`` float32, 0..1.
        alpha: ``(256, 256)`` float32, 0 (background shows) .. 1.
        normal: ``(3, 256, 256)`` float32 unit vectors: right, down, towards the viewer.
        shine: ``(256, 256)`` float32, strength of highlights.
    """

    colour: Float32[Tensor, "3 256 256"]
    alpha: Float32[Tensor, "256 256"]
    normal: Float32[Tensor, "3 256 256"]
    shine: Float32[Tensor, "256 256"]


class Painter:
    """Paints one face; each method adds a part. ``x`` and ``y`` are pixels in units from the bridge of the nose."""

    def __init__(self, face: Face) -> None:
        self.face, self.speaker = face, face.speaker
        self.rng = np.random.default_rng(face.speaker.texture_seed)
        rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
        self.x: Map = (columns - np.float32(face.origin[0])) / np.float32(face.unit)
        self.y: Map = (rows - np.float32(face.origin[1])) / np.float32(face.unit)
        self.points = (face.rest - face.origin) / face.unit
        self.colour = np.zeros((3, SIZE, SIZE), np.float32)
        self.alpha = np.zeros((SIZE, SIZE), np.float32)
        self.height = np.full((SIZE, SIZE), -0.5 * face.unit, np.float32)
        self.shine = np.zeros((SIZE, SIZE), np.float32)

    def area(self, points: Points, *, steps: int = 8) -> Map:
        """The area inside a smooth closed curve through points in units."""
        return fill(smooth(np.asarray(points), steps=steps) * self.face.unit + self.face.origin)

    def line(self, points: Points, width: float, *, closed: bool = False) -> Map:
        """A smooth line through points in units, ``width`` in units."""
        curve = smooth(np.asarray(points), closed=closed)
        curve = np.concatenate([curve, curve[:2]]) if closed else curve
        return stroke(curve * self.face.unit + self.face.origin, width * self.face.unit)

    def spot(self, x: float, y: float, width: float, height: float, turn: float = 0.0) -> Map:
        """A soft round spot: 1 in its middle, a Gaussian around it; all in units, ``turn`` in radians."""
        dx, dy = self.x - x, self.y - y
        cos, sin = float(np.cos(turn)), float(np.sin(turn))
        spot = np.exp(-(((cos * dx + sin * dy) / width) ** 2) - ((cos * dy - sin * dx) / height) ** 2)
        return np.asarray(spot, np.float32)

    def both(self, x: float, y: float, width: float, height: float, turn: float = 0.0) -> Map:
        """A spot and its mirror image."""
        pair: Map = self.spot(x, y, width, height, turn) + self.spot(-x, y, width, height, -turn)
        return pair

    def noise(self, scale: float) -> Map:
        """Smooth noise of standard deviation about 1; ``scale`` is the size of its grains in pixels."""
        cells = max(4, round(SIZE / scale) + 3)
        grid = torch.from_numpy(self.rng.standard_normal((1, 1, cells, cells)).astype(np.float32))
        grains = F.interpolate(grid * 1.4, (SIZE, SIZE), mode="bicubic", align_corners=True)
        return np.asarray(grains[0, 0].numpy())

    def put(self, area: Map, colour: Paint) -> None:
        """Lay a colour over what is there."""
        paint = np.asarray(colour, np.float32)
        paint = paint[:, None, None] if paint.ndim == 1 else paint
        self.alpha += area * (1 - self.alpha)
        self.colour += area / np.maximum(self.alpha, 1e-6) * (paint - self.colour)

    def tint(self, strength: Map, factor: tuple[float, float, float]) -> None:
        """Multiply the colours: by ``factor`` where ``strength`` is 1."""
        self.colour *= 1 + strength * (np.array(factor, np.float32)[:, None, None] - 1)

    def finish(self) -> Skin:
        """Turn the relief into normals; the dents also get less light from all sides."""
        height = blur(self.height, 0.8)
        down, right = np.gradient(height)
        normal = np.stack([-right, -down, np.ones_like(height)])
        normal /= np.linalg.norm(normal, axis=0)
        dent = np.clip((blur(height, 5.0) - height) * 0.05, -0.08, 0.22)
        # The relief drops to nothing at the outline: there the surface goes on as it is just inside, without a seam.
        inside = (blur((self.alpha > 0.98).astype(np.float32), 0.8) > 0.985).astype(np.float32)
        total = np.maximum(blur(inside, 1.5), 1e-3)
        level = np.array([0, 0, 1e-3], np.float32)[:, None, None]
        around = np.stack([blur(axis * inside, 1.5) for axis in normal]) / total + level
        normal = np.where(inside > 0, normal, around / np.linalg.norm(around, axis=0))
        dent = np.where(inside > 0, dent, 0)
        colour = np.clip(self.colour * (1 - dent), 0, 1)
        arrays = (colour, np.clip(self.alpha, 0, 1), normal, self.shine)
        return Skin(*(torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in arrays))
