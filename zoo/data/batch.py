"""The typed batch that every method is fed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Float32, Int64, Shaped
from torch import Tensor

from zoo.clip import Word


@dataclass
class Batch:
    """``B`` windows of ``T`` frames, cut as the method's :class:`zoo.spec.InputSpec` says.

    Pictures are uint8 0..255 while they travel and float32 in [0, 1] when a method sees them (:meth:`unit`).

    Attributes:
        clip: ids of the clips, ``B`` strings.
        first: ``(B,)`` index of the window's first frame in its clip.
        frames: ``(B, T, 3, H, W)`` RGB, 25 fps: the true pictures.
        identity: ``(B, N, 3, H, W)`` RGB: who is to talk.
        wave: ``(B, S)`` float32 in [-1, 1], 16 kHz. Of a training window: what its frames hear
            (:func:`zoo.audio.frame_window`), for :func:`zoo.audio.per_frame`. Of a whole test clip: its own sound, for
            :meth:`zoo.method.TalkingFaceMethod.generate`.
        landmarks: ``(B, T, 68, 2)`` float32 in pixels of ``frames``.
        length: ``(B,)`` frames that count; later ones are padding.
        words: the words of each whole clip, with their times in seconds from the clip's first frame; empty if unknown.
    """

    clip: list[str]
    first: Int64[Tensor, " B"]
    frames: Shaped[Tensor, "B T 3 H W"]
    identity: Shaped[Tensor, "B N 3 H W"]
    wave: Float32[Tensor, "B S"]
    landmarks: Float32[Tensor, "B T 68 2"]
    length: Int64[Tensor, " B"]
    words: list[tuple[Word, ...]]

    def unit(self) -> Batch:
        """The same batch with pictures as float32 in [0, 1]."""
        return replace(self, frames=self.frames.float() / 255, identity=self.identity.float() / 255)
