"""How a head moves while it talks: sway, turns, blinks, glances and brows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from zoo.media.clip import FPS


@dataclass
class Motion:
    """One value per frame, float64.

    Attributes:
        x, y: shift of the head, pixels.
        roll: tilt, radians.
        scale: size, about 1.
        yaw, pitch: how far the middle of the face moves against its outline, pixels.
        blink: 0 (open) .. 1 (shut).
        brow: how far the brows are raised, pixels.
        gaze_x, gaze_y: shift of the irises, pixels.
    """

    x: Float64[Tensor, " T"]
    y: Float64[Tensor, " T"]
    roll: Float64[Tensor, " T"]
    scale: Float64[Tensor, " T"]
    yaw: Float64[Tensor, " T"]
    pitch: Float64[Tensor, " T"]
    blink: Float64[Tensor, " T"]
    brow: Float64[Tensor, " T"]
    gaze_x: Float64[Tensor, " T"]
    gaze_y: Float64[Tensor, " T"]


def _sway(
    rng: np.random.Generator, time: Float64[np.ndarray, " T"], size: float, rest: float = 0.0
) -> Float64[np.ndarray, " T"]:
    """A slow wander of about ``size`` around a place drawn with spread ``rest``."""
    rates, phases = rng.uniform((0.1, 0.3, 0.6), (0.3, 0.6, 1.0)), rng.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * rates * time[:, None] + phases) @ np.array([0.6, 0.3, 0.15])
    return np.asarray(size * waves + rest * rng.uniform(-1, 1))


def _blinks(rng: np.random.Generator, time: Float64[np.ndarray, " T"]) -> Float64[np.ndarray, " T"]:
    """Blinks of about a quarter of a second, shutting faster than they open, some seconds apart."""
    shut = np.zeros_like(time)
    moment = rng.uniform(-1.5, 2.5)
    while moment < time[-1] + 0.3:
        since = time - moment
        shut = np.maximum(shut, np.clip(np.minimum(1.25 + since / 0.07, 1.5 - since / 0.12), 0, 1))
        moment += rng.uniform(1.4, 4.5)
    return np.asarray(shut * shut * (3 - 2 * shut))


def sample_motion(
    rng: np.random.Generator, frames: int, unit: float, liveliness: float, words: tuple[tuple[float, float], ...]
) -> Motion:
    """Draw how the head moves in one clip.

    Args:
        rng: where chance comes from.
        frames: number of frames at 25 fps.
        unit: pixels between the outer ends of the brows.
        liveliness: size of the movement, about 1.
        words: (start, end) in seconds; the brows rise with one of them.

    Returns:
        One value per frame, taken at the middle of the frame.
    """
    time = (np.arange(frames) + 0.5) / FPS
    live = unit * liveliness
    stressed = words[rng.integers(len(words))]
    middle, rise = sum(stressed) / 2, rng.uniform(0.0, 0.05) * live
    brow = rise * np.exp(-(((time - middle) / 0.25) ** 2)) + _sway(rng, time, 0.008 * live)
    step = rng.uniform(0.3, max(0.4, time[-1]))
    glance = np.where(time < step, rng.uniform(-1, 1), rng.uniform(-1, 1)) * 0.012 * unit
    values = {
        "x": _sway(rng, time, 0.025 * live, 0.05 * unit),
        "y": _sway(rng, time, 0.018 * live, 0.03 * unit),
        "roll": _sway(rng, time, 0.022 * liveliness, 0.03),
        "scale": 1 + _sway(rng, time, 0.008 * liveliness, 0.015),
        "yaw": _sway(rng, time, 0.025 * live, 0.02 * unit),
        "pitch": _sway(rng, time, 0.012 * live, 0.01 * unit),
        "blink": _blinks(rng, time),
        "brow": brow,
        "gaze_x": glance,
        "gaze_y": _sway(rng, time, 0.004 * unit),
    }
    return Motion(**{name: torch.from_numpy(np.asarray(value, dtype=np.float64)) for name, value in values.items()})
