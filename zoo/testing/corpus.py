"""The tiny corpus that methods and experts are tried on: six drawn clips, made once and kept in the cache."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from zoo import __version__
from zoo.data.module import cache_folder
from zoo.data.prepare import prepare
from zoo.data.sources.synthgrid.source import SynthGrid

FRAMES = 40
"""Frames of each clip: 1.6 s."""


def source() -> SynthGrid:
    """Four clips of two speakers to train on, one clip each of two others to validate and to test on."""
    return SynthGrid(clips=6, speakers=4, frames=FRAMES)


@cache
def tiny_corpus(folder: Path | None = None) -> Path:
    """The store, made where it is missing (about a second).

    Args:
        folder: where it lies; ``None``: in the cache of made data.
    """
    path = (folder or cache_folder()) / f"testing-{__version__}"
    prepare(source(), path, dataset="synthgrid", workers=1, progress=False, wait=True)
    return path
