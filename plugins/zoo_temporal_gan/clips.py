"""Batches of clips of different length as the temporal GAN's networks take them: flat lists of frames."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from zoo.data.batch import Batch


class Clips(NamedTuple):
    """The frames of a batch that count, as the networks want them.

    Attributes:
        stills: RGB in [-1, 1], one per clip.
        frames: RGB in [-1, 1], the true ones, clip by clip.
        windows: each frame's audio window, at the sound encoder's rate.
        lengths: frames of each clip; ``N`` is their sum.
        clip: which clip each frame is of.
        landmarks: in pixels of ``frames``.
    """

    stills: Float[Tensor, "B 3 H W"]
    frames: Float[Tensor, "N 3 H W"]
    windows: Float[Tensor, "N samples"]
    lengths: Int64[Tensor, " B"]
    clip: Int64[Tensor, " N"]
    landmarks: Float[Tensor, "N 68 2"]


def sampled_frames(lengths: Int64[Tensor, " B"], count: int) -> Int64[Tensor, " n"]:
    """S(x): ``count`` frames of every clip, uniformly, as indices of the flat list."""
    ends = lengths.cumsum(0)
    share = torch.rand(len(lengths), count, device=lengths.device)
    return ((ends - lengths)[:, None] + (share * lengths[:, None]).long()).flatten()


def mirrored(batch: Batch, share: float) -> Batch:
    """The batch with some of its clips mirrored: pictures, stills and where the lips are."""
    if not share:
        return batch
    turned = (torch.rand(len(batch.clip), device=batch.frames.device) < share)[:, None, None, None]
    points = batch.landmarks * batch.landmarks.new_tensor([-1, 1])
    points[..., 0] += batch.frames.shape[-1] - 1
    stills = batch.given.stills
    identity = replace(batch.given.identity, frames=torch.where(turned[..., None], stills.flip(-1), stills))
    return replace(
        batch,
        given=replace(batch.given, identity=identity),
        frames=torch.where(turned[..., None], batch.frames.flip(-1), batch.frames),
        landmarks=torch.where(turned, points, batch.landmarks),
    )
