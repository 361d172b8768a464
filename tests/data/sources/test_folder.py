"""Anybody's videos: names, texts, landmarks, and videos that cannot be used."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.data.sources.folder import Folder
from zoo.media.video import write_video
from zoo.support.errors import DataError, MediaError

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


def test_endings_and_linked_folders(tmp_path: Path):
    for name in ("v/s1/a.MTS", "v/s1/b.m2ts", "v/s1/c.ogv", "v/s1/d.VOB", "v/s1/e.ts", "else/f.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "v/s2").symlink_to(tmp_path / "else")
    (tmp_path / "v/s1/round").symlink_to(tmp_path / "v")
    folder = Folder(tmp_path / "v")
    assert [item.id for item in folder.items()] == ["s1/a", "s1/b", "s1/c", "s1/d", "s1/e", "s2/f"]
    assert folder.items()[-1].speaker == "s2"
    assert str(folder.not_looked_at) == ("not looked at: 1 linked folder that leads to one already looked at, s1/round")


def test_what_is_no_video_is_named_and_what_belongs_to_one_is_not(tmp_path: Path):
    for name in ("a.mp4", "a.txt", "a.align", "a.landmarks.npy", "b.txt", "c.xyz", ".d.mp4"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "e.mp4")  # to open it would wait for ever
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    folder = Folder(tmp_path)
    assert [item.id for item in folder.items()] == ["a", "gone"]
    told = str(folder.not_looked_at)
    assert told.startswith("not looked at: 4 files (")
    assert "such as .d.mp4, b.txt, c.xyz" in told


def test_names_of_any_bytes(tmp_path: Path):
    for name in (b"caf\xe9.mp4", b"caf\\xe9.mp4", b"a\nb.mp4", b"-x.mp4", b"12:30.mp4", b"\x1b[31m/c.mp4"):
        path = os.fsencode(tmp_path) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    items = Folder(tmp_path).items()
    assert {item.id for item in items} == {
        r"caf\xe9", r"caf\x5cxe9", r"a\x0ab", "-x", "12:30", r"\x1b[31m/c"
    }  # fmt: skip
    assert all(Path(item.path).exists() for item in items)
    assert {item.speaker for item in items if "/" in item.id} == {r"\x1b[31m"}


def test_ids_that_would_meet_stay_apart(tmp_path: Path):
    for name in ("a.mp4", "a.avi", "a.mp4.mov", "b.mp4.mp4", "b.mp4"):
        (tmp_path / name).touch()
    ids = [item.id for item in Folder(tmp_path).items()]
    assert ids == ["a.avi", "a.mp4", "a.mp4.mov", "b", "b.mp4"]


def test_a_video_is_told_by_its_content_where_the_ending_says_nothing(tmp_path: Path):
    write_video(tmp_path / "a.mp4", FRAMES, wave=torch.zeros(6400))
    (tmp_path / "a.mp4").rename(tmp_path / "take 1")
    (tmp_path / "a.xyz").write_bytes((tmp_path / "take 1").read_bytes())
    (tmp_path / "b.xyz").write_bytes(b"no video" * 99)
    (tmp_path / "README").write_text("nothing")
    folder = Folder(tmp_path)
    assert [item.id for item in folder.items()] == ["a", "take 1"]
    assert "2 files (without an ending 1, .xyz 1), README, b.xyz" in str(folder.not_looked_at)
    assert folder.read(folder.items()[0]).frames.shape == (10, 3, 32, 48)


def test_a_video_that_is_cut_short_does_not_keep_its_text(tmp_path: Path):
    noise = torch.randint(0, 256, (75, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    write_video(tmp_path / "a.mp4", noise, wave=torch.zeros(75 * 640))
    (tmp_path / "a.txt").write_text("bin blue at f two now")
    folder = Folder(tmp_path)
    assert len(folder.read(folder.items()[0]).frames) == 75
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match=r"the file claims 3\.00 s: it is cut short"):
        folder.read(folder.items()[0])
