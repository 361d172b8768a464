"""FID, the Fréchet distance between features of generated and of real frames (Heusel et al., NeurIPS 2017)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Num
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.utilities.data import dim_zero_cat

from zoo.evaluation.metrics.backbones import backbone_weights
from zoo.evaluation.metrics.base import ClipMetric, Result, Row, require_levels
from zoo.support.errors import DataError

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

Extractor = Callable[[Tensor], Tensor]
"""Frames ``(T, 3, H, W)``, RGB, 0..255, to features ``(T, D)``."""

BATCH = 16
"""Frames that go through the network at once."""


def frechet_distance(
    mu1: Float[np.ndarray | Tensor, " D"],
    sigma1: Float[np.ndarray | Tensor, "D D"],
    mu2: Float[np.ndarray | Tensor, " D"],
    sigma2: Float[np.ndarray | Tensor, "D D"],
) -> float:
    """Squared Fréchet (2-Wasserstein) distance between two Gaussians,

    ``|mu1 - mu2|^2 + tr(sigma1) + tr(sigma2) - 2 tr((sigma1 sigma2)^(1/2))``.

    Args:
        mu1: mean of one.
        sigma1: covariance of one: symmetric, no negative eigenvalues; it may be singular.
        mu2: mean of the other.
        sigma2: covariance of the other.

    Returns:
        0 or more, up to rounding; 0 for equal ones.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> frechet_distance(np.zeros(2), np.eye(2), np.array([3.0, 4.0]), 4 * np.eye(2))
        27.0
    """
    one, other = (np.asarray(mu, dtype=np.float64) for mu in (mu1, mu2))
    spread, around = (np.asarray(sigma, dtype=np.float64) for sigma in (sigma1, sigma2))
    if one.ndim != 1 or other.shape != one.shape or {spread.shape, around.shape} != {(len(one), len(one))}:
        shapes = ", ".join(str(values.shape) for values in (one, spread, other, around))
        raise ValueError(f"frechet_distance: needs means (D,) and covariances (D, D), got {shapes}")
    # The eigenvalues of sigma1 sigma2 are those of the symmetric root1 sigma2 root1, which are real.
    values, vectors = np.linalg.eigh(spread)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ around @ root)
    cross = np.sqrt(product.clip(min=0)).sum()
    return float(((one - other) ** 2).sum() + np.trace(spread) + np.trace(around) - 2 * cross)


def feature_distance(pred: Num[np.ndarray, "N D"], real: Num[np.ndarray, "M D"]) -> float:
    """:func:`frechet_distance` between the means and covariances of two sets of features; NaN with fewer than two."""
    if min(len(pred), len(real)) < 2:
        return float("nan")
    sides = [(side.mean(0), np.atleast_2d(np.cov(side, rowvar=False))) for side in (np.float64(pred), np.float64(real))]
    return frechet_distance(*sides[0], *sides[1])


@lru_cache(maxsize=1)
def load_inception(weights: str | None = None) -> nn.Module:
    """Inception v3 of torchvision up to the last pooling (2048 features), as an :data:`Extractor`.

    Its weights are not those that the FID of the literature uses: compare its values with each other only.

    Args:
        weights: file of torchvision's state dict; None takes it from torchvision's cache. Nothing is downloaded.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    from torchvision.models import inception_v3

    state = backbone_weights("inception_v3", weights, metric="fid")
    network = inception_v3(weights=None, transform_input=True, init_weights=False)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(f"fid: {weights or 'the file in the cache'} holds no weights of inception_v3") from error
    network.fc = nn.Identity()
    return _Pooled(network).eval()


class _Pooled(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Float[Tensor, "T 3 H W"]) -> Float[Tensor, "T 2048"]:
        sized = nn.functional.interpolate(frames / 255, (299, 299), mode="bilinear", antialias=True)
        mean, deviation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # of ImageNet, as torchvision trained it
        shift, scale = (sized.new_tensor(values)[:, None, None] for values in (mean, deviation))
        return self.network((sized - shift) / scale)


