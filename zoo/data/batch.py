"""The typed batch that every method and expert is fed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor

from zoo.data.request import Pictures, Request, later, map_tensors
from zoo.media.clip import Word
from zoo.registry.spec import Uses


@dataclass
class Batch:
    """``B`` windows of ``T`` frames, or whole clips, cut as the method's :class:`zoo.registry.spec.InputSpec` says.

    Pictures are uint8 0..255 while they travel and float32 in [0, 1] when a method sees them (:meth:`unit`).

    Attributes:
        given: all that a method may know: reference frames, sound, and what else its modes use. The sound of a training
            window is all that its frames' audio windows hold; that of a test clip is the clip's own.
        clip: ids of the clips, ``B`` strings.
        first: ``(B,)`` index of the window's first frame in its clip.
        frames: ``(B, T, 3, H, W)`` RGB, 25 fps: the true pictures.
        landmarks: ``(B, T, 68, 2)`` float32 in pixels of ``frames``.
        length: ``(B,)`` frames that count; later ones are padding.
    """

    given: Request
    clip: list[str]
    first: Int64[Tensor, " B"]
    frames: Shaped[Tensor, "B T 3 H W"]
    landmarks: Float32[Tensor, "B T 68 2"]
    length: Int64[Tensor, " B"]

    def unit(self) -> Batch:
        """The same batch with pictures as float32 in [0, 1], and the true video as the driver."""
        frames, stills = self.frames.float() / 255, self.given.identity.frames
        identity = replace(self.given.identity, frames=None if stills is None else stills.float() / 255)
        driver = Pictures(frames=frames, points=self.landmarks)
        return replace(self, frames=frames, given=replace(self.given, identity=identity, driver=driver))

    def only(self, mode: str, uses: Uses) -> Batch:
        """The same batch in which no more is given than a mode uses (:meth:`zoo.data.request.Request.only`)."""
        return replace(self, given=self.given.only(mode, uses))

    def to(self, device: torch.device | str, **how: Any) -> Batch:
        """The same on a device."""
        return map_tensors(self, lambda tensor: tensor.to(device, **how))

    def pin_memory(self) -> Batch:
        """The same in memory from which a GPU can copy by itself."""
        return map_tensors(self, Tensor.pin_memory)

    @property
    def words(self) -> list[tuple[Word, ...]]:
        """The words of each whole clip, with their times in seconds from its first frame; empty where unknown."""
        return [later(words, -first) for words, first in zip(self.given.words, self.first.tolist(), strict=True)]

    @property
    def identity(self) -> Shaped[Tensor, "B N 3 H W"]:
        """The reference frames, as api_version 1 has them."""
        return self.given.stills

    @property
    def wave(self) -> Float32[Tensor, "B S"]:
        """The sound, as api_version 1 has it."""
        assert self.given.sound is not None
        return self.given.sound
