"""The contrastive loss on distances of sound and face embeddings (Hadsell et al. 2006; LipGAN, SyncNet)."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def contrastive_loss(
    distance: Float[Tensor, " batch"], apart: Bool[Tensor, " batch"], margin: float
) -> Float[Tensor, ""]:
    """Mean of ``d^2`` for pairs that belong together and ``max(0, margin - d)^2`` for pairs that do not.

    Args:
        distance: Euclidean distances, at least 0.
        apart: which pairs do not belong together (LipGAN's label 1: generated, or out of sync).
        margin: distance from which a pair that is apart costs nothing.
    """
    return distance.square().where(~apart, (margin - distance).clamp(min=0).square()).mean()
