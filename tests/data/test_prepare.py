"""Preparing: nothing lost, nothing twice, whatever is killed, missing, damaged or full."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.paths import ROOT
from zoo.data.prepare import prepare
from zoo.data.report import read_report
from zoo.data.sources.base import RawClip, Source, SourceItem
from zoo.data.sources.folder import Folder
from zoo.data.sources.grid import Grid
from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.data.store.store import Store
from zoo.data.store.verify import verify
from zoo.media.video import write_video
from zoo.support.errors import DataError, MediaError


class Tiny(Source):
    """Random clips with landmarks; ``bad`` ones cannot be read; reading takes a while and can kill its process."""

    def __init__(self, count: int, *, bad: Sequence[int] = (), pause: float = 0.0, deadly: int = -1, side: int = 60):
        super().__init__()
        self.count, self.bad, self.pause, self.deadly, self.side = count, bad, pause, deadly, side

    def items(self) -> list[SourceItem]:
        return [SourceItem(f"s{n % 2}/clip.{n}", f"s{n % 2}", f"/in/{n}") for n in range(self.count)]

    def read(self, item: SourceItem) -> RawClip:
        number = int(item.path[4:])
        time.sleep(self.pause)
        if number == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if number in self.bad:
            raise MediaError(f"{item.path}: the file is empty")
        generator = torch.Generator().manual_seed(number)
        frames = torch.randint(0, 256, (6, 3, self.side, 80), generator=generator, dtype=torch.uint8)
        face = torch.rand(68, 2, generator=generator) * 20 + 20
        return RawClip(frames, torch.zeros(3800), "hello", landmarks=face.expand(6, -1, -1).clone())


class Hanging(Tiny):
    """Reading the ``deadly`` one never ends: its process is stopped, or goes round and round."""

    def __init__(self, count: int, *, deadly: int, stop: signal.Signals | None) -> None:
        super().__init__(count)
        self.hangs, self.stop = deadly, stop

    def read(self, item: SourceItem) -> RawClip:
        while item.path == f"/in/{self.hangs}":
            if self.stop:
                os.kill(os.getpid(), self.stop)
        return super().read(item)


def run(source: Source, out: Path, **options: object):
    return prepare(source, out, dataset="tiny", progress=False, **{"workers": 1, **options})


def check_complete(out: Path, count: int) -> Store:
    """Every clip once, every byte right, nothing left over."""
    store = Store(out)
    assert sorted(info.id for info in store.clips) == sorted(item.id for item in Tiny(count).items())
    assert verify(out, progress=False).findings == ()
    assert {file.suffix for file in (out / "shards").iterdir()} == {".zip", ".jsonl", ".sha256"}
    return store


def test_clips_are_the_right_part_of_the_pictures(tmp_path: Path):
    report = run(Tiny(9), tmp_path / "a b.c")
    assert (report.prepared, report.stored, report.set_aside, report.exit_code) == (9, 9, (), 0)
    assert str(report).startswith("prepared 9 clips")
    store = check_complete(tmp_path / "a b.c", 9)
    assert (store.meta["dataset"], store.meta["detector"]) == ("tiny", "dlib")
    clip = store.clip(store.index("s1/clip.3"))
    raw = Tiny(9).read(SourceItem("", "", "/in/3"))
    shift = (raw.landmarks[0, 0] - clip.landmarks[0, 0]).round().int().tolist()
    assert torch.allclose(clip.landmarks + torch.tensor(shift), raw.landmarks)
    height, width = clip.frames.shape[2:]
    x, y = shift
    assert torch.equal(clip.frames, raw.frames[:, :, y : y + height, x : x + width])
    assert len(clip.wave) == 6 * 640
    assert clip.text == "hello"


def test_several_workers_give_the_same_store(tmp_path: Path):
    run(Tiny(14), tmp_path / "one")
    run(Tiny(14), tmp_path / "two", workers=2)
    check_complete(tmp_path / "two", 14)
    for file in (tmp_path / "one" / "shards").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / "shards" / file.name).read_bytes()


def test_bad_clips_are_set_aside(tmp_path: Path):
    report = run(Tiny(9, bad=(2, 5)), tmp_path)
    assert (report.prepared, report.exit_code) == (7, 1)
    assert "set aside 2" in str(report)
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["s0/clip.2", "s1/clip.5"]
    assert lines[0]["reason"] == "/in/2: the file is empty"
    again = run(Tiny(9), tmp_path)  # mended meanwhile, but not asked to try again
    assert (again.prepared, len(again.set_aside), again.exit_code) == (0, 2, 1)
    mended = run(Tiny(9), tmp_path, retry=True)
    assert (mended.prepared, mended.set_aside, mended.exit_code) == (2, (), 0)
    assert not (tmp_path / "report.jsonl").exists()
    check_complete(tmp_path, 9)


def test_more_clips_later(tmp_path: Path):
    run(Tiny(5), tmp_path)
    assert run(Tiny(8), tmp_path).prepared == 3
    check_complete(tmp_path, 8)


SCRIPT = """
import sys
from tests.data.test_prepare import Tiny, run
from pathlib import Path
if __name__ == "__main__":
    run(Tiny(40, pause=0.05), Path(sys.argv[1]), workers=int(sys.argv[2]), shard_clips=3)
