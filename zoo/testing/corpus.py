"""The tiny corpus that methods and experts are tried on: six drawn clips, made once and kept in the cache."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from zoo import __version__
from zoo.data.module import cache_folder
from zoo.data.prepare import prepare
from zoo.data.sources.base import RawClip, SourceItem
from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.registry.spec import MethodSpec, TrainableSpec

FRAMES = 40
"""Frames of each clip: 1.6 s."""

Labels = tuple[tuple[str, tuple[str, ...]], ...]

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class Labelled(SynthGrid):
    """Drawn clips with labels, and with arrays that tell of the face.

    Args:
        labels: values by name; each clip has the one after that of the clip before it.
        shapes: of one frame's entry, by name.
        **settings: as those of :class:`.SynthGrid`.
    """

    def __init__(self, labels: Labels = (), shapes: Shapes = (), **settings: int) -> None:
        super().__init__(None, **settings)
        self.labels, self.shapes = labels, shapes

    def read(self, item: SourceItem) -> RawClip:
        """See :meth:`.SynthGrid.read`."""
        clip, number = super().read(item), int(item.id.rsplit("-", 1)[1])
        assert clip.landmarks is not None
        clip.labels = {name: values[number % len(values)] for name, values in self.labels}
        clip.arrays = {name: entries(clip.landmarks, shape) for name, shape in self.shapes}
        return clip


def entries(landmarks: Float32[Tensor, "T 68 2"], shape: tuple[int, ...]) -> Float32[Tensor, "T ..."]:
    """Numbers in about [-1, 1] that move with a face, so many for each frame: where its points lie, mouth first."""
    points = torch.cat([landmarks[:, 48:], landmarks[:, :48]], 1).flatten(1)
    points = (points - points.mean()) / points.std()
    size = torch.Size(shape).numel()
    return points.repeat(1, -(-size // points.shape[1]))[:, :size].reshape(len(landmarks), *shape).contiguous()


def source(labels: Labels = (), shapes: Shapes = ()) -> SynthGrid:
    """Four clips of two speakers to train on, one clip each of two others to validate and to test on."""
    return Labelled(labels, shapes, clips=6, speakers=4, frames=FRAMES)


def corpus_of(spec: TrainableSpec) -> Path:
    """The tiny corpus with the labels and arrays that a method uses."""
    if not isinstance(spec, MethodSpec):
        return tiny_corpus()
    used = spec.trained_with
    labels = tuple((name, values) for name, values in spec.label_values if name in used.labels and values)
    return tiny_corpus(labels=labels, shapes=tuple(item for item in spec.array_shapes if item[0] in used.arrays))


@cache
def tiny_corpus(folder: Path | None = None, labels: Labels = (), shapes: Shapes = ()) -> Path:
    """The store, made where it is missing (about a second).

    Args:
        folder: where it lies; ``None``: in the cache of made data.
        labels: see :class:`Labelled`; with other ones it is another store.
        shapes: the same.
    """
    more = repr((labels, shapes)) if labels or shapes else ""
    digest = f"-{hashlib.sha256(more.encode()).hexdigest()[:8]}" if more else ""
    path = (folder or cache_folder()) / f"testing-{__version__}{digest}"
    prepare(source(labels, shapes), path, dataset="synthgrid", workers=1, progress=False, wait=True)
    return path
