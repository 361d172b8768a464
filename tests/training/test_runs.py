"""A run's folder: chosen once, described in full, found again."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from zoo import registry
from zoo.registry import config
from zoo.support.errors import ConfigError, DataError
from zoo.training import runs


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.RunConfig:
    for name in ("ZOO_RUN", "RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    return replace(config.resolve(registry.method("lipgan"), ["model.width=0.1"]), out=str(tmp_path))


def test_every_run_has_its_own_folder_which_its_processes_share(settings: config.RunConfig, tmp_path: Path):
    with runs.new_run(settings) as first:
        assert first.parent == tmp_path / "lipgan" / "synthgrid"
        with runs.new_run(settings) as seen_by_a_child:
            assert seen_by_a_child == first
        assert os.environ["ZOO_RUN"] == str(first)
    assert "ZOO_RUN" not in os.environ
    with runs.new_run(settings) as second:
        assert second != first
    assert "ZOO_RUN" not in os.environ


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ({}, True), ({"LOCAL_RANK": "0"}, True), ({"LOCAL_RANK": "1"}, False),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False), ({"SLURM_PROCID": "3"}, False), ({"RANK": "0"}, True),
    ],
)  # fmt: skip
def test_who_writes(names: dict[str, str], first: bool, settings: config.RunConfig, monkeypatch: pytest.MonkeyPatch):
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert runs.is_first_process() is first


def test_a_run_describes_itself_and_goes_on_from_its_own_settings(settings: config.RunConfig, tmp_path: Path):
    run = tmp_path / "run"
    runs.describe(run, settings, ["zoo", "fit", "lipgan"], None)
    runs.update(run, seconds=3.0)
    facts = json.loads((run / "run.json").read_text())
    assert (facts["command"], facts["seconds"], facts["resumed_from"]) == (["zoo", "fit", "lipgan"], 3.0, None)
    assert "torch" in facts["packages"]
    (run / "checkpoints").mkdir()
    checkpoint = run / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(b"")
    folder, layer = runs.saved_config(checkpoint)
    assert folder == run
    again = config.resolve(registry.method("lipgan"), ["trainer.max_epochs=9"], base=layer)
    assert again.model == settings.model
    assert again.trainer == replace(settings.trainer, max_epochs=9)
    (run / "config.yaml").unlink()
    with pytest.raises(ConfigError, match="not found"):
        runs.saved_config(checkpoint)


def test_which_checkpoint_is_meant(tmp_path: Path):
    with pytest.raises(DataError, match="no run to resume"):
        runs.find_checkpoint(str(tmp_path), "lipgan", "synthgrid", "last")
    for k, name in enumerate(("new", "old")):
        folder = tmp_path / "lipgan" / "synthgrid" / name / "checkpoints"
        folder.mkdir(parents=True)
        (folder / "last.ckpt").write_bytes(b"")
        os.utime(folder / "last.ckpt", (1000 - k, 1000 - k))
    new = tmp_path / "lipgan" / "synthgrid" / "new"
    find = runs.find_checkpoint
    assert find(str(tmp_path), "lipgan", "synthgrid", "last") == new / "checkpoints" / "last.ckpt"
    assert find(str(tmp_path), "any:lipgan", "synthgrid", "last") == new / "checkpoints" / "last.ckpt"
    assert find(str(tmp_path), "lipgan", "synthgrid", str(new)) == new / "checkpoints" / "last.ckpt"
    with pytest.raises(DataError, match="no such checkpoint"):
        find(str(tmp_path), "lipgan", "synthgrid", str(tmp_path / "x.ckpt"))


def test_a_folder_that_cannot_be_written(settings: config.RunConfig, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        runs.describe(tmp_path / "file" / "run", settings, [], None)


def test_folders_that_say_nothing_of_their_run_are_removed(tmp_path: Path):
    """Killed while it made its folder; one that is at it, one that has begun, and others' are left in peace."""
    for name in ("killed", "at-it", "begun", "trained", "other"):
        (tmp_path / name).mkdir()
        if name != "other":
            (tmp_path / name / ".lock").touch()
    (tmp_path / "killed" / ".config.abcd1234.yaml").touch()
    (tmp_path / "begun" / "run.json").write_text("{}")
    for name in ("begun", "trained"):
        (tmp_path / name / "checkpoints").mkdir()
        (tmp_path / name / "checkpoints" / ".best.abcd1234.ckpt").touch()
    (tmp_path / "trained" / "checkpoints" / "last.ckpt").touch()
    with runs.begun(tmp_path / "at-it"):
        runs.remove_unbegun(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"at-it", "begun", "trained", "other"}
    assert [path.parent.parent.name for path in tmp_path.rglob(".best.*")] == ["trained"]  # it can go on, and then
    runs.remove_unbegun(tmp_path / "nowhere")
