"""The terms of the temporal GAN's objective (paper, eq. 1 to 3)."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def half_l1(
    made: Float[Tensor, "N 3 H W"],
    real: Float[Tensor, "N 3 H W"],
    weights: Float[Tensor, "N 1 H W"] | None = None,
    upper: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean absolute difference on the lower half (eq. 2, as a mean: as a sum, lambda 400 would leave no adversary).

    Args:
        made: generated, RGB in [-1, 1].
        real: what it should be.
        weights: factor on each pixel's difference (:func:`zoo.losses.reconstruction.lip_weights`); none is the paper's.
        upper: weight of the same mean on the upper half; 0 is the paper's.
    """
    error = (made - real).abs()
    if weights is not None:
        error = error * weights
    middle = made.shape[2] // 2
    lower = error[:, :, middle:].mean()
    return lower + upper * error[:, :, :middle].mean() if upper else lower


def judge_loss(real: Float[Tensor, " n"], made: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """What a discriminator makes small: minus its two terms of eq. 1, ``log D(real) + log(1 - D(made))``, of logits."""
    return F.softplus(-real).mean() + F.softplus(made).mean()


def fooling_loss(made: Float[Tensor, " n"], kind: Literal["non-saturating", "minimax"]) -> Float[Tensor, ""]:
    """What the generator makes small, of logits: ``-log D(made)``, or ``log(1 - D(made))`` as eq. 1 is printed.

    Both want the same, but the second has hardly any gradient where the discriminator is sure.
    """
    return F.softplus(-made).mean() if kind == "non-saturating" else -F.softplus(made).mean()
