"""Following a face through a stream: the same track as of the whole video, a bounded memory, limits in seconds."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.face.base import Box
from zoo.face.follow import Window
from zoo.face.track import track_face, track_visible
from zoo.support.errors import NoFaceError


class Stream:
    """Pictures made one by one; counts how many are alive at once."""

    def __init__(self, pictures: list[Tensor]) -> None:
        self.pictures, self.most, self._alive = pictures, 0, weakref.WeakSet[Tensor]()

    def __iter__(self) -> Iterator[Tensor]:
        for picture in self.pictures:
            own = picture.clone()
            self._alive.add(own)
            self.most = max(self.most, len(self._alive))
            yield own
            del own


class Numbered:
    """Finds one face in every frame except some; the frame's number is in its first two pixels."""

    def __init__(self, hidden: range = range(0), path: float = 1.0) -> None:
        self.hidden, self.path = hidden, path

    def detect(self, picture: Tensor, near: Box | None = None) -> list[Box]:
        number = int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1])
        x = self.path * number
        return [] if number in self.hidden else [Box(x, 0.0, x + 50, 50.0, 1.0)]


class Centred:
    """Puts every point into the middle of the box."""

    def landmarks(self, picture: Tensor, box: Box) -> Tensor:
        return torch.tensor(box.centre).expand(68, 2)


def numbered(count: int) -> list[Tensor]:
    pictures = torch.zeros(count, 3, 8, 8, dtype=torch.uint8)
    pictures[:, 0, 0, 0], pictures[:, 0, 0, 1] = torch.arange(count) % 256, torch.arange(count) // 256
    return list(pictures)


@pytest.mark.parametrize("count", [40, 400])
def test_a_stream_gives_the_same_track_and_only_a_window_of_it_is_in_memory(count: int):
    options = {"detector": Numbered(range(15, 22)), "landmarker": Centred()}
    stream = Stream(numbered(count))
    found, whole = track_face(stream, **options), track_face(torch.stack(numbered(count)), **options)
    assert torch.equal(found.boxes, whole.boxes)
    assert torch.equal(found.landmarks, whole.landmarks)
    assert stream.most <= 24


def test_a_search_for_a_face_that_never_comes_keeps_nothing():
    stream = Stream(numbered(300))
    with pytest.raises(NoFaceError, match="no face found"):
        track_face(stream, detector=Numbered(range(300)), landmarker=Centred())
    gc.collect()
    assert stream.most <= 24


def test_a_drawn_face_through_a_stream():
    source = SynthGrid(clips=3, frames=40)
    frames = source.read(source.items()[0]).frames
    seen: list[int] = []
    found, whole = track_face(iter(frames), progress=seen.append), track_face(frames)
    assert torch.equal(found.landmarks, whole.landmarks)
    assert sum(seen) == len(frames)


@pytest.mark.parametrize("fps", [10.0, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 120.0])
def test_limits_are_in_seconds(fps: float):
    def follow(hidden_s: float) -> Tensor:
        first = round(1.13 * fps)
        hidden = range(first, first + round(hidden_s * fps))
        options = {"detector": Numbered(hidden, path=25 / fps), "landmarker": Centred()}
        return track_face(torch.stack(numbered(round(3 * fps))), fps=fps, **options).boxes

    assert len(follow(0.22)) == round(3 * fps)
    assert len(follow(0.39)) == round(3 * fps)
    with pytest.raises(NoFaceError, match=r"from 1\.\d\d s on"):
        follow(0.6)


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_an_invisible_face_is_noticed_after_the_same_time(fps: float):
    first, stop = round(fps), round(2 * fps)
    options = {"detector": Numbered(range(first, stop), path=25 / fps), "landmarker": Centred()}
    seen = track_visible(torch.stack(numbered(round(3 * fps))), fps=fps, **options).seen
    assert seen.tolist() == [not first <= t < stop for t in range(round(3 * fps))]


def test_an_empty_picture_is_searched_once():
    calls: list[int] = []

    class Blind:
        def detect(self, picture: Tensor, near: Box | None = None) -> list[Box]:
            calls.append(1)
            return []

    with pytest.raises(NoFaceError):
        track_face(torch.zeros(200, 3, 8, 8, dtype=torch.uint8), detector=Blind(), landmarker=Centred())
    assert len(calls) == 1


def test_a_window_holds_what_was_not_forgotten():
    window = Window(numbered(9))
    assert window.reach(20) == 8
    assert not window.has(9)
    window.forget(4)
    assert int(window[4][0, 0, 0]) == 4
    with pytest.raises(IndexError, match="picture 3"):
        window[3]
