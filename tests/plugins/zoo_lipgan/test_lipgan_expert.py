"""Seed 001: a frozen expert instead of the discriminator learnt along the way, or beside it; how good that one is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from zoo_lipgan import accuracy
from zoo_lipgan.config import LipGANConfig
from zoo_lipgan.method import LipGAN
from zoo_lipgan.networks import SIZE, Discriminator

from tests.helpers.batches import random_windows
from tests.helpers.steps import at_step
from zoo import registry
from zoo.cli import main
from zoo.cli.output import print_scores
from zoo.data.batch import Batch
from zoo.media import audio
from zoo.methods import trainable
from zoo.support.errors import DataError

EXPERT = LipGANConfig(width=0.06, expert="synthgrid")


pytestmark = pytest.mark.usefixtures("one_thread")


def make(config: LipGANConfig) -> LipGAN:
    module = trainable.build(registry.method("lipgan"), config, seed=1)
    assert isinstance(module, LipGAN)
    return module


def random_batch(module: LipGAN, size: int = 2) -> Batch:
    return random_windows(size, module.input_spec.frames or 1, SIZE, module.frontend.samples)


class Steps:
    """Training steps without a Trainer; keeps what is logged, drawn and shown to the discriminator."""

    def __init__(self, module: LipGAN, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module, self.logged = module, dict[str, float]()
        self.drawn: list[Tensor] = []
        self.shown: list[tuple[Tensor, Tensor, Tensor]] = []
        optimisers = module.configure_optimizers()
        monkeypatch.setattr(module, "optimizers", lambda: optimisers)
        monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
        monkeypatch.setattr(module, "log", lambda name, value, **_: self.logged.update({name: float(value)}))
        module.generator.register_forward_hook(lambda _, given, out: self.drawn.append(out.detach()))
        module.discriminator.register_forward_hook(
            lambda _, given, out: self.shown.append((*(g.detach() for g in given), out.detach()))
        )

    def run(self, batch: Batch, number: int = 0) -> None:
        self.logged.clear(), self.drawn.clear(), self.shown.clear()
        self.module.train().training_step(batch, number)


def test_only_an_expert_needs_windows():
    """Five frames where it judges, one without unless told so; the context of a frame is the front end's either way."""
    for frontend in ("mel", "mfcc"):
        alone = make(LipGANConfig(width=0.06, frontend=frontend)).input_spec
        judged = make(replace(EXPERT, frontend=frontend)).input_spec
        assert (alone.frames, judged.frames) == (1, 5)
        assert (
            replace(alone, frames=5) == judged == make(LipGANConfig(width=0.06, frontend=frontend, window=5)).input_spec
        )


@pytest.mark.parametrize("frontend", ["mel", "mfcc"])
@pytest.mark.parametrize("adversarial", [0.0, 0.01])
def test_the_losses_with_an_expert(frontend: str, adversarial: float, monkeypatch: pytest.MonkeyPatch):
    """L1 + 0.01 contrastive + 0.03 expert; without the discriminator L1 + 0.03 expert."""
    module = make(replace(EXPERT, frontend=frontend, adversarial_weight=adversarial))
    steps, batch = Steps(module, monkeypatch), random_batch(module)
    steps.run(batch)
    made = steps.drawn[0].view(2, 5, 3, SIZE, SIZE)
    assert module.sync_loss is not None
    samples = module.frontend.samples
    expert = module.sync_loss(made, audio.per_frame(batch.given.sound, 5, samples)).item()
    # 0.2 s around the middle of the third frame, whatever the front end's own window.
    middle = 2 * 640 + samples // 2
    cosine = module.sync_loss.expert.embed_faces(made) * module.sync_loss.expert.embed_sounds(
        batch.given.sound[:, middle - 1900 : middle + 1900]
    )
    assert expert == pytest.approx(-cosine.sum(1).log().mean().item(), rel=1e-4)
    assert steps.logged["train/g_expert"] == pytest.approx(expert, rel=1e-4)
    want = (made - batch.frames).abs().mean().item() + 0.03 * expert
    if adversarial:
        faces, _, distance = steps.shown[0]
        assert torch.equal(faces, made.flatten(0, 1))
        want += 0.01 * distance.square().mean().item()
        assert all(p.grad is not None for p in module.parameters())
    else:
        assert steps.shown == []
    assert steps.logged["train/g_loss"] == pytest.approx(want, rel=1e-4)
    assert not any("expert" in name for name in module.state_dict())


def test_the_expert_joins_with_the_discriminator(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(EXPERT, adversarial_start=0.5))
    steps, joined = Steps(module, monkeypatch), []
    for number in range(2):
        at_step(module, number, 2)
        steps.run(random_batch(module), number)
        joined.append(("train/g_expert" in steps.logged, "train/g_sync" in steps.logged))
    assert joined == [(False, False), (True, True)]


