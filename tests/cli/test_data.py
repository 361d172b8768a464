"""`zoo data` as a user meets it: a folder of good and bad videos, verify, synth, and stores that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.helpers.inputs import drawn
from zoo.cli.main import run
from zoo.data.store.store import Store
from zoo.media.video import write_video

Capture = pytest.CaptureFixture[str]

FRAMES = 20


def fill(folder: Path) -> Path:
    """Three videos that can be used and five that cannot, besides a file that is no video."""
    folder.mkdir()
    clip = drawn()
    pictures, sound = clip.frames[:FRAMES], clip.wave[: FRAMES * 640]
    write_video(folder / "a b.v1.mp4", pictures, wave=sound)
    write_video(folder / "thirty.mp4", pictures, fps=30.0, wave=sound)
    (folder / "anna").mkdir()
    write_video(folder / "anna" / "cut.mp4", pictures, wave=sound)
    data = (folder / "anna" / "cut.mp4").read_bytes()
    (folder / "anna" / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    write_video(folder / "mute.mp4", pictures)
    write_video(folder / "faceless.mp4", torch.full_like(pictures, 120), wave=sound)
    (folder / "broken.mp4").write_bytes(data[:300])
    (folder / "empty.mov").touch()
    (folder / "text.mp4").write_text("hello " * 50)
    (folder / "notes.md").write_text("not a video")
    return folder


REASONS = {
    "mute": "no sound track",
    "faceless": "no face found",
    "broken": "broken.mp4",
    "empty": "the file is empty",
    "text": "not a picture, video or sound file",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("videos") / "my clips.2024")


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stores") / "one"
    assert run(["data", "prepare", "folder", "--root", str(folder), "--out", str(out), "--workers", "1"]) == 1
    return out


def refused(capsys: Capture, *arguments: str | Path) -> tuple[int, str]:
    """Exit code and the one line of a command that fails."""
    capsys.readouterr()
    try:
        code = run([str(argument) for argument in arguments])
    except SystemExit as exit:  # argparse leaves by itself
        code = int(exit.code or 0)
    said = capsys.readouterr()
    assert code in (1, 2)
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    return code, said.err


def test_bad_videos_are_set_aside_and_the_rest_goes_on(folder: Path, store: Path, capsys: Capture):
    assert [clip.id for clip in Store(store).clips] == ["a b.v1", "anna/cut", "thirty"]
    assert [clip.speaker for clip in Store(store).clips] == ["a b.v1", "anna", "thirty"]
    whole, cut, thirty = (clip.num_frames for clip in Store(store).clips)
    assert (whole, thirty) == (FRAMES, 17)  # 20 pictures at 30 fps last as long as 17 at 25
    assert 0 < cut < FRAMES
    report = {row["id"]: row["reason"] for row in map(json.loads, (store / "report.jsonl").read_text().splitlines())}
    assert report.keys() == REASONS.keys()
    for name, reason in REASONS.items():
        assert reason in report[name]
    # Again: nothing is done twice, and the last line and the exit code still say that clips are missing.
    capsys.readouterr()
    assert run(["data", "prepare", "folder", "--root", str(folder), "--out", str(store)]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "prepared 0 clips" in last
    assert f"3 in {store}" in last
    assert f"set aside 5 (reasons in {store / 'report.jsonl'})" in last


def test_two_processes_write_the_same_store(folder: Path, store: Path, tmp_path: Path):
    assert run(["data", "prepare", "folder", "--root", str(folder), "--out", str(tmp_path), "--workers", "2"]) == 1
    one, two = ({path.relative_to(s): path for path in sorted((s / "shards").iterdir())} for s in (store, tmp_path))
    assert one.keys() == two.keys()
    for name in one:
        assert one[name].read_bytes() == two[name].read_bytes()


def test_retry_takes_what_was_mended(tmp_path: Path, capsys: Capture):
    videos = tmp_path / "in"
    videos.mkdir()
    (videos / "a.mp4").touch()
    write_video(videos / "b.mp4", drawn().frames[:8], wave=drawn().wave[:5120])
    command = ["data", "prepare", "folder", "--root", str(videos), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert run(command) == 1
    write_video(videos / "a.mp4", drawn().frames[:8], wave=drawn().wave[:5120])
    assert run(command) == 1  # not tried again without being told
    assert run([*command, "--retry"]) == 0
    assert "set aside" not in capsys.readouterr().out.splitlines()[-1]
    assert len(Store(tmp_path / "out")) == 2


@pytest.mark.parametrize("damage", ["flipped byte", "missing shard"])
def test_verify(tiny_store: Path, tmp_path: Path, capsys: Capture, damage: str):
    import shutil

    shutil.copytree(tiny_store, tmp_path / "store")
    assert run(["data", "verify", str(tmp_path / "store")]) == 0
    assert "6 clips, no error found" in capsys.readouterr().out
    shard = sorted((tmp_path / "store" / "shards").glob("*.zip"))[0]
    if damage == "missing shard":
        shard.unlink()
    else:
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(data)
    assert run(["data", "verify", str(tmp_path / "store")]) == 1
    assert shard.stem in capsys.readouterr().err
    assert run(["data", "verify", "--json", str(tmp_path / "store")]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert found["findings"]


def test_synth(tmp_path: Path, capsys: Capture):
    command = ["data", "synth", "--clips", "3", "--workers", "1", "--out", str(tmp_path / "s")]
    assert run(command) == 0
    assert "prepared 3 clips" in capsys.readouterr().out
    assert {clip.speaker[:-2] for clip in Store(tmp_path / "s").clips} == {"train", "val", "test"}
    line = refused(capsys, *command, "--seed", "1")
    assert "choose another --out" in line[1]


def test_list(capsys: Capture):
    assert run(["data", "list"]) == 0
    table = capsys.readouterr().out
    assert run(["data", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() >= {"grid", "folder", "synthgrid"}
    for name, row in rows.items():
        assert name in table
        assert row["licence"]
        assert row["splits"]


REFUSALS: dict[str, tuple[str, int, str]] = {
    "no such folder": ("data prepare folder --root NOWHERE --out OUT", 1, "NOWHERE: no such folder"),
    "no videos": ("data prepare grid --root EMPTY --out OUT", 1, "no GRID clip found"),
    "no root": ("data prepare grid --out OUT", 2, "--root"),
    "unknown data set": ("data prepare gird --root EMPTY --out OUT", 2, "gird"),
    "embedded": ("data prepare synthgrid --root EMPTY --out OUT", 2, "zoo data synth"),
    "no workers": ("data prepare folder --root EMPTY --out OUT --workers 0", 2, "--workers"),
    "clips of no length": ("data prepare folder --root EMPTY --out OUT --clip-seconds 0.5", 2, "--clip-seconds"),
    "clips that stay whole": ("data prepare grid --root EMPTY --out OUT --faces all", 2, "--faces: each video of grid"),
    "half a clip": ("data synth --clips 2.5 --out OUT", 2, "--clips"),
    "too few": ("data synth --clips 2 --out OUT", 2, "at least 3"),
    "detector": ("data prepare folder --root EMPTY --out OUT --detector dlob", 2, "dlib, mesh, mtcnn"),
    "read-only": ("data synth --clips 3 --workers 1 --out /proc/store", 1, "/proc/store"),
    "no store": ("data verify NOWHERE", 1, "no store here"),
    "fit without root": ("fit lipgan data=grid out=OUT", 2, "zoo data prepare grid"),
    "fit without store": ("fit lipgan data=grid data.root=NOWHERE out=OUT", 1, "NOWHERE: no store here"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    command, code, reason = REFUSALS[case]
    (tmp_path / "EMPTY").mkdir()
    monkeypatch.chdir(tmp_path)
    got, line = refused(capsys, *command.split())
    assert (got, reason in line) == (code, True), line
    assert not list(tmp_path.rglob("*.zip"))


def test_store_of_something_else(folder: Path, store: Path, tmp_path: Path, capsys: Capture):
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    other = tmp_path / "s1"
    other.mkdir()
    (other / "bbaf2n.mpg").touch()
    for arguments in (["grid", "--root", str(tmp_path)], ["folder", "--root", str(folder), "--detector", "mtcnn"]):
        assert "choose another --out" in refused(capsys, "data", "prepare", *arguments, "--out", store)[1]
    assert before == {path: path.read_bytes() for path in before}


def test_split_that_leaves_nothing_to_train(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    """One speaker, whom the published split keeps for the test."""
    from zoo.data.store.shard import write_store
    from zoo.media.clip import Clip

    clip = drawn()
    assert clip.landmarks is not None
    clips = [
        Clip(f"s1/{n}", "s1", "", clip.frames[:5], clip.wave[:3200], clip.landmarks[:5]) for n in ("bbaf2n", "bbaf3s")
    ]
    write_store(tmp_path / "store", clips, dataset="grid")
    monkeypatch.delenv("ZOO_RUN", raising=False)
    command = ["fit", "lipgan", "data=grid", f"data.root={tmp_path / 'store'}", f"out={tmp_path / 'runs'}"]
    code, line = refused(capsys, *command, "trainer.accelerator=cpu", "model.width=0.06")
    assert code == 1
    assert "data.split=by-clip" in line
