"""Experts that a method needs: one command is named, or they are trained first; drawn faces need no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.registry import config
from zoo.support.errors import ConfigError
from zoo.training import requirements
from zoo.training.requirements import Requirement

THIN = ("model.width=0.06", "trainer.max_steps=2", "trainer.max_epochs=-1", "data.batch_size=2", "data.num_workers=0")


def settings(*overrides: str) -> config.RunConfig:
    return config.resolve(registry.method("wav2lip"), overrides)


def test_a_method_needs_an_expert_that_knows_its_faces():
    assert requirements.unmet(settings()) == [], "drawn faces are judged by the expert that comes with the zoo"
    needed = [Requirement("sync-expert", "expert")]
    assert requirements.unmet(settings("data=grid")) == needed
    assert requirements.unmet(settings("data=grid", "model.expert=mine.ckpt")) == [], "that is the user's choice"
    assert requirements.unmet(settings("data=grid", "model.sync_weight=0")) == [], "nobody is asked"
    assert requirements.unmet(config.resolve(registry.method("lipgan"), ["data=grid"])) == []


def test_the_one_command_is_told(zoo: Zoo, tmp_path: Path):
    done = zoo("fit", "wav2lip", "data=grid", "data.root=my store", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "zoo fit: wav2lip needs a sync-expert of grid: run `zoo fit sync-expert data=grid 'data.root=my store'` first, "
        "or add --with-requirements, or name one with model.expert=WEIGHTS\n"
    )
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"or name one with model\.expert=WEIGHTS"):
        requirements.refuse_unmet(settings("data=folder", "data.root=x"), tmp_path)


def test_the_expert_is_trained_first_and_then_found(
    zoo: Zoo, tiny_store: Path, tmp_path: Path, environment: dict[str, str]
):
    """The store's drawn faces are taken for filmed ones under the name of another data set."""
    given = ("data=folder", f"data.root={tiny_store}", "data.split=by-speaker", *THIN)
    done = zoo("fit", "sync-expert", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = zoo("fit", "wav2lip", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (weights,) = tmp_path.glob("runs/sync-expert/folder/*/weights.safetensors")
    assert f"zoo fit: model.expert={weights}" in done.stderr
    (run,) = tmp_path.glob("runs/wav2lip/folder/*/config.yaml")
    assert f"expert: {weights}" in run.read_text()


def test_training_comes_first_where_it_is_told_so(tmp_path: Path):
    trained: list[config.RunConfig] = []

    def train(run: config.RunConfig) -> None:
        trained.append(run)
        folder = Path(run.out) / "sync-expert" / "grid" / "20260101-000000-0000"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(config.to_yaml(run))
        (folder / "run.json").write_text('{"summary": {"split": "grid-unseen"}}')
        (folder / "weights.safetensors").touch()

    wanted = settings("data=grid", "data.root=store", "data.split=grid-unseen", "trainer.devices=2", "seed=3")
    ready = requirements.with_requirements(wanted, tmp_path, train)
    (run,) = trained
    assert (run.method, run.data.root, run.data.split, run.trainer.devices, run.seed) == (
        "sync-expert", "store", "grid-unseen", 2, 3,
    )  # fmt: skip
    assert Path(ready.model.expert).name == "weights.safetensors"
    again = requirements.with_requirements(wanted, tmp_path, train)
    assert (again, len(trained)) == (ready, 1), "what is there is taken"
    assert requirements.find("sync-expert", settings("data=grid", "data.root=other").data, tmp_path) is None
