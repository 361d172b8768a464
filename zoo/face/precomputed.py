"""Landmarks from the user's own tracker, in a file beside the video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from torch import Tensor

from zoo.clip import NUM_LANDMARKS
from zoo.errors import MediaError, NoFaceError
from zoo.face.track import MAX_GAP, FaceTrack

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
    path = landmarks_path(video)
    if not path.exists():
        return None
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MediaError(f"{path}: not a NumPy array file ({error})") from error
    expected = (num_frames, NUM_LANDMARKS, 2)
    if not isinstance(array, np.ndarray) or array.shape != expected or array.dtype.kind not in "fiu":
        raise MediaError(f"{path}: must hold numbers of shape {expected}, has {getattr(array, 'shape', type(array))}")
    landmarks = torch.from_numpy(_bridge(array.astype(np.float64), path).astype(np.float32))
    return FaceTrack(boxes_around(landmarks), landmarks)


def boxes_around(landmarks: Float32[Tensor, "T 68 2"]) -> Float32[Tensor, "T 4"]:
    """Square boxes ``x0, y0, x1, y1`` in pixels around landmarks, about where dlib's detector draws them."""
    spread = landmarks.var(1, correction=0).sum(1, keepdim=True).sqrt()
    centre = landmarks.mean(1) - torch.tensor([0.0, _HIGHER]) * spread
    return torch.cat([centre - spread * _SIDE / 2, centre + spread * _SIDE / 2], 1)


def _bridge(array: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    known = np.flatnonzero(np.isfinite(array).all((1, 2)))
    edges = np.concatenate([[-1], known, [len(array)]])
    gaps = np.diff(edges) - 1
    if len(known) == 0 or gaps.max() > MAX_GAP:
        first = int(edges[gaps.argmax()]) + 1
        raise NoFaceError(f"{path}: no landmarks in frames {first} to {first + int(gaps.max()) - 1}")
    flat = array.reshape(len(array), -1)
    columns = [np.interp(np.arange(len(flat)), known, flat[known, i]) for i in range(flat.shape[1])]
    return np.stack(columns, 1).reshape(array.shape)
