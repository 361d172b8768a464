"""The losses of At a Glance."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

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


def generator_loss(fake: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """``-log D(made)`` from logits."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def discriminator_loss(
    real: Float[Tensor, " batch"],
    fake: Float[Tensor, " batch"],
    mismatched: Float[Tensor, " batch"],
    *,
    fake_weight: float,
    mismatch_weight: float,
) -> Float[Tensor, ""]:
    """``-log D(real) - 0.5 log(1 - D(made)) - 0.5 log(1 - D(real, another's sound))`` from logits (eq. 4).

    Args:
        real: of real videos with their sound.
        fake: of made videos with their sound.
        mismatched: of real videos with another's sound.
        fake_weight: the first 0.5.
        mismatch_weight: the second 0.5.
    """
    loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    loss = loss + fake_weight * F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return loss + mismatch_weight * F.binary_cross_entropy_with_logits(mismatched, torch.zeros_like(mismatched))
