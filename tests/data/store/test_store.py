"""The store gives back exactly what was written, whole or in part, from a folder or from object storage."""

import multiprocessing
import pickle
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch

from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.media.audio import cut
from zoo.media.clip import Clip, Word
from zoo.support.errors import DataError


def make_clip(number: int, *, frames: int = 12) -> Clip:
    torch.manual_seed(number)
    return Clip(
        id=f"s{number % 3}/a b.{number}é",
        speaker=f"s{number % 3}",
        text="bin blue",
        frames=torch.randint(0, 256, (frames, 3, 20 + number, 17), dtype=torch.uint8),
        wave=torch.rand(frames * 640) * 2 - 1,
        landmarks=torch.rand(frames, 68, 2) * 17,
        words=(Word(0.1, 0.2, "bin"), Word(0.2, 0.4, "blue")),
    )


CLIPS = [make_clip(number) for number in range(10)]


@pytest.fixture(scope="module", params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("data") / "a store.x"
    write_store(path, CLIPS, dataset="test", shard_clips=4, licence="CC0")
    if request.param == "folder":
        return Store(path)
    memory = fsspec.filesystem("memory")
    memory.put(str(path), "/bucket/store", recursive=True)
    return Store("memory://bucket/store")


def same(clip: Clip, other: Clip) -> bool:
    pairs = ((getattr(clip, name), getattr(other, name)) for name in Clip.__dataclass_fields__)
    return all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in pairs)


def test_clips_come_back_bit_for_bit(store: Store):
    assert len(store) == len(store.clips) == 10
    assert store.meta["licence"] == "CC0"
    for clip in CLIPS:
        assert same(clip, store.clip(store.index(clip.id)))
    info = store.clips[7]
    assert (info.id, info.num_frames, info.height, info.width, info.num_samples) == (CLIPS[7].id, 12, 27, 17, 7680)
    assert [info.id for info in store.clips[8:]] == [CLIPS[8].id, CLIPS[9].id]


@pytest.mark.parametrize("which", [slice(None), slice(2, 7), slice(0, 12, 3), [3], [5, 6, 0, 0, -1], [], slice(4, 4)])
def test_some_frames(store: Store, which: slice | list[int]):
    got = store.frames(5, which)
    assert torch.equal(got, CLIPS[5].frames[which])
    assert len(got) < 1 or got.is_contiguous(memory_format=torch.channels_last)
    got.zero_()  # the caller's own copy
    assert torch.equal(store.frames(5, which), CLIPS[5].frames[which])


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (100, 200), (-50, 30), (7600, 7800), (-9, 9000), (-20, -5), (8000, 8010)]
)
def test_some_sound(store: Store, start: int, stop: int | None):
    wave = CLIPS[5].wave
    assert torch.equal(store.wave(5, start, stop), cut(wave, start, len(wave) if stop is None else stop))


def test_wrong_numbers(store: Store):
    with pytest.raises(IndexError):
        store.frames(0, [12])
    with pytest.raises(IndexError):
        store.clip(10)
    with pytest.raises(DataError, match="nobody"):
        store.index("nobody")


def test_pickled_store_is_small_and_reads_on(store: Store):
    store.frames(0)
    data = pickle.dumps(store)
    assert len(data) < 2000
    assert same(pickle.loads(data).clip(9), CLIPS[9])


def read_all(store: Store) -> bool:
    return all(same(store.clip(number), clip) for number, clip in enumerate(CLIPS))


def test_workers_after_a_fork(store: Store):
    store.frames(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert all(pool.map(read_all, [store] * 4))


def test_many_threads_and_more_shards_than_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zoo.data.store.shard_files.OPEN_FILES", 2)
    write_store(tmp_path, CLIPS, dataset="test", shard_clips=1)
    store = Store(tmp_path)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads get into each other's way as often as they can
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(read_all, [store] * 160))
    finally:
        sys.setswitchinterval(before)
    assert len(store._files._open) <= 10


def test_a_part_of_the_shards(tmp_path: Path):
    write_store(tmp_path, CLIPS, dataset="test", shard_clips=2)
    parts = [Store(tmp_path, part=(k, 2)) for k in range(2)]
    ids = sorted(info.id for part in parts for info in part.clips)
    assert ids == sorted(clip.id for clip in CLIPS)
    assert len(parts[0]) == 6


def test_ordinary_tools_open_it(tmp_path: Path):
    write_store(tmp_path, CLIPS[:2], dataset="test")
    with zipfile.ZipFile(tmp_path / "shards" / "00000.zip") as archive:
        assert archive.testzip() is None
        with archive.open(f"{CLIPS[1].id}/frames.npy") as file:
            frames = np.load(file)
    assert np.array_equal(frames, CLIPS[1].frames.permute(0, 2, 3, 1).numpy())


def test_same_clips_give_the_same_bytes(tmp_path: Path):
    for name in "ab":
        write_store(tmp_path / name, CLIPS, dataset="test")
    read = [(tmp_path / name / "shards" / "00000.zip").read_bytes() for name in "ab"]
    assert read[0] == read[1]


def test_no_store(tmp_path: Path):
    for path in (tmp_path, tmp_path / "nowhere", "memory://nothing/here"):
        with pytest.raises(DataError, match="zoo data prepare") as error:
            Store(path)
        assert str(path) in str(error.value)
    write_store(tmp_path / "empty", [], dataset="test")
    with pytest.raises(DataError, match="no clip"):
        Store(tmp_path / "empty")


def test_unknown_kind_of_address():
    with pytest.raises(DataError, match="nonsense://"):
        Store("nonsense://bucket/store")


def test_newer_format(tmp_path: Path):
    write_store(tmp_path, CLIPS[:1], dataset="test")
    meta = tmp_path / "store.json"
    meta.write_text(meta.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(DataError, match="newer zoo"):
        Store(tmp_path)
    meta.write_text("{ damaged")
    with pytest.raises(DataError, match="damaged"):
        Store(tmp_path)


def test_missing_or_short_shard_is_one_clear_line(tmp_path: Path):
    write_store(tmp_path, CLIPS[:4], dataset="test", shard_clips=2)
    shard = tmp_path / "shards" / "00000.zip"
    shard.write_bytes(shard.read_bytes()[:20000])
    (tmp_path / "shards" / "00001.zip").unlink()
    store = Store(tmp_path)
    for number in (1, 2):
        with pytest.raises(DataError, match="zoo data verify"):
            store.clip(number)


@pytest.mark.parametrize("change", [{"frames": torch.zeros(12, 3, 8, 8)}, {"landmarks": torch.zeros(11, 68, 2)}])
def test_wrong_clip_is_refused(tmp_path: Path, change: dict):
    clip = make_clip(0)
    vars(clip).update(change)
    with pytest.raises(ValueError, match="clip s0"):
        write_store(tmp_path, [clip], dataset="test")
    assert not list((tmp_path / "shards").iterdir())


def test_existing_store_is_not_overwritten(tmp_path: Path):
    write_store(tmp_path, CLIPS[:1], dataset="test")
    with pytest.raises(DataError, match="already"):
        write_store(tmp_path, CLIPS[:2], dataset="test")
    assert len(Store(tmp_path)) == 1
