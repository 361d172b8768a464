"""From the vertices of MediaPipe's face mesh to the 68 points of iBUG 300-W: a stated map, alike on both sides."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

EYE_CORNERS = (33, 263)
"""The outer corners of the right and the left eye of the person."""

Place = tuple[int, int, float]

PLACES: tuple[Place, ...] = (
    # Jaw, from the right ear of the person over the chin to the left.
    (127, 234, 0.05), (234, 93, 0.25), (93, 132, 0.42), (132, 58, 0.5), (58, 172, 0.6), (136, 136, 0.0),
    (150, 149, 0.57), (176, 148, 0.4), (152, 152, 0.0), (400, 377, 0.4), (379, 378, 0.57), (365, 365, 0.0),
    (288, 397, 0.6), (361, 288, 0.5), (323, 361, 0.42), (454, 323, 0.25), (356, 454, 0.05),
    # Brows.
    (70, 46, 0.32), (63, 105, 0.35), (105, 66, 0.52), (66, 107, 0.48), (107, 55, 0.52),
    (336, 285, 0.52), (296, 336, 0.48), (334, 296, 0.52), (293, 334, 0.35), (300, 276, 0.32),
    # Nose: its ridge, then its base.
    (168, 6, 0.05), (6, 197, 0.6), (195, 5, 0.35), (5, 4, 0.9),
    (98, 97, 0.2), (97, 97, 0.0), (2, 2, 0.0), (326, 326, 0.0), (327, 326, 0.2),
    # Eyes.
    (33, 33, 0.0), (160, 159, 0.39), (158, 157, 0.3), (133, 133, 0.0), (153, 145, 0.08), (145, 144, 0.95),
    (362, 362, 0.0), (385, 384, 0.3), (387, 386, 0.39), (263, 263, 0.0), (374, 373, 0.95), (380, 374, 0.08),
    # Outer lips: the upper from corner to corner, the lower back.
    (61, 61, 0.0), (40, 39, 0.48), (37, 37, 0.0), (0, 0, 0.0), (267, 267, 0.0), (270, 269, 0.48), (291, 291, 0.0),
    (321, 405, 0.5), (314, 314, 0.0), (17, 17, 0.0), (84, 84, 0.0), (91, 181, 0.5),
    # Inner lips, likewise.
    (78, 78, 0.0), (81, 82, 0.82), (13, 13, 0.0), (311, 312, 0.82), (308, 308, 0.0),
    (402, 317, 0.82), (14, 14, 0.0), (178, 87, 0.82),
)  # fmt: skip
"""For each of the 68 points two neighbouring vertices and how far it lies from the first to the second.

The vertices are those of the contour that iBUG's point is defined on; how far was fitted to dlib's points on 176 frames
of six GRID speakers, each speaker counting alike, and made the same on both sides. What is left there, in distances of
the eyes: lips 0.026, eyes 0.019, nose 0.027, brows 0.044, jaw 0.053 (0.1 at the ears, where dlib draws further in).
"""


def to_68(points: Float[Tensor, "T 478 n"]) -> Float[Tensor, "T 68 n"]:
    """The 68 points of iBUG 300-W.

    Args:
        points: vertices, in the plane (n = 2) or with depth.

    Returns:
        In the unit of ``points``.

    Example:
        >>> mesh = torch.zeros(1, 478, 2)
        >>> mesh[0, 13] = torch.tensor([5.0, 7.0])  # the middle of the upper lip's lower edge
        >>> to_68(mesh)[0, 62].tolist()
        [5.0, 7.0]
    """
    first, second = (torch.tensor([place[side] for place in PLACES], device=points.device) for side in (0, 1))
    share = points.new_tensor([place[2] for place in PLACES])[:, None]
    return torch.lerp(points[:, first], points[:, second], share.expand(-1, points.shape[2]))
