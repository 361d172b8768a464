"""`zoo benchmark --wandb`: the same runs after a resume, none of the other processes, and nothing is ever lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wandb

from tests.benchmark.small import FEW, rows_of
from tests.helpers.offline import OfflineRun, read_runs
from zoo.cli import main
from zoo.media.audio import read_audio
from zoo.support import torchrun

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where W&B writes; it is set up anew for every test."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    wandb.teardown()
    yield tmp_path / "WANDB_DIR" / "wandb"
    wandb.teardown()


@pytest.fixture
def out(results: Path, tmp_path: Path) -> Path:
    """A copy of finished results: nothing is left to generate."""
    return Path(shutil.copytree(results, tmp_path / "benchmark-synth"))


@pytest.fixture
def benchmark_command(out: Path, store: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run it here, with the settings of those results."""

    def command(*more: str) -> tuple[int, str, str]:
        line = ["--methods", "toy", "--ckpt", f"toy={weights}", "--out", str(out), "--devices", "1", *more]
        code = main.run(["benchmark", *line, f"data.root={store}", *FEW])
        return code, *capsys.readouterr()

    return command


def by_name(runs: list[OfflineRun]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for run in runs:
        found.setdefault(run.name, []).append(run.id)
    return found


def test_a_resumed_benchmark_goes_on_in_the_same_runs(benchmark_command: Command, out: Path, home: Path):
    code, _, err = benchmark_command("--wandb", "--dry-run")
    assert (code, read_runs(home)) == (0, []), err
    path = out / "cells/toy-seed0-cross/rows.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(line for line in whole.splitlines(keepends=True) if b'"cpbd"' not in line))
    assert (
        main.run(["leaderboard", str(out), "--wandb", "--wandb-project", "mine", "--out", f"{home.parent}/x.md"]) == 0
    )
    path.write_bytes(whole)
    first = by_name(read_runs(home))
    assert set(first) == {*(path.name for path in (out / "cells").iterdir()), "leaderboard"}
    code, _, err = benchmark_command("--wandb", "--wandb-project", "mine")
    assert code == 0, err
    assert f"wandb sync {home}/offline-run-*" in err
    both = read_runs(home)
    assert by_name(both) == {name: ids * 2 for name, ids in first.items()}
    assert ({run.project for run in both}, len({run.group for run in both})) == ({"mine"}, 1)
    assert ["cpbd/value" in run.summary for run in both if run.name == "toy-seed0-cross"] == [False, True]
    for run in both:
        if run.name == "leaderboard":
            assert {line["method"] for line in run.table("leaderboard")} == {"toy", "still", "real"}
            continue
        shown = [item for name, item in run.history.items() if name.startswith("sample/")]
        assert len(shown) == 3
        assert all(len(read_audio(run.folder / "files" / item["path"])) > 8000 for item in shown)


def test_other_ranks_never_look_at_it(benchmark_command: Command, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torchrun, "rank", lambda: 1)
    monkeypatch.setattr("zoo.benchmark.run.serve", lambda _: None)
    monkeypatch.setattr(wandb, "setup", lambda **_: pytest.fail("rank 1 looked for an account"))
    assert benchmark_command("--wandb") == (0, "", "")
    assert not home.exists()


def test_what_cannot_be_sent_is_a_problem_and_nothing_is_lost(
    benchmark_command: Command, out: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    def lost(**_: object) -> None:
        raise wandb.errors.CommError("no network")

    monkeypatch.setattr(wandb, "init", lost)
    before = rows_of(out)
    (out / "leaderboard.json").unlink(missing_ok=True)
    code, printed, err = benchmark_command("--wandb")
    assert code == 1
    assert err.splitlines()[-1] == (
        f"zoo benchmark: W&B: CommError: no network; the results are safe in {out}; send them with "
        f"`zoo leaderboard {out} --wandb`"
    )
    assert "go further" in printed
    assert rows_of(out) == before
    assert (out / "leaderboard.json").is_file()


def test_without_an_account_it_stops_before_any_work(
    benchmark_command: Command, out: Path, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    code, printed, err = benchmark_command("--wandb")
    assert (code, printed) == (1, "")
    assert err.startswith("zoo benchmark: no W&B account: run `wandb login`, or set WANDB_API_KEY, or WANDB_MODE=off")
    assert err.count("\n") == 1
    assert not (out / "leaderboard.json").exists()
    code, printed, err = benchmark_command("--wandb-project", "mine")
    assert (code, printed, err) == (2, "", "zoo benchmark: --wandb-project: say --wandb, too\n")
