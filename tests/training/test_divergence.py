"""A fit that diverged is no fit: one line, and nothing is left of it that could be taken for a good one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.helpers.paths import FOREIGN
from tests.helpers.tiny import TINY, Zoo
from zoo import registry
from zoo.benchmark.checkpoints import finished
from zoo.cli import main
from zoo.methods.trainable import load_checkpoint
from zoo.support.errors import DataError
from zoo.training.callbacks import CheckFinite, first_not_finite

DATA = [setting for setting in TINY if not setting.startswith("model.")]

Fit = Callable[..., tuple[int, str, Path]]


@pytest.fixture
def fit(
    tiny_store: Path, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], one_thread: None,
) -> Iterator[Fit]:  # fmt: skip
    """``fit(*settings)`` is `zoo fit diverging`, two steps an epoch: exit code, stderr and the run's folder."""
    monkeypatch.setenv("ZOO_CACHE", environment["ZOO_CACHE"])
    monkeypatch.setenv("ZOO_PLUGINS", "diverging=diverging:SPEC")
    monkeypatch.setenv("PYTHONPATH", str(FOREIGN))
    monkeypatch.chdir(tmp_path)
    registry.refresh()

    def run(*settings: str) -> tuple[int, str, Path]:
        capfd.readouterr()
        code = main.run(["fit", "diverging", *DATA, *settings])
        (folder,) = (tmp_path / "runs" / "diverging" / "synthgrid").iterdir()
        return code, capfd.readouterr().err, folder

    yield run
    monkeypatch.undo()
    registry.refresh()


def refused(code: int, err: str, *said: str) -> None:
    assert code == 1, err
    assert len(err.splitlines()) == 1, err
    for part in said:
        assert part in err


def nothing_good_of_it(run: Path, why: str) -> None:
    assert not (run / "weights.safetensors").exists()
    assert not (run / "summary.json").exists()
    facts = json.loads((run / "run.json").read_text())
    assert why in facts["diverged"]
    assert "summary" not in facts
    assert list(finished(run.parent)) == []


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("loss", "train/l1 is inf at step 3"), ("returned", "the loss is nan at step 3"),
        ("weights", "gain is no finite number at step 4"), ("buffer", "mean is no finite number at step 4"),
        ("validation", "val/l1 is nan at step 4"),
    ],
)  # fmt: skip
def test_what_was_finite_last_is_kept(fit: Fit, where: str, why: str):
    """It diverges in the second epoch, whose end would write over the checkpoints of the first."""
    code, err, run = fit(f"model.where={where}", "model.step=3", "trainer.max_epochs=3")
    refused(code, err, why, "checkpoints/last.ckpt is of before")
    nothing_good_of_it(run, why)
    for name in ("last", "best"):
        kept = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert kept["epoch"] == 0
        assert kept["state_dict"]["gain"].isfinite()
        assert not kept["state_dict"]["mean"].isnan()


def test_a_first_step_leaves_no_checkpoint(fit: Fit):
    code, err, run = fit("model.where=loss", "model.step=1")
    refused(code, err, "train/l1 is inf at step 1", "there is no checkpoint")
    nothing_good_of_it(run, "step 1")
    assert not list(run.glob("checkpoints/*"))


def test_what_is_finite_is_fitted(fit: Fit):
    """A mask of infinities, and a mean over nothing, are no divergence."""
    code, err, run = fit()
    assert code == 0, err
    assert "diverged" not in json.loads((run / "run.json").read_text())
    assert (run / "weights.safetensors").is_file()


def test_logged_values_are_looked_at_together():
    """A look waits for the GPU; the step that it names is that of the value all the same."""
    good, bad = torch.tensor(1.0), torch.tensor(torch.nan)
    logged = [(1, "a", good), (2, "a", good), (2, "b", bad), (3, "a", bad)]
    assert first_not_finite(logged) == (2, "b is nan")
    assert first_not_finite(logged[:2]) is None
    assert first_not_finite([]) is None
    assert CheckFinite().every > 10


def test_a_checkpoint_of_nan_is_refused(tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    kept = torch.load(tiny_run / "checkpoints" / "last.ckpt", weights_only=True)
    name = next(name for name, value in kept["state_dict"].items() if value.is_floating_point())
    kept["state_dict"][name].flatten()[0] = torch.nan
    path = tmp_path / "nan.ckpt"
    torch.save(kept, path)
    with pytest.raises(DataError, match=f"nan.ckpt: {name} is no finite number"):
        load_checkpoint(path)
    commands = {
        "test": ["test", "lipgan", *TINY, "--ckpt", path],
        "export": ["export", "lipgan", "--format", "safetensors", "--ckpt", path],
        "fit": ["fit", "lipgan", *TINY, f"init={path}", f"out={tmp_path}"],
    }
    for verb, command in commands.items():
        capfd.readouterr()
        code = main.run([str(part) for part in command])
        refused(code, capfd.readouterr().err, f"zoo {verb}: ", "nan.ckpt", "no finite number")
    assert [each.name for each in tmp_path.iterdir()] == ["nan.ckpt"]


def test_of_two_processes_both_end_and_one_says_why(zoo: Zoo, tiny_store: Path, tmp_path: Path):
    """Though it befalls the second one alone."""
    done = zoo(
        "fit", "diverging", *DATA, "model.where=loss", "model.step=1", "model.rank=1", "trainer.devices=2",
        cwd=tmp_path, ZOO_PLUGINS="diverging=diverging:SPEC", PYTHONPATH=str(FOREIGN),
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if line.startswith("zoo")]  # torch warns of DDP itself
    refused(done.returncode, "\n".join(ours), "train/l1 is inf at step 1")
    assert "Traceback" not in done.stderr
    (run,) = (tmp_path / "runs" / "diverging" / "synthgrid").iterdir()
    nothing_good_of_it(run, "step 1")