class FID(ClipMetric):
    """Fréchet distance between the features of all generated and of all real frames.

    It is a value of the corpus: a clip has none of its own, and none is given with fewer than two frames. It is biased:
    fewer frames give higher values, so compare corpora of one size, and with fewer frames than dimensions the reason
    says so. No interval is given, since samples of clips repeat frames and so are biased further.

    Features are kept per clip in single precision (2048 of them: 8 kB a frame), so that clips count once and the value
    is the same from any number of processes; rows from a file, which hold none, give NaN.

    Args:
        extractor: what makes features ``(T, D)`` of frames ``(T, 3, H, W)``, RGB, 0..255, float32; None is
            :func:`load_inception`.
        weights: of that; see :func:`load_inception`.
        every: only each so-manieth frame is looked at: neighbours are hardly different.
    """

    name = "fid"
    higher_is_better = False
    features: list[Tensor]

    def __init__(
        self, extractor: Extractor | None = None, weights: str | os.PathLike[str] | None = None, every: int = 5
    ) -> None:
        if every < 1:
            raise ValueError(f"fid: every must be at least 1; got {every}")
        named = "torchvision-inception-v3"
        if extractor is not None:
            named = getattr(extractor, "__name__", type(extractor).__name__)
        super().__init__(extractor=named, every=str(every))
        self.weights, self.every = weights, every
        self._extractor = [] if extractor is None else [extractor]  # a list: a network is no part of the metric's state
        self.add_state("features", default=[], dist_reduce_fx="cat")

    def extract(self, frames: Num[Tensor, "T 3 H W"]) -> Float[Tensor, "T D"]:
        """Features of frames, in batches, as float32 on the CPU."""
        if not self._extractor:
            self._extractor.append(load_inception(None if self.weights is None else str(self.weights)))
        extractor = self._extractor[0]
        if isinstance(extractor, nn.Module):
            extractor.to(frames.device)
        with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
            batches = [frames[i : i + BATCH].float() for i in range(0, len(frames), BATCH)]
            return torch.cat([extractor(batch).float().cpu() for batch in batches])

    def update(self, clip: str, pred: Num[Tensor, "T 3 H W"], real: Num[Tensor, "S 3 H W"]) -> None:
        """Add the frames of one clip, RGB, 0..255: all that are given; they need not correspond."""
        self._keep(clip, require_levels(pred, "fid"), require_levels(real, "fid"), len(pred), "")

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add each so-manieth face crop (256x256) in which a face was found."""
        made, true = pred.faces[:: self.every], real.faces[:: self.every]
        seen = pred.seen[:: self.every]
        lost = int((~seen).sum())
        reason = f"{lost} of {len(made)} frames without a face" if lost else ""
        self._keep(clip, made[seen], true[real.seen[:: self.every]], len(made), reason)

    def _keep(self, clip: str, pred: Tensor, real: Tensor, total: int, reason: str) -> None:
        if not len(pred) or not len(real):
            return self.skip(clip, total, reason or "no frames")
        sides = [self.extract(frames).numpy().astype("<f4") for frames in (pred, real)]
        coded = [base64.b64encode(side.tobytes()).decode() for side in sides]
        line = json.dumps({"clip": clip, "size": sides[0].shape[1], "sides": coded}).encode() + b"\n"
        self.features.append(torch.frombuffer(bytearray(line), dtype=torch.uint8).to(self.device))
        return self.add(Row(clip, (float(len(pred)), float(len(real))), len(pred), total, reason))

    def result_of(self, rows: Sequence[Row], *, interval: bool = True) -> Result:
        """The value of the clips of these rows, of which the features must be known; never with an interval."""
        result = super().result_of(rows, interval=False)
        known = self._features()
        sides = [known[row.clip] for row in rows if row.stats and row.clip in known]
        if len(sides) < result.clips:
            return result._replace(value=float("nan"), reason="rows alone hold no features: score the clips again")
        if not sides:
            return result
        pred, real = (np.concatenate(side) for side in zip(*sides, strict=True))
        fewest, size = min(len(pred), len(real)), pred.shape[1]
        warning = f"{fewest} frames for {size} dimensions: the value is too high" if fewest <= size else ""
        if fewest < 2:
            warning = "fewer than two frames"
        reason = "; ".join(part for part in (result.reason, warning) if part)
        return result._replace(value=feature_distance(pred, real), reason=reason)

    def _features(self) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Generated and real features of each clip, sorted by clip."""
        packed = bytes(dim_zero_cat(self.features).cpu().numpy()) if len(self.features) else b""
        found: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        for line in sorted(packed.splitlines()):
            row = json.loads(line)
            sides = [np.frombuffer(base64.b64decode(side), "<f4").reshape(-1, row["size"]) for side in row["sides"]]
            found.setdefault(row["clip"], (sides[0], sides[1]))
        return found

    def clip_values(self, stats: NDArray[np.float64]) -> NDArray[np.float64]:
        """NaN: a clip has no value of its own."""
        return np.full(stats.shape[:-1], np.nan)

    def _sync_dist(self, *arguments: Any, **named: Any) -> None:
        if not len(self.features):  # as for the rows: what is empty must be bytes too
            self.features = [torch.zeros(0, dtype=torch.uint8, device=self.device)]
        super()._sync_dist(*arguments, **named)
