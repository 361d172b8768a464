"""Wav2Lip as users run it: fit, resume, two processes, a photo. The small runs are on one-second clips."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.helpers.inputs import photograph, save_picture
from tests.helpers.tiny import Zoo
from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.media import audio
from zoo.media.video import read_video

SPEAKERS = ("train0", "train1", "train2", "val0", "test0", "test1")

SETTINGS = (
    "data.batch_size=2",
    "data.windows_per_clip=2",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "model.width=0.06",
    "model.adversarial_start=0.01",  # from the second step on
    "model.lr_decay_fraction=0",
    "model.sync_bar=100",  # joins after the first epoch
)

Fit = Callable[..., Path]


@pytest.fixture(scope="module")
def short_store(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of one second: three to train on, one to validate, two to test."""
    store, clips = Store(tiny_store), []
    for number, speaker in enumerate(SPEAKERS):
        clip = store.clip(number)
        clips.append(
            replace(
                clip,
                id=f"{speaker}/c",
                speaker=speaker,
                frames=clip.frames[10:35],
                landmarks=clip.landmarks[10:35],
                wave=audio.cut(clip.wave, 10 * 640, 35 * 640),
                words=(),
            )
        )
    path = tmp_path_factory.mktemp("short") / "store"
    write_store(path, clips, dataset="synthgrid")
    return path


@pytest.fixture(scope="module")
def fit(short_store: Path, zoo: Zoo) -> Fit:
    def run(folder: Path, *arguments: str) -> Path:
        done = zoo("fit", "wav2lip", f"data.root={short_store}", *SETTINGS, *arguments, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Warning" not in done.stderr, done.stderr
        (run,) = (folder / "runs" / "wav2lip" / "synthgrid").iterdir()
        return run

    return run


@pytest.fixture(scope="module")
def at_once(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(tmp_path_factory.mktemp("once"), "trainer.max_epochs=2")


def checkpoint(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def test_a_run_and_its_resumed_twin(at_once: Path, fit: Fit, tmp_path: Path):
    """The sync loss joined after the first epoch; the resumed run knows that and ends with the same weights."""
    first = fit(tmp_path, "trainer.max_epochs=1")
    state = checkpoint(first)["state_dict"]
    assert state["sync_joined"] == 1
    assert not any("expert" in name for name in state)
    assert "train/sync" not in (first / "metrics.csv").read_text()
    fit(tmp_path, "--resume", "last", "trainer.max_epochs=2")
    one, two = checkpoint(at_once), checkpoint(first)
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name
    assert (first / "rows.jsonl").read_text() == (at_once / "rows.jsonl").read_text()
    header = (at_once / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/l1", "train/sync", "train/quality", "train/d_loss", "val/l1", "val/sync"} <= set(header)
    assert json.loads((at_once / "summary.json").read_text())["clips"] == 2


def test_two_processes(fit: Fit, tmp_path: Path):
    run = fit(tmp_path, "trainer.max_epochs=2", "trainer.devices=2", "trainer.strategy=ddp")
    assert json.loads((run / "summary.json").read_text())["clips"] == 2
    assert checkpoint(run)["state_dict"]["sync_joined"] == 1


def test_a_photo_talks(at_once: Path, zoo: Zoo, tmp_path: Path):
    photo = save_picture(tmp_path / "face.png", photograph())
    sound = next((at_once / "samples").glob("*.mp4"))
    done = zoo(
        "predict", "wav2lip", "--ckpt", at_once / "weights.safetensors", "--face", photo,
        "--audio", sound, "--out", tmp_path / "o.mp4",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = read_video(tmp_path / "o.mp4")
    assert abs(len(made.frames) - 25) <= 2
    assert made.frames.shape[2:] == photograph().shape[1:]


def test_an_expert_that_is_not_there_leaves_no_folder(zoo: Zoo, short_store: Path, tmp_path: Path):
    done = zoo("fit", "wav2lip", f"data.root={short_store}", *SETTINGS, "model.expert=gone.ckpt", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("zoo fit: gone.ckpt: no weights of sync-expert; make some with `zoo fit sync-expert`")
    assert list(tmp_path.iterdir()) == []
