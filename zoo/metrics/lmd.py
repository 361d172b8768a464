"""LMD, the landmark distance (Chen et al., "Lip Movements Generation at a Glance", ECCV 2018, eq. 5)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from zoo.clip import MOUTH

Points = Literal["mouth20", "all68"]
Align = Literal["mean", "none"]


def landmark_distance(
    pred: Float[Tensor, "T 68 2"],
    target: Float[Tensor, "T 68 2"],
    *,
    points: Points = "mouth20",
    align: Align = "mean",
) -> Float[Tensor, ""]:
    """Mean Euclidean distance between corresponding landmarks.

    ``LMD = 1/T 1/P sum_t sum_p || (pred[t,p] - mean_p pred[t]) - (target[t,p] - mean_p target[t]) ||``

    Args:
        pred: landmarks of the generated clip in pixels.
        target: landmarks of the real clip in pixels of the same picture size.
        points: the 20 lip points (the paper), or all 68.
        align: ``mean`` lays the centres of the points on each other frame by frame (the paper), ``none`` does not.

    Returns:
        Pixels, 0 or more; lower is better. A mouth that hardly moves scores well: LMD hides mumbling.

    Raises:
        ValueError: the clips differ in length or there is no frame.

    Example:
        >>> real = torch.zeros(1, 68, 2)
        >>> made = real.clone()
        >>> made[0, 48] = torch.tensor([20.0, 0.0])
        >>> landmark_distance(made, real).item()
        1.899999976158142
    """
    if pred.shape != target.shape or not len(pred):
        raise ValueError(
            f"landmark_distance: needs equally many frames, at least one; got {len(pred)} and {len(target)}"
        )
    chosen = MOUTH if points == "mouth20" else slice(None)
    difference = pred[:, chosen] - target[:, chosen]
    if align == "mean":
        difference = difference - difference.mean(1, keepdim=True)
    return difference.norm(dim=-1).mean()


class LandmarkDistance(Metric):
    """Mean of :func:`landmark_distance` over frames of all clips.

    As input to ``update`` it accepts ``pred`` and ``target`` of shape ``(T, 68, 2)``, float, pixels.

    Args:
        points: see :func:`landmark_distance`.
        align: see :func:`landmark_distance`.
    """

    higher_is_better = False
    is_differentiable = True
    full_state_update = False
    total: Tensor
    frames: Tensor

    def __init__(self, points: Points = "mouth20", align: Align = "mean") -> None:
        super().__init__()
        self.points, self.align = points, align
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, pred: Float[Tensor, "T 68 2"], target: Float[Tensor, "T 68 2"]) -> None:
        """Add one clip."""
        self.total += landmark_distance(pred, target, points=self.points, align=self.align) * len(pred)
        self.frames += len(pred)

    def compute(self) -> Float[Tensor, ""]:
        """Pixels; NaN where no clip was added."""
        return self.total / self.frames
