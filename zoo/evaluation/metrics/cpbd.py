"""CPBD, the share of edges too sharp for blur to be seen (Narvekar and Karam, IEEE TIP 20(9), 2011)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Num
from numpy.typing import NDArray
from torch import Tensor

from zoo.evaluation.metrics.base import ClipMetric, Row, require_levels
from zoo.evaluation.metrics.edges import BLOCK, CannyKind, Thinning, edge_blocks, replicated, sobel_edges
from zoo.evaluation.metrics.pairs import scored_frames

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

Variant = Literal["matlab", "python", "at-a-glance"]
Crop = Literal["face", "lips"]

LONGEST = 100
"""Steps that Marziliano's walk takes to each side at most."""

LOW_CONTRAST = 50
"""Grey levels between the darkest and the lightest pixel of a block up to which a just noticeable blur is 5 wide."""

WIDTHS_JNB = (3, 5)
"""Width in pixels of a just noticeable blur: blocks of higher and of low contrast."""

TAN_22_5 = 2**0.5 - 1


@dataclass(frozen=True)
class Recipe:
    """What tells the implementations apart.

    Attributes:
        threshold: of the squared Sobel gradient; None takes it from the picture.
        thinning: of the edge map.
        canny: which Canny detector decides what an edge block is.
        bins: how many of the 101 bins of the blur probability (0, 1, ... 100 %) are summed.
    """

    threshold: float | None
    thinning: Thinning
    canny: CannyKind
    bins: int


RECIPES: dict[str, Recipe] = {
    "matlab": Recipe(2.0**2, "matlab", "matlab", 64),
    "python": Recipe(None, "octave", "skimage", 64),
    "at-a-glance": Recipe(2.0**2, "none", "skimage", 63),
}


def cpbd(grey: Num[Tensor | np.ndarray, "T H W"], *, variant: Variant = "matlab") -> Float64[Tensor, " T"]:
    """Cumulative probability of blur detection: the share of edges whose blur goes unnoticed, frame by frame.

    Every vertical edge of the edge blocks (64x64 pixels, at least nine Canny pixels) has a width ``w`` (Marziliano) and
    is seen as blurred with probability ``P = 1 - exp(-(w / w_jnb)^3.6)``; ``w_jnb`` is 5 pixels in blocks of a contrast
    of 50 or less, else 3. CPBD is the share of edges with ``P`` of at most 63 %.

    Args:
        grey: grey levels 0..255. Published values come from pictures of 8 bits: round what was computed in floats,
            since a change by one level moves the value by a tenth.
        variant: ``matlab`` is the authors' ``CPBD_compute.m`` with current MATLAB's Canny; ``python`` is the package
            ``cpbd`` (another edge map, scikit-image's Canny); ``at-a-glance`` is the code of Chen et al. 2018 and of
            ATVGnet (edges not thinned, 63 bins instead of 64: the same picture scores a quarter).

    Returns:
        0..1, higher is sharper; 0 where there is no edge; NaN where a side is shorter than 64 pixels. Only whole blocks
        from the top left count: of 96x96 pixels, the 32 on the right and at the bottom are not looked at.

    Raises:
        ValueError: an unknown variant, or values that are no grey levels 0..255.

    Example:
        >>> sharp = torch.zeros(1, 64, 64)
        >>> sharp[:, :, :30] = 200.0
        >>> cpbd(sharp).item()
        1.0
    """
    if variant not in get_args(Variant):
        raise ValueError(f"cpbd: variant must be one of {', '.join(get_args(Variant))}; got {variant!r}")
    levels = require_levels(grey, "cpbd").detach().cpu()
    if min(levels.shape[1:]) < BLOCK:
        return torch.full((len(levels),), torch.nan, dtype=torch.float64)
    # Sums and squares of whole numbers are exact in single precision, and twice as fast.
    whole = not levels.is_floating_point() or bool((levels == levels.round()).all())
    frames = (levels.float() if whole else levels.double()).numpy()
    recipe = RECIPES[variant]
    return torch.tensor([_score(frame, recipe) for frame in frames], dtype=torch.float64)


def _score(frame: NDArray[np.floating], recipe: Recipe) -> float:
    edges = sobel_edges(frame, recipe.thinning, recipe.threshold)
    return sharp_share(frame, edges, edge_blocks(frame, recipe.canny), bins=recipe.bins)


