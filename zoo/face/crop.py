"""Which part of the picture a method sees: boxes and alignments from landmarks, and the one warp that cuts them out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from zoo.media.clip import MOUTH
from zoo.registry.spec import Crop

STABLE = (33, 36, 39, 42, 45)
"""Points that speech does not move, nose base and eye corners: what temporal GANs align (Vougioukas et al. 2019)."""

# Where the stable points lie on a mean face whose eye centres are at (-0.5, 0) and (0.5, 0), y pointing down:
# the mean of dlib's 68 points over 97 frames of six GRID speakers.
TEMPLATE = ((0.031, 0.796), (-0.699, 0.004), (-0.289, 0.017), (0.291, 0.019), (0.694, -0.003))

FACE_CENTRE, FACE_SIDE = (0.0, 0.9), 2.8
"""The ``face`` box in eye distances: its upper half ends between nose and lips, and an open jaw stays inside."""

MOUTH_SIDE = 1.3
"""Side of the ``mouth`` box in mouth widths (code of "At a Glance", Chen et al. 2018: 0.65 to either side)."""

STORE_MARGIN = 1.25
"""How much larger than the ``face`` box the region kept in a store is, so that other crops find pixels."""

POSITION_SIGMA, SIZE_SIGMA = 1.5, 8.0
"""Smoothing of box centres and sides over time, in frames: detector jitter goes, head movement stays."""


def fit_similarity(landmarks: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 2 3"]:
    """Least-squares similarity that maps the mean face onto the stable points of each frame.

    Args:
        landmarks: pixels.

    Returns:
        ``(T, 2, 3)``: mean face (eye distances) to pixels, in closed form (Umeyama 1991, in the plane).
    """
    target = torch.view_as_complex(landmarks[:, list(STABLE)].contiguous())
    template = torch.view_as_complex(landmarks.new_tensor(TEMPLATE))
    centred = template - template.mean()
    spin = ((target - target.mean(1, keepdim=True)) * centred.conj()).sum(1) / centred.abs().square().sum()
    shift = target.mean(1) - spin * template.mean()
    rows = torch.stack([spin.real, -spin.imag, shift.real, spin.imag, spin.real, shift.imag], dim=1)
    return rows.view(-1, 2, 3)


def upright(landmarks: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 68 2"]:
    """Shapes without the head's place, turn and size: in distances of the eyes, as the mean face lies."""
    fit = fit_similarity(landmarks)
    return torch.einsum("tij,tpj->tpi", torch.linalg.inv(fit[:, :, :2]), landmarks - fit[:, None, :, 2])


def smoothed(landmarks: Float32[Tensor, "T 68 2"], sigma: float) -> Float32[Tensor, "T 68 2"]:
    """Gaussian mean over time, ``sigma`` in frames; at the ends the window is cut and re-weighted."""
    return _smooth(landmarks.flatten(1), sigma).view_as(landmarks)


def face_boxes(landmarks: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 3"]:
    """Centre x, centre y and side in pixels of the square ``face`` box of each frame.

    Only points that speech does not move decide, so the box tells nothing about the mouth: a box that follows the chin
    would show the method how far the jaw is open.
    """
    fit = fit_similarity(landmarks)
    scale = fit[:, :, 0].norm(dim=1)
    centre = torch.einsum("tij,j->ti", fit, landmarks.new_tensor((*FACE_CENTRE, 1.0)))
    return _smooth_boxes(centre, FACE_SIDE * scale)


def mouth_boxes(landmarks: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 3"]:
    """Centre x, centre y and side in pixels of the square ``mouth`` box of each frame."""
    lips = landmarks[:, MOUTH]
    width = (lips.amax(1) - lips.amin(1))[:, 0]
    return _smooth_boxes(lips.mean(1), MOUTH_SIDE * width.median().expand_as(width))


def _smooth_boxes(centre: Float32[Tensor, "T 2"], side: Float32[Tensor, " T"]) -> Float32[Tensor, "T 3"]:
    return torch.cat([_smooth(centre, POSITION_SIGMA), _smooth(side[:, None], SIZE_SIGMA)], dim=1)


def _smooth(values: Float32[Tensor, "T n"], sigma: float) -> Float32[Tensor, "T n"]:
    """Gaussian mean over time; at the ends the window is cut and re-weighted."""
    reach = min(math.ceil(6 * sigma), len(values) - 1)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=values.dtype) / sigma) ** 2)[None, None]
    # A mean of differences from the first frame: large coordinates would cost digits.
    series = torch.cat([values - values[:1], torch.ones_like(values[:, :1])], dim=1).T[:, None]
    sums = F.conv1d(series, weights, padding=reach)[:, 0].T
    return values[:1] + sums[:, :-1] / sums[:, -1:]


