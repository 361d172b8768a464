"""Face shape without the head: non-rigid model-based bundling of a clip's landmarks (after Face2Face, in the plane).

All frames of a clip are solved at once: a similarity per frame (where the head is), a shape of the speaker with the
mouth closed, and coefficients of a deformable model per frame.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.face.crop import upright
from zoo.face.mouth import lip_gap

MOVING = (*range(3, 14), *range(48, 68))
"""What speech moves among the 68 points: jaw without the ears, and lips."""

CLOSED_SHARE = 0.2
"""Share of a clip's frames, those with the lips nearest to each other, whose mean is the closed mouth."""

ROUNDS = 3
"""Rounds of pose and coefficients."""


class Bundle(NamedTuple):
    """One clip.

    Attributes:
        offsets: of the moving points from the closed mouth, in distances of the eyes, without the head's motion.
        closed: the speaker's shape with the mouth closed.
    """

    offsets: Float[Tensor, "T 62"]
    closed: Float[Tensor, "68 2"]


def bundle(
    landmarks: Float[Tensor, "T 68 2"],
    mean: Float[Tensor, " 62"] | None = None,
    basis: Float[Tensor, "K 62"] | None = None,
) -> Bundle:
    """Solve pose and shape of a clip.

    Args:
        landmarks: pixels of any picture.
        mean: of the model; without a model the pose is that of the points which speech does not move.
        basis: its components, orthonormal.
    """
    shapes = upright(landmarks.float())
    gap = lip_gap(landmarks)
    closed = shapes[gap <= gap.quantile(CLOSED_SHARE)].mean(0)
    offsets = (shapes - closed)[:, list(MOVING)].flatten(1)
    if mean is None or basis is None:
        return Bundle(offsets, closed)
    for _ in range(ROUNDS):
        modelled = closed.expand(len(shapes), -1, -1).clone()
        fitted = mean + (offsets - mean) @ basis.T @ basis
        modelled[:, list(MOVING)] += fitted.view(len(fitted), -1, 2)
        shapes = onto(landmarks.float(), modelled)
        offsets = (shapes - closed)[:, list(MOVING)].flatten(1)
    return Bundle(offsets, closed)


def onto(points: Float[Tensor, "T N 2"], wanted: Float[Tensor, "T N 2"]) -> Float[Tensor, "T N 2"]:
    """Points moved, turned and scaled as near as possible to others (least squares, Umeyama 1991)."""
    a, b = (torch.view_as_complex(each.contiguous()) for each in (points, wanted))
    a_mean, b_mean = a.mean(1, keepdim=True), b.mean(1, keepdim=True)
    spin = ((b - b_mean) * (a - a_mean).conj()).sum(1, keepdim=True) / (a - a_mean).abs().square().sum(1, keepdim=True)
    return torch.view_as_real(spin * (a - a_mean) + b_mean)
