"""LipNet as a plain module."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.methods.nn.blocks import scaled

CLASSES = 28
"""Blank, space and a to z."""


class LipNet(nn.Module):
    """Three spatio-temporal convolutions, two bidirectional GRUs, one linear layer (Assael et al. 2016; authors' code).

    With ``size=128`` and ``width=1`` it has 6,638,844 parameters.

    Args:
        size: width of the input in pixels; it is half as high.
        width: factor on channels and hidden units.
        dropout: share of channels that is dropped.
        batch_norm: normalise after each convolution.
    """

    def __init__(self, size: int = 128, width: float = 1.0, dropout: float = 0.5, *, batch_norm: bool = False) -> None:
        super().__init__()
        c = [scaled(n, width) for n in (32, 64, 96)]
        hidden = scaled(256, width)
        self.conv1 = nn.Conv3d(3, c[0], (3, 5, 5), (1, 2, 2), (1, 2, 2))
        self.conv2 = nn.Conv3d(c[0], c[1], (3, 5, 5), 1, (1, 2, 2))
        self.conv3 = nn.Conv3d(c[1], c[2], (3, 3, 3), 1, (1, 1, 1))
        self.norms = nn.ModuleList(nn.BatchNorm3d(n) if batch_norm else nn.Identity() for n in c)
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.dropout = nn.Dropout3d(dropout)
        self.gru1 = nn.GRU(c[2] * (size // 16) * (size // 32), hidden, bidirectional=True)
        self.gru2 = nn.GRU(2 * hidden, hidden, bidirectional=True)
        self.linear = nn.Linear(2 * hidden, CLASSES)
        self.drop = nn.Dropout(dropout)
        self._initialise()

    def _initialise(self) -> None:
        for module in (self.conv1, self.conv2, self.conv3):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for gru in (self.gru1, self.gru2):
            for name, value in gru.named_parameters():
                nn.init.orthogonal_(value) if "weight" in name else nn.init.zeros_(value)

    def features(self, lips: Float[Tensor, "batch T 3 H W"]) -> Float[Tensor, "batch T F"]:
        """What the last layer reads of every frame.

        Args:
            lips: lower halves of faces, RGB in [0, 1], ``W = size`` and ``H = size / 2``.
        """
        x = lips.transpose(1, 2)
        for conv, norm in zip((self.conv1, self.conv2, self.conv3), self.norms, strict=True):
            x = self.dropout(self.pool(F.relu(norm(conv(x)))))
        x = x.permute(2, 0, 1, 3, 4).flatten(2)  # (T, batch, features)
        x = self.drop(self.gru1(x)[0])
        return self.drop(self.gru2(x)[0]).transpose(0, 1)

    def classify(self, features: Float[Tensor, "batch T F"]) -> Float[Tensor, "batch T 28"]:
        """Natural-log probabilities of blank, space and a to z from :meth:`features`."""
        return self.linear(features).float().log_softmax(-1)

    def forward(self, lips: Float[Tensor, "batch T 3 H W"]) -> Float[Tensor, "batch T 28"]:
        """Natural-log probabilities of blank, space and a to z in every frame (see :meth:`features`)."""
        return self.classify(self.features(lips))
