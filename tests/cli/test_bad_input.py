"""Bad input to every verb: the right result, or one line that says what to do, and nothing half-written."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.helpers.inputs import drawn, photograph, save_picture, save_sound, save_timed
from zoo.cli.main import run
from zoo.media.video import read_video, write_video


@pytest.fixture(scope="module")
def checkpoint(tiny_run: Path) -> Path:
    return tiny_run / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> dict[str, Path]:
    """Arguments that work."""
    folder = tmp_path_factory.mktemp("good")
    return {
        "--ckpt": checkpoint,
        "--face": save_picture(folder / "face.png", photograph()[:, :300, 80:380]),
        "--audio": save_sound(folder / "sound.wav", drawn().wave[16_000:18_000]),
    }


Try = Callable[..., tuple[int, str]]


@pytest.fixture
def attempt(good: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Try:
    """Run `zoo predict` with some arguments replaced; give the exit code and the one line it says on failure."""

    def run_it(**changed: Any) -> tuple[int, str]:
        out = changed.pop("out", tmp_path / "made" / "out.mp4")
        index = changed.pop("face_index", 0)
        given = good | {f"--{key}": value for key, value in changed.items()} | {"--out": out, "--face-index": index}
        capfd.readouterr()
        code = run(["predict", "lipgan", *[str(part) for pair in given.items() for part in pair]])
        said = capfd.readouterr()
        if code == 0:
            return 0, said.out
        assert said.out == ""
        lines = [line for line in said.err.splitlines() if not line.startswith(("generating", "writing"))]
        assert len(lines) == 1, said.err
        assert lines[0].startswith("zoo predict: ")
        assert not list((tmp_path / "made").glob("*"))
        return code, lines[0]

    return run_it


def test_a_method_without_weights_of_its_own_asks_for_some(good: dict[str, Path], capsys: pytest.CaptureFixture[str]):
    given = [str(part) for name in ("--face", "--audio") for part in (name, good[name])]
    assert run(["predict", "lipgan", *given, "--out", "out.mp4"]) == 1
    assert capsys.readouterr().err == (
        "zoo predict: --ckpt: lipgan comes without weights; make some with `zoo fit lipgan`, then give its checkpoint\n"
    )


def blank(path: Path) -> None:
    save_picture(path, torch.full((3, 200, 200), 120, dtype=torch.uint8))


def blank_video(path: Path) -> None:
    write_video(path, torch.full((30, 3, 128, 128), 120, dtype=torch.uint8))


def text(path: Path) -> None:
    path.write_text("this is no picture\n" * 99)


BAD_FACES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "blank.png": (blank, "no face found in"),
    "dot.png": (lambda path: save_picture(path, torch.zeros(3, 1, 1, dtype=torch.uint8)), "no face found in"),
    "blank.mp4": (blank_video, "no face found in the video"),
    "empty.jpg": (lambda path: path.touch(), "empty"),
    "empty.mp4": (lambda path: path.touch(), "empty"),
    "missing.jpg": (lambda path: None, "no such"),
    "missing.mp4": (lambda path: None, "no such file"),
    "folder.png": (lambda path: path.mkdir(), "folder"),
    "folder.mp4": (lambda path: path.mkdir(), "folder"),
    "text.jpg": (text, "not a picture"),
    "text.mp4": (text, "not a picture, video or sound file"),
    "sound.wav": (lambda path: save_sound(path, torch.zeros(8000)), "no pictures"),
    "truncated.png": (lambda path: half(save_picture(path, photograph())), "not a picture"),
}


def half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("name", BAD_FACES)
def test_bad_faces(attempt: Try, tmp_path: Path, name: str):
    make, reason = BAD_FACES[name]
    path = tmp_path / "in the way.v1" / name
    path.parent.mkdir()
    make(path)
    code, line = attempt(face=path)
    assert code == 1
    assert str(path) in line
    assert reason in line


def test_face_that_is_not_there(attempt: Try):
    assert "there is 1 face, numbered from 0" in attempt(face_index=1)[1]
    assert "no face -1" in attempt(face_index=-1)[1]


BAD_SOUNDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "mute.mp4": (blank_video, "no sound track"),
    "photo.png": (blank, "no sound track"),
    "empty.wav": (lambda path: path.touch(), "the file is empty"),
    "missing.wav": (lambda path: None, "no such file"),
    "folder.wav": (lambda path: path.mkdir(), "folder"),
    "text.mp3": (text, "FFmpeg can"),
    "nothing.wav": (lambda path: save_sound(path, torch.zeros(0)), "empty"),
}


@pytest.mark.parametrize("name", BAD_SOUNDS)
def test_bad_sounds(attempt: Try, tmp_path: Path, name: str):
    make, reason = BAD_SOUNDS[name]
    make(tmp_path / name)
    code, line = attempt(audio=tmp_path / name)
    assert code == 1
    assert str(tmp_path / name) in line
    assert reason in line


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.01, 1), (0.3, 8), (1.0, 25)], ids=["10 ms", "short", "silence of a second"]
)
def test_short_and_silent_sounds_work(attempt: Try, tmp_path: Path, seconds: float, frames: int):
    sound = save_sound(tmp_path / "a b.c.wav", torch.zeros(round(seconds * 16_000)))
    code, said = attempt(audio=sound)
    assert code == 0
    assert f"({frames} frames at 25 fps" in said
    assert len(read_video(tmp_path / "made" / "out.mp4").frames) == frames


def test_video_of_one_frame_works(attempt: Try, tmp_path: Path):
    assert attempt(face=save_timed(tmp_path / "one.mkv", drawn().frames[:1], [0]))[0] == 0


@pytest.mark.parametrize("suffix", [".mp4", ".mpg", ".mkv"])
def test_truncated_video_gives_what_can_be_read(attempt: Try, tmp_path: Path, suffix: str):
    clip = tmp_path / f"cut{suffix}"
    if suffix == ".mp4":
        write_video(clip, drawn().frames, wave=drawn().wave)
        half(clip)
    else:
        write_with(clip, "mpeg1video" if suffix == ".mpg" else "libx264")
        half(clip)
    code, said = attempt(face=clip)
    assert code == 0, said
    made = read_video(tmp_path / "made" / "out.mp4", fps=None)
    assert made.frames.shape == (4, 3, 256, 256)


def write_with(path: Path, codec: str) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 256, 256, "yuv420p"
        stream.bit_rate = 2_000_000
        for frame in drawn().frames:
            array = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode(None))


def test_mp4_without_its_table_is_one_line(attempt: Try, tmp_path: Path):
    """Phones write the table of contents last, so a copy that broke off has none."""
    clip = tmp_path / "cut.mp4"
    write_video(clip, drawn().frames[:20])
    data = clip.read_bytes()
    clip.write_bytes(data[: data.index(b"moov") + 20])
    code, line = attempt(face=clip)
    assert code == 1
    assert "cut.mp4" in line


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


BAD_CHECKPOINTS = {
    "missing": "no such checkpoint",
    "folder": "no such checkpoint",
    "garbage": "not a checkpoint",
    "empty": "not a checkpoint",
    "half": "not a checkpoint",
    "malicious": "not a checkpoint that can be read safely",
    "other torch file": "not a checkpoint of `zoo fit`",
    "not as written": "not a checkpoint of `zoo fit`",
    "another width": "do not fit",
    "unknown setting": "nonsense",
    "another method": "a checkpoint of wav2lip, not of lipgan",
}


@pytest.mark.parametrize("kind", BAD_CHECKPOINTS)
def test_bad_checkpoints(attempt: Try, checkpoint: Path, tmp_path: Path, kind: str):
    path = tmp_path / "bad.ckpt"
    whole: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    if kind == "folder":
        path.mkdir()
    elif kind in ("garbage", "empty", "half"):
        data = checkpoint.read_bytes()
        path.write_bytes({"garbage": b"\x00garbage" * 999, "empty": b"", "half": data[: len(data) // 2]}[kind])
    elif kind == "malicious":
        path.write_bytes(pickle.dumps(Malicious(tmp_path / "executed")))
    elif kind != "missing":
        changes: dict[str, Any] = {
            "other torch file": {"zoo": None},
            "not as written": {"zoo": {"method": "lipgan"}},
            "another width": {"zoo": whole["zoo"] | {"config": whole["zoo"]["config"] | {"width": 0.5}}},
            "unknown setting": {"zoo": whole["zoo"] | {"config": whole["zoo"]["config"] | {"nonsense": 1}}},
            "another method": {"zoo": whole["zoo"] | {"method": "wav2lip"}},
        }
        torch.save(whole | changes[kind], path)
    code, line = attempt(ckpt=path)
    assert code in (1, 2)
    assert str(path) in line
    assert BAD_CHECKPOINTS[kind] in line
    assert not (tmp_path / "executed").exists()


def test_malicious_checkpoint_would_have_worked(tmp_path: Path):
    """The test above is worth something only if this pickle does what it says."""
    pickle.loads(pickle.dumps(Malicious(tmp_path / "executed")))
    assert (tmp_path / "executed").exists()


def test_malicious_zip_checkpoint(attempt: Try, tmp_path: Path):
    torch.save({"zoo": Malicious(tmp_path / "executed")}, tmp_path / "bad.ckpt")
    assert attempt(ckpt=tmp_path / "bad.ckpt")[0] == 1
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("device", ["foo", "cuda:99", "meta", "", "xpu"])
def test_bad_device(attempt: Try, device: str):
    code, line = attempt(device=device)
    assert code == 2
    assert "--device" in line


def test_bad_detector(attempt: Try):
    assert attempt(detector="dlob") == (
        2,
        "zoo predict: unknown face detector 'dlob' (did you mean 'dlib'?): choose one of dlib, mesh, mtcnn",
    )


def test_bad_out(attempt: Try, good: dict[str, Path], tmp_path: Path):
    assert "must end in .mp4" in attempt(out=tmp_path / "a.avi")[1]
    (tmp_path / "folder.mp4").mkdir()
    assert "is a folder" in attempt(out=tmp_path / "folder.mp4")[1]
    (tmp_path / "file").touch()
    assert "file" in attempt(out=tmp_path / "file" / "a.mp4")[1]
    clip = save_timed(tmp_path / "clip.mkv", drawn().frames[:5], [k / 25 for k in range(5)])
    before = clip.read_bytes()
    code, line = attempt(face=clip, out=clip)
    assert code == 2
    assert "would be overwritten" in line
    assert clip.read_bytes() == before


def test_folder_that_cannot_be_written(attempt: Try, tmp_path: Path):
    """`/proc` refuses root too."""
    code, line = attempt(out=Path("/proc/zoo/out.mp4") if sys.platform == "linux" else tmp_path / "file" / "x.mp4")
    assert code == 1
    assert "cannot be written" in line


FULL_DISK = """
import resource, sys
from zoo.cli.main import main
import zoo.synthesis.predict  # before the limit: Python writes its caches
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
main(sys.argv[2:])
"""
"""A limit on the size of files makes writing fail as a full disk does, for root as well."""


def on_full_disk(limit: int, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(limit), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )


def test_full_disk_for_predict(good: dict[str, Path], tmp_path: Path):
    (tmp_path / "out.mp4").write_bytes(b"older film")
    given = [str(part) for pair in good.items() for part in pair]
    done = on_full_disk(10_000, "predict", "lipgan", *given, "--out", tmp_path / "out.mp4")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "out.mp4: the video cannot be written (File too large" in done.stderr.splitlines()[-1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"older film"


def test_full_disk_for_synth(tmp_path: Path):
    done = on_full_disk(1_000_000, "data", "synth", "--clips", "3", "--workers", "1", "--out", tmp_path / "store")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "finished shards are kept" in done.stderr.splitlines()[-1]
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".zip", ".npz", ".jsonl")]


def test_full_disk_for_fit(tiny_store: Path, tmp_path: Path):
    from tests.helpers.tiny import TINY

    arguments = ["fit", "lipgan", *TINY, f"data.root={tiny_store}", f"out={tmp_path}"]
    done = on_full_disk(300_000, *arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.rglob("*.ckpt"))


def test_kinds_of_pictures_that_have_no_face_stay_one_line(attempt: Try, tmp_path: Path):
    for mode, name in (("L", "grey.png"), ("RGBA", "alpha.png"), ("I;16", "deep.png"), ("1", "bits.png")):
        Image.new(mode, (64, 64)).save(tmp_path / name)
        code, line = attempt(face=tmp_path / name)
        assert code == 1
        assert "no face found" in line


def test_warnings_do_not_reach_the_user(zoo: Any, good: dict[str, Path], tmp_path: Path):
    """In a process of its own, as a user runs it."""
    blank(tmp_path / "blank.png")
    given = good | {"--face": tmp_path / "blank.png", "--out": tmp_path / "o.mp4"}
    done = zoo("predict", "lipgan", *[part for pair in given.items() for part in pair])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    done = zoo("predict", "lipgan", *[part for pair in (given | {"--face": good["--face"]}).items() for part in pair])
    assert done.returncode == 0
    ours = ("generating", "writing", "zoo predict: warning: lipgan: its weights know drawn faces only (synthgrid)")
    assert all(line.startswith(ours) for line in done.stderr.splitlines()), done.stderr
