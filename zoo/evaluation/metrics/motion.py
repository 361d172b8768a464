"""Mouth motion, generated over real: it shows the mumbling that LMD rewards, as LipGAN's authors point out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64, Num
from torch import Tensor

from zoo.evaluation.metrics.base import ClipMetric, Row
from zoo.evaluation.metrics.lmd import require_options, shared_frames
from zoo.media.clip import MOUTH, NUM_LANDMARKS

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

Region = Literal["mouth", "outside"]
Measure = Literal["extent", "speed"]

SMOOTH = 1.0
"""Standard deviation in frames of the Gaussian mean over time that comes first."""

STILL = 0.01
"""Motion in pixels below which a real clip does not move, so that no ratio to it means anything."""


def motion(
    points: Num[Tensor | np.ndarray, "T 68 2"],
    *,
    region: Region = "mouth",
    measure: Measure = "extent",
    smooth: float = SMOOTH,
    seen: Bool[Tensor | np.ndarray, " T"] | None = None,
) -> Float64[Tensor, ""]:
    """How much the points of a clip move against each other.

    Each frame's centre is taken off first, so that a head that moves sideways does not count, and the coordinates are
    averaged over time: dlib's points are whole pixels that flicker by half a pixel, which unsmoothed is 4/5 of the
    ``speed`` of a real GRID speaker and 3/10 of the ``extent``; smoothed, 4/10 and 2/10. A still picture moves by 0.

    ``extent = sqrt(1/T 1/P sum_t sum_p || x[t,p] - mean_t x[p] ||^2)``,
    ``speed = 1/(T-1) 1/P sum_t sum_p || x[t+1,p] - x[t,p] ||`` with ``x`` the points after both steps.

    Args:
        points: landmarks in pixels (iBUG 300-W).
        region: ``mouth`` is the 20 lip points, ``outside`` the other 48: jaw, brows, nose and eyes, nods and turns.
        measure: ``extent`` is how far the points go from their mean place (mumbling makes it small), ``speed`` how far
            from frame to frame (jitter makes it large).
        smooth: standard deviation in frames of the Gaussian mean over time, cut and re-weighted at the ends and at
            hidden frames; 0.0 leaves it out.
        seen: frames that count; all where not given.

    Returns:
        Pixels (per frame for ``speed``), 0 or more.

    Raises:
        ValueError: other names or shapes than those above, a negative ``smooth``, or too few frames: one for
            ``extent``, two that follow each other for ``speed``.

    Example:
        >>> real = torch.zeros(8, 68, 2)
        >>> real[::2, 62:65, 1] = 4.0  # the inner upper lip in every other frame
        >>> round(motion(real, smooth=0.0).item(), 4)
        0.7141
    """
    _require(region, measure, smooth)
    given = torch.as_tensor(points).double()
    if given.shape[1:] != (NUM_LANDMARKS, 2):
        raise ValueError(f"motion: needs landmarks of shape (T, 68, 2); got {tuple(given.shape)}")
    shown = torch.ones(len(given), dtype=torch.bool) if seen is None else torch.as_tensor(seen).bool()
    shown = shown.to(given.device)
    if not _enough(shown, measure):
        raise ValueError(f"motion: {measure} needs {'two frames in a row' if measure == 'speed' else 'a frame'}")
    lips = torch.zeros(NUM_LANDMARKS, dtype=torch.bool, device=given.device)
    lips[MOUTH] = True
    chosen = given[:, lips if region == "mouth" else ~lips]
    chosen = chosen.where(shown[:, None, None], torch.zeros_like(chosen))
    x = _smoothed(chosen - chosen.mean(1, keepdim=True), shown, smooth)
    if measure == "extent":
        x = x[shown]
        return (x - x.mean(0)).square().sum(-1).mean().sqrt()
    return (x[1:] - x[:-1])[shown[1:] & shown[:-1]].norm(dim=-1).mean()


def motion_ratio(
    pred: Num[Tensor | np.ndarray, "T 68 2"],
    target: Num[Tensor | np.ndarray, "T 68 2"],
    *,
    region: Region = "mouth",
    measure: Measure = "extent",
    smooth: float = SMOOTH,
) -> Float64[Tensor, ""]:
    """:func:`motion` of the generated clip over that of the real one.

    Args:
        pred: landmarks of the generated clip, pixels.
        target: landmarks of the real clip, pixels of the same picture size.
        region: see :func:`motion`.
        measure: see :func:`motion`.
        smooth: see :func:`motion`.

    Returns:
        1 is right; 0 is a frozen face; below 1 it mumbles, above 1 it exaggerates or trembles.

    Raises:
        ValueError: as :func:`motion`; different lengths; or the real clip moves by less than :data:`STILL`.

    Example:
        >>> real = torch.zeros(8, 68, 2)
        >>> real[::2, 62:65, 1] = 4.0
        >>> motion_ratio(0.5 * real, real).item()
        0.5
    """
    if len(pred) != len(target):
        raise ValueError(f"motion_ratio: needs equally many frames; got {len(pred)} and {len(target)}")
    made, real = (motion(points, region=region, measure=measure, smooth=smooth) for points in (pred, target))
    if real < STILL:
        raise ValueError(f"motion_ratio: the real clip moves by {float(real):.2g} px, so nothing can be compared to it")
    return made / real


class MotionRatio(ClipMetric):
    """:func:`motion_ratio`, over frames in which both show a face; over clips the ratio of the summed motions.

    A ratio of sums, because a mean of ratios would be ruled by clips whose real speaker hardly moves.

    Args:
        region: see :func:`motion`.
        measure: see :func:`motion`.
        smooth: see :func:`motion`.
    """

    name = "motion"
    pooled = True
    higher_is_better = None

    def __init__(self, region: Region = "mouth", measure: Measure = "extent", smooth: float = SMOOTH) -> None:
        _require(region, measure, smooth)
        super().__init__(region=region, measure=measure, smooth=float(smooth))
        self.region, self.measure, self.smooth = region, measure, float(smooth)

    def update(
        self,
        clip: str,
        pred: Num[Tensor | np.ndarray, "T 68 2"],
        target: Num[Tensor | np.ndarray, "U 68 2"],
        seen: Bool[Tensor | np.ndarray, " V"] | None = None,
    ) -> None:
        """Add one clip; arguments as in :meth:`zoo.evaluation.metrics.lmd.LandmarkDistance.update`."""
        frames = shared_frames(pred, target, seen)
        if int(frames.seen.sum()) < 2 or not _enough(frames.seen, self.measure):
            self.skip(clip, frames.total, frames.reason or "fewer than two frames")
            return
        made, real = (
            float(motion(side, region=self.region, measure=self.measure, smooth=self.smooth, seen=frames.seen))
            for side in (frames.pred, frames.target)
        )
        if real < STILL:
            self.skip(clip, frames.total, "the real face does not move")
        else:
            self.add(Row(clip, (made, real), int(frames.seen.sum()), frames.total, frames.reason))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add one clip: the landmarks found in both face crops."""
        count = min(len(pred), len(real))
        self.update(clip, pred.points, real.points, pred.seen[:count] & real.seen[:count])


def _require(region: str, measure: str, smooth: float) -> None:
    require_options({"region": (region, Region), "measure": (measure, Measure)})
    if not smooth >= 0:
        raise ValueError(f"smooth is a number of frames, 0 or more, not {smooth}")


def _enough(shown: Tensor, measure: Measure) -> bool:
    return bool((shown[1:] & shown[:-1]).any() if measure == "speed" else shown.any())


def _smoothed(x: Tensor, shown: Tensor, sigma: float) -> Tensor:
    """Gaussian mean over the frames that are shown; the others hold nothing of use."""
    if sigma == 0:
        return x
    times = torch.arange(len(x), dtype=x.dtype, device=x.device)
    weights = torch.exp(-0.5 * ((times[:, None] - times) / sigma) ** 2) * shown
    weights = weights / weights.sum(1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    return torch.einsum("tu,upc->tpc", weights, x)
