"""`zoo fit` and `zoo test` as users run them: what a run leaves behind, resuming, many processes, loggers."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
import torch
import yaml
from pytorch_lightning.strategies import DDPStrategy

from tests.helpers.offline import read_run
from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.cli import main
from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.media import audio
from zoo.methods.trainable import build
from zoo.registry.config import resolve
from zoo.training.fit import make_trainer

SPEAKERS = ("train0", "train1", "train2", "val0", "test0", "test1", "test2")

SETTINGS = (
    "data.batch_size=4",
    "data.windows_per_clip=3",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "model.width=0.06",
    "model.adversarial_start=0.01",  # from the second step on
    "model.lr_decay_fraction=0",
)

Fit = Callable[..., Path]


@pytest.fixture(scope="module")
def short_store(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven clips of one second: three to train on, one to validate, three to test."""
    store = Store(tiny_store)
    clips = []
    for number, speaker in enumerate(SPEAKERS):
        clip = store.clip(number % len(store))
        first = 20 if number >= len(store) else 10
        clips.append(
            replace(
                clip,
                id=f"{speaker}/c",
                speaker=speaker,
                frames=clip.frames[first : first + 25],
                landmarks=clip.landmarks[first : first + 25],
                wave=audio.cut(clip.wave, first * 640, (first + 25) * 640),
                words=(),
            )
        )
    path = tmp_path_factory.mktemp("short") / "store"
    write_store(path, clips, dataset="synthgrid")
    return path


