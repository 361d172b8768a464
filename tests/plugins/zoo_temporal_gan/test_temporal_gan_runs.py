"""The temporal GAN and its static baseline through `zoo fit` and `zoo predict`: clips of any length, resuming, DDP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.helpers.batches import request
from tests.helpers.inputs import drawn, photograph, save_picture, save_sound
from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.cli.main import run
from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.media import audio
from zoo.media.video import read_picture, read_video
from zoo.methods import trainable
from zoo.registry import config
from zoo.training.fit import fit

METHODS = ("temporal-gan", "temporal-gan-static")

SETTINGS = (
    "data.batch_size=3",
    "trainer.accelerator=cpu",
    "trainer.limit_test_batches=1",
    "trainer.log_every_n_steps=1",
    "model.height=32",
    "model.width=0.05",
    "model.adversarial_start=0",
    "model.lr_decay_fraction=0",  # a resumed run is planned longer
)

PER_CLIP = {"temporal-gan": 1, "temporal-gan-static": 4}
"""Windows of each of the four training clips per epoch: a whole clip, or single frames."""

LENGTHS = (12, 9, 15, 7, 11, 8)
"""Frames of the clips of the store: no two of the same length."""


@pytest.fixture(scope="module")
def uneven_store(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of different length: four to train on, one to validate, one to test."""
    store = Store(tiny_store)
    clips = []
    for number, (length, speaker) in enumerate(zip(LENGTHS, ("train0", "train1") * 2 + ("val0", "test0"), strict=True)):
        clip = store.clip(number)
        clips.append(
            replace(
                clip,
                id=f"{speaker}/c{number}",
                speaker=speaker,
                frames=clip.frames[20 : 20 + length],
                landmarks=clip.landmarks[20 : 20 + length],
                wave=audio.cut(clip.wave, 20 * 640, (20 + length) * 640),
                words=(),
            )
        )
    path = tmp_path_factory.mktemp("uneven") / "store"
    write_store(path, clips, dataset="synthgrid")
    return path


Fitted = Callable[..., Path]


@pytest.fixture(scope="module")
def fitted(uneven_store: Path) -> Fitted:
    """``fitted(name, folder, epochs, resume)`` fits a method on whole clips and gives the run's folder."""

    def go(name: str, folder: Path, epochs: int, resume: Path | None = None) -> Path:
        spec = registry.method(name)
        given = [*SETTINGS, f"data.root={uneven_store}", f"trainer.max_epochs={epochs}", f"out={folder}"]
        given += [f"data.windows_per_clip={PER_CLIP[name]}"]
        if name == "temporal-gan":
            given += ["model.frames=null"]
        made = fit(config.resolve(spec, given), resume=resume)
        assert made is not None
        return made.run

    return go


@pytest.fixture(scope="module", params=METHODS)
def finished(request: pytest.FixtureRequest, fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs."""
    return fitted(request.param, tmp_path_factory.mktemp("once"), 2)


def test_a_run_on_clips_of_different_length(finished: Path):
    facts = json.loads((finished / "run.json").read_text())
    assert facts["summary"]["clips"] == 1
    optimisers = {"temporal-gan": 3, "temporal-gan-static": 2}[facts["method"]]
    assert facts["steps"] == 2 * (4 * PER_CLIP[facts["method"]] // 3)
    header = (finished / "metrics.csv").read_text().splitlines()[0].split(",")
    wanted = {"train/l1", "train/g_frame", "train/d_frame", "val/l1", "lr-Adam", "lr-Adam-1"}
    assert wanted <= set(header)
    assert ("train/d_sequence" in header) is (optimisers == 3)
    (sample,) = (finished / "samples").iterdir()
    assert len(read_video(sample).frames) == LENGTHS[-1]


def test_resumed_weights_are_those_of_one_go(finished: Path, fitted: Fitted, tmp_path: Path):
    name = json.loads((finished / "run.json").read_text())["method"]
    first = fitted(name, tmp_path, 1)
    assert fitted(name, tmp_path, 2, first / "checkpoints" / "last.ckpt") == first
    one, two = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (finished, first))
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for key, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][key]), key


def test_a_checkpoint_gives_the_same_frames(finished: Path):
    module = trainable.load_checkpoint(finished / "checkpoints" / "last.ckpt")
    again = trainable.load_checkpoint(finished / "weights.safetensors")
    height, width = module.input_spec.size
    identity, wave = torch.rand(1, 1, 3, height, width), torch.rand(1, 640 * 4) - 0.5
    with torch.inference_mode():
        asked = request(identity, wave, 4)
        assert torch.equal(module.generate(asked), again.generate(asked))  # type: ignore[operator]


def test_a_photograph_talks(finished: Path, tmp_path: Path):
    name = json.loads((finished / "run.json").read_text())["method"]
    face = save_picture(tmp_path / "face.png", photograph())
    sound = save_sound(tmp_path / "sound.wav", drawn().wave[:9000])
    out = tmp_path / "out.mp4"
    given = ["--ckpt", finished / "checkpoints" / "last.ckpt", "--face", face, "--audio", sound, "--out", out]
    assert run(["predict", name, *map(str, given)]) == 0
    made = read_video(out).frames
    picture = read_picture(face)
    assert len(made) == audio.num_frames(9000)
    assert made.shape[1:] == picture.shape
    changed = (made.int() - picture.int()).abs().amax((0, 1)) > 40
    assert changed.any()
    assert changed.float().mean() < 0.3  # the face, not the picture


@pytest.mark.parametrize("name", METHODS)
def test_two_processes(name: str, zoo: Zoo, uneven_store: Path, tmp_path: Path):
    frames = ["model.frames=null"] if name == "temporal-gan" else ["data.windows_per_clip=4"]
    done = zoo(
        "fit", name, *SETTINGS, f"data.root={uneven_store}", "trainer.max_epochs=1", "data.batch_size=2",
        "trainer.devices=2", "trainer.strategy=ddp", *frames, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr, done.stderr
    (folder,) = (tmp_path / "runs" / name / "synthgrid").iterdir()
    facts = json.loads((folder / "run.json").read_text())
    assert facts["summary"]["clips"] == 1
    assert facts["steps"] > 0
