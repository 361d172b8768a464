"""Windows of 16 frames that overlap, joined into a clip of any length."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.request import Request
from zoo_at_a_glance.frontend import FRAMES

STRIDE = 8
"""Frames from one window to the next (Sec. 5.1: an overlap of 8)."""


WINDOWS_AT_ONCE = 8
"""How many windows are made together, so that memory does not grow with the clip."""

Render = Callable[[Tensor, Tensor], Tensor]
"""Windows of frames from reference frames and the sound of each window."""


def render_clips(render: Render, request: Request, context: int) -> Float[Tensor, "B T 3 H W"]:
    """Whole clips, some windows at a time; windows are cross-faded (:func:`join`).

    Args:
        render: the method.
        request: what is known of the clips.
        context: samples of a frame's audio window.
    """
    starts = window_starts(request.num_frames)
    sounds = torch.stack([request.part(start, FRAMES).audio_around(context) for start in starts], 1)
    clips = []
    for still, windows in zip(request.stills[:, 0], sounds, strict=True):
        parts = [render(still.expand(len(part), -1, -1, -1), part) for part in windows.split(WINDOWS_AT_ONCE)]
        clips.append(join(torch.cat(parts), request.num_frames))
    return torch.stack(clips)


def window_starts(num_frames: int) -> list[int]:
    """First frames of the windows that cover a clip; the last window may reach beyond its end."""
    return list(range(0, max(num_frames - STRIDE, 1), STRIDE))


def join(windows: Float[Tensor, "K 16 *picture"], num_frames: int) -> Float[Tensor, " T *picture"]:
    """Cross-fade windows that start :data:`STRIDE` frames apart, and cut what is beyond the end.

    The weight of a frame falls linearly from the middle of its window to its edges; the weights of two windows that
    overlap add up to one, and the first and last frames, which one window alone has, are its own.
    """
    place = torch.arange(FRAMES, device=windows.device, dtype=windows.dtype)
    fade = (torch.minimum(place, FRAMES - 1 - place) + 0.5) / STRIDE
    total = STRIDE * (len(windows) - 1) + FRAMES
    result = windows.new_zeros(total, *windows.shape[2:])
    weight = windows.new_zeros(total)
    shape = (FRAMES, *[1] * (windows.dim() - 2))
    for number, window in enumerate(windows):
        span = slice(number * STRIDE, number * STRIDE + FRAMES)
        result[span] += fade.view(shape) * window
        weight[span] += fade
    return (result / weight.view(-1, *shape[1:]))[:num_frames]
