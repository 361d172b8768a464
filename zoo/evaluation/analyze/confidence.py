"""How sure an audio-video offset is: of one clip, and of all clips of a store together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from torch import Tensor

WIDER = 3
"""Frames beyond the offsets that are asked for: where the best one lies there, the true one is out of reach."""

NEAR = 1
"""Frames by which an answer may be off and still count as right."""

SURE = 0.8
"""Confidence below which the answer is "cannot tell"."""

SHOULDER = 2
"""Frames around the best offset that belong to its peak: lips move no faster."""

USUAL = 60
"""Pairs of frames in whose units a correlation counts: those of a clip of 3 s, moved by 15 frames."""

RESAMPLES = 1000
"""Of a store's clips."""


class Evidence(NamedTuple):
    """What speaks for a clip's best offset.

    Attributes:
        best: the offset, in frames.
        peak: Fisher's z of its correlation, times the root of the number of pairs (in units of :data:`USUAL`).
        lead: the same, less that of the best offset more than :data:`SHOULDER` frames away.
    """

    best: int
    peak: float
    lead: float


class Verdict(NamedTuple):
    """What the clips of a store say together.

    Attributes:
        offset: in frames, positive: lips first; ``None``: cannot tell.
        confidence: share of resampled stores whose offset is the same to one frame; of a single clip its own.
        confident: clips that are sure of their own offset.
        agree: those of them whose offset is the store's to one frame.
        reason: why it cannot be told; empty where it can.
    """

    offset: int | None
    confidence: float
    confident: int
    agree: int
    reason: str


def strengths(
    correlations: Sequence[float] | Float64[np.ndarray, " offsets"], offsets: Sequence[int], pairs: int
) -> Float64[np.ndarray, " offsets"]:
    """Fisher's z of every correlation times the root of its number of pairs, so that short overlaps do not win.

    Args:
        correlations: at every offset; not a number counts as none.
        offsets: in frames.
        pairs: how many there are at offset 0.
    """
    z = np.arctanh(np.clip(np.nan_to_num(np.asarray(correlations, np.float64)), -0.99, 0.99))
    return z * np.sqrt(np.maximum(pairs - np.abs(np.asarray(offsets)), 0) / USUAL)


def evidence(strength: Float64[np.ndarray, " offsets"], offsets: Sequence[int]) -> Evidence:
    """The best offset and what speaks for it."""
    where = int(strength.argmax())
    far = np.abs(np.asarray(offsets) - offsets[where]) > SHOULDER
    rest = float(strength[far].max()) if far.any() else 0.0
    return Evidence(offsets[where], float(strength[where]), float(strength[where]) - rest)


def confidence(found: Evidence, calibration: Float64[Tensor, " 3"], offsets: Sequence[int]) -> float:
    """The probability that the best offset is right to one frame; 0 where it lies out of reach.

    Args:
        found: the evidence, sought among ``offsets`` and :data:`WIDER` frames around them.
        calibration: see :class:`zoo.evaluation.analyze.lips_from_sound.Operator`.
        offsets: that are asked for.
    """
    if not min(offsets) <= found.best <= max(offsets):
        return 0.0
    peak, lead, level = calibration.tolist()
    return 1 / (1 + math.exp(-(peak * found.peak + lead * found.lead + level)))


def of_store(
    strength: Float64[np.ndarray, "clips offsets"],
    offsets: Sequence[int],
    own: Sequence[int],
    sure: Sequence[float],
    seed: int = 0,
) -> Verdict:
    """One offset for all clips.

    The clips' strengths are added up. How firm the best sum is, resampling the clips shows; whether one offset fits
    them at all, whether those that are sure agree.

    Args:
        strength: of every clip (:func:`strengths`) at the offsets that are asked for.
        offsets: in frames.
        own: best offset of every clip.
        sure: confidence of every clip.
        seed: of the resampling.
    """
    places = np.asarray(offsets)
    best = int(places[strength.sum(0).argmax()])
    near = np.abs(np.asarray(own) - best) <= NEAR
    firm = np.asarray(sure) >= SURE
    confident, agree = int(firm.sum()), int((firm & near).sum())
    if len(strength) == 1:
        level = float(sure[0])
    else:
        counts = np.random.default_rng(seed).multinomial(len(strength), [1 / len(strength)] * len(strength), RESAMPLES)
        level = float((np.abs(places[(counts @ strength).argmax(1)] - best) <= NEAR).mean())
    reason = ""
    if not confident:
        reason = "no clip is sure of its own offset"
    elif 2 * agree <= confident:
        reason = "the clips do not agree on one offset"
    elif level < SURE:
        reason = "other clips of the kind could say otherwise"
    return Verdict(None if reason else best, level, confident, agree, reason)