def crop_boxes(landmarks: Float32[Tensor, "T 68 2"], crop: Crop) -> Int64[Tensor, "T 4"]:
    """Whole-pixel boxes ``x0, y0, x1, y1`` (right and bottom excluded) of a square crop; may reach outside the picture.

    Args:
        landmarks: pixels of the picture.
        crop: ``face`` or ``mouth``.
    """
    boxes = face_boxes(landmarks) if crop == "face" else mouth_boxes(landmarks)
    side = boxes[:, 2:].round().clamp(min=2)
    corner = (boxes[:, :2] - side / 2 + 0.5).round()
    return torch.cat([corner, corner + side], dim=1).long()


def store_box(landmarks: Float32[Tensor, "T 68 2"], height: int, width: int) -> tuple[int, int, int, int]:
    """The one region of a clip that a store keeps: all face boxes of the clip with a margin, inside the picture.

    Returns:
        ``(x0, y0, x1, y1)`` in pixels, right and bottom excluded.
    """
    boxes = face_boxes(landmarks)
    centre, side = boxes[:, :2], boxes[:, 2:]
    low = (centre - STORE_MARGIN * side / 2).amin(0).floor()
    high = (centre + STORE_MARGIN * side / 2).amax(0).ceil()
    x0, y0 = (int(v) for v in low.clamp(min=0))
    return x0, y0, min(int(high[0]), width), min(int(high[1]), height)


def cut_boxes(
    frames: UInt8[Tensor, "T 3 H W"], boxes: Int64[Tensor, "T 4"], size: tuple[int, int]
) -> UInt8[Tensor, "T 3 h w"]:
    """Cut one box out of each frame and scale it once, with anti-aliasing; outside the picture the edge is repeated.

    Args:
        frames: 0..255.
        boxes: from :func:`crop_boxes`.
        size: height and width of the result.

    Returns:
        ``(T, 3, h, w)`` uint8, 0..255.
    """
    # Boxes of one size are scaled in one call, channels last: twice as fast as picture by picture.
    groups: dict[tuple[int, int], list[int]] = {}
    corners = boxes.tolist()
    for number, (x0, y0, x1, y1) in enumerate(corners):
        groups.setdefault((y1 - y0, x1 - x0), []).append(number)
    result = frames.new_empty(len(corners), *size, 3).permute(0, 3, 1, 2)
    for extent, members in groups.items():
        regions = frames.new_empty(len(members), *extent, 3).permute(0, 3, 1, 2)
        for region, number in zip(regions, members, strict=True):
            region.copy_(_region(frames[number], corners[number]))
        scaled = F.interpolate(regions, size, mode="bilinear", antialias=True, align_corners=False)
        if len(groups) == 1:
            return scaled
        result[members] = scaled
    return result


def _region(frame: UInt8[Tensor, "3 H W"], box: list[int]) -> UInt8[Tensor, "3 h w"]:
    """A box of a frame; outside the picture its edge is repeated."""
    x0, y0, x1, y1 = box
    height, width = frame.shape[1:]
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
        return frame[:, y0:y1, x0:x1]
    rows = torch.arange(y0, y1).clamp(0, height - 1)
    columns = torch.arange(x0, x1).clamp(0, width - 1)
    return frame[:, rows][:, :, columns]


def box_matrices(boxes: Int64[Tensor, "T 4"], size: tuple[int, int]) -> Float32[Tensor, "T 2 3"]:
    """The maps from crop pixels to picture pixels that :func:`cut_boxes` applies (pixel centres whole)."""
    x0, y0, x1, y1 = boxes.float().unbind(1)
    sx, sy = (x1 - x0) / size[1], (y1 - y0) / size[0]
    zero = torch.zeros_like(sx)
    rows = [sx, zero, x0 + 0.5 * sx - 0.5, zero, sy, y0 + 0.5 * sy - 0.5]
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def aligned_matrices(landmarks: Float32[Tensor, "T 68 2"], size: tuple[int, int]) -> Float32[Tensor, "T 2 3"]:
    """The maps from pixels of the ``aligned`` crop to pixels of the picture: mean face centred, as wide as the crop."""
    fit = fit_similarity(smoothed(landmarks, POSITION_SIGMA))
    height, width = size
    unit = FACE_SIDE / min(height, width)
    x, y = FACE_CENTRE
    to_face = landmarks.new_tensor(
        [[unit, 0, x - unit * (width - 1) / 2], [0, unit, y - unit * (height - 1) / 2], [0, 0, 1]]
    )
    return fit @ to_face


