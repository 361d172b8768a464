"""Following a face that is not always there: a mask says where it is, and landmarks elsewhere are harmless."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.face.track import MAX_GAP, track_face, track_visible
from zoo.support.errors import MediaError

LENGTH = 40


@pytest.fixture(scope="module")
def frames() -> Tensor:
    source = SynthGrid(clips=3, frames=LENGTH)
    return source.read(source.items()[0]).frames[:LENGTH]


def without(frames: Tensor, *hidden: range) -> tuple[Tensor, Tensor]:
    """The pictures with some black, and the mask of those that are not."""
    seen = torch.ones(len(frames), dtype=torch.bool)
    for part in hidden:
        seen[list(part)] = False
    return frames.where(seen[:, None, None, None], torch.zeros_like(frames)), seen


def test_a_face_that_is_always_there_is_followed_as_before(frames: Tensor):
    found, plain = track_visible(frames), track_face(frames)
    assert found.seen.all()
    assert torch.equal(found.landmarks, plain.landmarks)
    assert torch.equal(found.boxes, plain.boxes)


@pytest.mark.parametrize(
    "hidden",
    [
        [range(13, 13 + MAX_GAP + 3)],
        [range(7)],
        [range(MAX_GAP + 4)],
        [range(33, LENGTH)],
        [range(20, 24)],
        [range(3), range(9, 14), range(30, LENGTH)],
        [range(LENGTH - 1)],
    ],
)
def test_frames_without_a_face_are_marked(frames: Tensor, hidden: list[range]):
    pictures, seen = without(frames, *hidden)
    found = track_visible(pictures, every=3)
    assert torch.equal(found.seen, seen)
    whole = track_face(frames).landmarks
    assert (found.landmarks - whole)[seen].norm(dim=-1).mean() < 1
    # Where there is none, crops stay near the face.
    assert (found.landmarks - whole)[~seen].norm(dim=-1).mean() < 12


def test_no_face_at_all(frames: Tensor):
    found = track_visible(torch.zeros_like(frames))
    assert not found.seen.any()
    assert not found.landmarks.any()
    with pytest.raises(MediaError):
        track_visible(frames[:0])
