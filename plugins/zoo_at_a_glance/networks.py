"""Generator, correlation networks and discriminator of At a Glance as plain modules (Appendix A)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.methods.nn.blocks import Pair, scaled
from zoo_at_a_glance.frontend import COLUMNS, LogMel

SIZE = 64
"""Height and width of the mouths in pixels (Sec. 5.1)."""

FLOW_SIZE = 16
"""Height and width of flow and frames in the correlation networks and the third stream: FlowNetS' finest level."""

Triple = tuple[int, int, int]


def channels(count: int, width: float) -> int:
    """A published channel count, thinned."""
    return scaled(count, width, least=4)


def conv2d(cin: int, cout: int, kernel: Pair = 3, stride: Pair = 1, padding: int = 1) -> nn.Sequential:
    """Appendix A's "Conv": convolution without bias, batch normalisation, ReLU."""
    conv = nn.Conv2d(cin, cout, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU(inplace=True))


def conv3d(cin: int, cout: int, kernel: int, stride: int | Triple, *, norm: bool = True) -> nn.Sequential:
    """The same in space and time, padded by 1; the first of a stream has no normalisation, but a bias."""
    conv = nn.Conv3d(cin, cout, kernel, stride, 1, bias=not norm)
    return nn.Sequential(conv, *([nn.BatchNorm3d(cout)] if norm else []), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two 3x3 convolutions with batch normalisation, the input added (pix2pix)."""

    def __init__(self, count: int) -> None:
        super().__init__()
        second = nn.Sequential(nn.Conv2d(count, count, 3, padding=1, bias=False), nn.BatchNorm2d(count))
        self.body = nn.Sequential(conv2d(count, count), second)

    def forward(self, x: Float[Tensor, "batch C H W"]) -> Float[Tensor, "batch C H W"]:
        """Same shape out as in."""
        return x + self.body(x)


def sound_layers(width: float) -> nn.Sequential:
    """The four convolutions of Tables 4 and 9: ``(1, 64, 128)`` to ``(256, 16, 32)``, time by mel."""
    c = [channels(n, width) for n in (32, 64, 128, 256)]
    return nn.Sequential(
        conv2d(1, c[0]), conv2d(c[0], c[1], stride=2), conv2d(c[1], c[2]), conv2d(c[2], c[3], stride=2)
    )


class Generator(nn.Module):
    """Sound and a still become 16 mouths (Tables 4, 5 and 6).

    Args:
        width: factor on the channel counts.
        last_kernel: side of the last convolution.
        residual_blocks: how many.
    """

    def __init__(self, width: float = 1.0, last_kernel: int = 7, residual_blocks: int = 9) -> None:
        super().__init__()
        c = {n: channels(n, width) for n in (64, 128, 256)}
        self.sound = nn.Sequential(*sound_layers(width), nn.MaxPool2d((1, 2)))
        self.identity = nn.Sequential(
            nn.ReflectionPad2d(3),
            conv2d(3, c[64], 7, padding=0),
            conv2d(c[64], c[128], stride=2),
            conv2d(c[128], c[256], stride=2),
        )
        self.compress = nn.Sequential(
            nn.Conv3d(2 * c[256], c[256], 3, padding=1, bias=False), nn.BatchNorm3d(c[256]), nn.ReLU(inplace=True)
        )
        # The table's kernels are 1x3x3: every frame by itself, so two dimensions do the same work in less time.
        self.residuals = nn.Sequential(*[Residual(c[256]) for _ in range(residual_blocks)])
        self.up = nn.Sequential(_up(c[256], c[128]), _up(c[128], c[64]))
        self.last = nn.Sequential(nn.Conv3d(c[64], 3, last_kernel, padding=last_kernel // 2), nn.Tanh())

    def use_channels_last(self) -> Generator:
        """Lay memory out so that no part has to rearrange what the one before it made."""
        for part in (self.sound, self.identity, self.residuals):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for part in (self.compress, self.up, self.last):
            part.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        return self

    def encode(self, features: Float[Tensor, "batch 1 64 128"]) -> Float[Tensor, "batch C 16 16"]:
        """Features of the sound, frame by frequency; the correlation loss takes their derivative."""
        return self.sound(features)

    def draw(
        self, identity: Float[Tensor, "batch 3 64 64"], sound: Float[Tensor, "batch C 16 16"]
    ) -> Float[Tensor, "batch 16 3 64 64"]:
        """Fuse and decode.

        Args:
            identity: the still, RGB in [-1, 1].
            sound: of :meth:`encode`.

        Returns:
            RGB in [-1, 1].
        """
        who = self.identity(identity)
        frames = sound.shape[2]
        # Sec. 3.1: the still's features are copied for every frame, those of the sound along a second axis.
        copied = who[:, :, None].expand(-1, -1, frames, -1, -1)
        spread = sound[..., None].expand(-1, -1, -1, -1, who.shape[-1])
        x = self.compress(torch.cat([copied, spread], dim=1))
        x = self.residuals(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (-1, frames)).transpose(1, 2)
        return self.last(self.up(x)).transpose(1, 2)

    def forward(
        self, identity: Float[Tensor, "batch 3 64 64"], features: Float[Tensor, "batch 1 64 128"]
    ) -> Float[Tensor, "batch 16 3 64 64"]:
        """:meth:`encode`, then :meth:`draw`."""
        return self.draw(identity, self.encode(features))


def _up(cin: int, cout: int) -> nn.Sequential:
    up = nn.ConvTranspose3d(cin, cout, 3, (1, 2, 2), padding=1, output_padding=(0, 1, 1), bias=False)
    return nn.Sequential(up, nn.BatchNorm3d(cout), nn.ReLU(inplace=True))


class SoundDerivative(nn.Module):
    """Audio derivative encoder (Table 7): four convolutions that see 9 steps and keep the time.

    Args:
        width: factor on the channel counts.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        c = [channels(n, width) for n in (256, 128, 64, 32)]
        self.layers = nn.Sequential(
            *[conv2d(cin, cout, stride=(1, 2)) for cin, cout in zip(c, [*c[1:], 16], strict=True)]
        )

    def forward(self, sound: Float[Tensor, "batch C T 16"]) -> Float[Tensor, "batch T"]:
        """One number per step: the mean over the 16 channels."""
        return self.layers(sound).mean((1, 3))


class FlowEncoder(nn.Module):
    """Optical flow encoder (Table 8): four 3-D convolutions that see 9 steps and keep the time.

    Args:
        given: channels of its input: 2 of flow, 3 of frames.
    """

    def __init__(self, given: int = 2) -> None:
        super().__init__()
        c = [given, 4, 8, 16, 16]
        self.layers = nn.Sequential(*[conv3d(a, b, 3, (1, 2, 2)) for a, b in pairwise(c)])

    def forward(self, motion: Float[Tensor, "batch C T 16 16"]) -> Float[Tensor, "batch T"]:
        """One number per step: the mean over the 16 channels."""
        return self.layers(motion).mean((1, 3, 4))


class SoundStream(nn.Module):
    """The discriminator's audio stream (Table 9): a vector, copied to 4x4."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.layers = sound_layers(width)
        out = channels(256, width)
        self.vector = nn.Sequential(nn.Linear(out * COLUMNS // 4 * LogMel.bands // 4, out), nn.ReLU(inplace=True))

    def forward(self, features: Float[Tensor, "batch 1 64 128"]) -> Float[Tensor, "batch C 1 4 4"]:
        """See the class."""
        found = self.vector(self.layers(features).flatten(1))
        return found[:, :, None, None, None].expand(-1, -1, -1, 4, 4)


class Discriminator(nn.Module):
    """Do sound, video and motion belong to a real clip? (Sec. 4.2, Tables 9, 10 and 11).

    Args:
        width: factor on the channel counts.
        streams: ``two``: no stream of motion, and a video stream twice as wide at its end; ``three``: a stream of
            optical flow; ``difference``: a stream of differences of frames.
    """

    def __init__(self, width: float = 1.0, streams: Literal["two", "three", "difference"] = "three") -> None:
        super().__init__()
        c = {n: channels(n, width) for n in (64, 128, 256, 512)}
        self.sound = SoundStream(width)
        seen = c[256] if streams != "two" else 2 * c[256]
        self.video = nn.Sequential(
            conv3d(3, c[64], 4, 2, norm=False),
            conv3d(c[64], c[128], 4, 2),
            conv3d(c[128], c[256], 4, 2),
            conv3d(c[256], seen, 4, (1, 2, 2)),
        )
        self.motion = None
        if streams != "two":
            self.motion = nn.Sequential(
                conv3d(2 if streams == "three" else 3, c[64], 3, 2, norm=False),
                conv3d(c[64], c[128], 3, (2, 1, 1)),
                conv3d(c[128], c[256], 3, 2),
                conv3d(c[256], c[256], 3, (2, 1, 1)),
            )
        head = conv3d(3 * c[256], c[512], 3, 1)
        self.head = nn.Sequential(head, nn.Conv3d(c[512], 1, (1, 4, 4)))

    def look(
        self, video: Float[Tensor, "batch 16 3 64 64"], motion: Float[Tensor, "batch 15 M 16 16"] | None
    ) -> Float[Tensor, "batch C 1 4 4"]:
        """Features of what is seen.

        Args:
            video: RGB in [-1, 1].
            motion: flow in pixels of the 64x64 picture per frame, or differences of frames; ``None`` with two streams.
        """
        seen = self.video(video.transpose(1, 2))
        if self.motion is None or motion is None:
            return seen
        return torch.cat([seen, self.motion(motion.transpose(1, 2))], dim=1)

    def judge(
        self, heard: Float[Tensor, "batch C 1 4 4"], seen: Float[Tensor, "batch D 1 4 4"]
    ) -> Float[Tensor, " batch"]:
        """Logit of being real, in float32; the published sigmoid is part of the loss."""
        return self.head(torch.cat([heard, seen], dim=1)).flatten().float()

    def forward(
        self,
        features: Float[Tensor, "batch 1 64 128"],
        video: Float[Tensor, "batch 16 3 64 64"],
        motion: Float[Tensor, "batch 15 M 16 16"] | None,
    ) -> Float[Tensor, " batch"]:
        """:meth:`judge` of what is heard and seen."""
        return self.judge(self.sound(features), self.look(video, motion))


def initialise(network: nn.Module) -> None:
    """Kaiming initialisation of all convolutions and linear layers (Sec. 5.1: He et al. 2015)."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose3d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
