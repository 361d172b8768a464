"""Drawn clips for tests: landmarks of a moving, talking head, with a dot of light where a landmark is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.face.crop import STABLE, TEMPLATE
from zoo.media.clip import Clip


def head(opening: float = 0.15) -> Tensor:
    """68 landmarks in eye distances around the point between the eyes, mouth open by ``opening``."""

    def ring(count: int, x: float, y: float, rx: float, ry: float) -> list[tuple[float, float]]:
        angles = [math.pi + 2 * math.pi * k / count for k in range(count)]
        return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]

    jaw = [(-1.2 * math.cos(math.pi * k / 16), 0.2 + (1.75 + opening) * math.sin(math.pi * k / 16)) for k in range(17)]
    brows = [(-0.9 + 0.175 * k + (0.05 if k > 4 else 0), -0.45) for k in range(10)]
    nose = [(0.0, 0.2 * k) for k in range(4)] + [(-0.25 + 0.125 * k, 0.8) for k in range(5)]
    eyes = ring(6, -0.5, 0.0, 0.2, 0.08) + ring(6, 0.5, 0.0, 0.2, 0.08)
    # The upper lip stays, the lower one goes down with the jaw.
    lips = ring(12, 0.0, 1.25 + opening, 0.5, 0.15 + opening) + ring(8, 0.0, 1.25 + opening, 0.4, opening)
    points = torch.tensor([*jaw, *brows, *nose, *eyes, *lips])
    points[list(STABLE)] = torch.tensor(TEMPLATE)
    return points


def head_movement(frames: int, scale: float = 28.3, centre: tuple[float, float] = (78.3, 57.6)) -> Tensor:
    """``(frames, 68, 2)`` landmarks in pixels of a head that drifts, nods and talks."""
    rows = []
    for t in range(frames):
        angle = 0.12 * math.sin(t / 9)
        turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        place = torch.tensor(centre) + torch.tensor([6 * math.sin(t / 11), 3 * math.cos(t / 7)])
        rows.append(scale * head(0.15 + 0.12 * math.sin(t / 1.7)) @ turn + place)
    return torch.stack(rows)


def dot(height: int, width: int, place: Tensor, sigma: float = 1.5) -> Tensor:
    """``(3, height, width)`` uint8: a soft white dot whose centre of light is ``place`` (x, y)."""
    ys, xs = torch.arange(height)[:, None], torch.arange(width)[None]
    light = torch.exp(-((xs - place[0]) ** 2 + (ys - place[1]) ** 2) / (2 * sigma**2))
    return (255 * light).round().to(torch.uint8).expand(3, -1, -1)


def centre_of_light(picture: Tensor) -> Tensor:
    """X and y of the centre of brightness of ``(3, H, W)``."""
    light = picture.float().sum(0)
    ys, xs = torch.meshgrid(torch.arange(light.shape[0]), torch.arange(light.shape[1]), indexing="ij")
    return torch.stack([(light * xs).sum(), (light * ys).sum()]) / light.sum()


def clip_of_dots(name: str, frames: int, points: Sequence[int], *, size: tuple[int, int] = (160, 150)) -> Clip:
    """A clip in whose frame ``t`` a dot marks landmark ``points[t % len(points)]``; its sound is noise of its own."""
    landmarks = head_movement(frames)
    pictures = [dot(*size, landmarks[t, points[t % len(points)]]) for t in range(frames)]
    noise = torch.Generator().manual_seed(sum(name.encode()))
    return Clip(
        id=name,
        speaker=name.split("/")[0],
        text="",
        frames=torch.stack(pictures),
        wave=torch.rand(frames * 640, generator=noise) * 2 - 1,
        landmarks=landmarks,
    )
