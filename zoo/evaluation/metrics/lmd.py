"""LMD, the landmark distance (Chen et al., "Lip Movements Generation at a Glance", ECCV 2018, eq. 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float64, Num
from torch import Tensor

from zoo.evaluation.metrics.base import ClipMetric, Row
from zoo.evaluation.metrics.pairs import scored_frames
from zoo.media.clip import MOUTH, NUM_LANDMARKS

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

Points = Literal["mouth20", "all68", "fae24"]
Align = Literal["mean", "none", "similarity"]
Reduce = Literal["mean", "sum", "fae"]
Norm = Literal["none", "mouth_width", "eye_distance"]

CHOSEN: dict[str, tuple[int, ...]] = {
    "mouth20": tuple(range(MOUTH.start, MOUTH.stop)),
    "all68": tuple(range(NUM_LANDMARKS)),
    # Upper lip, then lower lip, as the package face_recognition lists them: the four corners stand in both.
    "fae24": (*range(48, 55), 64, 63, 62, 61, 60, *range(54, 60), 48, 60, 67, 66, 65, 64),
}
"""Which of the 68 points each set compares, in its order."""

CORNERS = (48, 54)
"""Outer corners of the mouth, which stand at 0 and 6 where only the lips are given."""

EYES = (slice(36, 42), slice(42, 48))


class Variant(TypedDict, total=False):
    """Keyword arguments of :func:`landmark_distance` and :class:`LandmarkDistance`."""

    points: Points
    align: Align
    reduce: Reduce
    norm: Norm


PROTOCOLS: dict[str, Variant] = {
    "paper": {"points": "mouth20", "align": "mean", "reduce": "mean"},
    "published-code": {"points": "mouth20", "align": "mean", "reduce": "sum"},
    "unaligned": {"points": "mouth20", "align": "none", "reduce": "mean"},
    "fae": {"points": "fae24", "align": "none", "reduce": "fae"},
}
"""What the literature calls LMD, by name: ``landmark_distance(pred, target, **PROTOCOLS["fae"])``.

``paper`` is eq. 5 of Chen et al. (2018), and AD-NeRF's LMDMeter. ``published-code`` is their code (3d_gan, ATVGnet),
which forgets to divide by the number of points: 20 times the paper's. ``fae`` is facial-animation-evaluation 0.2 of
Vougioukas et al., which measures no distance but mean absolute coordinates.
"""


def landmark_distance(
    pred: Num[Tensor | np.ndarray, "T P 2"],
    target: Num[Tensor | np.ndarray, "T P 2"],
    *,
    points: Points = "mouth20",
    align: Align = "mean",
    reduce: Reduce = "mean",
    norm: Norm = "none",
) -> Float64[Tensor, ""]:
    """Mean distance between corresponding landmarks.

    ``LMD = 1/T 1/P sum_t sum_p || (pred[t,p] - mean_p pred[t]) - (target[t,p] - mean_p target[t]) ||``

    :data:`PROTOCOLS` holds the settings of what others published under this name.

    Args:
        pred: landmarks of the generated clip in pixels: all 68 (iBUG 300-W), or just the points that are compared.
        target: landmarks of the real clip in pixels of the same picture size.
        points: ``mouth20`` compares the 20 lip points (the paper), ``all68`` all, ``fae24`` the lips with their four
            corners twice.
        align: ``mean`` lays the centres of the points on each other frame by frame (the paper), ``none`` does not,
            ``similarity`` also turns and scales ``pred`` onto ``target`` frame by frame (least squares, Umeyama 1991).
            That hides a tilted head or a face of another size, but also a mouth that is too large, too small or crooked
            as a whole: with ``mouth20``, part of what the metric is for.
        reduce: ``mean`` over points and frames, ``sum`` over points and mean over frames (the published code), ``fae``:
            mean absolute difference of coordinates in place of distances.
        norm: ``none`` leaves pixels; ``mouth_width`` divides by the distance of the outer corners of the mouth and
            ``eye_distance`` by that of the eye centres (needs 68 points), each the mean over the frames of ``target``.

    Returns:
        Pixels, or with ``norm`` a share of that length; 0 or more, lower is better. A mouth that hardly moves scores
        well: LMD hides mumbling, which :func:`zoo.evaluation.metrics.motion.motion_ratio` shows.

    Raises:
        ValueError: other names or shapes than those above, no frame, or a ``target`` whose norm is 0.

    Example:
        >>> real = torch.zeros(1, 68, 2)
        >>> made = real.clone()
        >>> made[0, 48] = torch.tensor([20.0, 0.0])
        >>> landmark_distance(made, real).item()
        1.9
    """
    require_options({"points": (points, Points), "align": (align, Align), "reduce": (reduce, Reduce)})
    require_options({"norm": (norm, Norm)})
    made, real = (torch.as_tensor(given).double() for given in (pred, target))
    if made.shape != real.shape or not len(real):
        raise ValueError(
            f"landmark_distance: needs equally many frames, at least one; got {len(made)} and {len(real)}"
            + (f" of shapes {tuple(made.shape[1:])} and {tuple(real.shape[1:])}" if len(made) == len(real) else "")
        )
    scale = _length(real, norm)
    if scale == 0:
        raise ValueError(f"landmark_distance: {norm} of the target is 0, so it cannot be divided by")
    made, real = _choose(made, points), _choose(real, points)
    difference = _turned(made, real) if align == "similarity" else made - real
    if align == "mean":
        difference = difference - difference.mean(1, keepdim=True)
    if reduce == "fae":
        return difference.abs().mean() / scale
    lengths = difference.norm(dim=-1)
    return (lengths.sum(1) if reduce == "sum" else lengths.mean(1)).mean() / scale


class LandmarkDistance(ClipMetric):
    """:func:`landmark_distance` of each clip, over the frames in which both show a face; the mean over clips.

    Args:
        points: see :func:`landmark_distance`.
        align: see :func:`landmark_distance`.
        reduce: see :func:`landmark_distance`.
        norm: see :func:`landmark_distance`.
    """

    name = "lmd"
    higher_is_better = False

    def __init__(
        self, points: Points = "mouth20", align: Align = "mean", reduce: Reduce = "mean", norm: Norm = "none"
    ) -> None:
        require_options({"points": (points, Points), "align": (align, Align), "reduce": (reduce, Reduce)})
        require_options({"norm": (norm, Norm)})
        super().__init__(points=points, align=align, reduce=reduce, norm=norm)
        self.variant: Variant = {"points": points, "align": align, "reduce": reduce, "norm": norm}

    def update(
        self,
        clip: str,
        pred: Num[Tensor | np.ndarray, "T P 2"],
        target: Num[Tensor | np.ndarray, "U P 2"],
        seen: Bool[Tensor | np.ndarray, " V"] | None = None,
    ) -> None:
        """Add one clip.

        Args:
            clip: its id.
            pred: landmarks of the generated clip in pixels.
            target: landmarks of the real clip; where the lengths differ, the frames that both have are compared.
            seen: frames in which both show a face; all where not given.
        """
        frames = shared_frames(pred, target, seen)
        if frames.seen.any():
            made, real = frames.pred[frames.seen], frames.target[frames.seen]
            if _length(real, self.variant["norm"]) > 0:
                count = len(real)
                value = float(landmark_distance(made, real, **self.variant))
                self.add(Row(clip, (value * count, float(count)), count, frames.total, frames.reason))
                return
            frames = frames._replace(reason=f"the real clip's {self.variant['norm']} is 0")
        self.skip(clip, frames.total, frames.reason)

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add one clip: the landmarks found in both face crops."""
        count = min(len(pred), len(real))
        self.update(clip, pred.points, real.points, pred.seen[:count] & real.seen[:count])


