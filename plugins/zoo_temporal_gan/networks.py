"""Generator and discriminators of the temporal GAN as plain modules.

Pictures go through them as RGB in [-1, 1] and as a flat list of ``N`` frames, those of the first clip first. Clips of
different length need no padding there: ``lengths`` tells where each ends.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.methods.nn.blocks import scaled

CODE, HIDDEN = 256, 256
"""Elements of the sound's code, and of the context encoding that the 2-layer GRU makes of it (paper, 2.1.2)."""

SMALLEST = (4, 3)
"""Height and width of the smallest feature map: 128x96 halved five times (released model)."""


def picture_channels(height: int, width: float) -> list[int]:
    """Channels after each halving of a picture: 64, 128, ... 1024 for the published 128x96."""
    return [scaled(64 * 2**k, width) for k in range(round(math.log2(height / SMALLEST[0])))]


def prime_factors(number: int) -> list[int]:
    """Ascending."""
    found, factor = [], 2
    while number > 1:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return found


def valid_frames(lengths: Int64[Tensor, " B"], frames: int) -> Bool[Tensor, "B T"]:
    """Which of ``frames`` frames of each clip are no padding."""
    return torch.arange(frames, device=lengths.device)[None] < lengths[:, None]


def spread(flat: Float[Tensor, "N D"], lengths: Int64[Tensor, " B"]) -> Float[Tensor, "B T D"]:
    """A flat list of frames as one row per clip, zeros after its end."""
    valid = valid_frames(lengths, int(lengths.max()))
    rows = flat.new_zeros(*valid.shape, flat.shape[1])
    rows[valid] = flat
    return rows


class SoundEncoder(nn.Module):
    """1-D convolutions over the raw samples of one frame's window; batch normalisation and ReLU, the code through tanh.

    The first kernel is 5 ms long with a stride of 1 ms. What is left, one step per millisecond, is divided by its prime
    factors: stride ``s`` with a kernel of ``2 s``, the last one as a whole. Channels double from 16 to the code's 256
    (rule of the released model).

    Args:
        window_s: seconds per window.
        sample_rate: samples per second.
    """

    def __init__(self, window_s: float, sample_rate: int) -> None:
        super().__init__()
        hop, steps = round(sample_rate / 1000), round(window_s * 1000)
        factors = prime_factors(steps)
        self.samples = hop * steps
        layers: list[nn.Module] = []
        cin, cout = 1, 16
        for kernel, stride in [(5 * hop, hop), *((2 * s, s) for s in factors[:-1])]:
            padding = math.ceil((kernel - stride) / 2)
            layers += [nn.Conv1d(cin, cout, kernel, stride, padding), nn.BatchNorm1d(cout), nn.ReLU(inplace=True)]
            cin, cout = cout, min(2 * cout, CODE)
        self.layers = nn.Sequential(*layers, nn.Conv1d(cin, CODE, factors[-1]), nn.Tanh())

    def forward(self, windows: Float[Tensor, "N samples"]) -> Float[Tensor, "N 256"]:
        """Codes in [-1, 1] of windows in [-1, 1]."""
        return self.layers(windows[:, None])[..., 0]


class IdentityEncoder(nn.Module):
    """Strided 4x4 convolutions with batch normalisation and ReLU, then one over all that is left, through tanh.

    Args:
        channels: after each halving.
        dim: elements of the encoding.
    """

    def __init__(self, channels: list[int], dim: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(cin, cout, 4, 2, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True))
            for cin, cout in zip([3, *channels], channels, strict=False)
        )
        self.code = nn.Sequential(nn.Conv2d(channels[-1], dim, SMALLEST, bias=False), nn.Tanh())

    def forward(self, stills: Float[Tensor, "B 3 H W"]) -> tuple[Float[Tensor, "B Z"], list[Tensor]]:
        """The encoding, and the feature maps for the decoder, large ones first."""
        maps, x = [], stills
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return self.code(x)[..., 0, 0], maps


