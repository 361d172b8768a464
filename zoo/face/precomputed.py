"""Landmarks from the user's own tracker, in a file beside the video."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from torch import Tensor

from zoo.face.track import MAX_GAP, FaceTrack
from zoo.media.clip import NUM_LANDMARKS
from zoo.support.errors import MediaError, NoFaceError

# Where dlib's box lies around its 68 points, in units of their spread: measured on 57 frames of 6 GRID speakers.
_SIDE = 2.82
_HIGHER = 0.126


def landmarks_path(video: str | Path) -> Path:
    """Where the landmarks of a video are looked for: ``clip.mp4`` -> ``clip.landmarks.npy`` beside it."""
    video = Path(video)
    return video.with_name(f"{video.stem}.landmarks.npy")


def read_track(video: str | Path, num_frames: int) -> FaceTrack | None:
    """The face track of a video from the file of landmarks beside it, ``None`` where there is no such file.

    The file holds an array ``(T, 68, 2)`` of numbers: x and y in pixels of the video, pixel centres at whole numbers,
    one row per frame. Frames in which the tracker found nothing are NaN and are interpolated.

    Raises:
        MediaError: the file cannot be read, or its array has another shape.
        NoFaceError: more than :data:`zoo.face.track.MAX_GAP` frames in a row are NaN.
    """
    landmarks = read_landmarks(video)
    if landmarks is None:
        return None
    if len(landmarks) != num_frames:
        expected = (num_frames, NUM_LANDMARKS, 2)
        raise MediaError(
            f"{landmarks_path(video)}: must hold numbers of shape {expected}, has {tuple(landmarks.shape)}"
        )
    missing = torch.isnan(landmarks).all(2).all(1).nonzero().flatten().tolist()
    if missing:
        last = next((one for one, two in pairwise(missing) if two > one + 1), missing[-1])
        raise NoFaceError(f"{landmarks_path(video)}: no landmarks in frames {missing[0]} to {last}")
    return FaceTrack(boxes_around(landmarks), landmarks)


def read_landmarks(video: str | Path) -> Float32[Tensor, "T 68 2"] | None:
    """The landmarks in the file beside a video, ``None`` where there is no such file.

    Frames without landmarks are interpolated, or held at the ends, where they are at most
    :data:`zoo.face.track.MAX_GAP` in a row, and NaN where they are more.

    Raises:
        MediaError: the file cannot be read, or its array has another shape.
    """
    path = landmarks_path(video)
    if not path.exists():
        return None
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MediaError(f"{path}: not a NumPy array file ({error})") from error
    shape = getattr(array, "shape", type(array))
    if not isinstance(array, np.ndarray) or shape[1:] != (NUM_LANDMARKS, 2) or array.dtype.kind not in "fiu":
        expected = ("T", NUM_LANDMARKS, 2)
        raise MediaError(f"{path}: must hold numbers of shape {expected}, one row per frame, has {shape}")
    return torch.from_numpy(_bridge(array.astype(np.float64)).astype(np.float32))


def boxes_around(landmarks: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 4"]:
    """Square boxes ``x0, y0, x1, y1`` in pixels around landmarks, about where dlib's detector draws them."""
    spread = landmarks.var(1, correction=0).sum(1, keepdim=True).sqrt()
    centre = landmarks.mean(1) - torch.tensor([0.0, _HIGHER]) * spread
    return torch.cat([centre - spread * _SIDE / 2, centre + spread * _SIDE / 2], 1)


def _bridge(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate frames without landmarks, except in long gaps, which become NaN."""
    known = np.flatnonzero(np.isfinite(array).all((1, 2)))
    if len(known) == 0:
        return np.full_like(array, np.nan)
    flat = array.reshape(len(array), -1)
    columns = [np.interp(np.arange(len(flat)), known, flat[known, i]) for i in range(flat.shape[1])]
    bridged = np.stack(columns, 1).reshape(array.shape)
    edges = [-1, *known.tolist(), len(array)]
    for before, after in pairwise(edges):
        if after - before - 1 > MAX_GAP:
            bridged[before + 1 : after] = np.nan
    return bridged
