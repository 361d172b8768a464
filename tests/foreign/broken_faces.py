"""Face backends, each broken in exactly one way."""

from __future__ import annotations

import socket
from contextlib import suppress

import torch
from torch import Tensor

from zoo.face.base import Box
from zoo.face.dlib_backend import DlibDetector, DlibLandmarker
from zoo.registry.spec import FaceSpec


class Blind(DlibDetector):
    def detect(self, picture: Tensor, near: Box | None = None) -> list[Box]:
        return []


class Seer(DlibDetector):
    """Sees a face in the dark."""

    def detect(self, picture: Tensor, near: Box | None = None) -> list[Box]:
        return super().detect(picture, near) or [Box(0, 0, 9, 9)]


class Turned(DlibLandmarker):
    """Rows and columns changed places."""

    def landmarks(self, picture: Tensor, box: Box) -> Tensor:
        return super().landmarks(picture, box).flip(1)


class Shaky(DlibLandmarker):
    def landmarks(self, picture: Tensor, box: Box) -> Tensor:
        return super().landmarks(picture, box) + torch.rand(68, 2)


class Grey:
    """Everybody is the same to it."""

    name, dim = "grey", 3

    def embed(self, faces: Tensor, points: Tensor) -> Tensor:
        return torch.ones(len(faces), 3)


class Asking(DlibDetector):
    def detect(self, picture: Tensor, near: Box | None = None) -> list[Box]:
        with suppress(OSError):
            socket.create_connection(("weights.example.org", 443), timeout=0.1)
        return super().detect(picture, near)


class Nothing:
    """No face backend at all."""


SPECS = {
    cls.__name__: FaceSpec(name=cls.__name__.lower(), summary="a test", target=f"broken_faces:{cls.__name__}")
    for cls in (Blind, Seer, Turned, Shaky, Grey, Asking, Nothing)
}