"""


def start(tmp_path: Path, out: Path, workers: int) -> subprocess.Popen[bytes]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(out), str(workers)]
    # A shell starts background jobs, this test run perhaps, with SIGINT ignored, and children inherit that.
    return subprocess.Popen(
        command, env=environment, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    )


def wait_for_shards(out: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(list(out.glob("shards/*.jsonl"))) < count:
        assert time.monotonic() < end
        time.sleep(0.005)


def alive(process: str) -> bool:
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_run_again(tmp_path: Path, workers: int):
    out = tmp_path / "store"
    process = start(tmp_path, out, workers)
    wait_for_shards(out, 3)
    time.sleep(0.07)  # in the middle of a shard
    process.kill()
    process.wait()
    stored = len(Store(out))
    assert 0 < stored < 40
    assert list((out / "shards" / ".tmp").iterdir())
    report = run(Tiny(40), out, shard_clips=3)
    assert report.prepared == 40 - stored
    store = check_complete(out, 40)
    assert [info.id for info in store.clips] == [item.id for item in Tiny(40).items()]  # as if nothing had happened


def test_interrupt_stops_at_once_and_leaves_no_process(tmp_path: Path):
    out = tmp_path / "store"
    process = start(tmp_path, out, 2)
    wait_for_shards(out, 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    assert children
    end = time.monotonic() + 60  # a hang, however busy the machine is
    while any(map(alive, children)):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert not (out / "shards" / ".tmp").exists()
    run(Tiny(40), out, shard_clips=3)
    check_complete(out, 40)


def test_half_a_shard_is_removed(tmp_path: Path):
    run(Tiny(9), tmp_path)
    for suffix in (".zip", ".sha256"):  # killed between two renames: the index never came
        (tmp_path / "shards" / f"00009{suffix}").write_bytes(b"half")
    (tmp_path / "shards" / "00000.jsonl").unlink()
    run(Tiny(9), tmp_path)
    check_complete(tmp_path, 9)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_costs_one_clip(tmp_path: Path, workers: int):
    report = run(Tiny(12, deadly=9), tmp_path, workers=workers, apart=True)
    assert (report.stored, report.exit_code) == (11, 1)
    (aside,) = report.set_aside
    assert aside.id == "s1/clip.9"
    assert re.search(r"worker process died .SIGKILL, out of memory.*--retry", aside.reason)
    again = run(Tiny(12, deadly=9), tmp_path, workers=workers, apart=True)  # not killed by it once more
    assert (again.prepared, again.stored, len(again.set_aside)) == (0, 11, 1)
    assert run(Tiny(12), tmp_path, retry=True).stored == 12
    check_complete(tmp_path, 12)


@pytest.mark.parametrize("stop", [signal.SIGSTOP, None])
def test_a_worker_that_hangs_costs_one_clip(tmp_path: Path, stop: signal.Signals | None):
    report = run(Hanging(6, deadly=2, stop=stop), tmp_path, apart=True, patience_s=6.0)
    assert (report.stored, report.exit_code) == (5, 1)
    (aside,) = report.set_aside
    assert aside.id == "s0/clip.2"
    assert "nothing moved for 6 s" in aside.reason
    assert run(Tiny(6), tmp_path, retry=True).stored == 6
    check_complete(tmp_path, 6)


@pytest.mark.parametrize("workers", [1, 2])
def test_full_disk(tmp_path: Path, workers: int):
    """A limit on the size of files makes a real write fail, as a full disk does."""
    run(Tiny(4), tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises(DataError, match="finished shards are kept") as error:
            run(Tiny(40), tmp_path, shard_clips=36, workers=workers)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)
    check_complete(tmp_path, 4)
    run(Tiny(40), tmp_path)
    check_complete(tmp_path, 40)


def test_refusals(tmp_path: Path):
    with pytest.raises(DataError, match="no clip"):
        run(Tiny(0), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    run(Tiny(3), tmp_path / "b")
    with pytest.raises(DataError, match="'tiny', not 'other'"):
        prepare(Tiny(3), tmp_path / "b", dataset="other", workers=1, progress=False)
    with pytest.raises(DataError, match="detector"):
        run(Tiny(3), tmp_path / "b", detector="mtcnn")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        run(Tiny(3), tmp_path / "file")


def test_two_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    process = start(tmp_path, tmp_path / "store", 1)
    try:
        wait_for_shards(tmp_path / "store", 1)
        with pytest.raises(DataError, match="another process"):
            run(Tiny(40), tmp_path / "store")
        assert run(Tiny(40), tmp_path / "store", wait=True).prepared < 40
        assert "waiting for another process" in capfd.readouterr().err
        check_complete(tmp_path / "store", 40)
    finally:
        process.kill()
        process.wait()


def test_progress_in_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zoo.support.progress.LINE_EVERY_S", 0.0)
    prepare(Tiny(6), tmp_path, dataset="tiny", workers=1)
    lines = capsys.readouterr().err.splitlines()
    assert re.match(r"preparing tiny: 0/6 clips \(\d+%\)", lines[0])
    assert "s left" in lines[0]
    assert lines[-1].startswith("preparing tiny: 6/6 clips")


def test_faceless_videos_and_videos_without_sound(tmp_path: Path):
    blank = torch.full((12, 3, 96, 96), 128, dtype=torch.uint8)
    write_video(tmp_path / "in" / "no face.mp4", blank, wave=torch.zeros(7680))
    write_video(tmp_path / "in" / "no sound.mp4", blank)
    (tmp_path / "in" / "empty.mp4").touch()
    report = run(Folder(tmp_path / "in"), tmp_path / "out")
    assert (report.stored, report.exit_code) == (0, 1)
    reasons = {entry.id: entry.reason for entry in report.set_aside}
    assert "no face" in reasons["no face"]
    assert "no sound track" in reasons["no sound"]
    assert "empty" in reasons["empty"]


@pytest.mark.grid
def test_real_clips_with_74_frames_and_of_another_speaker(grid_root: Path, tmp_path: Path):
    for name in ("s1/sbbbzp.mpg", "s22/lbbc2a.mpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / name).symlink_to(grid_root / name)
    report = prepare(Grid(tmp_path / "in"), tmp_path / "out", dataset="grid", workers=1, progress=False)
    assert (report.prepared, report.exit_code) == (2, 0)
    store = Store(tmp_path / "out")
    assert [info.num_frames for info in store.clips] == [74, 75]
    for number, info in enumerate(store.clips):
        assert info.num_samples == info.num_frames * 640
        landmarks = store.landmarks(number)
        assert landmarks.min() > 0  # the whole face is inside
        assert (landmarks.amax((0, 1)) < torch.tensor([info.width, info.height])).all()
        assert 120 < info.width < 260


def test_names_of_any_bytes_and_what_was_not_looked_at(tmp_path: Path, zoo: Callable[..., Any]):
    """A name that is no UTF-8 is a clip like any other, and its reason can be printed everywhere."""
    folder = os.fsencode(tmp_path / "in") + b"/sp\xe9"
    os.makedirs(folder)
    source = SynthGrid(clips=3, frames=40)
    clip = source.read(source.items()[0])
    assert clip.landmarks is not None
    for name in (b"caf\xe9", b"a\x1b[31m\nb", b"12:30"):
        write_video(tmp_path / "made.mp4", clip.frames, wave=clip.wave)
        os.rename(tmp_path / "made.mp4", folder + b"/" + name + b".mp4")
        np.save(os.fsdecode(folder + b"/" + name + b".landmarks.npy"), clip.landmarks.numpy())
    for name in (b"damag\xe9d.mp4", b"notes.xyz"):
        with open(folder + b"/" + name, "wb") as file:
            file.write(b"nothing")
    out = tmp_path / "out"
    command = ("data", "prepare", "folder", "--root", tmp_path / "in", "--out", out, "--workers", "1")
    for plain in ({}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}):
        done = zoo(*command, **plain)
        assert "Traceback" not in done.stderr
        assert done.returncode == 1
        assert r"not looked at: 1 file (.xyz 1), sp\xe9/notes.xyz" in done.stdout
    speaker = r"sp\xe9"
    store = Store(out)
    assert {info.id for info in store.clips} == {
        rf"{speaker}/caf\xe9",
        rf"{speaker}/a\x1b[31m\x0ab",
        f"{speaker}/12:30",
    }
    assert {info.speaker for info in store.clips} == {speaker}
    assert verify(out, progress=False).findings == ()
    (entry,) = read_report(out).values()
    assert entry.id == rf"{speaker}/damag\xe9d"
    assert r"damag\xe9d.mp4" in entry.reason


def test_a_report_that_is_damaged(tmp_path: Path):
    run(Tiny(9, bad=(2, 5)), tmp_path)
    report = tmp_path / "report.jsonl"
    good = report.read_bytes()
    for line in (
        b"\xff\xfe\n",
        b"\0" * 50 + b"\n",
        b'{"id": 3, "path": "", "reason": ""}\n',
        b"[]\n",
        b"[" * 9999 + b"\n",
    ):
        report.write_bytes(line + good + b'{"id": "s0/cl')
        assert set(read_report(tmp_path)) == {"s0/clip.2", "s1/clip.5"}
    again = run(Tiny(9), tmp_path, retry=True)
    assert (again.stored, again.exit_code) == (9, 0)


def test_memory_that_is_not_there_is_one_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read = Tiny.read

    def too_large(self: Tiny, item: SourceItem) -> RawClip:
        if item.path == "/in/3":
            raise MemoryError
        return read(self, item)

    monkeypatch.setattr(Tiny, "read", too_large)
    report = run(Tiny(9), tmp_path)
    assert (report.stored, report.exit_code) == (8, 1)
    assert "memory" in report.set_aside[0].reason
