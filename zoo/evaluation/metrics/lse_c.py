"""LSE-C, the lip-sync error confidence (Chung and Zisserman 2016; name and use: Prajwal et al., Wav2Lip, 2020)."""

from __future__ import annotations

from jaxtyping import Bool, Float, Float64
from torch import Tensor

from zoo.evaluation.metrics.sync import MAX_SHIFT, Padding, SyncMetric, sync_distances


def lse_c(
    video: Float[Tensor, "N D"],
    sound: Float[Tensor, "N D"],
    *,
    max_shift: int = MAX_SHIFT,
    padding: Padding = "published",
    seen: Bool[Tensor, " N"] | None = None,
) -> Float64[Tensor, ""]:
    """How much better the best shift is than the others: median minus least of the distances over shifts.

    The median is that of the 31 values of :func:`zoo.evaluation.metrics.sync.sync_distances` (mean of the middle two
    where ``valid`` leaves an even number). Silence and a still mouth give about 0.

    Args:
        video: embedding of each window's frames.
        sound: embedding of each window's sound.
        max_shift: windows to shift by.
        padding: ``published`` or ``valid``.
        seen: windows to average over.

    Returns:
        0 or more, in the expert's units; higher is better.

    Raises:
        ValueError: as :func:`zoo.evaluation.metrics.sync.sync_distances`.

    Example:
        >>> import torch
        >>> sound = torch.eye(8)
        >>> round(lse_c(sound.roll(-1, 0)[:6], sound[:6], max_shift=2, padding="valid").item(), 3)
        1.414
    """
    return _read(sync_distances(video, sound, max_shift=max_shift, padding=padding, seen=seen))


def _read(distances: Float64[Tensor, " shifts"]) -> Float64[Tensor, ""]:
    known = distances[~distances.isnan()]
    return known.quantile(0.5) - known.min()


class LseC(SyncMetric):
    """Mean over clips of :func:`lse_c`; options as :class:`zoo.evaluation.metrics.sync.SyncMetric`."""

    name = "lse_c"
    higher_is_better = True

    def value_of(self, distances: Float64[Tensor, " shifts"]) -> float:
        """Median minus least distance."""
        return float(_read(distances))