def sample(picture: Float32[Tensor, "3 H W"], places: Float32[Tensor, "h w 2"]) -> Float32[Tensor, "3 h w"]:
    """The colours at some places of a picture, bicubic; outside it the edge is repeated.

    Args:
        picture: RGB in [0, 1].
        places: x and y in pixels, pixel centres at whole numbers.

    Returns:
        RGB in [0, 1].
    """
    grid = (places + 0.5) / places.new_tensor([picture.shape[2], picture.shape[1]]) * 2 - 1
    found = F.grid_sample(picture[None], grid[None], mode="bicubic", padding_mode="border", align_corners=False)
    return found[0].clamp(0, 1)


def warp(
    frames: UInt8[Tensor, "T 3 H W"], matrices: Float32[Tensor, "T 2 3"], size: tuple[int, int]
) -> UInt8[Tensor, "T 3 h w"]:
    """Sample each frame once along an affine map, averaging over a pixel's area where the picture is made smaller.

    Args:
        frames: 0..255.
        matrices: pixels of the result to pixels of the frame.
        size: height and width of the result.

    Returns:
        ``(T, 3, h, w)`` uint8, 0..255; outside the picture the edge is repeated.
    """
    height, width = size
    fold = max(1, math.ceil(float(matrices[:, :, 0].norm(dim=1).max())))
    # In grid_sample's units, -1 to 1 across the picture. An affine map is a part along x and a part along y.
    scale = 2 / matrices.new_tensor([frames.shape[3], frames.shape[2]])
    across = ((torch.arange(width * fold) + 0.5) / fold - 0.5)[:, None] * (matrices[:, None, :, 0] * scale)
    down = ((torch.arange(height * fold) + 0.5) / fold - 0.5)[:, None] * (matrices[:, None, :, 1] * scale)
    down = down + ((matrices[:, :, 2] + 0.5) * scale - 1)[:, None]
    result = frames.new_empty(len(frames), frames.shape[1], height, width)
    for t, frame in enumerate(frames):  # one by one: the finer picture stays in the processor's cache
        grid = (across[t, None] + down[t, :, None])[None]
        sampled = F.grid_sample(frame[None].float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
        result[t] = F.avg_pool2d(sampled, fold)[0].round().clamp(0, 255)
    return result


@dataclass(frozen=True)
class Crops:
    """Where a method's crop lies in every frame of a clip.

    Attributes:
        size: height and width of the crop in pixels.
        matrices: ``(T, 2, 3)`` maps from pixels of the crop to pixels of the picture.
        boxes: ``(T, 4)`` whole-pixel boxes (:func:`crop_boxes`); ``None`` where the crop is turned (``aligned``).
    """

    size: tuple[int, int]
    matrices: Float32[Tensor, "T 2 3"]
    boxes: Int64[Tensor, "T 4"] | None

    def cut(self, frames: UInt8[Tensor, "n 3 H W"], which: Sequence[int]) -> UInt8[Tensor, "n 3 h w"]:
        """Cut the crop out of some frames, scaled once.

        Args:
            frames: the pictures numbered ``which``, 0..255.
            which: their numbers in the clip.
        """
        index = list(which)
        if self.boxes is None:
            return warp(frames, self.matrices[index], self.size)
        return cut_boxes(frames, self.boxes[index], self.size)


def place_crops(landmarks: Float32[Tensor, "T 68 2"], crop: Crop, size: tuple[int, int]) -> Crops:
    """Where a crop lies in every frame, from landmarks in pixels of the picture."""
    if crop == "aligned":
        return Crops(size, aligned_matrices(landmarks, size), None)
    boxes = crop_boxes(landmarks, crop)
    return Crops(size, box_matrices(boxes, size), boxes)


def map_points(points: Float32[Tensor, "T P 2"], matrices: Float32[Tensor, "T 2 3"]) -> Float32[Tensor, "T P 2"]:
    """Bring points of the picture into pixels of the crop (the inverse of the crop's maps)."""
    linear, shift = matrices[:, :, :2], matrices[:, :, 2]
    return torch.linalg.solve(linear, (points - shift[:, None]).mT).mT
