"""Real videos: long ones, cuts, gaps, several faces; clips with stable ids, nothing lost without a word."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.data.prepare import PrepareReport, prepare
from zoo.data.sources.base import OpenClip, RawClip, Source, SourceItem
from zoo.data.sources.folder import Folder
from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.data.splitting import Splitting
from zoo.data.store.store import Store
from zoo.data.store.verify import verify
from zoo.face.precomputed import landmarks_path
from zoo.media.video import write_video
from zoo.support.errors import DataError, MediaError

FACE = torch.rand(68, 2, generator=torch.Generator().manual_seed(0)) * 20 + 20


class Pictures:
    """Frames of noise in a few scenes; counts how many are alive."""

    def __init__(self, count: int, cuts: tuple[int, ...] = (), fail_at: int = -1) -> None:
        self.count, self.cuts, self.fail_at = count, cuts, fail_at
        self.alive, self.most, self.passes = weakref.WeakSet[Tensor](), 0, 0

    def __iter__(self) -> Iterator[Tensor]:
        self.passes += 1
        for number in range(self.count):
            if self.passes == 2 and number == self.fail_at:
                return
            scene = sum(number >= cut for cut in self.cuts)
            picture = torch.full((3, 60, 80), 60 + 90 * (scene % 2), dtype=torch.uint8)
            picture[:, 0, 0] = number % 250
            self.alive.add(picture)
            self.most = max(self.most, len(self.alive))
            yield picture
            del picture


def _sound(frames: int) -> Tensor:
    return 0.1 * torch.randn(frames * 640, generator=torch.Generator().manual_seed(frames))


class Talks(Source):
    """Videos with landmarks: each of so many frames, with cuts, without a face in ranges."""

    splitting = Splitting(clip_seconds=4.0)

    def __init__(self, **videos: dict[str, object]) -> None:
        super().__init__()
        self.videos = videos
        self.pictures: dict[str, Pictures] = {}

    def items(self) -> list[SourceItem]:
        return [SourceItem(name, name, f"/in/{name}.mp4") for name in self.videos]

    def read(self, item: SourceItem) -> RawClip:
        return self.open(item).read()

    def open(self, item: SourceItem) -> OpenClip:
        video = dict(self.videos[item.id])
        hidden, text = video.pop("hidden", []), video.pop("text", "")
        if (error := video.pop("error", None)) is not None:
            raise error
        pictures = self.pictures[item.id] = Pictures(**video)
        landmarks = FACE.expand(pictures.count, -1, -1).clone()
        for part in hidden:
            landmarks[list(part)] = torch.nan
        return OpenClip(pictures, _sound(pictures.count), text, landmarks=landmarks)


def run(source: Source, out: Path, **options: object) -> PrepareReport:
    return prepare(source, out, dataset="talks", progress=False, **{"workers": 1, **options})


def lengths(out: Path) -> dict[str, int]:
    return {info.id: info.num_frames for info in Store(out).clips}


def test_a_short_video_stays_whole_and_a_long_one_becomes_clips(tmp_path: Path):
    source = Talks(short={"count": 30, "text": "hello"}, long={"count": 250, "text": "a long talk"})
    report = run(source, tmp_path)
    assert (report.prepared, report.exit_code) == (4, 0)
    report_ids = lengths(tmp_path)
    assert report_ids["short"] == 30
    parts = [name for name in report_ids if name != "short"]
    assert all(name.startswith("long@000") for name in parts)
    assert sum(report_ids[name] for name in parts) == 250
    assert max(report_ids.values()) <= 100
    store = Store(tmp_path)
    assert [store.clips[store.index(name)].text for name in ("short", parts[0])] == ["hello", ""]
    assert [note for note in report.notes if "text is left out" in note] == list(report.notes)
    starts = [round(float(name.removeprefix("long@")) * 25) for name in parts]
    for name, first in zip(parts, starts, strict=True):
        clip = store.clip(store.index(name))
        assert clip.frames.shape[0] * 640 == len(clip.wave)
        assert clip.speaker == "long"
        assert first + len(clip.frames) in [*starts, 250]
    assert verify(tmp_path, progress=False).findings == ()


def test_a_video_of_any_length_is_in_memory_for_a_moment_only(tmp_path: Path):
    most = []
    for count in (60, 600):
        source = Talks(talk={"count": count})
        run(source, tmp_path / str(count))
        most.append(source.pictures["talk"].most)
        assert source.pictures["talk"].passes == 2
    assert most[0] == most[1] <= 12


def test_an_unsplit_source_is_a_stream_too(tmp_path: Path):
    source = Talks(talk={"count": 300})
    source.splitting = None
    run(source, tmp_path)
    assert lengths(tmp_path) == {"talk": 300}
    assert source.pictures["talk"].most <= 3


def test_cuts_and_gaps_divide_and_what_is_left_over_is_reported(tmp_path: Path):
    source = Talks(cut={"count": 90, "cuts": (40, 52)}, gap={"count": 100, "hidden": [range(40, 52), range(80, 85)]})
    report = run(source, tmp_path)
    assert lengths(tmp_path) == {"cut@00000.00": 40, "cut@00002.08": 38, "gap@00000.00": 40, "gap@00002.08": 28}
    assert report.exit_code == 1
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    reasons = {line["id"]: line["reason"] for line in lines}
    assert set(reasons) == {"cut@00001.60", "gap@00001.60", "gap@00003.40"}
    assert "too short: 0.48 s" in reasons["cut@00001.60"]
    assert "no face that can be followed for 0.48 s" in reasons["gap@00001.60"]
    assert {line["path"] for line in lines} == {"/in/cut.mp4", "/in/gap.mp4"}


def test_a_video_without_a_usable_part_is_one_line(tmp_path: Path):
    source = Talks(
        none={"count": 60, "hidden": [range(60)]}, bits={"count": 60, "hidden": [range(15, 45)]}, ok={"count": 30}
    )
    report = run(source, tmp_path)
    assert lengths(tmp_path) == {"ok": 30}
    reasons = {entry.id: entry.reason for entry in report.set_aside}
    assert "no face" in reasons["none"]
    assert reasons["bits"].startswith("none of its 3 parts can be used; the first: too short: 0.60 s")


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_what_does_not_fit_into_memory_is_one_video_set_aside(tmp_path: Path, error: Exception):
    report = run(Talks(huge={"error": error}, ok={"count": 30}), tmp_path)
    assert [(entry.id, entry.reason) for entry in report.set_aside] == [("huge", "it needs more memory than there is")]
    assert lengths(tmp_path) == {"ok": 30}
    assert run(Talks(huge={"error": error}, ok={"count": 30}), tmp_path).prepared == 0


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), MediaError("it is damaged")])
def test_what_cannot_be_read_does_not_end_the_run(tmp_path: Path, error: Exception):
    report = run(Talks(bad={"error": error}, ok={"count": 30}), tmp_path)
    assert [entry.id for entry in report.set_aside] == ["bad"]
    assert lengths(tmp_path) == {"ok": 30}


def test_a_video_that_is_another_when_it_is_read_again_leaves_no_trace(tmp_path: Path):
    plain = Talks(a={"count": 30}, c={"count": 30})
    run(plain, tmp_path / "plain")
    changed = Talks(a={"count": 30}, b={"count": 250, "fail_at": 190}, c={"count": 30})
    report = run(changed, tmp_path / "changed", shard_clips=4)
    assert "when they were read again" in report.set_aside[0].reason
    assert lengths(tmp_path / "changed") == {"a": 30, "c": 30}
    assert verify(tmp_path / "changed", progress=False).findings == ()
    sizes = [(tmp_path / name / "shards" / "00000.zip").stat().st_size for name in ("plain", "changed")]
    assert sizes[0] == sizes[1]


def test_a_second_run_does_nothing_and_a_retry_only_what_is_missing(tmp_path: Path):
    videos = {"cut": {"count": 90, "cuts": (40, 52)}, "none": {"count": 60, "hidden": [range(60)]}}
    first = run(Talks(**videos), tmp_path)
    assert (first.prepared, len(first.set_aside)) == (2, 2)
    again = run(Talks(**videos), tmp_path)
    assert (again.prepared, again.set_aside) == (0, first.set_aside)
    mended = run(Talks(**{**videos, "none": {"count": 60}}), tmp_path, retry=True)
    assert (mended.prepared, [entry.id for entry in mended.set_aside]) == (1, ["cut@00001.60"])
    assert lengths(tmp_path) == {"cut@00000.00": 40, "cut@00002.08": 38, "none": 60}


def test_killed_between_report_and_shard_nothing_is_lost(tmp_path: Path):
    videos = {"cut": {"count": 90, "cuts": (40, 52)}, "long": {"count": 250}}
    run(Talks(**videos), tmp_path)
    whole = lengths(tmp_path)
    for file in (tmp_path / "shards").iterdir():
        file.unlink()  # the report stands, the shard never came
    report = run(Talks(**videos), tmp_path)
    assert lengths(tmp_path).keys() == whole.keys()
    assert [entry.id for entry in report.set_aside] == ["cut@00001.60"]


def test_names_like_those_of_parts_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"'talk@00001\.20' is named like a part of 'talk'"):
        run(Talks(**{"talk": {"count": 30}, "talk@00001.20": {"count": 30}}), tmp_path)
    run(Talks(**{"a@b": {"count": 30}, "a": {"count": 250}}), tmp_path)
    assert run(Talks(**{"a@b": {"count": 30}, "a": {"count": 250}}), tmp_path).prepared == 0


def test_another_length_is_another_store(tmp_path: Path):
    run(Talks(a={"count": 30}), tmp_path)
    other = Talks(a={"count": 30})
    other.splitting = Splitting(clip_seconds=9.0)
    with pytest.raises(DataError, match="clip_seconds"):
        run(other, tmp_path)


@pytest.fixture(scope="module")
def talkers() -> list[Tensor]:
    source = SynthGrid(clips=3, frames=40)
    return [source.read(item).frames[:40] for item in source.items()[:2]]


def test_two_faces_in_view(talkers: list[Tensor], tmp_path: Path):
    beside = torch.full((40, 3, 256, 512), 128, dtype=torch.uint8)
    beside[..., :256] = talkers[0]
    beside[..., 30:222, 288:480] = interpolate(talkers[1], (192, 192), mode="bilinear", antialias=True)
    write_video(tmp_path / "in" / "two.mp4", beside, wave=torch.zeros(40 * 640))
    one = run(Folder(tmp_path / "in"), tmp_path / "one")
    assert lengths(tmp_path / "one") == {"two": 40}
    assert len(one.notes) == 1
    assert f"{tmp_path}/in/two.mp4: up to 2 faces in view" in one.notes[0]
    source = Folder(tmp_path / "in")
    source.splitting = Splitting(faces="all")
    report = run(source, tmp_path / "all")
    assert lengths(tmp_path / "all") == {"two@00000.00": 40, "two@00000.00-2": 40}
    assert report.exit_code == 0
    store = Store(tmp_path / "all")
    left, right = (store.clip(store.index(name)) for name in ("two@00000.00", "two@00000.00-2"))
    assert left.frames.shape[2] > right.frames.shape[2]
    assert (left.frames[20].float().mean((1, 2)) - right.frames[20].float().mean((1, 2))).abs().max() > 3


def test_landmarks_beside_a_video_with_gaps(tmp_path: Path):
    frames = torch.randint(0, 256, (1, 3, 60, 80), dtype=torch.uint8).expand(100, -1, -1, -1)
    write_video(tmp_path / "in" / "a.mp4", frames, wave=torch.zeros(100 * 640))
    landmarks = FACE.expand(100, -1, -1).clone()
    landmarks[10:15], landmarks[45:70] = torch.nan, torch.nan
    np.save(landmarks_path(tmp_path / "in" / "a.mp4"), landmarks.numpy())
    report = run(Folder(tmp_path / "in"), tmp_path / "out")
    assert lengths(tmp_path / "out") == {"a@00000.00": 45, "a@00002.80": 30}
    assert [entry.id for entry in report.set_aside] == ["a@00001.80"]


def test_a_long_video_moves_the_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("zoo.support.progress.LINE_EVERY_S", 0.0)
    frames = torch.randint(0, 256, (1, 3, 60, 80), dtype=torch.uint8).expand(200, -1, -1, -1)
    write_video(tmp_path / "in" / "a.mp4", frames, wave=torch.zeros(200 * 640))
    np.save(landmarks_path(tmp_path / "in" / "a.mp4"), FACE.expand(200, -1, -1).numpy())
    prepare(Folder(tmp_path / "in"), tmp_path / "out", dataset="folder", workers=1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 3
    assert lines[0].startswith("preparing folder: 0/1 clips (")


@pytest.mark.grid
def test_two_people_with_a_cut_between_them_are_two_speakers(grid_root: Path, tmp_path: Path):
    from zoo.media.video import read_video

    one, two = (read_video(grid_root / name).frames for name in ("s1/bbaf5a.mpg", "s2/pwij3p.mpg"))
    frames = torch.cat([one, two])
    write_video(tmp_path / "in" / "talk.mp4", frames, wave=torch.zeros(len(frames) * 640))
    report = run(Folder(tmp_path / "in"), tmp_path / "out")
    found = {info.id: (info.speaker, info.num_frames) for info in Store(tmp_path / "out").clips}
    assert found == {"talk@00000.00": ("talk", len(one)), "talk@00003.00": ("talk+face2", len(two))}
    assert "2 people" in report.notes[0]


@pytest.mark.grid
def test_clips_of_grid_in_a_folder_are_not_divided(grid_root: Path, tmp_path: Path):
    for name in ("s1/bbaf5a.mpg", "s2/pwij3p.mpg", "s5/lbax4n.mpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        os.symlink(grid_root / name, tmp_path / "in" / name)
    report = run(Folder(tmp_path / "in"), tmp_path / "out")
    assert list(lengths(tmp_path / "out")) == ["s1/bbaf5a", "s2/pwij3p", "s5/lbax4n"]
    assert report.notes == ()