def test_rolled_sound_comes_from_another_window(monkeypatch: pytest.MonkeyPatch):
    """Neighbours of a window are 40 ms apart: as out-of-sync samples they would be wrong."""
    module = make(replace(EXPERT, negatives="roll"))
    steps, batch = Steps(module, monkeypatch), random_batch(module, size=3)
    steps.run(batch)
    _, sounds, _ = steps.shown[1]
    own, rolled = sounds[15:30], sounds[30:]
    for k in range(15):
        (source,) = [j for j in range(15) if torch.equal(rolled[k], own[j])]
        assert source // 5 != k // 5


def test_what_an_expert_cannot_use(monkeypatch: pytest.MonkeyPatch):
    module = make(EXPERT)
    batch = random_batch(module)
    batch.length[0] = 4
    with pytest.raises(DataError, match="c0: lipgan needs clips of at least 5 frames"):
        Steps(module, monkeypatch).run(batch)
    with pytest.raises(DataError, match="no weights of sync-expert"):
        make(replace(EXPERT, expert="nobody")).before_fit()
    make(LipGANConfig(width=0.06)).before_fit()


class Told(Discriminator):
    """A discriminator that knows: distance 0.2 where the sound's number is the face's, else 1.7."""

    def forward(self, faces: Tensor, sounds: Tensor) -> Tensor:
        return torch.where(faces[:, 0, 0, 0] == sounds[:, 0, 0, 0], 0.2, 1.7)


def test_accuracy_of_a_discriminator_that_knows_and_one_that_does_not():
    frames = torch.arange(20.0)[:, None, None, None].expand(20, 3, 96, 96)
    features = torch.arange(20.0)[:, None, None, None].expand(20, 1, 80, 27)
    knows = Told(width=0.06)
    row = accuracy.distances(knows, frames, features)
    assert row == {"in_sync": [0.2] * 20, "out_of_sync": [1.7] * 20}
    told = row | {"speaker": "s1"}
    found = accuracy.summary([told, told], margin=2.0)
    assert found["discriminator"]["balanced_accuracy"] == 1
    assert found["discriminator"]["pairs"] == 80
    assert "balanced accuracy 100.0% of 80 pairs" in found["remarks"][0]
    assert "at chance" not in found["remarks"][0]
    blind = {"in_sync": [0.9] * 10, "out_of_sync": [0.9] * 10, "speaker": "s1"}
    assert "(at chance)" in accuracy.summary([blind, blind], margin=2.0)["remarks"][0]
    found = accuracy.summary([blind], margin=2.0)["discriminator"]
    assert (found["balanced_accuracy"], found["true_positive_rate"], found["auc"]) == (0.5, 1.0, 0.5)
    # The threshold is half the margin.
    assert accuracy.summary([blind], margin=1.0)["discriminator"]["true_positive_rate"] == 0
    row = accuracy.distances(knows, frames[:3], features[:3])
    assert (len(row["in_sync"]), row["out_of_sync"]) == (3, [])  # too short for a pair far enough apart


def test_the_summary_of_a_run_tells_it(tiny_run: Path, capsys: pytest.CaptureFixture[str]):
    summary = json.loads((tiny_run / "summary.json").read_text())
    found = summary["discriminator"]
    (row,) = map(json.loads, (tiny_run / "own.jsonl").read_text().splitlines())
    assert found["pairs"] == len(row["in_sync"]) + len(row["out_of_sync"]) == 2 * len(row["in_sync"])
    assert 0 <= found["balanced_accuracy"] <= 1
    print_scores(summary)
    assert "its discriminator tells sync from no sync: balanced accuracy" in capsys.readouterr().out


def test_a_run_with_an_expert(tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code = main.run(
        ["fit", "lipgan", f"data.root={tiny_store}", "data.batch_size=2", "data.windows_per_clip=1",
         "trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.limit_test_batches=1",
         "trainer.log_every_n_steps=1", "model.width=0.06", "model.adversarial_start=0", "model.expert=synthgrid",
         "model.adversarial_weight=0"]
    )  # fmt: skip
    assert code == 0
    (run,) = (tmp_path / "runs" / "lipgan" / "synthgrid").iterdir()
    header = (run / "metrics.csv").read_text().splitlines()[0]
    assert "train/g_expert" in header
    assert "train/d_loss" not in header
    summary = json.loads((run / "summary.json").read_text())
    assert "discriminator" not in summary  # there is none that has learnt anything
    module = trainable.load_checkpoint(run / "weights.safetensors", "lipgan")
    assert isinstance(module, LipGAN)
    assert module.config.expert == "synthgrid"
