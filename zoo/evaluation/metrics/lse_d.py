"""LSE-D, the lip-sync error distance (Chung and Zisserman 2016; name and use: Prajwal et al., Wav2Lip, 2020)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from zoo.evaluation.metrics.judged import UNNAMED
from zoo.evaluation.metrics.sync import MAX_SHIFT, Padding, SyncMetric, sync_distances

At = Literal["best", "zero"]


def lse_d(
    video: Float[Tensor, "N D"],
    sound: Float[Tensor, "N D"],
    *,
    max_shift: int = MAX_SHIFT,
    padding: Padding = "published",
    at: At = "best",
    seen: Bool[Tensor, " N"] | None = None,
) -> Float64[Tensor, ""]:
    """Distance of mouth and sound: the least of :func:`zoo.evaluation.metrics.sync.sync_distances` over shifts.

    As published (``at="best"``) it forgives a constant shift of the sound: a clip that is late by five frames scores
    like one in sync. ``zero`` takes the distance where the sound lies.

    Args:
        video: embedding of each window's frames.
        sound: embedding of each window's sound.
        max_shift: windows to shift by.
        padding: ``published`` or ``valid``, see :func:`zoo.evaluation.metrics.sync.sync_distances`.
        at: see above.
        seen: windows to average over.

    Returns:
        0 or more, in the expert's units; lower is better. Values of two experts cannot be compared.

    Raises:
        ValueError: as :func:`zoo.evaluation.metrics.sync.sync_distances`, or an unknown ``at``.

    Example:
        >>> sound = torch.eye(8)
        >>> round(lse_d(sound.roll(-1, 0)[:6], sound[:6], max_shift=2, padding="valid", at="zero").item(), 3)
        1.414
    """
    distances = sync_distances(video, sound, max_shift=max_shift, padding=padding, seen=seen)
    return _read(distances, at)


def _read(distances: Float64[Tensor, " shifts"], at: At) -> Float64[Tensor, ""]:
    if at not in ("best", "zero"):
        raise ValueError(f"lse_d: at is best or zero, not {at!r}")
    return distances[len(distances) // 2] if at == "zero" else distances.nan_to_num(torch.inf).min()


class LseD(SyncMetric):
    """Mean over clips of :func:`lse_d`.

    Args:
        padding: see :func:`lse_d`.
        max_shift: see :func:`lse_d`.
        at: see :func:`lse_d`.
        expert: name and hash of the sync expert.
    """

    name = "lse_d"
    higher_is_better = False

    def __init__(
        self,
        *,
        padding: Padding = "published",
        max_shift: int = MAX_SHIFT,
        at: At = "best",
        expert: str = UNNAMED,
    ) -> None:
        super().__init__(padding=padding, max_shift=max_shift, expert=expert, at=at)
        if at not in ("best", "zero"):
            raise ValueError(f"lse_d: at is best or zero, not {at!r}")
        self.at: At = at

    def value_of(self, distances: Float64[Tensor, " shifts"]) -> float:
        """The least distance, or that at no shift."""
        return float(_read(distances, self.at))
