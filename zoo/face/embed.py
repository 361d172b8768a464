"""Face embedders: dlib's 128 numbers, offline, and FaceNet's 512 where the user has the weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from zoo.face.dlib_resnet import CHIP_SIZE, DIM, DlibResNet
from zoo.media.clip import NUM_LANDMARKS
from zoo.support.checkpoint import Unreadable, read_tensors
from zoo.support.errors import ZooError

WEIGHTS_VARIABLE = "ZOO_FACE_EMBEDDER_WEIGHTS"
"""Environment variable that names FaceNet's weights."""

BATCH = 25
"""Faces per pass: on the CPU larger batches are slower, because they leave the cache."""

_DLIB_FILE = "dlib_face_recognition_resnet_model_v1.dat"
_FACENET_SIZE, _FACENET_DIM = 160, 512
# Left out of weights that facenet-pytorch published: the classifier of the training set.
_CLASSIFIER = ("logits.weight", "logits.bias")


def aligned_chips(
    faces: UInt8[Tensor, "T 3 H W"], points: Float32[Tensor, "T 68 2"], size: int
) -> UInt8[Tensor, "T 3 s s"]:
    """Faces upright in the middle, scaled to one size, as dlib cuts them (``get_face_chip``, padding 0.25).

    Args:
        faces: pictures with one face each, RGB, 0..255.
        points: its 68 landmarks in pixels; dlib rounds them to whole pixels.
        size: side in pixels of the result.

    Raises:
        ZooError: dlib is not installed.
    """
    try:
        dlib: Any = import_module("dlib")
    except ImportError as error:
        raise ZooError(
            f"face embeddings need dlib, which cannot be imported ({error}): pip install dlib-bin"
        ) from error
    if points.shape[1:] != (NUM_LANDMARKS, 2) or len(points) != len(faces):
        raise ValueError(f"aligned_chips: needs {len(faces)} x 68 points; got {tuple(points.shape)}")
    chips = np.zeros((len(faces), size, size, 3), dtype=np.uint8)
    rectangle = dlib.rectangle(0, 0, faces.shape[3] - 1, faces.shape[2] - 1)
    pictures = faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    for chip, picture, places in zip(chips, pictures, points.cpu().nan_to_num().round().int().tolist(), strict=True):
        shape = dlib.full_object_detection(rectangle, [dlib.point(x, y) for x, y in places])
        chip[:] = dlib.get_face_chip(picture, shape, size)
    return torch.from_numpy(chips).permute(0, 3, 1, 2)


class DlibEmbedder:
    """dlib's face recognition ResNet; two pictures of one person lie closer than 0.6 (l2), says its author.

    75 faces take 0.5 s on one core and half of that on two.

    Args:
        weights: dlib's file; ``None`` is the one in the package face_recognition_models (public domain).

    Raises:
        ZooError: the file is missing or is no such network.
    """

    name = "dlib-resnet-v1"
    dim = DIM

    def __init__(self, weights: str | Path | None = None) -> None:
        path = Path(weights) if weights is not None else _packaged(_DLIB_FILE)
        if not path.is_file():
            raise ZooError(f"{path}: no such file; face embeddings need it: pip install face_recognition_models")
        self._network = DlibResNet(path)

    def embed(self, faces: UInt8[Tensor, "T 3 H W"], points: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 128"]:
        """See :class:`zoo.face.base.Embedder`."""
        return _run(self._network, aligned_chips(faces, points, CHIP_SIZE).to(faces.device), self.dim)


class FacenetEmbedder:
    """InceptionResnetV1 of facenet-pytorch, embeddings of unit length; its weights are not on PyPI.

    Faces are cut like dlib's, upright and 160 pixels wide (FaceNet was trained on MTCNN's boxes with a margin).

    Args:
        weights: a state dict, such as facenet-pytorch's 20180402-114759-vggface2.pt; ``None`` is the file named by
            ``$ZOO_FACE_EMBEDDER_WEIGHTS``. Nothing is ever downloaded.

    Raises:
        ZooError: no file is named, it is missing, or it holds something else.
    """

    dim = _FACENET_DIM

    def __init__(self, weights: str | Path | None = None) -> None:
        named = weights or os.environ.get(WEIGHTS_VARIABLE)
        if not named:
            raise ZooError(
                f"the facenet embedder needs weights: name facenet-pytorch's 20180402-114759-vggface2.pt in "
                f"${WEIGHTS_VARIABLE}, or use the embedder dlib"
            )
        path = Path(named)
        if not path.is_file():
            raise ZooError(f"{path}: no such file; ${WEIGHTS_VARIABLE} must name weights of facenet-pytorch")
        self._network = _Facenet(_facenet(path))
        self.name = f"facenet-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"

    def embed(self, faces: UInt8[Tensor, "T 3 H W"], points: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 512"]:
        """See :class:`zoo.face.base.Embedder`."""
        return _run(self._network, aligned_chips(faces, points, _FACENET_SIZE).to(faces.device), self.dim)


class _Facenet(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def forward(self, chips: Tensor) -> Tensor:
        return self.network((chips - 127.5) / 128)  # facenet-pytorch's fixed_image_standardization


def _facenet(path: Path) -> nn.Module:
    try:
        network: nn.Module = import_module("facenet_pytorch").InceptionResnetV1(pretrained=None)
    except ImportError as error:
        raise ZooError(
            f"the facenet embedder needs facenet-pytorch, which cannot be imported ({error}): "
            "pip install 'facenet-pytorch>=2.5.3,<2.6'"
        ) from error
    try:
        state = read_tensors(path)
        if not isinstance(state, Mapping):
            raise TypeError(f"it holds a {type(state).__name__}")
        network.load_state_dict({key: value for key, value in state.items() if key not in _CLASSIFIER})
    except (RuntimeError, TypeError, KeyError, Unreadable) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ZooError(f"{path}: not weights of facenet-pytorch's InceptionResnetV1 ({reason})") from error
    return network


def _run(network: nn.Module, chips: Tensor, dim: int) -> Float32[Tensor, "T D"]:
    """The network on batches, on the device of the pictures, in full precision."""
    network.to(chips.device)
    with torch.no_grad(), torch.autocast(chips.device.type, enabled=False):
        parts = [network(chips[start : start + BATCH]) for start in range(0, len(chips), BATCH)]
    return torch.cat(parts) if parts else torch.zeros(0, dim, device=chips.device)


def _packaged(file: str) -> Path:
    # Its files only: importing the package needs pkg_resources, which newer setuptools no longer has.
    package = find_spec("face_recognition_models")
    if package is None or package.origin is None:
        raise ZooError("face embeddings need dlib's network: pip install face_recognition_models")
    return Path(package.origin).parent / "models" / file
