"""A run goes on from a checkpoint: whatever the file says, only this run's own files are touched."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.helpers.tiny import TINY, Zoo
from zoo.cli import main
from zoo.support.locks import locked
from zoo.training import runs
from zoo.training.resume import CheckpointFiles

Change = Callable[[dict[str, Any], Path], None]


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run of one epoch and two steps, in a folder of runs of its own."""
    folder = tmp_path / "runs" / "lipgan" / "synthgrid" / tiny_run.name
    shutil.copytree(tiny_run, folder)
    return folder


@pytest.fixture
def fit(
    tiny_store: Path, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., tuple[int, str]]]:  # fmt: skip
    """``fit(*arguments)`` is `zoo fit lipgan` in this process; gives the exit code and what stands on stderr."""
    monkeypatch.setenv("ZOO_CACHE", environment["ZOO_CACHE"])
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def go(*arguments: str | Path) -> tuple[int, str]:
        capfd.readouterr()
        code = main.run(["fit", "lipgan", *TINY, "trainer.log_every_n_steps=1", "score=false", *map(str, arguments)])
        return code, capfd.readouterr().err

    yield go
    torch.set_num_threads(threads)


def changed(path: Path, change: Change) -> None:
    kept = torch.load(path, weights_only=True)
    change(kept, path)
    torch.save(kept, path)


