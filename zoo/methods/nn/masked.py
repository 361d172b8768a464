"""What the LipGAN family shares: faces whose lower half is hidden, and clips drawn frame by frame."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from zoo.data.request import Request

DRAWN_AT_ONCE = 32
"""Frames of a clip that are drawn together, so that memory does not grow with it."""

Draw = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Frames from reference faces, target faces and the audio window of each frame."""


def mask_lower_half(faces: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch H W"]:
    """The pose prior: the face with its lower half black, so that the true mouth stays hidden."""
    masked = faces.clone()
    masked[..., faces.shape[-2] // 2 :, :] = 0
    return masked


def draw_clips(draw: Draw, request: Request, context: int) -> Float[Tensor, "B T 3 H W"]:
    """Whole clips, some frames at a time.

    Args:
        draw: the method.
        request: with the driver's upper half; without a driver the reference frame stands still.
        context: samples of each frame's audio window.

    Returns:
        RGB in [0, 1].
    """
    stills = request.stills[:, 0]
    generated = stills.new_empty(len(stills), request.num_frames, *stills.shape[1:])
    for number, part in enumerate(request.parts(DRAWN_AT_ONCE)):
        windows, first = part.audio_windows(context), number * DRAWN_AT_ONCE
        for b, still in enumerate(stills):
            reference = still.expand(part.num_frames, -1, -1, -1)
            target = reference if part.driver is None or part.driver.frames is None else part.driver.frames[b]
            generated[b, first : first + part.num_frames] = draw(reference, target, windows[b])
    return generated
