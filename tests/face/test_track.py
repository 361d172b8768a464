"""Following a face: through motion, gaps and other faces, and against detection in every frame."""

from __future__ import annotations

from itertools import chain, repeat
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.face.backends import make_detector, make_landmarker
from zoo.face.base import Box
from zoo.face.track import MAX_GAP, find_face, landmarks_in_boxes, track_face
from zoo.media.video import read_video
from zoo.support.errors import MediaError, NoFaceError

LENGTH = 40


@pytest.fixture(scope="module")
def talkers() -> list[Tensor]:
    """Two drawn speakers, ``(40, 3, 256, 256)`` each."""
    source = SynthGrid(clips=3, frames=LENGTH)
    return [source.read(item).frames[:LENGTH] for item in source.items()[:2]]


@pytest.fixture(scope="module")
def still(talkers: list[Tensor]) -> Tensor:
    """Landmarks of the first speaker where the picture does not move."""
    return track_face(talkers[0]).landmarks


def moved(frames: Tensor, xs: list[int]) -> Tensor:
    """The pictures on a wider grey canvas, the left edge of picture ``t`` at ``xs[t]``."""
    _, _, height, width = frames.shape
    canvas = torch.full((len(frames), 3, height, width + max(xs)), 128, dtype=torch.uint8)
    for t, x in enumerate(xs):
        canvas[t, :, :, x : x + width] = frames[t]
    return canvas


def beside(left: Tensor, right: Tensor) -> Tensor:
    """Two videos side by side, the right one at 0.75 of its size."""
    canvas = torch.full((*left.shape[:3], left.shape[3] * 2), 128, dtype=torch.uint8)
    small = interpolate(right, scale_factor=0.75, mode="bilinear", antialias=True)
    canvas[..., : left.shape[3]] = left
    canvas[..., : small.shape[2], left.shape[3] : left.shape[3] + small.shape[3]] = small
    return canvas


class Scripted:
    """A detector that finds what its script says for the frame whose number is the picture's first pixel."""

    def __init__(self, script: list[list[Box]]) -> None:
        self.script = script

    def detect(self, picture: Tensor, near: Box | None = None) -> list[Box]:
        return self.script[int(picture[0, 0, 0])]


class Centred:
    """A landmark predictor that puts every point into the middle of the box."""

    def landmarks(self, picture: Tensor, box: Box) -> Tensor:
        return torch.tensor(box.centre).expand(68, 2)


def follow(script: list[list[Box]], **options: int) -> Tensor:
    numbers = torch.arange(len(script), dtype=torch.uint8)
    frames = numbers[:, None, None, None].expand(-1, 3, 32, 32)
    return track_face(frames, detector=Scripted(script), landmarker=Centred(), **options).boxes


def at(x: float, side: float = 50.0) -> Box:
    return Box(float(x), 0.0, x + side, side, 1.0)


def test_landmarks_lie_where_they_were_drawn() -> None:
    clip = (source := SynthGrid(clips=3, frames=LENGTH)).read(source.items()[0])
    assert clip.landmarks is not None
    distance = (track_face(clip.frames).landmarks - clip.landmarks).norm(dim=2)
    assert distance.mean() < 4  # dlib's own error on a drawn face; a shifted or swapped axis gives tens of pixels


@pytest.mark.parametrize(
    "xs",
    [
        pytest.param([6 * t for t in range(LENGTH)], id="steady"),
        pytest.param([max(0, min(100, 10 * (t - 13))) for t in range(LENGTH)], id="jerk"),
        pytest.param([int(30 + 30 * torch.tensor(t / 2.5).sin()) for t in range(LENGTH)], id="shake"),
        pytest.param([int(60 + 60 * torch.tensor(t / 3).sin()) for t in range(LENGTH)], id="swing"),
    ],
)
def test_a_moving_head_is_followed(talkers: list[Tensor], still: Tensor, xs: list[int]) -> None:
    track = track_face(moved(talkers[0], xs))
    shift = torch.tensor(xs)[:, None] * torch.tensor([1.0, 0.0])
    distance = (track.landmarks - shift[:, None] - still).norm(dim=2).mean(1)
    # One pixel of the box moves dlib's points by 0.5 px on a face of 125 pixels, ten pixels by 0.8 px.
    assert distance.mean() < 1.2
    assert distance.max() < 3


def test_a_face_that_shrinks_is_followed(talkers: list[Tensor], still: Tensor) -> None:
    sizes = [256 - 2 * t for t in range(LENGTH)]
    frames = torch.full((LENGTH, 3, 256, 256), 128, dtype=torch.uint8)
    for t, size in enumerate(sizes):
        frames[t, :, :size, :size] = interpolate(talkers[0][t][None], (size, size), mode="bilinear", antialias=True)[0]
    track = track_face(frames)
    expected = (still + 0.5) * torch.tensor(sizes)[:, None, None] / 256 - 0.5
    assert (track.landmarks - expected).norm(dim=2).mean() < 1.5
    assert (track.boxes[-1] - track.boxes[0])[2] < 0


