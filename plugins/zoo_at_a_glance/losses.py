"""The correlation loss of At a Glance."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-8
"""Added to the denominator of the cosine (eq. 1)."""


def correlation_loss(sound: Float[Tensor, "batch T"], motion: Float[Tensor, "batch T"]) -> Float[Tensor, ""]:
    """One less the cosine similarity of two series, 0 to 2, mean over the batch (eq. 1).

    Args:
        sound: of the audio derivative encoder.
        motion: of the flow encoder.
    """
    product = (sound * motion).sum(1)
    return (1 - product / (sound.norm(dim=1) * motion.norm(dim=1) + EPSILON)).mean()
