"""What a face detector, a landmark predictor and a face embedder are, whatever library does the work."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float32, UInt8
from torch import Tensor


class Box(NamedTuple):
    """A square around one face, brows to chin and ear to ear, as dlib's HOG detector draws it.

    Every detector turns its own boxes into this convention, because landmark predictors start from it.

    Attributes:
        x0: left edge in pixels; whole numbers are pixel centres. It may lie outside the picture.
        y0: upper edge.
        x1: right edge.
        y1: lower edge.
        score: how sure the detector is, on its own scale; larger is surer.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float = 0.0

    @property
    def side(self) -> float:
        """Mean of width and height in pixels."""
        return (self.x1 - self.x0 + self.y1 - self.y0) / 2

    @property
    def area(self) -> float:
        """Width times height in pixels."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    @property
    def centre(self) -> tuple[float, float]:
        """Middle as x and y in pixels."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        shared = max(width, 0.0) * max(height, 0.0)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


@runtime_checkable
class Detector(Protocol):
    """Finds faces in one picture."""

    def detect(self, picture: UInt8[Tensor, "3 H W"], near: Box | None = None) -> list[Box]:
        """Find the faces, largest area first; an empty list where there is none.

        Args:
            picture: RGB, 0..255, on any device.
            near: look only around this box, where a face was a moment ago: faster, and content with a less clear face.
        """
        ...


@runtime_checkable
class Landmarker(Protocol):
    """Finds the 68 points of one face."""

    def landmarks(self, picture: UInt8[Tensor, "3 H W"], box: Box) -> Float32[Tensor, "68 2"]:
        """Points as x and y in pixels (pixel centres at whole numbers) of the face in ``box``, in iBUG 300-W order.

        There is always an answer, sensible or not: whether there is a face in the box is the detector's business.
        """
        ...


@runtime_checkable
class Embedder(Protocol):
    """Tells who a face is: pictures of one person lie close together."""

    @property
    def name(self) -> str:
        """What stands in the signature of a metric, with a hash where the weights are the user's."""
        ...

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        ...

    def embed(self, faces: UInt8[Tensor, "T 3 H W"], points: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T D"]:
        """One embedding per picture.

        Args:
            faces: pictures with one face each, RGB, 0..255, on the device that is to do the work.
            points: the face's 68 landmarks in pixels of the picture.

        Returns:
            ``(T, dim)`` on the device of ``faces``. There is always an answer, also where there is no face.
        """
        ...
