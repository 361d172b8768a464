"""What the LipGAN family shares: faces whose lower half is hidden, and clips drawn frame by frame."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

DRAWN_AT_ONCE = 32
"""Frames of a clip that are drawn together, so that memory does not grow with it."""

Draw = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Makes frames from reference faces, target faces and what each frame hears."""


def mask_lower_half(faces: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch H W"]:
    """The pose prior: the face with its lower half black, so that the true mouth stays hidden."""
    masked = faces.clone()
    masked[..., faces.shape[-2] // 2 :, :] = 0
    return masked


def draw_clips(
    draw: Draw,
    reference: Float[Tensor, "B 3 H W"],
    heard: Float[Tensor, "B T context"],
    pose: Float[Tensor, "B T 3 H W"] | None,
) -> Float[Tensor, "B T 3 H W"]:
    """Whole clips, some frames at a time.

    Args:
        draw: the method.
        reference: who is to talk, RGB in [0, 1].
        heard: what each frame hears.
        pose: the true video, whose upper half is shown; ``None``: the reference stands still.

    Returns:
        RGB in [0, 1].
    """
    count, frames = heard.shape[:2]
    made = heard.new_empty(count, frames, *reference.shape[1:])
    for b in range(count):
        for t in range(0, frames, DRAWN_AT_ONCE):
            sound = heard[b, t : t + DRAWN_AT_ONCE]
            still = reference[b].expand(len(sound), -1, -1, -1)
            made[b, t : t + DRAWN_AT_ONCE] = draw(still, still if pose is None else pose[b, t : t + len(sound)], sound)
    return made
