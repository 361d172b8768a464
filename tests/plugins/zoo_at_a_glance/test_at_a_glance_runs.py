"""`zoo fit at-a-glance` as users run it: one command without weights, resuming, two processes, a photo that talks."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.tiny import Zoo
from zoo.media.video import read_video
from zoo.methods.trainable import load_checkpoint

SETTINGS = (
    "data.clips=6",
    "data.batch_size=2",
    "data.windows_per_clip=1",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "trainer.limit_test_batches=1",
    "trainer.max_epochs=2",
    "model.width=0.06",
    "model.autoencoder=null",
    "model.autoencoder_steps=1",
    "model.autoencoder_width=0.03",
    "model.lr_decay_fraction=0",
    "model.norm_fixed_from=1",
    "model.adversarial_start=0",
)

Fit = Callable[..., Path]


@pytest.fixture(scope="module")
def fit(zoo: Zoo, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """``fit(*arguments)`` runs `zoo fit at-a-glance` in a folder of its own and gives the run's folder."""

    def run(*arguments: str, folder: Path | None = None) -> Path:
        folder = folder or tmp_path_factory.mktemp("glance")
        done = zoo("fit", "at-a-glance", *SETTINGS, *arguments, cwd=folder)
        assert done.returncode == 0, done.stderr
        (made,) = (folder / "runs" / "at-a-glance" / "synthgrid").iterdir()
        return made

    return run


@pytest.fixture(scope="module")
def at_once(fit: Fit) -> Path:
    """Two epochs in one go; the autoencoder's only step is the first."""
    return fit("ablation=e")


def state(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_one_command_without_weights(at_once: Path):
    summary = json.loads((at_once / "summary.json").read_text())
    assert summary["clips"] == 1
    assert summary["lmd_still"] > 0
    assert len(list((at_once / "samples").glob("*.mp4"))) == 1
    with (at_once / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    losses = [(bool(row["train/autoencoder"]), bool(row["train/g_loss"]), bool(row["train/d_loss"])) for row in rows]
    steps = int(state(at_once)["steps_done"])
    trained = [found for found in losses if any(found)]
    assert trained[0] == (True, False, False)
    assert [found[1:] for found in trained[1:]] == [(True, True)] * (steps - 1)
    module = load_checkpoint(at_once / "weights.safetensors", "at-a-glance")
    assert int(module.state_dict()["steps_done"]) == steps


def test_resumed_weights_are_those_of_one_go(fit: Fit, at_once: Path, tmp_path: Path):
    fit("trainer.max_epochs=1", folder=tmp_path)
    resumed = state(fit("--resume", "last", folder=tmp_path))
    for name, value in state(at_once).items():
        assert torch.equal(value, resumed[name]), name


def test_two_processes(fit: Fit):
    """It comes to its end and scores; that both hold the same weights is a rule of the conformance kit."""
    run = fit("trainer.devices=2", "trainer.strategy=ddp", "data.windows_per_clip=2")
    assert all(value.isfinite().all() for value in state(run).values())
    assert len((run / "rows.jsonl").read_text().splitlines()) >= 1


def test_a_photo_talks(zoo: Zoo, at_once: Path, tmp_path: Path):
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(tmp_path / "face.png")
    sound = next((at_once / "samples").glob("*.mp4"))
    done = zoo(
        "predict", "at-a-glance", "--ckpt", at_once / "weights.safetensors", "--face", tmp_path / "face.png",
        "--audio", sound, "--out", tmp_path / "talks.mp4",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    frames = read_video(tmp_path / "talks.mp4").frames
    assert 74 <= len(frames) <= 76
    changed = (frames.float() - frames[:1].float()).abs().mean((0, 1)).numpy()
    mouth, rest = changed[150:200, 190:260], changed[300:]
    assert np.mean(mouth) > 3 * np.mean(rest)  # the mouth was drawn, the suit was not
