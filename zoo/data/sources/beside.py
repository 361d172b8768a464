"""Labels and arrays of a video, in files beside it: ``clip.labels.json``, ``clip.NAME.array.npy`` of ``clip.mp4``.

Other JSON and NumPy files beside it are others' and are not looked at.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from zoo.data.store.index import check_array_name, check_name, check_shape
from zoo.support.errors import MediaError

ARRAY = ".array.npy"
"""How the name of an array's file ends."""

MOST_BYTES = 2**20
"""Size of a file of labels: more is something else."""


def labels_path(video: Path) -> Path:
    """Where the labels of a video are looked for."""
    return video.with_suffix(".labels.json")


def array_paths(video: Path) -> dict[str, Path]:
    """The files of arrays beside a video, by name."""
    start = f"{video.stem}."
    found = {
        path.name[len(start) : -len(ARRAY)]: path
        for path in sorted(video.parent.iterdir() if video.parent.is_dir() else [])
        if path.name.startswith(start) and path.name.endswith(ARRAY)
    }
    return {name: path for name, path in found.items() if name and "." not in name}


def read_labels(video: Path) -> dict[str, str]:
    """The labels in ``clip.labels.json``, a word by name, such as ``{"emotion": "happy"}``; none without the file.

    Raises:
        MediaError: the file is no such JSON.
    """
    path = labels_path(video)
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MOST_BYTES:
            raise MediaError(f"{path}: too large for labels")
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ValueError('they are words by name, as {"emotion": "happy"}')
        return {check_name(name): value for name, value in found.items()}
    except (OSError, ValueError, RecursionError) as error:
        raise MediaError(f"{path}: cannot be read as labels ({error})") from error


def read_arrays(video: Path) -> dict[str, Float32[Tensor, "_ ..."]]:
    """The arrays in ``clip.NAME.array.npy`` beside a video, by name: one row per picture at 25 fps.

    Returns:
        ``(T, ...)`` float32 each.

    Raises:
        MediaError: a name that an array cannot have, or a file without finite numbers.
    """
    return {name: _read(path, name) for name, path in array_paths(video).items()}


def _read(path: Path, name: str) -> Float32[Tensor, "_ ..."]:
    try:
        check_array_name(name)
        values = np.load(path, allow_pickle=False)
        check_shape(tuple(getattr(values, "shape", ()))[1:])
    except (OSError, ValueError, EOFError) as error:
        raise MediaError(f"{path}: cannot be read as an array ({error})") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.ndim < 1 or not values.size:
        raise MediaError(f"{path}: must hold numbers, one row per picture at 25 fps")
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise MediaError(f"{path}: holds numbers that are not finite")
    return torch.from_numpy(numbers)
