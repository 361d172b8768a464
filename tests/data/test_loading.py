"""Loading processes that cannot work end a run in one line; they are never waited for without an end."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from zoo.data import loading
from zoo.data.loading import batch_bytes, check_shared_memory, loader_errors, share_by_name
from zoo.data.module import TalkingFaceData
from zoo.data.store.shard import write_store
from zoo.media.clip import Clip
from zoo.registry.config import DataConfig
from zoo.registry.spec import InputSpec
from zoo.support.errors import DataError


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(loading.os, "statvfs", lambda _: SimpleNamespace(f_bavail=free // 4096, f_frsize=4096))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    clips = (
        Clip(
            f"s{n}/a", f"s{n}", "", torch.zeros(30, 3, 64, 64, dtype=torch.uint8), torch.zeros(30 * 640),
            torch.rand(30, 68, 2) * 30 + 15,
        )
        for n in range(9)
    )  # fmt: skip
    write_store(tmp_path, clips, dataset="folder", splits=("by-clip",))
    return tmp_path


def data(store: Path, workers: int, spec: InputSpec | None = None) -> TalkingFaceData:
    config = DataConfig(name="folder", root=str(store), split="by-clip", num_workers=workers, batch_size=2)
    return TalkingFaceData(config, spec or InputSpec(frames=3, size=(32, 32), context=640))


def test_a_batch_is_estimated_as_it_is(store: Path):
    module = data(store, 0)
    module.setup("fit")
    batch = next(iter(module.train_dataloader()))
    tensors = (batch.frames, batch.given.stills, batch.given.identity.points, batch.given.sound, batch.landmarks)
    sent = sum(value.nbytes for value in tensors)
    assert batch_bytes(module.spec, 1, 2, 3, batch.wave.shape[-1]) == sent


def test_room_is_looked_for_before_processes_start(store: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zoo.data.module.usable_cores", lambda: 4)
    one = data(store, 0)
    one.setup("fit")
    size = batch_bytes(one.spec, 1, 2, 3, next(iter(one.train_dataloader())).wave.shape[-1])
    room(monkeypatch, 2 * loading.IN_FLIGHT * size - 4096)
    one.train_dataloader()  # in this process nothing is sent
    module = data(store, 2)
    module.setup("fit")
    with pytest.raises(DataError, match=r"/dev/shm has .* left, 2 loading processes need .*num_workers=0.*--shm-size="):
        module.train_dataloader()
    room(monkeypatch, 2 * loading.IN_FLIGHT * size + 4096)
    module.setup("fit")
    module.train_dataloader()
    if module.clips["val"]:
        with pytest.raises(DataError, match="shared memory"):  # both loaders' batches are there at once
            module.val_dataloader()
    module.setup("test")
    with pytest.raises(DataError, match="shared memory"):  # whole clips
        module.test_dataloader()


def test_no_shared_memory_on_this_system(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "SHARED_MEMORY", "/nowhere")
    check_shared_memory(2**60, 2)


def damaged() -> None:
    raise DataError("shards/00000.zip: s1/a/frames.npy is damaged")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stopped() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


class Broken(Dataset[torch.Tensor]):
    """Something happens to the process that loads the third item."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self.happens = happens

    def __len__(self) -> int:
        return 9

    def __getitem__(self, number: int) -> torch.Tensor:
        if number == 2:
            self.happens()
        return torch.zeros(3)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (damaged, "shards/00000.zip: s1/a/frames.npy is damaged"),
        (killed, "a process that loads data was ended from outside"),
        (stopped, "they hang; set data.num_workers=0"),
    ],
)
def test_what_ends_a_loading_process_is_one_line(happens: Callable[[], None], reason: str):
    loader = DataLoader(
        Broken(happens), num_workers=1, timeout=3, worker_init_fn=share_by_name, persistent_workers=True
    )
    with pytest.raises(DataError) as error, loader_errors():
        list(loader)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert "Traceback" not in str(error.value)


def test_other_errors_stay_what_they_are():
    for other in (RuntimeError("out of memory"), DataError("no store here")):
        with pytest.raises(type(other)) as error, loader_errors():
            raise other
        assert error.value is other
