"""Edges as MATLAB, Octave and scikit-image find them, written from their published behaviour, for one picture each."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage

CannyKind = Literal["matlab", "skimage"]
Thinning = Literal["matlab", "octave", "none"]

BLOCK = 64
"""Side in pixels of the blocks that CPBD looks at."""

LEAST = 9
"""Canny pixels that make a block an edge block: more than 0.002 * 64 * 64 = 8.19."""

LATTICE = (8, 24, 40, 56)
"""Rows of a block that :func:`edge_blocks` looks at first: in most pictures they settle it."""

ROUNDING = 100 * float(np.finfo(np.float64).eps)
"""By how much MATLAB lets the horizontal gradient be the smaller one."""


class Field(NamedTuple):
    """Gradient of a picture and the two thresholds of its length; pixels equal to a threshold pass if ``inclusive``."""

    across: NDArray[np.float64]
    down: NDArray[np.float64]
    length: NDArray[np.float64]
    low: float
    high: float
    inclusive: bool


def sobel_edges(grey: Float[np.ndarray, "H W"], thinning: Thinning, threshold: float | None) -> Bool[np.ndarray, "H W"]:
    """Vertical edges: where the squared horizontal Sobel gradient (weights 1 2 1, divided by 8) exceeds a threshold.

    Args:
        grey: grey levels 0..255; float32 is exact where they are whole numbers.
        thinning: ``matlab`` is that of ``edge(I, 'Sobel', t, 'vertical')``: the largest from left to right where the
            horizontal gradient is the larger one, or the largest from top to bottom. ``octave`` is the strictly largest
            in either direction. ``none`` keeps all.
        threshold: of the squared gradient; None is twice the root of its mean, as the Octave code has it.
    """
    padded = replicated(grey)
    across = _horizontal(padded)
    strength = across * across
    if threshold is None:
        threshold = 2 * float(np.sqrt(strength.mean(dtype=np.float64)))
    edges: NDArray[np.bool_] = strength > threshold
    if thinning == "none":
        return edges
    x_peak, y_peak = _peaks(strength, thinning), _peaks(strength.T, thinning).T
    if thinning == "matlab":
        down = _horizontal(padded.T).T
        x_peak &= np.abs(across) >= np.abs(down) - ROUNDING
    edges &= x_peak | y_peak
    return edges


def _horizontal(padded: NDArray[np.floating]) -> NDArray[np.floating]:
    # Row by row, as ndimage.convolve sums: ties between pixels fall as they do in programs that use it.
    left, right = padded[:, :-2], padded[:, 2:]
    total = left[:-2] - right[:-2]
    total += 2 * left[1:-1]
    total -= 2 * right[1:-1]
    total += left[2:]
    total -= right[2:]
    total /= 8
    return total


def _peaks(values: NDArray[np.floating], thinning: Thinning) -> NDArray[np.bool_]:
    """Where a value exceeds the next one of its row and the one before; MATLAB lets it equal the one before."""
    found = np.ones(values.shape, dtype=bool)  # beyond the border lies 0, which every edge exceeds
    before, after = values[:, :-1], values[:, 1:]
    found[:, 1:] = after > before if thinning == "octave" else after >= before
    found[:, :-1] &= before > after
    return found


def replicated(grey: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H+2 W+2"]:
    """The picture with its border pixels repeated once (``np.pad(grey, 1, mode="edge")``, which is slow)."""
    padded = np.empty((grey.shape[0] + 2, grey.shape[1] + 2), dtype=grey.dtype)
    padded[1:-1, 1:-1] = grey
    padded[0, 1:-1], padded[-1, 1:-1] = grey[0], grey[-1]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    return padded


def canny(grey: Float[np.ndarray, "H W"], kind: CannyKind) -> Bool[np.ndarray, "H W"]:
    """The Canny edge map of a picture of grey levels 0..255.

    Args:
        grey: grey levels; the thresholds of ``skimage`` are absolute, those of ``matlab`` relative.
        kind: ``matlab`` is ``edge(I, 'canny')`` of current MATLAB (sigma root 2, thresholds from the histogram of the
            gradient); ``skimage`` is ``skimage.feature.canny`` (sigma 1, thresholds 0.1 and 0.2).
    """
    return _traced(_matlab_field(grey) if kind == "matlab" else _skimage_field(grey))


def edge_blocks(grey: Float[np.ndarray, "H W"], kind: CannyKind) -> Bool[np.ndarray, "rows columns"]:
    """Which blocks of 64x64 pixels, from the top left, hold at least nine Canny edge pixels.

    The same as ``count_blocks(canny(grey, kind))``, mostly without it. A ridge above the upper threshold is an edge
    whatever hysteresis says, so a few rows settle most blocks; in the others, so do too few ridges above the lower one.
    """
    height, width = grey.shape
    shape = height // BLOCK, width // BLOCK
    rows = (np.arange(shape[0])[:, None] * BLOCK + np.array(LATTICE)).ravel()
    if kind == "matlab":  # its thresholds depend on the whole picture
        field = _matlab_field(grey)
        strong = _ridges(field, _row_pixels(rows, width))[1]
    else:
        field = None
        found = _ridges(_skimage_rows(grey, rows), _row_pixels(np.arange(1, 3 * len(rows), 3), width), 1e-9)[1]
        strong = rows[found // width // 3] * width + found % width
    decided = _per_block(strong, width, shape) >= LEAST
    if decided.all():
        return decided
    field = field or _skimage_field(grey)
    rest = np.zeros(grey.shape, dtype=bool)
    rest[1 : shape[0] * BLOCK, 1 : shape[1] * BLOCK] = np.kron(~decided, np.ones((BLOCK, BLOCK), dtype=bool))[1:, 1:]
    rest[-1], rest[:, -1] = False, False
    weak, strong = _ridges(field, np.flatnonzero(rest))
    edges = decided | (_per_block(strong, width, shape) >= LEAST)
    doubtful = ~edges & (_per_block(weak, width, shape) >= LEAST)
    return count_blocks(_traced(field)) if doubtful.any() else edges


def _row_pixels(rows: NDArray[np.int_], width: int) -> NDArray[np.int_]:
    """Flat indices of the pixels of some rows, less the first and the last of each."""
    return np.asarray((rows[:, None] * width + np.arange(1, width - 1)).ravel())


def _per_block(pixels: NDArray[np.int_], width: int, shape: tuple[int, int]) -> NDArray[np.int_]:
    """How many of the pixels (flat indices) lie in each whole block."""
    y, x = pixels // width // BLOCK, pixels % width // BLOCK
    inside = (y < shape[0]) & (x < shape[1])
    return np.bincount(y[inside] * shape[1] + x[inside], minlength=shape[0] * shape[1]).reshape(shape)


def count_blocks(edges: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "rows columns"]:
    """Which whole blocks of 64x64 pixels, from the top left, hold at least nine of the edge pixels given."""
    rows, columns = edges.shape[0] // BLOCK, edges.shape[1] // BLOCK
    whole = edges[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.asarray(whole.sum((1, 3)) >= LEAST)


def _traced(field: Field) -> NDArray[np.bool_]:
    """Ridges above the lower threshold that hang together with one above the upper threshold."""
    height, width = field.length.shape
    weak, strong = _ridges(field, _row_pixels(np.arange(1, height - 1), width))
    edges = np.zeros(height * width, dtype=bool)
    edges[weak] = True
    labels, count = ndimage.label(edges.reshape(height, width), np.ones((3, 3)))
    kept = np.zeros(count + 1, dtype=bool)
    kept[labels.ravel()[strong]] = True
    return np.asarray(kept[labels])


def _ridges(field: Field, pixels: NDArray[np.int_], margin: float = 0.0) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Which of the pixels (flat indices, not of the border) are ridges above the lower and above the upper threshold.

    On a ridge the gradient is no shorter than before and behind along it, interpolated between two neighbours; with a
    margin it must be longer by this share, so that the last digits do not decide.
    """
    width = field.length.shape[1]
    length = field.length.ravel()
    here = length[pixels] * (1 - margin)
    passed = np.flatnonzero(here >= field.low if field.inclusive else here > field.low)
    pixels, here = pixels[passed], here[passed]
    x, y = field.across.ravel()[pixels], field.down.ravel()[pixels]
    x_size, y_size = np.abs(x), np.abs(y)
    steep = y_size > x_size
    weight = np.minimum(x_size, y_size) / np.maximum(x_size, y_size)
    straight = np.where(steep, width, 1)
    diagonal = straight + np.where((x > 0) == (y > 0), 1, -1) * (width + 1 - straight)
    ridge = np.ones(len(pixels), dtype=bool)
    for side in (1, -1):
        beside = length[pixels + side * diagonal] * weight + length[pixels + side * straight] * (1 - weight)
        ridge &= beside <= here
    pixels, here = pixels[ridge], here[ridge]
    return pixels, pixels[here >= field.high if field.inclusive else here > field.high]