def sharp_share(
    grey: Float[np.ndarray, "H W"],
    edges: Bool[np.ndarray, "H W"],
    blocks: Bool[np.ndarray, "rows columns"],
    *,
    bins: int = 64,
) -> float:
    """CPBD of one picture of which the edges and the edge blocks are known.

    Args:
        grey: grey levels 0..255.
        edges: where :func:`edge_widths` measures.
        blocks: which blocks of 64x64 pixels count, from the top left.
        bins: how many bins of the blur probability, rounded to whole per cent, are unnoticed blur.
    """
    rows, columns = blocks.shape
    inside = edges[: rows * BLOCK, : columns * BLOCK]
    y, x = np.divmod(np.flatnonzero(inside), columns * BLOCK)
    noticed = [_noticed(width_jnb, bins) for width_jnb in WIDTHS_JNB]
    widths = _widths_at(grey, y, x, longest=max(noticed))
    bands = grey[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns * BLOCK)
    darkest = bands.min(1).reshape(rows, columns, BLOCK).min(2)
    contrast = np.trunc(bands.max(1).reshape(rows, columns, BLOCK).max(2) - darkest)
    limit = np.where(contrast <= LOW_CONTRAST, noticed[1], noticed[0])
    counted = (widths > 0) & blocks[y // BLOCK, x // BLOCK]
    sharp = counted & (widths < limit[y // BLOCK, x // BLOCK])
    return float(sharp.sum() / counted.sum()) if counted.any() else 0.0


def _noticed(width_jnb: int, bins: int) -> int:
    """The smallest width whose blur probability falls behind the bins."""
    probability = 1 - np.exp(-((np.arange(2 * LONGEST + 3) / width_jnb) ** 3.6))
    return int(np.argmax(np.round(100 * probability) >= bins))


def edge_widths(
    grey: Float[np.ndarray, "H W"], edges: Bool[np.ndarray, "H W"], *, longest: int = LONGEST
) -> Int[np.ndarray, "H W"]:
    """Widths in pixels of vertical edges (Marziliano et al. 2002, as ``CPBD_compute.m`` has them); 0 elsewhere.

    From the pixels beside the edge one walks left and right for as long as the picture keeps rising, or falling. Edges
    in the border of the picture are left out, and those whose gradient is nearer to a diagonal or to the vertical,
    unless it has no horizontal part at all: its angle then counts as 0, as published.

    Args:
        grey: grey levels 0..255.
        edges: where to measure.
        longest: most steps to either side; the published one is 100.
    """
    found = np.zeros(grey.shape, dtype=int)
    y, x = np.nonzero(edges)
    found[y, x] = _widths_at(grey, y, x, longest=longest)
    return found


def _widths_at(grey: NDArray[np.floating], y: NDArray[np.int_], x: NDArray[np.int_], longest: int) -> NDArray[np.int_]:
    height, width = grey.shape
    widths = np.zeros(len(y), dtype=int)
    inner = np.flatnonzero((y > 0) & (y < height - 1) & (x > 0) & (x < width - 1))
    # A repeated column on both sides ends every walk at the border: there is no step.
    stride = width + 2
    levels = replicated(grey).ravel()
    here = (y[inner] + 1) * stride + x[inner] + 1
    across = levels[here + 1] - levels[here - 1]
    down = np.abs(levels[here + stride] - levels[here - stride])
    if not ((across < 0) | ((across > 0) & (down > 0))).any() and not _slanted(grey):
        return widths
    level = (down <= TAN_22_5 * np.abs(across)) | (across == 0)
    inner, here, falling = inner[level], here[level], across[level] < 0
    widths[inner] = 2 + _steps(levels, here, -1, falling, longest) + _steps(levels, here, 1, ~falling, longest)
    return widths


def _slanted(grey: NDArray[np.floating]) -> bool:
    """Whether any gradient has an angle other than 0; as published, no edge of a picture without has a width."""
    down, across = np.gradient(grey)
    return bool(((across < 0) | ((across > 0) & (down != 0))).any())


def _steps(
    levels: NDArray[np.floating], here: NDArray[np.int_], side: int, rising: NDArray[np.bool_], longest: int
) -> NDArray[np.int_]:
    """How many steps outwards from the pixel beside ``here`` keep rising, or keep falling."""
    steps = np.zeros(len(here), dtype=int)
    walking, at, sign = np.arange(len(here)), here + side, np.where(rising, 1, -1).astype(levels.dtype)
    for _ in range(longest):
        onward = np.flatnonzero((levels[at + side] - levels[at]) * sign > 0)
        if not len(onward):
            break
        walking, at, sign = walking[onward], at[onward] + side, sign[onward]
        steps[walking] += 1
    return steps


class CPBD(ClipMetric):
    """Mean of :func:`cpbd` over the frames of a clip, and of that over clips.

    The pictures are rounded to whole grey levels, which is what all published implementations read.

    Args:
        variant: see :func:`cpbd`.
        crop: what ``observe`` looks at: the ``face`` (256x256), or the ``lips`` (64x64, one block; Chen et al. 2018).
    """

    name = "cpbd"
    higher_is_better = True

    def __init__(self, variant: Variant = "matlab", crop: Crop = "face") -> None:
        if variant not in get_args(Variant):
            raise ValueError(f"cpbd: variant must be one of {', '.join(get_args(Variant))}; got {variant!r}")
        if crop not in get_args(Crop):
            raise ValueError(f"cpbd: crop must be one of {', '.join(get_args(Crop))}; got {crop!r}")
        super().__init__(variant=variant, crop=crop)
        self.variant, self.crop = variant, crop

    def update(
        self, clip: str, grey: Num[Tensor | np.ndarray, "T H W"], seen: Bool[Tensor, " T"] | None = None
    ) -> None:
        """Add one clip of grey levels 0..255; frames that are not ``seen`` (all by default) are not scored."""
        levels = require_levels(grey, "cpbd")
        if min(levels.shape[1:]) < BLOCK:
            size = f"{levels.shape[2]}x{levels.shape[1]}"
            return self.skip(clip, len(levels), f"pictures of {size} hold no whole block of {BLOCK}x{BLOCK} pixels")
        chosen, reason = scored_frames(len(levels), len(levels), seen)
        if not len(chosen):
            return self.skip(clip, len(levels), reason)
        values = cpbd(levels[chosen.to(levels.device)].round(), variant=self.variant)
        return self.add(Row(clip, (float(values.sum()), float(len(values))), len(values), len(levels), reason))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add the generated clip; the real one does not matter."""
        from zoo.evaluation.footage import grey_levels  # imports the face models

        self.update(clip, pred.grey if self.crop == "face" else grey_levels(pred.lips), pred.seen)
