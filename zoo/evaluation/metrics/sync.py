"""Distances between what the sync expert sees and hears, over shifts of the sound: for LSE-D, LSE-C and offset."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from zoo.evaluation.metrics.base import Row
from zoo.evaluation.metrics.judged import UNNAMED, JudgedMetric

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

WINDOW = 5
"""Frames in one window of the expert, so that a clip of T frames has T - 4 windows (SyncNet, LipGAN's successors)."""

MAX_SHIFT = 15
"""Windows by which the sound is shifted either way (joonson/syncnet_python: ``vshift``)."""

EPSILON = 1e-6
"""Added to each component of a difference, as ``torch.nn.functional.pairwise_distance`` does."""

BLOCK = 24
"""Windows that share one matrix product."""

Padding = Literal["published", "valid"]


def sync_distances(
    video: Float[Tensor, "N D"],
    sound: Float[Tensor, "N D"],
    *,
    max_shift: int = MAX_SHIFT,
    padding: Padding = "published",
    seen: Bool[Tensor, " N"] | None = None,
) -> Float64[Tensor, " shifts"]:
    """Mean distance of the pictures' embeddings from those of the sound, for every shift of the sound.

    ``d[k] = mean_i || video[i] - sound[i + s] + 1e-6 ||`` with ``s = k - max_shift`` (joonson/syncnet_python,
    ``calc_pdist`` and the mean over windows). ``published`` takes the zero vector for sound before the start and after
    the end: of a clip of 71 windows up to 21 % of a shift's terms are lengths of embeddings and not distances, and all
    values depend on the clip's length. ``valid`` averages only terms that exist.

    Args:
        video: embedding of each window's frames, as the expert gives it (SyncNet: not normalised).
        sound: embedding of each window's sound.
        max_shift: windows (frames) to shift by, 1 or more.
        padding: see above.
        seen: the windows to average over, all where not given: without those in which no face was found.

    Returns:
        ``2 max_shift + 1`` distances in float64; NaN where ``valid`` leaves a shift without a term.

    Raises:
        ValueError: fewer than two windows, sizes that differ, values that are not finite, unknown padding, no shift.

    Example:
        >>> sound = torch.eye(8)[:7]
        >>> video = sound.roll(-1, 0)  # pictures i belong to sound i + 1
        >>> sync_distances(video[:6], sound[:6], max_shift=2, padding="valid").round(decimals=3).tolist()
        [1.414, 1.414, 1.414, 0.0, 1.414]
    """
    pictures, tones = torch.as_tensor(video).double(), torch.as_tensor(sound).double()
    if pictures.ndim != 2 or pictures.shape != tones.shape:
        raise ValueError(f"sync_distances: needs two (N, D) tensors, got {(*pictures.shape,)} and {(*tones.shape,)}")
    count = len(pictures)
    chosen = torch.ones(count, dtype=torch.bool) if seen is None else torch.as_tensor(seen).bool()
    chosen = chosen.to(pictures.device)
    if chosen.shape != (count,) or int(chosen.sum()) < 2:
        raise ValueError(
            f"sync_distances: needs at least 2 windows that show a face, got {int(chosen.sum())} of {count}"
        )
    if max_shift < 1:
        raise ValueError(f"sync_distances: max_shift is 1 or more, not {max_shift}")
    if padding not in ("published", "valid"):
        raise ValueError(f"sync_distances: padding is published or valid, not {padding!r}")
    distances = _band(pictures + EPSILON, tones, max_shift)[chosen]
    if not distances.isfinite().all():
        raise ValueError("sync_distances: embeddings must be finite")
    if padding == "published":
        return distances.mean(0)
    partner = torch.arange(count)[:, None] + torch.arange(-max_shift, max_shift + 1)
    exists = ((partner >= 0) & (partner < count)).to(pictures.device)[chosen]
    return distances.where(exists, 0.0).sum(0) / exists.sum(0)  # 0 / 0 is NaN


def _band(
    pictures: Float64[Tensor, "N D"], tones: Float64[Tensor, "N D"], max_shift: int
) -> Float64[Tensor, "N shifts"]:
    """Distance of every picture from its ``2 max_shift + 1`` neighbours among the tones, zero vectors beyond the ends.

    ``|p - t|^2 = |p|^2 + |t|^2 - 2 p t``; products come from one batched matrix product over blocks of windows, whose
    diagonals are the shifts. In float64 the cancellation costs less than 1e-7 of an embedding's length.
    """
    count, rest = len(pictures), -len(pictures) % BLOCK
    blocks = F.pad(pictures, (0, 0, 0, rest)).reshape(-1, BLOCK, pictures.shape[1])
    padded = F.pad(tones, (0, 0, max_shift, max_shift + rest))
    shifts = 2 * max_shift + 1
    products = (blocks @ padded.unfold(0, BLOCK + shifts - 1, BLOCK)).contiguous()
    number, _, width = products.shape
    band = products.as_strided((number, BLOCK, shifts), (BLOCK * width, width + 1, 1)).flatten(0, 1)[:count]
    squares = torch.linalg.vector_norm(padded, dim=1).square().unfold(0, shifts, 1)[:count]
    own = torch.linalg.vector_norm(pictures, dim=1).square()
    return (own[:, None] + squares - 2 * band).clamp_min(0).sqrt()


class SyncMetric(JudgedMetric):
    """Base of the metrics that are read off :func:`sync_distances` of a clip; the value is the mean over clips.

    Clips of 3 s score (SyncNet's own pipeline drops those under 4 s). Windows in which some frame shows no face, and
    windows that a generated clip is short of, lower coverage; a clip with fewer than two windows left is not scored.

    Args:
        padding: see :func:`sync_distances`.
        max_shift: see :func:`sync_distances`.
        expert: name and hash of the sync expert; see :class:`zoo.evaluation.metrics.judged.JudgedMetric`.
        protocol: settings of the subclass.
    """

    role: ClassVar[str] = "expert"

    def __init__(
        self,
        *,
        padding: Padding = "published",
        max_shift: int = MAX_SHIFT,
        expert: str = UNNAMED,
        **protocol: str | int | float,
    ) -> None:
        super().__init__(expert, padding=padding, max_shift=max_shift, **protocol)
        if padding not in ("published", "valid"):
            raise ValueError(f"{self.name}: padding is published or valid, not {padding!r}")
        if max_shift < 1:
            raise ValueError(f"{self.name}: max_shift is 1 or more, not {max_shift}")
        self.padding, self.max_shift = padding, max_shift

    @abstractmethod
    def value_of(self, distances: Float64[Tensor, " shifts"]) -> float:
        """The clip's value from its distances, in which a shift without a term is NaN."""

    def update(
        self,
        clip: str,
        video: Float[Tensor, "N D"],
        sound: Float[Tensor, "N D"],
        *,
        seen: Bool[Tensor, " N"] | None = None,
        total: int | None = None,
    ) -> None:
        """Add one clip.

        Args:
            clip: its id.
            video: embeddings of its windows' frames.
            sound: embeddings of their sound.
            seen: windows whose frames all show a face; all where not given.
            total: windows that there should be, where some are missing at the end.
        """
        pictures, tones = torch.as_tensor(video), torch.as_tensor(sound)
        due = max(len(pictures), total or 0)
        shown = torch.ones(len(pictures), dtype=torch.bool) if seen is None else torch.as_tensor(seen).bool()
        scored = int(shown.sum())
        reason = missing_windows(len(pictures), scored, due)
        if scored < 2:
            self.skip(clip, due, reason or "fewer than two windows")
        elif not (pictures[shown.to(pictures.device)].isfinite().all() and tones.isfinite().all()):
            self.skip(clip, due, "the expert's embeddings are not finite")
        else:
            distances = sync_distances(pictures, tones, max_shift=self.max_shift, padding=self.padding, seen=shown)
            self.add(Row(clip, (self.value_of(distances), 1.0), scored, due, reason))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add one clip: the generated pictures against their sound."""
        features = pred.sync
        self.judged_by(features.expert)
        self.update(clip, features.video, features.sound, seen=features.seen, total=windows_due(pred, real))


def windows_due(pred: Footage, real: Footage) -> int:
    """Windows of the longer of two clips."""
    return max(len(pred), len(real), WINDOW - 1) - WINDOW + 1


def missing_windows(given: int, seen: int, due: int) -> str:
    """Why not all windows count; empty where they do."""
    short = [f"{due - given} windows missing"] if due > given else []
    hidden = [f"{given - seen} windows without a face"] if given > seen else []
    return ", ".join(short + hidden)
