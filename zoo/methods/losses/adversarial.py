"""Adversarial losses of logits (Goodfellow et al. 2014): binary cross-entropy against real and against generated."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def loss_as_real(logits: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean of ``-log D``: what a discriminator makes small of real samples, and a generator of its own."""
    return F.softplus(-logits).mean()


def loss_as_generated(logits: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean of ``-log(1 - D)``: what a discriminator makes small of generated samples."""
    return F.softplus(logits).mean()
