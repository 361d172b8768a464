"""Landmarks in a file beside the video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.face.backends import make_detector
from zoo.face.base import Box
from zoo.face.precomputed import boxes_around, landmarks_path, read_track
from zoo.support.errors import MediaError, NoFaceError


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return tmp_path / "a.b.mp4"


def line(length: int = 30) -> np.ndarray:
    """Points that move one pixel per frame."""
    points = np.random.default_rng(0).uniform(20, 80, (1, 68, 2))
    return (points + np.arange(length)[:, None, None]).astype(np.float32)


def test_a_file_beside_the_video_is_read(video: Path) -> None:
    assert read_track(video, 30) is None
    np.save(landmarks_path(video), line())
    assert landmarks_path(video).name == "a.b.landmarks.npy"
    track = read_track(video, 30)
    assert track is not None
    assert torch.equal(track.landmarks, torch.from_numpy(line()))
    assert torch.allclose(track.boxes[1:] - track.boxes[:-1], torch.ones(29, 4), atol=1e-4)


def test_frames_without_landmarks_are_interpolated(video: Path) -> None:
    array = line()
    array[5:15] = np.nan
    np.save(landmarks_path(video), array)
    track = read_track(video, 30)
    assert track is not None
    assert torch.allclose(track.landmarks, torch.from_numpy(line()), atol=1e-4)


@pytest.mark.parametrize("first", [0, 8, 19])
def test_too_many_frames_without_landmarks(video: Path, first: int) -> None:
    array = line()
    array[first : first + 11, 3] = np.nan
    np.save(landmarks_path(video), array)
    with pytest.raises(NoFaceError, match=f"no landmarks in frames {first} to {first + 10}"):
        read_track(video, 30)


def test_wrong_files_are_named(video: Path) -> None:
    np.save(landmarks_path(video), line(29))
    with pytest.raises(MediaError, match=r"must hold numbers of shape \(30, 68, 2\), has \(29, 68, 2\)"):
        read_track(video, 30)
    landmarks_path(video).write_text("no array")
    with pytest.raises(MediaError, match="not a NumPy array file"):
        read_track(video, 30)


def test_the_box_lies_where_a_detector_draws_it() -> None:
    source = SynthGrid(clips=3, frames=40)
    clip = source.read(source.items()[0])
    assert clip.landmarks is not None
    box = Box(*boxes_around(clip.landmarks[:1])[0].tolist())
    assert box.overlap(make_detector("dlib").detect(clip.frames[0])[0]) > 0.7
