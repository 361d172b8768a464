"""A linear operator that tells from the sound how lips move, so that the two can be held against each other.

After Slaney and Covell, "FaceSync: A linear operator for measuring synchronization of video facial images and audio
tracks" (NIPS 2000); landmarks in place of pixels make it independent of who talks. ``benchmarks/av_offset.py`` fits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Float64, UInt8
from torch import Tensor
from torch.nn import functional as F

from zoo.face.mouth import eye_distance, lip_gap
from zoo.media import audio
from zoo.methods.nn.frontend import Mel

SERIES = ("inner opening", "outer opening", "width", "brightness", "motion")
"""What is measured of a mouth in every frame; it darkens where it opens."""

COEFFICIENTS = 16
"""Cepstral coefficients of the log-mel that describe a frame's sound."""

CONTEXT = 4
"""Frames before and after that have a say in what the lips do: 0.16 s, about a vowel."""

TREND = 12
"""Frames either way of the weighted mean that is taken off: what is slower than half a second is the sentence's shape,
which all sentences share, and tells nothing of the offset."""

DAMPING = 3000.0
"""Added to the diagonal of the normal equations (ridge)."""

_UPPER_OUTER, _LOWER_OUTER = (50, 51, 52), (58, 57, 56)


class Operator(NamedTuple):
    """What is fitted.

    Attributes:
        weights: ``(9 * 16, 5)``: frames in time order, in each the coefficients, to :data:`SERIES` in units of a clip's
            standard deviation.
        scale: ``(16,)`` standard deviations of the coefficients.
        calibration: ``(3,)``: log-odds that the best offset is right to one frame, per unit of peak and of lead (see
            :func:`zoo.evaluation.analyze.av_offset.evidence`), and at zero of both.
    """

    weights: Float64[Tensor, "144 5"]
    scale: Float64[Tensor, " 16"]
    calibration: Float64[Tensor, " 3"]


@cache
def shipped() -> Operator:
    """The operator that comes with the zoo: fitted on 120 clips of one speaker of GRID (CC BY 4.0) and SynthGRID."""
    from safetensors.torch import load

    data = (resources.files("zoo.evaluation.analyze") / "lips_from_sound.safetensors").read_bytes()
    return Operator(**{name: value.double() for name, value in load(data).items()})


def lip_series(landmarks: Float32[Tensor, "T 68 2"], mouths: UInt8[Tensor, "T 3 H W"]) -> Float64[Tensor, "T 5"]:
    """Measure the mouth in every frame: :data:`SERIES`, lengths in distances of the eyes, brightness in [0, 1].

    Args:
        landmarks: in pixels of any picture.
        mouths: crops around them, RGB 0..255; the middle of the crop is the mouth.
    """
    points = landmarks.double()
    eyes = eye_distance(landmarks).median().clamp_min(1e-6)
    inner = lip_gap(landmarks)
    outer = (points[:, _UPPER_OUTER] - points[:, _LOWER_OUTER]).norm(dim=-1).mean(1) / eyes
    width = (points[:, 48] - points[:, 54]).norm(dim=-1) / eyes
    grey = mouths.double().mean(1) / 255
    height, across = grey.shape[1:]
    middle = grey[:, 5 * height // 16 : 11 * height // 16, across // 4 : 3 * across // 4].mean((1, 2))
    motion = F.pad(grey.diff(dim=0).abs().mean((1, 2)), (1, 0))
    return torch.stack([inner, outer, width, middle, motion], 1)


def sound_series(wave: Float[Tensor, " S"], frames: int) -> Float64[Tensor, "T 16"]:
    """What every frame hears: cepstral coefficients of the mean log-mel of the 87 ms around its middle.

    Args:
        wave: the clip's sound in [-1, 1] at 16 kHz.
        frames: number of frames.
    """
    from scipy.fft import dct

    mel = _mel()
    heard = audio.per_frame(audio.widen(wave[None], frames, mel.samples), frames, mel.samples)[0]
    bands = mel(heard)[:, 0].double().mean(2)
    return torch.from_numpy(dct(bands.numpy(), axis=1, norm="ortho")[:, :COEFFICIENTS])


@cache
def _mel() -> Mel:
    return Mel(4)


def without_trend(series: Float64[Tensor, "T n"]) -> Float64[Tensor, "T n"]:
    """Take off what is slower than :data:`TREND`: the mean over its neighbours, weighted by a Hann window."""
    window = torch.hann_window(2 * TREND + 3, periodic=False, dtype=series.dtype)[1:-1].view(1, 1, -1)
    count = series.shape[1]
    sums = F.conv1d(series.T[:, None], window, padding=TREND)[:, 0].T
    weights = F.conv1d(torch.ones(1, 1, len(series), dtype=series.dtype), window, padding=TREND)[0, 0]
    return series - sums / weights[:, None].expand(-1, count)


def standardised(series: Float64[Tensor, "T n"]) -> Float64[Tensor, "T n"]:
    """Each column with mean 0 and standard deviation 1; a column that stands still is 0."""
    return (series - series.mean(0)) / (series.std(0, correction=0) + 1e-6)


def in_context(sound: Float64[Tensor, "T 16"], scale: Float64[Tensor, " 16"]) -> Float64[Tensor, "T 144"]:
    """Every frame's coefficients and those of its neighbours, less the clip's mean, without trend."""
    level = ((sound - sound.mean(0)) / scale).T[None]
    padded = F.pad(level, (CONTEXT, CONTEXT), mode="replicate")[0].T
    frames = padded.unfold(0, 2 * CONTEXT + 1, 1).transpose(1, 2).flatten(1)
    return without_trend(frames)


def lips_of(series: Float64[Tensor, "T 5"]) -> Float64[Tensor, "T 5"]:
    """What the operator is held against: :func:`lip_series`, each in its own units and without trend."""
    return without_trend(standardised(series))


def predict(sound: Float64[Tensor, "T 16"], operator: Operator) -> Float64[Tensor, "T 5"]:
    """How the lips should move, by the sound (:func:`sound_series`)."""
    return in_context(sound, operator.scale) @ operator.weights


def fit(
    clips: Sequence[tuple[Float64[Tensor, "_ 5"], Float64[Tensor, "_ 16"]]],
) -> tuple[Float64[Tensor, "144 5"], Float64[Tensor, " 16"]]:
    """Fit weights and scale by ridge regression.

    Args:
        clips: :func:`lip_series` and :func:`sound_series` of clips that are in sync.
    """
    scale = torch.cat([sound for _, sound in clips]).std(0, correction=0)
    heard = torch.cat([in_context(sound, scale) for _, sound in clips])
    lips = torch.cat([lips_of(series) for series, _ in clips])
    normal = heard.T @ heard + DAMPING * torch.eye(heard.shape[1], dtype=heard.dtype)
    return torch.linalg.solve(normal, heard.T @ lips), scale
