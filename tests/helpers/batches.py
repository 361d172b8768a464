"""Batches and requests out of plain tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import Pictures, Request
from zoo.media.clip import NUM_LANDMARKS, Word


def pictures(frames: Tensor, points: Tensor | None = None) -> Pictures:
    """Frames whose landmarks nobody asks for, if none are given."""
    if points is None:
        points = torch.full((*frames.shape[:2], NUM_LANDMARKS, 2), torch.nan)
    return Pictures(frames=frames, points=points)


def request(stills: Tensor, sound: Tensor | None, num_frames: int, driver: Tensor | None = None) -> Request:
    """A request for whole clips: reference frames ``(B, N, 3, H, W)``, the clips' own sound ``(B, S)``."""
    seen = None if driver is None else pictures(driver)
    return Request(num_frames=num_frames, identity=pictures(stills), sound=sound, driver=seen)


def window_batch(
    frames: Tensor,
    stills: Tensor,
    sound: Tensor,
    landmarks: Tensor,
    *,
    context: int,
    words: Sequence[tuple[Word, ...]] | None = None,
    length: Tensor | None = None,
) -> Batch:
    """Training windows: ``sound`` is that of all audio windows of ``context`` samples; the true video is the driver."""
    size, count = frames.shape[:2]
    given = Request(
        num_frames=count,
        identity=pictures(stills),
        sound=sound,
        start=context // 2 - 320,
        driver=pictures(frames, landmarks),
        words=tuple(words or [()] * size),
    )
    return Batch(
        given=given,
        clip=[f"c{k}" for k in range(size)],
        first=torch.zeros(size, dtype=torch.long),
        frames=frames,
        landmarks=landmarks,
        length=torch.full((size,), count) if length is None else length,
    )


def given_other(batch: Batch, **changes: object) -> Batch:
    """The batch with other fields of what is given; ``stills`` are the reference frames."""
    if "stills" in changes:
        changes["identity"] = replace(batch.given.identity, frames=changes.pop("stills"))  # type: ignore[arg-type]
    return replace(batch, given=replace(batch.given, **changes))  # type: ignore[arg-type]


def random_windows(size: int, frames: int, side: int, context: int) -> Batch:
    """Windows of noise, the same at every call; landmarks lie in the middle of pictures of ``side`` pixels."""
    random = torch.Generator().manual_seed(0)
    landmarks = torch.rand(size, frames, 68, 2, generator=random) * 20 + 40
    return window_batch(
        frames=torch.rand(size, frames, 3, side, side, generator=random),
        stills=torch.rand(size, 1, 3, side, side, generator=random),
        sound=torch.rand(size, context + 640 * (frames - 1), generator=random) - 0.5,
        landmarks=landmarks,
        context=context,
    )
