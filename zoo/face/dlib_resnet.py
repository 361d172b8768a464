"""dlib's face recognition network in PyTorch: its weights file is read directly, so that it runs in batches, fast."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.support.errors import ZooError

CHIP_SIZE = 150
"""Side in pixels of the aligned faces that the network was trained on."""

DIM = 128
"""Length of an embedding."""

_MEAN = (122.782, 117.001, 104.298)  # subtracted from red, green and blue (dlib, input_rgb_image)
_SCALE = 256.0
# Channels of the residual blocks in their order, and whether they halve the picture (dlib, dnn_face_recognition_ex.cpp:
# "ResNet-34 with a few layers removed and the number of filters per layer reduced by half").
_BLOCKS = (
    *[(32, False)] * 3,
    *[(64, True), (64, False), (64, False), (64, False)],
    *[(128, True), (128, False), (128, False)],
    *[(256, True), (256, False), (256, False)],
    (256, True),
)
_VERSION = 2  # of dlib's tensors in files: raw little-endian float32


class DlibResNet(nn.Module):
    """The ResNet with 29 convolutions behind ``dlib.face_recognition_model_v1``, equal to it within 1e-5.

    dlib's wheels run it without BLAS in 73 ms per face on one core; this takes a tenth of that and uses a GPU where the
    pictures are on one. Each scale and shift after a convolution (batch statistics, frozen) is folded into it.

    Args:
        weights: dlib's file ``dlib_face_recognition_resnet_model_v1.dat``.

    Raises:
        ZooError: the file is no such network.
    """

    mean: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        self.blocks = nn.ModuleList()
        before = 32
        for channels, halved in _BLOCKS:
            self.blocks.append(_Block(before, channels, halved))
            before = channels
        self.head = nn.Linear(before, DIM, bias=False)
        self._read(weights)
        self.requires_grad_(False).eval()

    def forward(self, chips: UInt8[Tensor, "n 3 150 150"]) -> Float32[Tensor, "n 128"]:
        """Embeddings of aligned faces, RGB, 0..255 (:func:`dlib.get_face_chip` with its own padding of 0.25)."""
        x = ((chips - self.mean) / _SCALE).contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))

    @torch.no_grad()
    def _read(self, path: Path) -> None:
        file = _File(path)
        convolutions = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        for convolution in convolutions:
            size, channels = convolution.weight.numel(), convolution.out_channels
            parameters = file.floats(b"con_4", size + channels)
            weight, bias = parameters[:size], parameters[size:]
            factor, shift = file.floats(b"affine_", 2 * channels).chunk(2)
            convolution.weight.copy_(weight.view_as(convolution.weight) * factor.view(-1, 1, 1, 1))
            assert convolution.bias is not None
            convolution.bias.copy_(bias * factor + shift)
        self.head.weight.copy_(file.floats(b"fc_2", self.head.weight.numel()).view(-1, DIM).T)


class _Block(nn.Module):
    """Two convolutions beside a shortcut, which is the picture itself or its 2x2 means."""

    def __init__(self, before: int, channels: int, halved: bool) -> None:
        super().__init__()
        self.halved = halved
        # dlib pads nothing where it takes steps.
        self.first = nn.Conv2d(before, channels, 3, stride=2 if halved else 1, padding=0 if halved else 1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x)))
        shortcut = F.avg_pool2d(x, 2) if self.halved else x
        if shortcut.shape != y.shape:
            # dlib adds arrays of different sizes as if the smaller one ended in zeros: rows, columns and channels.
            size = [max(pair) for pair in zip(y.shape[1:], shortcut.shape[1:], strict=True)]
            y, shortcut = _extend(y, size), _extend(shortcut, size)
        return F.relu(y + shortcut)


def _extend(x: Tensor, size: list[int]) -> Tensor:
    channels, height, width = (new - old for new, old in zip(size, x.shape[1:], strict=True))
    return F.pad(x, (0, width, 0, height, 0, channels))


class _File:
    """Arrays in a file of dlib's, in their order: the name of a layer, then its parameters."""

    def __init__(self, path: Path) -> None:
        self._path, self._data, self._at = path, path.read_bytes(), 0

    def floats(self, layer: bytes, count: int) -> Tensor:
        """The parameters of the next layer of that name; there must be ``count`` of them."""
        name = b"\x01" + bytes([len(layer)]) + layer
        self._at = self._data.find(name, self._at) + len(name)
        if self._at < len(name):
            raise self._wrong()
        if layer == b"fc_2":  # its numbers of outputs and inputs stand first
            self._integer(), self._integer()
        shape = [self._integer() for _ in range(5)]
        if shape[0] != _VERSION or shape[1] * shape[2] * shape[3] * shape[4] != count:
            raise self._wrong()
        values = self._data[self._at : self._at + 4 * count]
        if len(values) != 4 * count:
            raise self._wrong()
        self._at += 4 * count
        return torch.frombuffer(bytearray(values), dtype=torch.float32)

    def _integer(self) -> int:
        """The next number: how many bytes follow, then those, lowest first."""
        if self._at >= len(self._data):
            raise self._wrong()
        length = self._data[self._at] & 0x0F
        self._at += 1 + length
        return int.from_bytes(self._data[self._at - length : self._at], "little")

    def _wrong(self) -> ZooError:
        return ZooError(
            f"{self._path}: not dlib's face recognition network (dlib_face_recognition_resnet_model_v1.dat)"
        )
