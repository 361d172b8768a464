"""The terms of the temporal GAN's objective (paper, eq. 1 to 3)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from zoo.methods.losses.adversarial import loss_as_generated, loss_as_real


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
        weights: factor on each pixel's difference

            (:func:`zoo.methods.losses.reconstruction.lip_weights`); none is the paper's.
        upper: weight of the same mean on the upper half; 0 is the paper's.
    """
    error = (made - real).abs()
    if weights is not None:
        error = error * weights
    middle = made.shape[2] // 2
    lower = error[:, :, middle:].mean()
    return lower + upper * error[:, :, :middle].mean() if upper else lower


def fooling_loss(logits: Float[Tensor, " n"], kind: str) -> Float[Tensor, ""]:
    """The generator's loss: ``-log D`` (``non-saturating``), or ``log(1 - D)`` (``minimax``), eq. 1 as printed.

    Both want the same, but the second has hardly any gradient where the discriminator is sure.
    """
    return loss_as_real(logits) if kind == "non-saturating" else -loss_as_generated(logits)