def table(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def one_line(found: tuple[int, str], *said: str) -> None:
    code, err = found
    assert code == 1, err
    assert len(err.splitlines()) == 1, err
    assert "weights_only" not in err
    for part in said:
        assert part in err


# What a stranger's checkpoint may say.


def deleting(victim: Path) -> Change:
    def change(kept: dict[str, Any], path: Path) -> None:
        for state in kept["callbacks"].values():
            state |= {"dirpath": str(path.parent), "best_k_models": {str(victim): torch.tensor(9.0)}}
            state |= dict.fromkeys(("best_model_path", "kth_best_model_path", "last_model_path"), str(victim))
            state |= dict.fromkeys(("best_model_score", "current_score", "kth_value"), torch.tensor(9.0))

    return change


@pytest.mark.parametrize("where", ["outside", "checkpoints", "above"])
def test_a_checkpoint_deletes_nothing(where: str, run: Path, fit: Callable[..., tuple[int, str]], tmp_path: Path):
    folder = {"outside": tmp_path, "checkpoints": run / "checkpoints", "above": run}[where]
    victim = folder / "precious"
    victim.mkdir()
    (victim / "thesis.txt").write_text("years of work")
    changed(run / "checkpoints" / "last.ckpt", deleting(victim))
    code, err = fit("--resume", run, "trainer.max_epochs=3")
    assert code == 0, err
    assert (victim / "thesis.txt").read_text() == "years of work"
    after = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert str(victim) not in str(after["callbacks"])
    assert after["epoch"] == 2


def test_nor_does_removing_a_checkpoint_reach_beyond_the_run(tmp_path: Path):
    import pytorch_lightning as pl
    from pytorch_lightning.callbacks import ModelCheckpoint

    files = CheckpointFiles()
    keeper = ModelCheckpoint(tmp_path / "checkpoints")
    files.trainer = pl.Trainer(callbacks=[keeper], logger=False, accelerator="cpu", default_root_dir=tmp_path)
    (tmp_path / "checkpoints" / "folder").mkdir(parents=True)
    for name in ("a.ckpt", "checkpoints/b.ckpt", "checkpoints/folder/c.ckpt"):
        (tmp_path / name).write_text("x")
        files.remove_checkpoint(str(tmp_path / name))
    files.remove_checkpoint(str(tmp_path / "checkpoints" / "folder"))
    left = sorted(path.name for path in tmp_path.rglob("*.ckpt"))
    assert left == ["a.ckpt", "c.ckpt"]


def test_the_best_so_far_is_known_after_the_folder_has_moved(run: Path, fit: Callable[..., tuple[int, str]]):
    """Its file may not be lost to a worse one: here nothing can be better than what lies there."""

    def unbeaten(kept: dict[str, Any], path: Path) -> None:
        for state in kept["callbacks"].values():
            if state["monitor"]:
                state["best_model_score"] = state["kth_value"] = torch.tensor(-1.0)

    changed(run / "checkpoints" / "last.ckpt", unbeaten)
    before = (run / "checkpoints" / "best.ckpt").read_bytes()
    code, err = fit("--resume", run, "trainer.max_epochs=2")
    assert code == 0, err
    assert (run / "checkpoints" / "best.ckpt").read_bytes() == before


def loop(kept: dict[str, Any], name: str) -> Any:
    return kept["loops"]["fit_loop"][name]


ODD: dict[str, tuple[Change, str]] = {
    "no loops": (lambda kept, _: kept.pop("loops"), "weights alone cannot go on"),
    "no optimisers": (lambda kept, _: kept.pop("optimizer_states"), "weights alone cannot go on"),
    "loops are a word": (lambda kept, _: kept.update(loops="x"), "loops: a str"),
    "a count is a word": (lambda kept, _: loop(kept, "epoch_progress")["total"].update(ready="x"), "ready: a str"),
    "a count is below 0": (lambda kept, _: loop(kept, "epoch_progress")["current"].update(processed=-1), "processed"),
    "a count is absurd": (
        lambda kept, _: loop(kept, "epoch_progress")["current"].update(processed=10**30), "processed",
    ),
    "epochs to come": (lambda kept, _: loop(kept, "epoch_progress")["current"].update(processed=10**9), "epochs lie"),
    "callbacks are a list": (lambda kept, _: kept.update(callbacks=[1]), "callbacks: a list"),
    "one optimiser less": (lambda kept, _: kept["optimizer_states"].pop(), "1 optimisers, where this run has 2"),
    "an optimiser is a word": (lambda kept, _: kept["optimizer_states"].__setitem__(0, "x"), "an optimiser: a str"),
    "a state of another size": (
        lambda kept, _: kept["optimizer_states"][0]["state"][0].update(exp_avg=torch.zeros(3)), "exp_avg is not of",
    ),
    "a state of no parameter": (
        lambda kept, _: kept["optimizer_states"][0]["state"].update({9999: {}}), "other parameters",
    ),
    "groups of others": (lambda kept, _: kept["optimizer_states"][0].update(param_groups=[]), "other groups"),
    "a learning rate is a word": (
        lambda kept, _: kept["optimizer_states"][0]["param_groups"][0].update(lr="x"), "lr: a str",
    ),
    "schedulers that are not there": (lambda kept, _: kept.update(lr_schedulers=[{"step": 1}]), "1 schedulers"),
    "another method's": (lambda kept, _: kept["zoo"].update(method="wav2lip"), "a checkpoint of wav2lip, not of"),
    "another network's": (lambda kept, _: kept["state_dict"].popitem(), "give another network"),
    "weights of another kind": (
        lambda kept, _: kept["state_dict"].update({next(iter(kept["state_dict"])): torch.zeros(3)}), "another network",
    ),
    "weights are words": (lambda kept, _: kept["state_dict"].update(x="y"), "its weights are not all tensors"),
    "a seed that is a word": (lambda kept, _: kept["zoo"].update(seed="x"), "seed"),
    "a seed that is absurd": (lambda kept, _: kept["zoo"].update(seed=2**80), "seed"),
    "facts are a list": (lambda kept, _: kept.update(zoo=[1]), "not a checkpoint of `zoo fit`"),
    "settings are a list": (lambda kept, _: kept["zoo"].update(config=[1]), "config is a list"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_what_a_run_would_not_write_is_one_line(kind: str, run: Path, fit: Callable[..., tuple[int, str]]):
    change, said = ODD[kind]
    changed(run / "checkpoints" / "last.ckpt", change)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    one_line(fit("--resume", run / "checkpoints" / "last.ckpt", "trainer.max_epochs=2"), "last.ckpt", said)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before, "a refusal changes nothing"


HARMLESS: dict[str, Change] = {
    "methods of counters": lambda kept, _: loop(kept, "epoch_progress")["total"].update(reset="x", increment_by=1),
    "an old version": lambda kept, _: kept.update({"pytorch-lightning_version": "1.0.0"}),
    "a version that is none": lambda kept, _: kept.update({"pytorch-lightning_version": ["x"]}),
    "another step count": lambda kept, _: kept.update(epoch="x", global_step=10**40),
    "hyperparameters": lambda kept, _: kept.update(hyper_parameters={"config": "x"}, hparams_name="x"),
    "a data module": lambda kept, _: kept.update(TalkingFaceData={"x": 1}),
    "a scaler": lambda kept, _: kept.update(native_amp_scaling_state={"x": 1}, MixedPrecision={"scale": "x"}),
    "callbacks that are not there": lambda kept, _: kept["callbacks"].update(Nobody={"path": "/"}),
    "a word in a group": lambda kept, _: kept["optimizer_states"][0]["param_groups"][0].update(step="x"),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_has_no_place_in_a_run_is_left_out(kind: str, run: Path, fit: Callable[..., tuple[int, str]]):
    changed(run / "checkpoints" / "last.ckpt", HARMLESS[kind])
    code, err = fit("--resume", run, "trainer.max_epochs=2")
    assert code == 0, err
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1


# Going on after a kill.


def test_a_damaged_last_checkpoint_gives_way_to_the_best(run: Path, fit: Callable[..., tuple[int, str]]):
    last = run / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"text", whole[:4000] + b"\0" * 2000 + whole[6000:]):
        last.write_bytes(damaged)
        for which in ("last", run):
            code, err = fit("--resume", which, "trainer.max_epochs=1")
            assert code == 0, err
            (line,) = err.splitlines()
            assert line.startswith(f"{last.relative_to(run.parents[3]) if which == 'last' else last}: ")
            assert "going on from" in line
            assert line.endswith("best.ckpt")


def test_of_damaged_runs_the_newest_whole_one_goes_on(run: Path, fit: Callable[..., tuple[int, str]]):
    newer = run.with_name("29990101-000000-aaaa")
    shutil.copytree(run, newer)
    for path in (newer / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
        os.utime(path, (time.time() + 99, time.time() + 99))
    code, err = fit("--resume", "last", "trainer.max_epochs=1")
    assert code == 0, err
    assert "29990101" in err
    assert f"going on from runs/lipgan/synthgrid/{run.name}/checkpoints/last.ckpt" in err
    for path in (run / "checkpoints").iterdir():
        path.write_bytes(b"")
    one_line(fit("--resume", "last", "trainer.max_epochs=1"), "29990101", "damaged or cut short")


def test_a_run_with_a_best_checkpoint_alone_goes_on(run: Path, fit: Callable[..., tuple[int, str]]):
    (run / "checkpoints" / "last.ckpt").unlink()
    code, err = fit("--resume", "last", "trainer.max_epochs=2")
    assert (code, err) == (0, "")
    assert (run / "checkpoints" / "last.ckpt").is_file()


def test_going_on_doubles_no_row_and_mends_the_table(run: Path, fit: Callable[..., tuple[int, str]]):
    assert fit("--resume", run, "trainer.max_epochs=2")[0] == 0
    whole = (run / "metrics.csv").read_bytes()
    scores = (run / "rows.jsonl").read_bytes()
    weights = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    (run / "checkpoints" / "best.ckpt").replace(run / "checkpoints" / "kept")
    shutil.copy(run / "checkpoints" / "last.ckpt", run / "second.ckpt")
    for torn in (whole, whole[:-7], whole + b"0,,,9,1.5,1.", whole + b"\0" * 300 + b"\n"):
        (run / "metrics.csv").write_bytes(torn)
        assert fit("--resume", run, "trainer.max_epochs=3")[0] == 0
        found = [(row["step"], row["epoch"], row["train/l1"], row["val/l1"]) for row in table(run)]
        assert len(found) == len(set(found))
        assert [row["step"] for row in table(run) if row["val/l1"]][-1] == "5"
        shutil.copy(run / "second.ckpt", run / "checkpoints" / "last.ckpt")  # as after a kill in the third epoch
    assert fit("--resume", run, "trainer.max_epochs=2")[0] == 0
    assert [row["step"] for row in table(run)][-1] == "3", "rows of the third epoch are gone"
    assert (run / "rows.jsonl").read_bytes() == scores
    after = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, after[name]) for name, value in weights.items())


def test_a_table_that_is_none_is_kept_and_begun_anew(run: Path, fit: Callable[..., tuple[int, str]]):
    (run / "metrics.csv").write_bytes(b"\0" * 500)
    code, err = fit("--resume", run, "trainer.max_epochs=2")
    assert code == 0
    assert "metrics-damaged.csv" in err
    assert (run / "metrics-damaged.csv").read_bytes() == b"\0" * 500
    assert {row["step"] for row in table(run)} == {"2", "3"}


@pytest.mark.parametrize(
    ("text", "said"), [(b"\0" * 200, "not valid YAML"), (b"[1]", "'key: value'"), (b"\xff\xfe", "cannot be read")]
)
def test_settings_that_are_damaged(text: bytes, said: str, run: Path, fit: Callable[..., tuple[int, str]]):
    (run / "config.yaml").write_bytes(text)
    code, err = fit("--resume", run)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "config.yaml" in err
    assert said in err


@pytest.mark.parametrize("text", [b"\0" * 200, b"[1]", b'{"summary": 5}', b'{"steps": "many"}', b"[" * 9999])
def test_facts_that_are_damaged_are_written_anew(text: bytes, run: Path, fit: Callable[..., tuple[int, str]]):
    (run / "run.json").write_bytes(text)
    with pytest.raises(runs.DataError, match=r"run\.json"):
        runs.read_facts(run)
    assert fit("--resume", run)[0] == 0
    assert json.loads((run / "run.json").read_text())["summary"]["clips"] == 1


def test_a_second_one_that_goes_on_is_refused(run: Path, fit: Callable[..., tuple[int, str]]):
    with locked(runs.lock_file(run), "taken"):
        one_line(fit("--resume", run), "another process trains this run")
        one_line(fit("--resume", "last"), "another process trains this run")
    assert fit("--resume", "last")[0] == 0


def test_what_a_kill_left_half_written_is_removed(run: Path, fit: Callable[..., tuple[int, str]]):
    half = [run / "checkpoints" / ".last.abcd1234.ckpt", run / ".run.abcd1234.json"]
    for path in half:
        path.write_bytes(b"half")
    assert fit("--resume", run)[0] == 0
    assert not any(path.exists() for path in half)
    assert not [path.name for path in run.rglob(".*") if path.name != ".lock"]


def test_weights_alone_cannot_go_on(run: Path, fit: Callable[..., tuple[int, str]]):
    shutil.copy(run / "weights.safetensors", run / "checkpoints" / "renamed.ckpt")
    one_line(fit("--resume", run / "checkpoints" / "renamed.ckpt"), "weights alone cannot go on")


# Files that are no checkpoints, on a way of their own: see test_checkpoint.py.


def test_a_run_that_is_refused_or_ended_before_a_step_leaves_no_folder(
    zoo: Zoo, tiny_store: Path, environment: dict[str, str], tmp_path: Path
):
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    assert zoo("fit", "lipgan", *TINY, "init=x.safetensors", cwd=tmp_path).returncode == 1
    assert zoo("fit", "lipgan", *TINY, "trainer.precision=foo", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "runs").exists()
    for signal in ("INT", "KILL"):
        for moment in ("setup", "on_train_batch_start"):
            done = subprocess.run(
                [sys.executable, "-c", AT, moment, signal, "fit", "lipgan", *TINY],
                cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
            assert done.returncode != 0
            assert "Traceback" not in done.stderr
            if signal == "INT":
                assert (done.returncode, done.stderr.splitlines()[-1]) == (130, "zoo fit: interrupted")
            assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".safetensors"]


AT = """
import os, signal, sys
import pytorch_lightning as pl
from zoo.training import callbacks
from zoo.cli import main

moment, name, *arguments = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)

def end(*args, **kwargs):
    os.kill(os.getpid(), getattr(signal, "SIG" + name))

setattr(callbacks.PlainProgress, moment, end)
main.main(arguments)
"""
"""`zoo fit` with a signal at a moment of the training."""
