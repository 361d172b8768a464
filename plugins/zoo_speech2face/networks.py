"""G from z to a window of face shape and sound, and D on windows."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Generator(nn.Module):
    """Fully connected, batch normalised; or an LSTM that is given z in every frame.

    Args:
        latent: length of z.
        width: channels of the first layer.
        frames: of a window.
        numbers: per frame.
        recurrent: LSTM.
    """

    def __init__(self, latent: int, width: int, frames: int, numbers: int, recurrent: bool) -> None:
        super().__init__()
        self.frames, self.numbers = frames, numbers
        sizes = [latent, width, 2 * width, 2 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.lstm = nn.LSTM(2 * width // frames + 1, width, batch_first=True) if recurrent else None
        self.head = nn.Linear(width, numbers) if recurrent else nn.Linear(2 * width, frames * numbers)

    def forward(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, "N F D"]:
        """Windows, in standard deviations."""
        found = self.body(z)
        if self.lstm is None:
            return self.head(found).unflatten(1, (self.frames, self.numbers))
        size = self.lstm.input_size - 1
        pieces = found[:, : size * self.frames].unflatten(1, (self.frames, size))
        time = torch.linspace(-1, 1, self.frames, device=z.device)[None, :, None].expand(len(z), -1, -1)
        return self.head(self.lstm(torch.cat([pieces, time], 2))[0])


class Discriminator(nn.Module):
    """Fully connected, spectrally normalised."""

    def __init__(self, width: int, frames: int, numbers: int) -> None:
        super().__init__()
        sizes = [frames * numbers, 2 * width, 2 * width, width]
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(sizes):
            layers += [spectral_norm(nn.Linear(before, after)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Linear(width, 1)))

    def forward(self, windows: Float[Tensor, "N F D"]) -> Float[Tensor, " N"]:
        """Logits: large where a window is real."""
        return self.layers(windows)[:, 0]