class SharedFrames(NamedTuple):
    """Landmarks of two clips in the frames that both have.

    Attributes:
        pred: ``(n, P, 2)`` float64, generated.
        target: ``(n, P, 2)`` float64, real.
        seen: ``(n,)`` frames in which both show a face and all coordinates are finite.
        total: frames of the longer clip.
        reason: why some of those are not seen; empty where all are.
    """

    pred: Float64[Tensor, "n P 2"]
    target: Float64[Tensor, "n P 2"]
    seen: Bool[Tensor, " n"]
    total: int
    reason: str


def shared_frames(
    pred: Num[Tensor | np.ndarray, "T P 2"],
    target: Num[Tensor | np.ndarray, "U P 2"],
    seen: Bool[Tensor | np.ndarray, " V"] | None = None,
) -> SharedFrames:
    """The first frames of two clips, as many as both have.

    Args:
        pred: landmarks of the generated clip in pixels.
        target: landmarks of the real clip.
        seen: for each of those frames (or more), whether both show a face; all where not given.
    """
    count, total = sorted((len(pred), len(target)))
    made, real = (torch.as_tensor(given)[:count].double() for given in (pred, target))
    shown = torch.ones(count, dtype=torch.bool) if seen is None else torch.as_tensor(seen)[:count].bool()
    usable = shown.to(real.device) & made.isfinite().all(-1).all(-1) & real.isfinite().all(-1).all(-1)
    return SharedFrames(made, real, usable, total, scored_frames(count, total, usable)[1])


def require_options(options: dict[str, tuple[str, object]]) -> None:
    """Check settings against their ``Literal`` types, given as ``{name: (value, type)}``.

    Raises:
        ValueError: a value is not one of them; the message names those.
    """
    for key, (value, kind) in options.items():
        if value not in get_args(kind):
            raise ValueError(f"{key} is one of {', '.join(map(str, get_args(kind)))}, not {value!r}")


def _choose(given: Tensor, points: Points) -> Tensor:
    chosen = CHOSEN[points]
    if given.shape[1] == NUM_LANDMARKS:
        return given[:, list(chosen)]
    if given.shape[1] != len(chosen):
        raise ValueError(f"{points} needs 68 points, or exactly {len(chosen)}; got {given.shape[1]}")
    return given


def _length(real: Tensor, norm: Norm) -> float:
    """What distances are divided by, in pixels: the mean over frames."""
    if norm == "none":
        return 1.0
    if norm == "mouth_width":
        left, right = CORNERS if real.shape[1] == NUM_LANDMARKS else (0, 6)
        return float((real[:, left] - real[:, right]).norm(dim=-1).mean())
    if real.shape[1] != NUM_LANDMARKS:
        raise ValueError(f"norm=eye_distance needs 68 points; got {real.shape[1]}")
    left_eye, right_eye = (real[:, eye].mean(1) for eye in EYES)
    return float((left_eye - right_eye).norm(dim=-1).mean())


def _turned(made: Tensor, real: Tensor) -> Tensor:
    """What is left of ``made - real`` after the least-squares similarity, in closed form on the complex plane."""
    z, w = (torch.view_as_complex((points - points.mean(1, keepdim=True)).contiguous()) for points in (made, real))
    power = z.abs().square().sum(1, keepdim=True)
    # Points that all lie on one another cannot be scaled: they stay in the middle.
    spin = (z.conj() * w).sum(1, keepdim=True) / power.where(power > 0, torch.ones_like(power))
    return torch.view_as_real(spin * z - w)