class DecoderBlock(nn.Module):
    """One step up of the decoder: a 3x3 transposed convolution over frame and still, one of 4x4 that doubles the size.

    The still's share of the first is the same for all frames of a clip, so it is computed once for each clip; the sum
    is what the convolution of both, one behind the other, gives.

    Args:
        cin: channels of the frame's features, and of the still's.
        cout: channels of the result.
    """

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.mix = nn.ConvTranspose2d(2 * cin, cin, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(cin)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True)
        )

    def forward(
        self, x: Float[Tensor, "N C h w"], still: Float[Tensor, "B C h w"], clip: Int64[Tensor, " N"]
    ) -> Float[Tensor, "N D h2 w2"]:
        """Features of frames with those of their clip's still, twice as high and wide."""
        frames, stills = self.mix.weight.chunk(2)
        mixed = F.conv_transpose2d(x, frames, padding=1) + F.conv_transpose2d(still, stills, padding=1)[clip]
        return self.up(F.relu(self.norm(mixed)))


class FrameDecoder(nn.Module):
    """Draws frames from latent vectors; a U-Net with the maps of the identity encoder, all but the largest.

    Args:
        channels: those of the identity encoder.
        latent: elements of the latent vector.
    """

    def __init__(self, channels: list[int], latent: int) -> None:
        super().__init__()
        top = channels[::-1]
        self.seed = nn.Sequential(
            nn.ConvTranspose2d(latent, top[0], SMALLEST, bias=False), nn.BatchNorm2d(top[0]), nn.ReLU(inplace=True)
        )
        self.blocks = nn.ModuleList(DecoderBlock(cin, cout) for cin, cout in pairwise(top))
        self.output = nn.Sequential(nn.ConvTranspose2d(top[-1], 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(
        self, latent: Float[Tensor, "N latent"], maps: list[Tensor], clip: Int64[Tensor, " N"]
    ) -> Float[Tensor, "N 3 H W"]:
        """Frames, RGB in [-1, 1].

        Args:
            latent: one vector per frame.
            maps: of the identity encoder, one row per clip, large ones first.
            clip: which row each frame belongs to.
        """
        x = self.seed(latent[..., None, None])
        for block, still in zip(self.blocks, maps[::-1], strict=False):
            x = block(x, still, clip)
        return self.output(x)


class Memory(NamedTuple):
    """What the recurrent parts remember between frames: hidden states of both GRUs, ``None`` before the first frame."""

    context: Float[Tensor, "2 B 256"] | None = None
    noise: Float[Tensor, "1 B noise"] | None = None


class Generator(nn.Module):
    """Sound, identity and noise encodings, and the decoder that makes a frame of them.

    Args:
        identity_dim: elements of the identity encoding.
        window_s: seconds of sound per frame.
        sample_rate: samples per second.
        noise_dim: elements of the noise, 0 is none.
        height: of the pictures in pixels.
        width: factor on the channels of the picture networks.
        temporal: with the GRUs over sound and noise; without them every frame stands by itself.
    """

    def __init__(
        self,
        identity_dim: int,
        window_s: float,
        sample_rate: int,
        noise_dim: int = 10,
        height: int = 128,
        width: float = 1.0,
        *,
        temporal: bool = True,
    ) -> None:
        super().__init__()
        channels = picture_channels(height, width)
        self.noise_dim = noise_dim
        self.sound = SoundEncoder(window_s, sample_rate)
        self.identity = IdentityEncoder(channels, identity_dim)
        self.context = nn.GRU(CODE, HIDDEN, 2, batch_first=True) if temporal else None
        self.noise = nn.GRU(noise_dim, noise_dim, 1, batch_first=True) if temporal and noise_dim else None
        self.decoder = FrameDecoder(channels, HIDDEN + identity_dim + noise_dim)

    def latent(
        self,
        windows: Float[Tensor, "N samples"],
        noise: Float[Tensor, "N noise"],
        lengths: Int64[Tensor, " B"],
        memory: Memory,
    ) -> tuple[Float[Tensor, "N both"], Memory]:
        """Context and noise encodings of every frame, and what is remembered after the last one.

        The GRUs run from left to right, so what a shorter clip is filled up with comes after all its frames.
        """
        context = self.sound(windows)
        if self.context is None:
            return torch.cat([context, noise], 1), memory
        valid = valid_frames(lengths, int(lengths.max()))
        rows, heard = self.context(spread(context, lengths), memory.context)
        context, shaken = rows[valid], None
        if self.noise is not None:
            rows, shaken = self.noise(spread(noise, lengths), memory.noise)
            noise = rows[valid]
        return torch.cat([context, noise], 1), Memory(heard, shaken)

    def forward(
        self,
        stills: Float[Tensor, "B 3 H W"],
        windows: Float[Tensor, "N samples"],
        noise: Float[Tensor, "N noise"],
        lengths: Int64[Tensor, " B"],
    ) -> Float[Tensor, "N 3 H W"]:
        """All frames of some clips.

        Args:
            stills: RGB in [-1, 1], one per clip.
            windows: the sound of every frame, in [-1, 1].
            noise: Gaussian, one vector per frame.
            lengths: frames of each clip; ``N`` is their sum.

        Returns:
            RGB in [-1, 1].
        """
        identity, maps = self.identity(stills)
        latent, _ = self.latent(windows, noise, lengths, Memory())
        return self.draw(
            latent, identity, maps, torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths)
        )

    def draw(
        self,
        latent: Float[Tensor, "N both"],
        identity: Float[Tensor, "B Z"],
        maps: list[Tensor],
        clip: Int64[Tensor, " N"],
    ) -> Float[Tensor, "N 3 H W"]:
        """Frames of latent vectors and of the still of the clip that each belongs to."""
        return self.decoder(torch.cat([latent[:, :HIDDEN], identity[clip], latent[:, HIDDEN:]], 1), maps, clip)


class PictureEncoder(nn.Sequential):
    """The discriminators' 6-layer CNN: as the identity encoder, with LeakyReLU 0.2 and a bare first and last layer.

    Args:
        cin: channels of the picture, 6 with its condition.
        channels: after each halving.
        dim: elements of the result.
    """

    def __init__(self, cin: int, channels: list[int], dim: int) -> None:
        layers: list[nn.Module] = []
        for before, after in zip([cin, *channels], channels, strict=False):
            norm = [nn.BatchNorm2d(after)] if layers else []
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=not norm), *norm, nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(channels[-1], dim, SMALLEST), nn.Flatten())


