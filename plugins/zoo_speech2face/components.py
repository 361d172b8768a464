"""Principal components of numbers that come in parts, so that a corpus of any size fits into memory."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor


class Moments:
    """Mean and covariance, in double precision.

    Args:
        size: how many numbers belong together.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.total = torch.zeros(size, dtype=torch.float64)
        self.products = torch.zeros(size, size, dtype=torch.float64)

    def add(self, values: Float[Tensor, "N size"]) -> None:
        """Take in some more."""
        exact = values.detach().cpu().double()
        self.count += len(exact)
        self.total += exact.sum(0)
        self.products += exact.T @ exact

    def components(
        self, count: int
    ) -> tuple[Float64[Tensor, " size"], Float64[Tensor, "count size"], Float64[Tensor, " count"]]:
        """Mean, orthonormal components with the largest spread first, and the standard deviation along each.

        Example:
            >>> import torch
            >>> moments = Moments(2)
            >>> for part in torch.tensor([[1.0, 2.0], [5.0, 2.0], [3.0, 1.0], [3.0, 3.0]]).split(2):
            ...     moments.add(part)
            >>> mean, axes, spread = moments.components(1)
            >>> mean.tolist(), axes.abs().tolist(), round(spread.item(), 4)
            ([3.0, 2.0], [[1.0, 0.0]], 1.4142)
        """
        mean = self.total / self.count
        variances, axes = torch.linalg.eigh(self.products / self.count - torch.outer(mean, mean))
        return mean, axes.T.flip(0)[:count], variances.flip(0)[:count].clamp_min(0).sqrt()
