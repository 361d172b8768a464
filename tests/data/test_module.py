"""The data module feeds the same windows whatever loads them, and says what is missing."""

import dataclasses
import fcntl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.helpers.drawn import clip_of_dots
from zoo.data.module import TalkingFaceData, store_path
from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.registry.config import DataConfig
from zoo.registry.spec import InputSpec
from zoo.support.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("module") / "store"
    parts = [*["train"] * 6, *["val"] * 2, *["test"] * 5]
    clips = [clip_of_dots(f"{part}{k}/c", 20 + k, (48, 57)) for k, part in enumerate(parts)]
    write_store(path, clips, dataset="synthgrid")
    return path


def make(path: Path, spec: InputSpec | None = None, seed: int = 0, **settings: object) -> TalkingFaceData:
    data = TalkingFaceData(DataConfig(root=str(path), **settings), spec or InputSpec(), seed)  # type: ignore[arg-type]
    data.setup("fit")
    return data


def same(a: object, b: object) -> bool:
    if torch.is_tensor(a):
        return torch.is_tensor(b) and torch.equal(a, b)
    if dataclasses.is_dataclass(a):
        return all(same(value, getattr(b, name)) for name, value in vars(a).items())
    return a == b


def test_workers_give_the_same_batches_as_none(path: Path):
    alone = make(path, batch_size=4, windows_per_clip=3).train_dataloader()
    helped = make(path, batch_size=4, windows_per_clip=3, num_workers=2).train_dataloader()
    for epoch in (0, 1):
        for loader in (alone, helped):
            loader.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        pairs = list(zip(alone, helped, strict=True))
        assert len(pairs) == 4  # 18 windows, the last two of which fill no batch
        assert all(same(a, b) for a, b in pairs)


def test_every_held_out_clip_once(path: Path):
    data = make(path, batch_size=2)
    validated = [clip for batch in data.val_dataloader() for clip in batch.clip]
    assert sorted(validated) == ["val6/c", "val7/c"]
    tested = list(data.test_dataloader())
    assert [batch.clip for batch in tested] == [[f"test{k}/c"] for k in range(8, 13)]
    assert [batch.frames.shape[1] for batch in tested] == [28, 29, 30, 31, 32]
    first, again = list(data.val_dataloader()), list(data.val_dataloader())
    assert all(same(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("world", [2, 3, 7])
def test_processes_share_the_clips(path: Path, world: int):
    seen: Counter[str] = Counter()
    trained: set[str] = set()
    lengths = set()
    for rank in range(world):
        data = make(path, batch_size=1)
        data.trainer = SimpleNamespace(global_rank=rank, world_size=world)  # type: ignore[assignment]
        seen.update(clip for batch in data.test_dataloader() for clip in batch.clip)
        loader = data.train_dataloader()
        lengths.add(len(loader))
        trained |= {clip for batch in loader for clip in batch.clip}
    assert set(seen) == {f"test{k}/c" for k in range(8, 13)}
    assert sum(seen.values()) == max(5, world)
    assert len(lengths) == 1
    assert trained == {f"train{k}/c" for k in range(6)}


def test_seed_and_limits(path: Path):
    one, same_seed, other = (next(iter(make(path, seed=s).train_dataloader())) for s in (0, 0, 1))
    assert same(one, same_seed)
    assert not same(one, other)
    few = make(path, max_clips=2)
    assert {part: len(clips) for part, clips in few.clips.items()} == {"train": 2, "val": 2, "test": 2}


def test_pictures_become_floats_after_the_transfer(path: Path):
    data = make(path)
    batch = next(iter(data.train_dataloader()))
    moved = data.on_after_batch_transfer(batch, 0)
    assert moved.frames.dtype == torch.float32
    assert moved.frames.min() >= 0
    assert moved.frames.max() <= 1


def test_what_cannot_be_used(path: Path, tmp_path: Path):
    with pytest.raises(DataError, match="no store here"):
        make(tmp_path / "nothing")
    with pytest.raises(DataError, match="30"):
        make(path, InputSpec(fps=30.0))
    with pytest.raises(ConfigError, match="did you mean 'by-clip'"):
        make(path, split="by-clips")
    with pytest.raises(ConfigError, match=r"zoo data prepare grid"):
        store_path(DataConfig(name="grid"))
    write_store(tmp_path / "store", [clip_of_dots("train0/c", 5, (48,))], dataset="synthgrid")
    data = make(tmp_path / "store")
    with pytest.raises(DataError, match=r"leaves none of 1 clips to test on; try data\.split=by-clip"):
        data.setup("test")
    assert data.val_dataloader() == []
    write_store(tmp_path / "tests", [clip_of_dots("test0/c", 5, (48,))], dataset="synthgrid")
    with pytest.raises(DataError, match="0 of 1 clips to train on"):
        make(tmp_path / "tests")


def test_a_second_fit_waits_for_the_clips_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    data = TalkingFaceData(DataConfig(clips=3), InputSpec(crop="face", size=(96, 96), frames=1), 0)
    with ThreadPoolExecutor(1) as pool:
        store = Path(data.path)
        store.mkdir()
        with (store / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # as the first one holds it
            second = pool.submit(data.prepare_data)
            with pytest.raises(TimeoutError):
                second.result(timeout=1)
        second.result(timeout=120)
    assert len(Store(store)) == 3
