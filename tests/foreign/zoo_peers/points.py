"""Landmarks: a PCA of lips found before training, coefficients from sound, smoothed by gradients while generating."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.media.clip import MOUTH
from zoo_peers.base import CODE, SIZE, Hearing, Peer
from zoo_peers.config import PointsOptions


class Points(Peer):
    """The code of a frame is that of its lips: coefficients of a PCA."""

    mean: Tensor
    basis: Tensor

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.hearing = Hearing(config.width)
        self.register_buffer("mean", torch.zeros(40))
        self.register_buffer("basis", torch.zeros(CODE, 40))
        self.scale = nn.Parameter(torch.ones(CODE))

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Mean and principal components of the lips' shapes."""
        shapes = torch.cat([self.shapes(batch.landmarks).flatten(0, 1) for batch in batches])
        self.mean.copy_(shapes.mean(0))
        _, spread, axes = torch.linalg.svd(shapes - self.mean, full_matrices=False)
        self.basis.copy_(axes[:CODE] * len(shapes) ** 0.5 / spread[:CODE, None].clamp(min=1e-3))

    @staticmethod
    def shapes(points: Float[Tensor, "B T 68 2"]) -> Float[Tensor, "B T 40"]:
        """The 20 lip points around their middle, in halves of the picture."""
        lips = points[..., MOUTH, :]
        return ((lips - lips.mean(-2, keepdim=True)) / (SIZE / 2)).flatten(2)

    def codes(self, request: Request) -> Float[Tensor, "B T 8"]:
        """Coefficients from sound."""
        windows = request.audio_windows(self.context)
        return self.hearing(windows.flatten(0, 1)).unflatten(0, windows.shape[:2]) * self.scale

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """L1 of pictures drawn from the heard code, and the distance of that code from the true one."""
        wanted = (self.shapes(batch.landmarks) - self.mean) @ self.basis.mT
        distance = (self.codes(batch.given) - wanted).square().mean()
        loss = super().training_step(batch, batch_idx) + 0.1 * distance
        self.log("train/shape", distance.detach())
        return loss

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """Codes near those that are heard and near their neighbours, by gradient descent."""
        options: PointsOptions = request.options
        heard = torch.cat([self.codes(part) for part in request.parts(25)], 1)
        with torch.enable_grad():
            smooth = heard.clone().requires_grad_(True)
            for _ in range(options.steps):
                energy = (smooth - heard).square().sum() + options.smoothness * smooth.diff(dim=1).square().sum()
                (slope,) = torch.autograd.grad(energy, smooth)
                smooth = (smooth - 0.1 * slope).detach().requires_grad_(True)
        codes = smooth.detach().split(25, 1)
        return torch.cat([self.draw(part, code) for part, code in zip(request.parts(25), codes, strict=True)], 1)
