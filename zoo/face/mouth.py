"""How far the lips are apart."""

from __future__ import annotations

from jaxtyping import Float, Float64
from torch import Tensor

_UPPER_INNER, _LOWER_INNER = (61, 62, 63), (67, 66, 65)


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
    gap = (points[:, _UPPER_INNER] - points[:, _LOWER_INNER]).norm(dim=-1).mean(1)
    return gap / eye_distance(landmarks).median().clamp_min(1e-6)
