"""Methods that generate landmarks: their pictures are the photograph itself, warped."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.face.crop import fit_similarity
from zoo.face.mouth import close_mouth
from zoo.face.warp import FaceWarp
from zoo.methods.method import TalkingFaceMethod


class LandmarkMethod(TalkingFaceMethod):
    """A method that says how the landmarks of a face move; :class:`zoo.face.warp.FaceWarp` draws it.

    Subclasses implement :meth:`motion`. The picture is that of the first reference frame with its mouth closed and then
    moved; ``zoo predict`` draws on the pictures of the photograph or the video themselves (:class:`MovedFace`), so that
    they stay as sharp as they are.
    """

    @abstractmethod
    def motion(self, request: Request) -> Float32[Tensor, "B T 68 2"]:
        """How far the landmarks are from where they lie with the mouth closed.

        Returns:
            x and y of an upright face (:func:`zoo.face.crop.upright`), in distances of the eyes.
        """

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.generate`."""
        moved = self.motion(request).cpu()
        made = [
            MovedFace(picture, points).render(motion)
            for picture, points, motion in zip(
                request.stills[:, 0].float().cpu(), request.identity.points[:, 0].cpu(), moved, strict=True
            )
        ]
        return torch.stack(made).to(request.stills)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.reconstruct`."""
        mode = self.spec.default_mode
        return self.generate(batch.given.only(mode, self.spec.uses(mode)))


@dataclass(frozen=True)
class MovedFace:
    """One picture of a face that moves as motions say.

    Args:
        picture: RGB in [0, 1].
        points: its landmarks in pixels.
    """

    picture: Float32[Tensor, "3 H W"]
    points: Float32[Tensor, "68 2"]

    def render(self, motion: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 3 H W"]:
        """The picture moved.

        Args:
            motion: from the closed mouth, of an upright face in distances of the eyes.

        Returns:
            RGB in [0, 1]; what does not move is the picture, bit for bit.
        """
        return self.warp.render(self.closed + motion @ self.turn.T)

    @cached_property
    def warp(self) -> FaceWarp:
        """Of the picture."""
        return FaceWarp(self.picture, self.points)

    @cached_property
    def closed(self) -> Float32[Tensor, "68 2"]:
        """Its landmarks with the mouth closed, in pixels."""
        return close_mouth(self.points)

    @cached_property
    def turn(self) -> Float32[Tensor, "2 2"]:
        """From an upright face in distances of the eyes to pixels, without the place."""
        return fit_similarity(self.points[None])[0, :, :2]
