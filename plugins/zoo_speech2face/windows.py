"""Windows of a fixed number of frames, one around every frame of a clip."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def around(frames: Float[Tensor, "*clips T D"], size: int) -> Float[Tensor, "*clips T F D"]:
    """The window around every frame; beyond a clip's ends its first and last frame are held.

    Args:
        frames: numbers of each frame.
        size: frames of a window.

    Example:
        >>> import torch
        >>> around(torch.tensor([[1.0], [2.0], [3.0]]), 3)[..., 0].tolist()
        [[1.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 3.0]]
    """
    count, before = frames.shape[-2], (size - 1) // 2
    at = torch.arange(count, device=frames.device)[:, None] + torch.arange(size, device=frames.device) - before
    return frames[..., at.clamp(0, count - 1), :]


def joined(windows: Float[Tensor, "B T F D"]) -> Float[Tensor, "B T D"]:
    """The frames of a clip out of the windows around them: the mean of all that show a frame, with Hann weights.

    Example:
        >>> import torch
        >>> joined(around(torch.tensor([[[1.0], [2.0], [3.0]]]), 1))[0, :, 0].tolist()
        [1.0, 2.0, 3.0]
    """
    clips, frames, size, numbers = windows.shape
    weights = torch.hann_window(size + 2, periodic=False, dtype=windows.dtype, device=windows.device)[1:-1]
    total = windows.new_zeros(clips, frames + size - 1, numbers)
    count = windows.new_zeros(frames + size - 1, 1)
    for place, weight in enumerate(weights):
        total[:, place : place + frames] += weight * windows[:, :, place]
        count[place : place + frames] += weight
    before = (size - 1) // 2
    return (total / count)[:, before : before + frames]
