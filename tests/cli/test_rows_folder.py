"""Where `zoo test` puts its rows: beside the weights, and no two files' rows in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.cli.test import rows_folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run, a copy of its weights elsewhere, and a folder that only looks like a run's."""
    for name in ("run/checkpoints", "other/checkpoints", "copies"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("checkpoint", "folder"),
    [
        ("run/checkpoints/last.ckpt", "run/test-grid"),
        ("run/weights.safetensors", "run/test-grid"),  # the same weights
        ("run/checkpoints/best.ckpt", "run/test-grid-best.ckpt"),
        ("copies/weights.safetensors", "copies/test-grid-weights.safetensors"),
        ("copies/last.ckpt", "copies/test-grid-last.ckpt"),
        ("other/checkpoints/last.ckpt", "other/checkpoints/test-grid-last.ckpt"),
    ],
)
def test_rows_lie_beside_the_weights(here: Path, checkpoint: str, folder: str):
    assert rows_folder(Path(checkpoint), "grid") == Path(folder)
    assert rows_folder(here / checkpoint, "grid") == here / folder


def test_the_working_folder_may_be_the_run(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(here / "run" / "checkpoints")
    assert rows_folder(Path("last.ckpt"), "grid") == here / "run" / "test-grid"
    assert rows_folder(Path("../weights.safetensors"), "grid") == Path("../test-grid")
    monkeypatch.chdir(here / "run")
    assert rows_folder(Path("weights.safetensors"), "grid") == here / "run" / "test-grid"
