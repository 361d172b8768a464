"""Putting generated crops back into the pictures they were cut from, with a soft seam."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float32, UInt8
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from zoo.face.crop import place_crops, warp
from zoo.registry.spec import InputSpec

LOWER_FROM = 0.5
"""Where the part that lower-half methods draw begins, as a share of the crop's height (below the eyes, on the nose).

The seam lies above it, in the half that such methods are shown: below it nothing of the old mouth may shine through.
"""

SEAM = 0.03
"""Width of the seam (standard deviation of the blur) as a share of the crop's side.

Twice as wide, a frozen mouth laid on real video scored up to 20 % better than a still: the seam let the lips through.
"""


def paste_mask(size: tuple[int, int], part: Literal["all", "lower"]) -> Float32[Tensor, "1 1 H W"]:
    """How much of the generated crop shows at each pixel: 1 inside, 0 at the crop's border, soft in between.

    Args:
        size: height and width of the crop.
        part: what the method draws.
    """
    height, width = size
    sigma = SEAM * min(size)
    rim = round(2.5 * sigma)
    top = round(LOWER_FROM * height - 2 * sigma) if part == "lower" else rim
    mask = torch.zeros(1, 1, height, width)
    mask[..., top : height - rim, rim : width - rim] = 1
    kernel = 2 * round(2.5 * sigma) + 1
    return gaussian_blur2d(mask, (kernel, kernel), (sigma, sigma), border_type="constant")


def paste(
    pictures: UInt8[Tensor, "T 3 H W"],
    crops: Float32[Tensor, "T 3 h w"],
    matrices: Float32[Tensor, "T 2 3"],
    part: Literal["all", "lower"] = "all",
) -> UInt8[Tensor, "T 3 H W"]:
    """Lay generated crops over the pictures, each where its map says; everything else stays as it was, bit for bit.

    Args:
        pictures: 0..255 RGB.
        crops: generated, RGB in [0, 1].
        matrices: pixels of the crop to pixels of the picture (:func:`zoo.face.crop.place_crops`).
        part: what the method draws.

    Returns:
        New pictures, 0..255 RGB.
    """
    height, width = crops.shape[2:]
    mask = paste_mask((height, width), part)
    result = pictures.clone()
    for t, (crop, matrix) in enumerate(zip(crops, matrices, strict=True)):
        x0, y0, x1, y1 = _extent(matrix, (height, width), pictures.shape[2:])
        if x0 >= x1 or y0 >= y1:
            continue
        grid = _grid(matrix, (x0, y0, x1, y1), (height, width))
        # Outside the crop nothing shows, but its last pixels must not be mixed with black.
        alpha = _sample(mask[0], grid, "zeros").clamp(0, 1)
        colour = (_sample(crop, grid, "border") * 255).clamp(0, 255)
        old = pictures[t, :, y0:y1, x0:x1]
        mixed = (alpha * colour + (1 - alpha) * old).round().to(torch.uint8)
        result[t, :, y0:y1, x0:x1] = torch.where(alpha > 1 / 512, mixed, old)
    return result


def _sample(
    picture: Float32[Tensor, "C H W"], grid: Float32[Tensor, "h w 2"], outside: Literal["zeros", "border"]
) -> Float32[Tensor, "C h w"]:
    sampled = F.grid_sample(picture[None], grid[None], mode="bicubic", padding_mode=outside, align_corners=False)
    return sampled[0]


def _extent(matrix: Tensor, size: tuple[int, int], picture: torch.Size) -> tuple[int, int, int, int]:
    """The box of the picture that the crop covers, cut at the picture's edges."""
    height, width = size
    corners = torch.tensor([[x, y, 1.0] for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)])
    points = corners @ matrix.T
    low, high = points.amin(0).floor(), points.amax(0).ceil() + 1
    return (
        max(0, int(low[0])),
        max(0, int(low[1])),
        min(picture[1], int(high[0])),
        min(picture[0], int(high[1])),
    )


def _grid(matrix: Tensor, box: tuple[int, int, int, int], size: tuple[int, int]) -> Float32[Tensor, "h w 2"]:
    """For each pixel of the box, the place in the crop it shows, in grid_sample's units."""
    x0, y0, x1, y1 = box
    xs, ys = torch.meshgrid(torch.arange(x0, x1), torch.arange(y0, y1), indexing="xy")
    points = torch.stack([xs, ys], dim=-1).float() - matrix[:, 2]
    inside = points @ torch.linalg.inv(matrix[:, :2]).T
    return (inside + 0.5) * 2 / torch.tensor([size[1], size[0]]) - 1


def paste_back(
    pictures: UInt8[Tensor, "T 3 H W"],
    crops: Float32[Tensor, "T 3 h w"],
    landmarks: Float32[Tensor, "T 68 2"],
    spec: InputSpec,
) -> UInt8[Tensor, "T 3 H W"]:
    """Generated crops laid back over the native pictures they belong to."""
    return paste(pictures, crops, place_crops(landmarks, spec.crop, spec.size).matrices, spec.paste)


BLANK = 1.25
"""Side of the part of a face that is blanked, in sides of the ``face`` crop: an open jaw and its shadow lie inside."""

BLANK_SIZE = 256
"""Side of that part in pixels while it is moved."""


def blank_lower_face(
    frames: UInt8[Tensor, "T 3 H W"], landmarks: Float32[Tensor, "T 68 2"]
) -> UInt8[Tensor, "T 3 H W"]:
    """A video that tells nothing of its mouth and jaw: in every frame the lower face is that of the first.

    Args:
        frames: 0..255 RGB.
        landmarks: pixels of ``frames``.
    """
    return lay_lower_face(frames, landmarks, frames[:1], landmarks[:1])


def lay_lower_face(
    frames: UInt8[Tensor, "T 3 H W"],
    landmarks: Float32[Tensor, "T 68 2"],
    face: UInt8[Tensor, "1 3 h w"],
    points: Float32[Tensor, "1 68 2"],
) -> UInt8[Tensor, "T 3 H W"]:
    """Lay the lower face of one picture over every frame.

    It is laid where the points lie that speech does not move, so that it follows the head alone.

    Args:
        frames: 0..255 RGB.
        landmarks: pixels of ``frames``.
        face: the picture, 0..255 RGB.
        points: landmarks in pixels of ``face``.
    """
    size = (BLANK_SIZE, BLANK_SIZE)
    to, of = (_wider(place_crops(each, "face", size).matrices, BLANK) for each in (landmarks, points))
    laid = warp(face, of, size).float() / 255
    return paste(frames, laid.expand(len(frames), -1, -1, -1), to, "lower")


def _wider(matrices: Float32[Tensor, "T 2 3"], factor: float) -> Float32[Tensor, "T 2 3"]:
    """The maps of a crop of :data:`BLANK_SIZE` with the same middle and ``factor`` times the side."""
    shift = (1 - factor) * (BLANK_SIZE - 1) / 2
    scale = torch.tensor([[factor, 0.0, shift], [0.0, factor, shift], [0.0, 0.0, 1.0]])
    return matrices @ scale
