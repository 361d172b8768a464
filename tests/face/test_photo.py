"""Faces in a real photograph (NASA's portrait of Eileen Collins, in the public domain, from scikit-image)."""

from __future__ import annotations

import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

from zoo.face.track import find_face
from zoo.support.errors import NoFaceError

FACE = (222.0, 125.0)
"""Where the middle of her face is, in pixels."""


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return torch.from_numpy(astronaut()).permute(2, 0, 1)


@pytest.mark.parametrize("detector", ["dlib", "mtcnn"])
def test_the_largest_face_is_a_face(photo, detector):
    box, landmarks = find_face(photo, detector=detector)
    assert box.centre == pytest.approx(FACE, abs=12)
    nose = landmarks[30]
    assert torch.dist(nose, torch.tensor(FACE)) < 20


def test_there_is_only_one(photo):
    with pytest.raises(NoFaceError, match="no face 1 "):
        find_face(photo, face_index=1)