class FrameDiscriminator(nn.Module):
    """Is this frame a real one of the person on the still? The still is concatenated along the channels.

    Args:
        height: of the pictures in pixels.
        width: factor on the channels.
    """

    def __init__(self, height: int = 128, width: float = 1.0) -> None:
        super().__init__()
        self.encoder = PictureEncoder(6, picture_channels(height, width), 1)

    def forward(self, frames: Float[Tensor, "N 3 H W"], stills: Float[Tensor, "N 3 H W"]) -> Float[Tensor, " N"]:
        """Logits, real is positive; RGB in [-1, 1]."""
        return self.encoder(torch.cat([frames, stills], 1))[:, 0]


class SequenceDiscriminator(nn.Module):
    """Are these frames and this sound one real video? Both are encoded frame by frame for a 2-layer GRU.

    Args:
        window_s: seconds of sound per frame.
        sample_rate: samples per second.
        height: of the pictures in pixels.
        width: factor on the channels of the picture encoder.
    """

    def __init__(self, window_s: float, sample_rate: int, height: int = 128, width: float = 1.0) -> None:
        super().__init__()
        self.picture = PictureEncoder(3, picture_channels(height, width), CODE)
        self.sound = SoundEncoder(window_s, sample_rate)
        self.memory = nn.GRU(2 * CODE, HIDDEN, 2, batch_first=True)
        self.classifier = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, 1))

    def forward(
        self, frames: Float[Tensor, "N 3 H W"], windows: Float[Tensor, "N samples"], lengths: Int64[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        """Logits, real is positive, judged at the last frame of each clip; RGB in [-1, 1]."""
        codes = torch.cat([self.picture(frames), self.sound(windows)], 1)
        rows, _ = self.memory(spread(codes, lengths))
        last = rows[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        return self.classifier(last)[:, 0]
