"""Anybody's videos: names, texts, landmarks, and videos that cannot be used."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.data.folder import Folder
from zoo.errors import DataError, MediaError
from zoo.video import write_video

FRAMES = torch.zeros(10, 3, 32, 48, dtype=torch.uint8)


def test_names_and_speakers(tmp_path: Path):
    for name in ("ann lee/day 1/take.1.final.mp4", "ann lee/b.MOV", "bob.smith.mkv", ".hidden.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    items = Folder(tmp_path).items()
    assert [(item.id, item.speaker) for item in items] == [
        ("ann lee/b", "ann lee"),
        ("ann lee/day 1/take.1.final", "ann lee"),
        ("bob.smith", "bob.smith"),
    ]


def test_ids_differ_where_only_the_suffix_does(tmp_path: Path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.avi").touch()
    assert [item.id for item in Folder(tmp_path).items()] == ["a.avi", "a.mp4"]


def test_reads_text_landmarks_and_silence(tmp_path: Path):
    path = tmp_path / "my clip.v2.mp4"
    write_video(path, FRAMES, wave=torch.zeros(6400))
    (tmp_path / "my clip.v2.txt").write_text("Hello\n  World ")
    points = np.random.default_rng(0).uniform(0, 30, (10, 68, 2))
    np.save(tmp_path / "my clip.v2.landmarks.npy", points)
    folder = Folder(tmp_path)
    raw = folder.read(folder.items()[0])
    assert raw.text == "hello world"
    assert raw.frames.shape == (10, 3, 32, 48)
    assert raw.wave.abs().max() < 1e-3
    assert raw.landmarks is not None
    assert torch.allclose(raw.landmarks, torch.from_numpy(points).float())


def test_landmarks_that_do_not_fit(tmp_path: Path):
    write_video(tmp_path / "a.mp4", FRAMES, wave=torch.zeros(6400))
    np.save(tmp_path / "a.landmarks.npy", np.zeros((9, 68, 2)))
    folder = Folder(tmp_path)
    with pytest.raises(MediaError, match="landmarks"):
        folder.read(folder.items()[0])


def test_no_sound_track(tmp_path: Path):
    write_video(tmp_path / "a.mp4", FRAMES)
    folder = Folder(tmp_path)
    with pytest.raises(MediaError, match="no sound track"):
        folder.read(folder.items()[0])


def test_missing_root(tmp_path: Path):
    for root, reason in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no video"), (None, "--root")):
        with pytest.raises(DataError, match=reason):
            Folder(root).items()


def test_a_text_with_a_mark_of_byte_order_and_one_that_is_no_unicode(tmp_path: Path):
    write_video(tmp_path / "a.mp4", FRAMES, wave=torch.zeros(6400))
    folder = Folder(tmp_path)
    (tmp_path / "a.txt").write_text("Lay Blue", encoding="utf-8-sig")
    assert folder.read(folder.items()[0]).text == "lay blue"
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(MediaError, match=r"a\.txt: the text is not UTF-8"):
        folder.read(folder.items()[0])
