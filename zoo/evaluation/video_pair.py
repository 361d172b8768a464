"""A generated video beside the real one: what is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from zoo.evaluation.footage import Footage

_ASPECT = 0.01  # by how much two pictures' aspect ratios may differ and still count as one


@dataclass
class VideoPair:
    """A generated video and the real one, as the experts see them.

    Two views are made of the generated video, because two kinds of question are asked. Experts look for its own face:
    :attr:`pred`. Metrics that compare pixel by pixel must look at the same place in both videos: :attr:`pixels`.

    Attributes:
        pred: the generated video, cropped around its own face, with its own sound (or the real one's if it has none).
        real: the real video.
        silence: why lips and sound cannot be compared, in the generated and in the real video; empty where they can.
        text_error: why the text beside the real video cannot be used; empty where it can, or where there is none.
        words_error: the same of its word times.
        place: landmarks that say where the generated crops lie for pixel metrics, where not at the real face's.
    """

    pred: Footage
    real: Footage
    silence: tuple[str, str] = ("", "")
    text_error: str = ""
    words_error: str = ""
    place: Float32[Tensor, "T 68 2"] | None = None

    @property
    def mismatch(self) -> str:
        """Why the pictures cannot be compared pixel by pixel; empty where they can."""
        (h, w), (height, width) = self.pred.frames.shape[2:], self.real.frames.shape[2:]
        if abs(w * height / (h * width) - 1) < _ASPECT or (h - height in (0, 1) and w - width in (0, 1)):
            return ""
        return f"pictures of {w}x{h} have another shape than the real ones of {width}x{height}"

    @cached_property
    def pixels(self) -> tuple[Footage, Footage]:
        """Generated and real video with crops in the same place: that of the real face, or at :attr:`place`.

        A generated video of another size is scaled to the real one's; the row or column that video encoders add to
        odd sizes is cut off.
        """
        pred, real = self.pred, self.real
        if self.place is not None:
            return replace(pred, place=self.place), real
        place = real.landmarks
        missing = len(pred) - len(real)
        if missing > 0:  # longer: both are cropped by one path, held at its end
            place = torch.cat([place, place[-1:].expand(missing, -1, -1)])
            real = replace(real, place=place)
        return replace(pred, frames=_sized(pred.frames, real.frames.shape[2:]), place=place), real


def _sized(frames: UInt8[Tensor, "T 3 H W"], size: Sequence[int]) -> UInt8[Tensor, "T 3 h w"]:
    height, width = size
    if frames.shape[2] - height in (0, 1) and frames.shape[3] - width in (0, 1):
        return frames[:, :, :height, :width]
    return F.interpolate(frames, (height, width), mode="bilinear", antialias=True, align_corners=False)