@pytest.fixture(scope="module")
def fit(short_store: Path, zoo: Zoo, environment: dict[str, str]) -> Fit:
    """``fit(folder, *arguments, launcher=())`` runs `zoo fit lipgan` on the short store and gives the run's folder."""

    def run(folder: Path, *arguments: str, launcher: Sequence[str] = (), zoo_out: str = "runs") -> Path:
        given = ["fit", "lipgan", f"data.root={short_store}", *SETTINGS, *arguments]
        if launcher:
            done = subprocess.run(
                [sys.executable, *launcher, "zoo", *given],
                cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
        else:
            done = zoo(*given, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Warning" not in done.stderr, done.stderr
        folders = list((folder / zoo_out / "lipgan" / "synthgrid").iterdir())
        assert len(folders) == 1, folders
        (folder / "stdout.txt").write_text(done.stdout)
        return folders[0]

    return run


@pytest.fixture(scope="module")
def at_once(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs in one go."""
    return fit(tmp_path_factory.mktemp("once"), "trainer.max_epochs=2", "logger=tensorboard")


@pytest.fixture(scope="module")
def resumed(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch, and the second one in another process."""
    folder = tmp_path_factory.mktemp("resumed")
    first = fit(folder, "trainer.max_epochs=1", "logger=wandb")
    (folder / "after_one.csv").write_bytes((first / "metrics.csv").read_bytes())
    (folder / "after_one_id").write_text((first / "wandb_id").read_text())
    assert fit(folder, "--resume", "last", "trainer.max_epochs=2") == first
    return first


@pytest.fixture(scope="module")
def two_processes(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes that Lightning starts; stopped after one epoch and resumed for another, told how."""
    folder = tmp_path_factory.mktemp("ddp")
    first = fit(folder, "trainer.devices=2", "trainer.max_epochs=1", "logger=wandb")
    assert len(table(first)) > 0
    return fit(folder, "trainer.devices=2", "trainer.strategy=ddp", "--resume", str(first), "trainer.max_epochs=2")


@pytest.fixture(scope="module")
def under_torchrun(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes that torchrun starts, and only one test clip to share."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    return fit(tmp_path_factory.mktemp("torchrun"), "data.max_clips=1", "trainer.max_epochs=1", launcher=launcher)


@pytest.mark.parametrize("setting", ["data.root=nowhere", "data.split=by-speker"])
def test_clips_that_cannot_be_had_leave_no_run(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main.run(["fit", "lipgan", setting]) != 0
    assert setting.partition("=")[2] in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def table(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def kinds(tree: Any) -> set[type]:
    """The types of everything in nested containers."""
    if isinstance(tree, dict):
        return {type(tree)} | {k for item in tree.items() for part in item for k in kinds(part)}
    if isinstance(tree, (list, tuple, set)):
        return {type(tree)} | {k for item in tree for k in kinds(item)}
    return {type(tree)}


def sound_of(path: Path) -> float:
    """Seconds of sound in a video."""
    return len(audio.read_audio(path)) / 16_000


def test_what_a_run_leaves_behind(at_once: Path):
    config = yaml.safe_load((at_once / "config.yaml").read_text())
    assert (config["method"], config["trainer"]["max_epochs"], config["model"]["width"]) == ("lipgan", 2, 0.06)
    facts = json.loads((at_once / "run.json").read_text())
    assert {"torch", "pytorch-lightning", "numpy", "av"} <= set(facts["packages"])
    assert torch.__version__.startswith(facts["packages"]["torch"])
    assert facts["seed"] == 0
    assert facts["git"]
    assert facts["command"][1:3] == ["fit", "lipgan"]
    assert "trainer.max_epochs=2" in facts["command"]
    assert facts["summary"] == json.loads((at_once / "summary.json").read_text())
    assert sorted(path.name for path in (at_once / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    names = set(table(at_once)[0])
    assert {"epoch", "step", "train/l1", "train/g_loss", "train/g_sync", "train/d_loss", "val/l1"} <= names
    assert any(name.startswith("lr-") for name in names)
    found = [row for row in rows(at_once) if row["metric"] == "lmd"]
    assert [(row["method"], row["clip"]) for row in found] == [
        (who, f"test{number}/c") for who in ("closed-still", "lipgan", "still") for number in range(3)
    ]  # the short clips begin in the middle of a word
    assert facts["summary"]["clips_begun_open"] == 3
    assert all(row["total"] == 25 and row["value"] > 0 and row["protocol"].startswith("lmd|") for row in found)
    mean = sum(row["value"] for row in found if row["method"] == "lipgan") / 3
    assert facts["summary"]["lmd"] == pytest.approx(mean, abs=1e-3)
    (sample,) = (at_once / "samples").glob("*.mp4")
    assert sound_of(sample) == pytest.approx(1.0, abs=0.07)
    with av.open(str(sample)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 25
        assert "ynthetic" in container.metadata["comment"]
    output = (at_once.parents[3] / "stdout.txt").read_text()
    assert "LMD" in output
    assert "last.ckpt" in output


def test_checkpoints_hold_plain_things_only(at_once: Path):
    for name in ("best", "last"):
        checkpoint = torch.load(at_once / "checkpoints" / f"{name}.ckpt", weights_only=True)
        plain = {dict, list, tuple, set, str, int, float, bool, type(None), torch.Tensor}
        found = {kind for kind in kinds(checkpoint) if kind not in plain}
        assert {kind.__name__ for kind in found} <= {"OrderedDict", "defaultdict"}
        assert checkpoint["zoo"]["method"] == "lipgan"
        assert checkpoint["zoo"]["config"]["width"] == 0.06


def test_zoo_test_alone_scores_as_the_run_did_on_two_processes(two_processes: Path, short_store: Path, zoo: Zoo):
    last = two_processes / "checkpoints" / "last.ckpt"
    done = zoo("test", "lipgan", "--json", f"data.root={short_store}", "--ckpt", last, "trainer.accelerator=cpu")
    assert done.returncode == 0, done.stderr
    assert rows(two_processes / "test-synthgrid") == rows(two_processes)
    summary = json.loads((two_processes / "summary.json").read_text())
    assert json.loads(done.stdout[done.stdout.index("{") :])["lmd"] == summary["lmd"]


def test_resumed_weights_are_those_of_one_go(at_once: Path, resumed: Path):
    one, two = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (at_once, resumed))
    assert one["global_step"] == two["global_step"]
    assert one["epoch"] == two["epoch"] == 1
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name
    assert str(one["optimizer_states"]) == str(two["optimizer_states"])
    assert rows(at_once) == rows(resumed)


def test_metrics_of_both_parts_are_kept(at_once: Path, resumed: Path):
    def numbers(found: list[dict[str, str]]) -> list[tuple[str, ...]]:
        names = sorted(found[0])
        return [tuple(f"{float(row[name]):.6g}" if row[name] else "" for name in names) for row in found]

    with (resumed.parents[3] / "after_one.csv").open(newline="") as file:
        before = list(csv.DictReader(file))
    after = table(resumed)
    assert len(before) < len(after)
    kept = [{name: row[name] for name in before[0]} for row in after[: len(before)]]
    assert numbers(kept) == numbers(before)
    assert numbers(after) == numbers(table(at_once))


@pytest.mark.parametrize("strategy", ["auto", "ddp"])
def test_networks_may_take_turns_on_several_devices(strategy: str, tmp_path: Path):
    """Plain DDP refuses a step in which the discriminator has no part yet."""
    settings = ["trainer.devices=2", "trainer.accelerator=cpu", f"trainer.strategy={strategy}"]
    for name, turns in (("lipgan", True), ("sync-expert", False)):
        run = resolve(registry.trainable(name), settings)
        unused = build(registry.trainable(name), run.model).find_unused_parameters
        trainer = make_trainer(run, [], [], tmp_path, find_unused_parameters=unused)
        assert isinstance(trainer.strategy, DDPStrategy)
        assert trainer.strategy._ddp_kwargs["find_unused_parameters"] is turns


@pytest.mark.parametrize("name", ["two_processes", "under_torchrun"])
def test_many_processes(name: str, request: pytest.FixtureRequest):
    run: Path = request.getfixturevalue(name)  # the fixture has checked that there is one folder only
    found = [row["clip"] for row in rows(run) if (row["method"], row["metric"]) == ("lipgan", "lmd")]
    assert found == (["test0/c", "test1/c", "test2/c"] if name == "two_processes" else ["test0/c"])
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert list((run / "samples").glob("*.mp4"))
    facts = json.loads((run / "run.json").read_text())
    assert facts["summary"]["clips"] == len(found)
    steps = [int(row["step"]) for row in table(run)]
    assert steps == sorted(steps)


def test_many_processes_resumed_keep_their_metrics(two_processes: Path):
    epochs = {row["epoch"] for row in table(two_processes) if row["train/l1"]}
    assert epochs == {"0", "1"}


def test_wandb(resumed: Path, two_processes: Path):
    """The offline files hold losses, learning rates and a sample video with sound; a resumed run keeps its name."""
    assert (resumed / "wandb_id").read_text() == (resumed.parents[3] / "after_one_id").read_text()
    for run, parts in ((resumed, 2), (two_processes, 2)):
        name = (run / "wandb_id").read_text()
        folders = sorted(path for path in (run / "wandb").glob("offline-run-*") if path.is_dir())
        assert len(folders) == parts  # one per start, whatever the number of processes
        history: dict[str, Any] = {}
        for folder in folders:
            assert folder.name.endswith(f"-{name}")
            history |= read_run(folder).history
            (video,) = (folder / "files" / "media" / "videos").rglob("*.mp4")
            assert sound_of(video) == pytest.approx(1.0, abs=0.07)
        assert {"train/l1", "train/d_loss", "val/l1", "epoch"} <= set(history)
        assert any(key.startswith("lr-") for key in history)
        assert any(key.startswith("sample/") for key in history)


def test_tensorboard(at_once: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(at_once / "tensorboard"), size_guidance={"images": 0, "audio": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    assert {"train/l1", "train/d_loss", "val/l1"} <= set(tags["scalars"])
    assert any(tag.startswith("lr-") for tag in tags["scalars"])
    (image,) = tags["images"]
    (sound,) = tags["audio"]
    assert image.startswith("sample/")
    assert events.Images(image)[0].encoded_image_string.startswith(b"GIF89a")
    clip = events.Audio(sound)[0]
    assert clip.sample_rate == 16_000
    assert len(clip.encoded_audio_string) > 2 * 16_000


def test_no_clip_to_validate_on(fit: Fit, short_store: Path, tmp_path: Path):
    """A corpus of few speakers may leave none: the run goes on without, and keeps its last checkpoint."""
    store = Store(short_store)
    clips = [clip for clip in map(store.clip, range(len(store))) if not clip.speaker.startswith("val")]
    write_store(tmp_path / "store", clips[:4], dataset="synthgrid")
    run = fit(tmp_path, f"data.root={tmp_path / 'store'}", "trainer.max_epochs=1")
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert len({row["clip"] for row in rows(run)}) == 1


def test_the_last_checkpoint_is_kept_without_a_validation(fit: Fit, tmp_path: Path):
    """A run of fewer epochs than lie between two validations."""
    run = fit(tmp_path, "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=5", "score=false")
    kept = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["epoch"] == 1