def test_the_chosen_face_is_kept(talkers: list[Tensor], still: Tensor) -> None:
    frames = beside(*talkers)
    largest, second = track_face(frames), track_face(frames, face_index=1)
    assert (largest.landmarks - still).norm(dim=2).mean() < 1
    assert (second.landmarks[..., 0].mean(1) > 256).all()
    with pytest.raises(NoFaceError, match="no face 2 in the video: there are 2 faces"):
        track_face(frames, face_index=2)


def test_a_small_face_is_found(talkers: list[Tensor]) -> None:
    frames = interpolate(talkers[0], scale_factor=0.45, mode="bilinear", antialias=True)
    full = track_face(talkers[0]).landmarks
    assert (track_face(frames).landmarks - full * 0.45).norm(dim=2).mean() < 1.5


def test_a_photo(talkers: list[Tensor]) -> None:
    picture = beside(*talkers)[0]
    box, points = find_face(picture, face_index=1)
    assert box.centre[0] > 256
    assert torch.equal(landmarks_in_boxes(picture[None], torch.tensor([box[:4]]))[0], points)
    with pytest.raises(NoFaceError, match=r"no face 5 in a\.png: there are 2 faces"):
        find_face(picture, face_index=5, name="a.png")
    with pytest.raises(NoFaceError, match=r"no face found in a\.png: it must show one"):
        find_face(torch.zeros(3, 64, 64, dtype=torch.uint8), name="a.png")


def test_no_face_in_a_video() -> None:
    noise = torch.randint(0, 256, (12, 3, 90, 90), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NoFaceError, match="no face found in the video"):
        track_face(noise)
    with pytest.raises(MediaError, match="no frames"):
        track_face(noise[:0])


@pytest.mark.parametrize("first", range(12, 24))
def test_a_gap_is_bridged_wherever_it_falls(first: int) -> None:
    script = [[at(t)] for t in range(50)]
    for t in range(first, first + MAX_GAP):
        script[t] = []
    boxes = follow(script)
    assert torch.allclose(boxes[:, 0], torch.arange(50.0), atol=3)


@pytest.mark.parametrize("first", range(12, 24))
def test_a_longer_gap_is_an_error_that_names_the_frames(first: int) -> None:
    script = [[at(0)] for _ in range(50)]
    for t in range(first, first + MAX_GAP + 1):
        script[t] = []
    with pytest.raises(NoFaceError, match=f"lost in frames {first} to {first + MAX_GAP}"):
        follow(script)


def test_gaps_at_the_ends_hold_the_nearest_box() -> None:
    script = list(chain(repeat([], MAX_GAP), ([at(5)] for _ in range(20)), repeat([], MAX_GAP)))
    assert (follow(script)[:, 0] == 5).all()
    with pytest.raises(NoFaceError, match="no face in frames 0 to 10, only later"):
        follow([[], *script])
    with pytest.raises(NoFaceError, match="lost in frames 30 to 40"):
        follow([*script, []])


def test_another_face_is_no_substitute() -> None:
    script = [[at(0)] if t < 20 else [at(200)] for t in range(50)]
    with pytest.raises(NoFaceError, match="lost in frames 20 to 30"):
        follow(script)


def test_a_still_face_keeps_its_box_exactly() -> None:
    boxes = follow([[at(t % 2)] for t in range(60)])
    assert (boxes == boxes[0]).all()


def test_a_still_face_costs_one_search_of_the_picture_and_one_near_its_place_per_ten_frames() -> None:
    calls: list[Box | None] = []

    class Counting(Scripted):
        def detect(self, picture: Tensor, near: Box | None = None) -> list[Box]:
            calls.append(near)
            return super().detect(picture, near)

    frames = torch.zeros(75, 3, 32, 32, dtype=torch.uint8)
    track_face(frames, detector=Counting([[at(0)]]), landmarker=Centred())
    assert calls.count(None) == 1
    assert len(calls) == 9


@pytest.mark.grid
@pytest.mark.parametrize("clip", ["s2/pwij3p.mpg", "s5/lbax4n.mpg"])
def test_as_good_as_detection_in_every_frame(grid_root: Path, clip: str) -> None:
    frames = read_video(grid_root / clip).frames
    detector, landmarker = make_detector("dlib"), make_landmarker("dlib")
    exact = torch.stack([landmarker.landmarks(frame, detector.detect(frame)[0]) for frame in frames[::5]])
    assert (track_face(frames).landmarks[::5] - exact).norm(dim=2).mean() < 0.5
