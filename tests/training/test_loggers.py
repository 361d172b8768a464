"""The CSV of a resumed run keeps its rows, also where other processes look at it (W&B, TensorBoard: test_train)."""

from pathlib import Path

import pytest
from pytorch_lightning.utilities import rank_zero_only

from zoo import registry
from zoo.registry import config
from zoo.training.loggers import make_loggers


def write(run: Path, step: int, resumed: bool, **values: float) -> None:
    (logger,) = make_loggers(config.resolve(registry.method("lipgan")), run, resumed)
    logger.log_metrics(values, step=step)
    logger.save()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write(tmp_path, 1, False, loss=0.5, other=1.0)
    return tmp_path


def test_a_resumed_run_goes_on_in_the_same_table(run: Path):
    write(run, 2, True, loss=0.25, late=7.0)
    lines = (run / "metrics.csv").read_text().splitlines()
    assert lines[0].split(",") == ["late", "loss", "other", "step"]
    assert lines[1:] == [",0.5,1.0,1", "7.0,0.25,,2"]


def test_a_new_run_begins_anew(run: Path):
    write(run, 9, False, loss=0.125)
    assert (run / "metrics.csv").read_text().splitlines() == ["loss,step", "0.125,9"]


def test_the_other_processes_leave_the_table_alone(run: Path, monkeypatch: pytest.MonkeyPatch):
    before = (run / "metrics.csv").read_text()
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    make_loggers(config.resolve(registry.method("lipgan")), run, True)
    assert (run / "metrics.csv").read_text() == before