def _matlab_field(grey: NDArray[np.floating]) -> Field:
    smooth, slope = _matlab_kernels()
    values = grey.astype(np.float64)
    across = ndimage.correlate1d(_down_columns(values, smooth), slope, 1, mode="nearest")
    down = _down_columns(ndimage.correlate1d(values, smooth, 1, mode="nearest"), slope)
    length = np.sqrt(across * across + down * down)
    length /= length.max() or 1.0
    counts = np.bincount((length * 63 + 0.5).astype(np.intp).ravel(), minlength=64)
    high = float(np.argmax(np.cumsum(counts) > 0.7 * grey.size) + 1) / 64  # seven in ten pixels are taken for no edges
    return Field(across, down, length, 0.4 * high, high, inclusive=False)


def _down_columns(values: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """``ndimage.correlate1d(values, kernel, 0, mode="nearest")`` of an odd or even kernel, but faster."""
    reach, height = len(kernel) // 2, len(values)
    padded = np.concatenate([values[:1].repeat(reach, 0), values, values[-1:].repeat(reach, 0)])
    pair = np.add if kernel[0] == kernel[-1] else np.subtract
    total, part = kernel[reach] * values, np.empty_like(values)
    for i in range(reach):
        pair(padded[i : i + height], padded[2 * reach - i : 2 * reach - i + height], out=part)
        part *= kernel[i]
        total += part
    return np.asarray(total)


@cache
def _matlab_kernels() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sigma = 2**0.5
    reach = np.arange(-np.ceil(4 * sigma), np.ceil(4 * sigma) + 1)
    smooth = np.exp(-(reach**2) / (2 * sigma**2))
    smooth /= smooth.sum()
    slope = -np.gradient(smooth)  # the convolution's kernel, for a correlation
    slope /= slope[slope > 0].sum()  # odd: the negative lobe is as large
    return smooth, slope


SKIMAGE_THRESHOLDS = (float(np.float32(0.1)), 0.2)
"""scikit-image keeps the lower one in single precision."""


@cache
def _skimage_kernel() -> NDArray[np.float64]:
    reach = np.arange(-4, 5)  # four sigmas
    smooth = np.exp(-0.5 * reach**2)
    return np.asarray(smooth / smooth.sum())


@lru_cache(maxsize=8)
def _skimage_weight(*shape: int) -> NDArray[np.float64]:
    """How much of the Gaussian lies inside the picture."""
    return _gaussian(np.ones(shape)) + np.finfo(np.float64).eps


def _gaussian(values: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in range(values.ndim):
        values = ndimage.correlate1d(values, _skimage_kernel(), axis, mode="constant")
    return values


def _skimage_field(grey: NDArray[np.floating]) -> Field:
    smooth = _gaussian(grey.astype(np.float64)) / _skimage_weight(*grey.shape)
    across, down = ndimage.sobel(smooth, axis=1), ndimage.sobel(smooth, axis=0)
    return Field(across, down, np.sqrt(down * down + across * across), *SKIMAGE_THRESHOLDS, inclusive=True)


def _skimage_rows(grey: NDArray[np.floating], rows: NDArray[np.int_]) -> Field:
    """:func:`_skimage_field` of the given rows and of those above and below them, three rows after three rows."""
    slabs = grey[rows[:, None] + np.arange(-6, 7)].astype(np.float64)
    mixed = np.matmul(_vertical(), slabs)  # (rows, 6, W)
    smooth = ndimage.correlate1d(mixed, _skimage_kernel(), 2, mode="constant") / _skimage_weight(grey.shape[1])
    wide = np.concatenate([smooth[:, :, :1], smooth, smooth[:, :, -1:]], 2)
    across = (wide[:, :3, 2:] - wide[:, :3, :-2]).reshape(-1, grey.shape[1])
    down = (wide[:, 3:, 2:] + wide[:, 3:, :-2] + 2 * wide[:, 3:, 1:-1]).reshape(-1, grey.shape[1])
    return Field(across, down, np.sqrt(across * across + down * down), *SKIMAGE_THRESHOLDS, inclusive=True)


@cache
def _vertical() -> NDArray[np.float64]:
    """``(6, 13)``: the Gaussian down the column followed by 1 2 1 (three rows) and by -1 0 1 (three rows)."""
    found = np.zeros((6, 13))
    for row in range(3):
        found[row, row : row + 11] = np.convolve(_skimage_kernel(), [1, 2, 1])
        found[row + 3, row : row + 11] = np.convolve(_skimage_kernel(), [1, 0, -1])[::-1]
    return found
