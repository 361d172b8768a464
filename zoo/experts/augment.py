"""Random changes of pictures that leave what is said as it is."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def augment(
    frames: Float[Tensor, "B T 3 H W"], *, flip: float = 0.0, jitter: float = 0.0, shift: int = 0
) -> Float[Tensor, "B T 3 H W"]:
    """Mirror, brighten and move clips, every frame of a clip alike.

    Args:
        frames: RGB in [0, 1].
        flip: share of clips that are mirrored.
        jitter: largest relative change of contrast and, halved, absolute change of brightness.
        shift: largest move in pixels, either way; the border is repeated.

    Returns:
        RGB in [0, 1].
    """
    size, device = len(frames), frames.device
    if flip:
        mirrored = torch.rand(size, device=device) < flip
        frames = torch.where(mirrored[:, None, None, None, None], frames.flip(-1), frames)
    if shift:
        height, width = frames.shape[-2:]
        moves = torch.randint(-shift, shift + 1, (size, 2)).tolist()
        rows = [(torch.arange(height, device=device) + y).clamp(0, height - 1) for y, _ in moves]
        columns = [(torch.arange(width, device=device) + x).clamp(0, width - 1) for _, x in moves]
        frames = torch.stack([f[:, :, r][..., c] for f, r, c in zip(frames, rows, columns, strict=True)])
    if jitter:
        shape = (size, 1, 1, 1, 1)
        contrast = 1 + jitter * (2 * torch.rand(shape, device=device) - 1)
        brightness = jitter * (torch.rand(shape, device=device) - 0.5)
        tint = 0.25 * jitter * (torch.rand(size, 1, 3, 1, 1, device=device) - 0.5)
        frames = ((frames - 0.5) * contrast + 0.5 + brightness + tint).clamp(0, 1)
    return frames
