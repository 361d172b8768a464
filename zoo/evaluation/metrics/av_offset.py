"""Offset between pictures and sound (Chung and Zisserman, "Out of time", 2016; joonson/syncnet_python)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from zoo.evaluation.metrics.judged import UNNAMED
from zoo.evaluation.metrics.sync import MAX_SHIFT, Padding, SyncMetric, sync_distances

Sign = Literal["signed", "absolute"]


def av_offset(
    video: Float[Tensor, "N D"],
    sound: Float[Tensor, "N D"],
    *,
    max_shift: int = MAX_SHIFT,
    padding: Padding = "published",
    seen: Bool[Tensor, " N"] | None = None,
) -> Int64[Tensor, ""]:
    """Frames by which the pictures come later than their sound: ``max_shift - argmin d``.

    Positive: the sound comes first, the mouth follows that many frames later. Negative: the sound is late.
    (Pictures ``i`` fit best to sound ``i + s``; the offset is ``-s``.)

    Args:
        video: embedding of each window's frames.
        sound: embedding of each window's sound.
        max_shift: windows to shift by.
        padding: ``published`` or ``valid``, see :func:`zoo.evaluation.metrics.sync.sync_distances`.
        seen: windows to average over.

    Returns:
        Frames at 25 fps (40 ms each), ``-max_shift`` to ``max_shift``; of equal distances the largest offset.

    Raises:
        ValueError: as :func:`zoo.evaluation.metrics.sync.sync_distances`.

    Example:
        >>> sound = torch.eye(8)
        >>> av_offset(sound.roll(-1, 0)[:6], sound[:6], max_shift=2, padding="valid").item()  # sound one frame late
        -1
    """
    return _read(sync_distances(video, sound, max_shift=max_shift, padding=padding, seen=seen))


def _read(distances: Float64[Tensor, " shifts"]) -> Int64[Tensor, ""]:
    return len(distances) // 2 - distances.nan_to_num(torch.inf).argmin()


class AVOffset(SyncMetric):
    """Mean over clips of :func:`av_offset`.

    Offsets of both signs cancel in the mean: ``signed`` shows a constant shift, ``absolute`` how far off clips are.

    Args:
        padding: see :func:`av_offset`.
        max_shift: see :func:`av_offset`.
        sign: ``signed``, or the mean of the ``absolute`` offsets.
        expert: name and hash of the sync expert.
    """

    name = "av_offset"
    higher_is_better = None  # nearer to 0 is better

    def __init__(
        self,
        *,
        padding: Padding = "published",
        max_shift: int = MAX_SHIFT,
        sign: Sign = "signed",
        expert: str = UNNAMED,
    ) -> None:
        super().__init__(padding=padding, max_shift=max_shift, expert=expert, sign=sign)
        if sign not in ("signed", "absolute"):
            raise ValueError(f"av_offset: sign is signed or absolute, not {sign!r}")
        self.sign: Sign = sign

    def value_of(self, distances: Float64[Tensor, " shifts"]) -> float:
        """The offset in frames."""
        offset = float(_read(distances))
        return abs(offset) if self.sign == "absolute" else offset
