"""What W&B is given, read back from its offline files: tables, intervals, plots, pages, videos with sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb

from tests.helpers.offline import OfflineRun, read_runs
from zoo.cli import main
from zoo.evaluation.results import read_cell, read_results, write_cell
from zoo.leaderboard.board import build
from zoo.leaderboard.publish import Published, group_of, publish
from zoo.leaderboard.text import csv_text, json_text
from zoo.leaderboard.write import text
from zoo.media.audio import read_audio
from zoo.media.video import write_video
from zoo.support.errors import ZooError

CLIPS = ["s1/a", "s3/a", "s4/a", "s6/a"]
"""Of six clips four are shown."""


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """W&B writes offline, and only here."""
    kept = tmp_path_factory.mktemp("wandb-home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_DIR", "WANDB_PROJECT", "RANK", "LOCAL_RANK", "SLURM_PROCID"):
            patch.delenv(name, raising=False)
        patch.setenv("WANDB_MODE", "offline")
        for name in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"WANDB_{name}_DIR", str(kept / name))
        wandb.teardown()  # another test may have set it up otherwise
        yield
        wandb.teardown()


@pytest.fixture(scope="module")
def folder(old_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old results; one cell has videos of all clips."""
    made = Path(shutil.copytree(old_results, tmp_path_factory.mktemp("publish") / "mine"))
    wave = torch.sin(torch.arange(9600) * 0.2)
    for clip in ("s1-a", "s2-a", "s3-a", "s4-a", "s5-a", "s6-a"):
        path = made / f"cells/beta-seed0-reconstruction/videos/{clip}.mp4"
        write_video(path, torch.full((15, 3, 32, 32), 90, dtype=torch.uint8), wave=wave)
    return made


@pytest.fixture(scope="module")
def sent(folder: Path) -> Published:
    done = publish(folder)
    assert done is not None
    return done


@pytest.fixture(scope="module")
def runs(folder: Path, sent: Published) -> dict[str, OfflineRun]:
    return {run.name: run for run in read_runs(folder / "wandb")[: len(sent.ids)]}


def test_one_run_for_every_cell_in_one_group(folder: Path, sent: Published, runs: dict[str, OfflineRun]):
    cells = read_results(folder).cells
    assert set(runs) == {*cells, "leaderboard"}
    assert {name: run.id for name, run in runs.items()} == sent.ids
    assert len(set(sent.ids.values())) == 6
    assert {(run.group, run.project) for run in runs.values()} == {(group_of(folder), "talking-face-zoo")}
    assert {name: run.kind for name, run in runs.items()} == {
        **dict.fromkeys(cells, "benchmark"), "leaderboard": "leaderboard"
    }  # fmt: skip
    assert sent.group.startswith("mine-")
    assert sent.text == (
        f"W&B: 6 runs in group {sent.group}: offline; send them with `wandb sync {folder}/wandb/offline-run-*`"
    )


def test_scores_and_intervals_of_a_cell_are_the_leaderboards(folder: Path, runs: dict[str, OfflineRun]):
    board = build(folder)[0].tracks[0]
    beta = next(entry for entry in board.methods if entry.name == "beta")  # of one seed: the cell is the line
    run = runs["beta-seed0-reconstruction"]
    for column in board.columns:
        score, prefix = beta.scores[column.metric], f"{column.metric}/"
        found = {name.removeprefix(prefix): value for name, value in run.summary.items() if name.startswith(prefix)}
        assert score.value is not None
        assert score.low is not None
        assert {name: value for name, value in found.items() if name != "clips"} == {
            "value": pytest.approx(score.value), "low": pytest.approx(score.low), "high": pytest.approx(score.high),
            "n": score.clips, "coverage": pytest.approx(score.coverage), "protocol": column.protocol,
        }  # fmt: skip
        assert run.history[f"{column.metric}/value"] == pytest.approx(score.value)
    assert (run.summary["fps"], run.summary["status"]) == (beta.fps, "done")
    # Each seed has scores of its own.
    seeds = [runs[f"alpha-seed{seed}-reconstruction"].summary["lmd/value"] for seed in (0, 1)]
    alpha = next(entry for entry in board.methods if entry.name == "alpha")
    assert seeds == pytest.approx(alpha.scores["lmd"].seeds)
    assert seeds[0] != seeds[1]


def test_what_a_cell_is(runs: dict[str, OfflineRun]):
    config = runs["alpha-seed1-reconstruction"].config
    assert config["training"] == {
        "steps": 100, "seconds": 60.0, "budget": "1 min", "dataset": "synthgrid", "split": "by-speaker"
    }  # fmt: skip
    assert (config["method"], config["seed"], config["track"], config["kind"]) == (
        "alpha", 1, "reconstruction", "method",
    )  # fmt: skip
    assert (config["shown"], config["trained_on"], config["suite"]) == ("one still", "unseen speakers", "small")
    failed = runs["gamma-seed0-reconstruction"]
    assert (failed.summary["status"], failed.summary["reason"]) == ("failed", "ValueError: it cannot generate")
    assert not any(name.startswith("lmd") for name in failed.history)


def test_clips_and_their_distribution(folder: Path, runs: dict[str, OfflineRun]):
    name = "beta-seed0-reconstruction"
    rows = {(row.clip, row.metric): row for row in read_results(folder).rows[name]}
    lines = runs[name].table("clips")
    assert [line["clip"] for line in lines] == [f"s{number}/a" for number in range(1, 7)]
    for line in lines:
        assert line["speaker"] == line["clip"].split("/")[0]
        for metric in ("lmd", "wer"):
            row = rows.get((line["clip"], metric))
            assert line[metric] == (row.value if row else None)
    for metric in ("lmd", "wer"):
        values = [line[metric] for line in lines if line[metric] is not None]
        plot = runs[name].history[f"{metric}/clips"]
        assert plot["_type"] == "histogram"
        assert sum(plot["values"]) == len(values)
        assert plot["bins"][0] <= min(values)
        assert plot["bins"][-1] >= max(values)
    unscored = [
        line
        for run in runs.values() if run.name != "leaderboard"
        for line in run.table("clips") if line.get("wer", 0) is None and line["reason"]
    ]  # fmt: skip
    assert [line["reason"] for line in unscored] == ["wer: no face was found"]


def test_videos_keep_their_sound(folder: Path, runs: dict[str, OfflineRun]):
    run = runs["beta-seed0-reconstruction"]
    shown = {name.removeprefix("sample/"): value for name, value in run.history.items() if name.startswith("sample/")}
    assert {name: video["caption"] for name, video in shown.items()} == {
        clip.replace("/", "-"): f"beta-seed0-reconstruction: {clip}" for clip in CLIPS
    }
    for name, video in shown.items():
        copied = run.folder / "files" / video["path"]
        assert copied.read_bytes() == (folder / f"cells/{run.name}/videos/{name}.mp4").read_bytes()
        assert len(read_audio(copied)) / 16_000 == pytest.approx(0.6, abs=0.07)
    assert [run.name] == [
        other.name for other in runs.values() if any(name.startswith("sample/") for name in other.history)
    ]


def test_leaderboard_as_tables(folder: Path, runs: dict[str, OfflineRun]):
    board = build(folder)[0].tracks[0]
    wide = {line["method"]: line for line in runs["leaderboard"].table("leaderboard")}
    assert list(wide) == [entry.name for entry in [*board.methods, *board.references]]
    long = {(line["method"], line["metric"]): line for line in runs["leaderboard"].table("scores")}
    for entry in [*board.methods, *board.references]:
        for column in board.columns:
            score = entry.scores.get(column.metric)
            line = wide[entry.name]
            found = [line[f"{column.metric}{part}"] for part in ("", " low", " high", " place")]
            if score is None:
                assert found == [None, None, None, ""]
                continue
            assert found[:3] == pytest.approx([score.value, score.low, score.high])
            assert found[3] == score.state
            other = long[entry.name, column.metric]
            assert (other["place"], other["p"], other["n"]) == (score.state, score.p, score.clips)
            assert other["protocol"] == column.protocol
            assert [other[part] for part in ("value", "low", "high")] == found[:3]
    assert wide["alpha"]["lmd place"] == "best"
    assert runs["leaderboard"].summary["notes"] == build(folder)[0].notes


def test_plots_and_page(folder: Path, runs: dict[str, OfflineRun]):
    run = runs["leaderboard"]
    board = build(folder)[0]
    plots = run.config["_wandb"]["visualize"]
    for column in board.tracks[0].columns:
        name = f"reconstruction/{column.metric}"
        assert plots[name]["panel_config"]["fieldSettings"] == {"label": "method", "value": column.metric}
        bars = run.table(f"{name}_table")
        assert [bar["method"] for bar in bars] == ["alpha", "beta", "real"]
        assert all(bar["low"] <= bar[column.metric] <= bar["high"] for bar in bars)
    page = text(folder, "html")
    assert run.file("page").read_text() == page
    files = run.artifacts[f"leaderboard-{group_of(folder)}"]
    assert {name: path.read_text() for name, path in files.items()} == {
        "index.html": page, "leaderboard.md": text(folder, "markdown"), "leaderboard.csv": csv_text(board),
        "leaderboard.json": json_text(board),
    }  # fmt: skip


def test_again_it_goes_on_in_the_same_runs(folder: Path, sent: Published, runs: dict[str, OfflineRun], tmp_path: Path):
    mine = Path(shutil.copytree(folder, tmp_path / "mine", ignore=shutil.ignore_patterns("wandb")))
    again = publish(mine, "elsewhere", ["beta-seed0-reconstruction"])
    assert again is not None
    assert again.ids == {name: sent.ids[name] for name in ("beta-seed0-reconstruction", "leaderboard")}
    assert {run.project for run in read_runs(mine / "wandb")} == {"elsewhere"}
    # Rows of other weights are another run, a cell without weights has none, another suite is another group.
    shutil.rmtree(mine / "wandb")
    for name, key in (("beta-seed0-reconstruction", "other"), ("gamma-seed0-reconstruction", "")):
        cell = read_cell(mine / "cells" / name / "cell.json")
        cell.key = key
        write_cell(mine, cell)
    third = publish(mine)
    assert third is not None
    assert third.ids["beta-seed0-reconstruction"] != sent.ids["beta-seed0-reconstruction"]
    assert "gamma-seed0-reconstruction" not in third.ids
    assert {name for name, run in third.ids.items() if sent.ids[name] == run} == {
        "alpha-seed0-reconstruction", "alpha-seed1-reconstruction", "real-seed0-reconstruction", "leaderboard"
    }  # fmt: skip
    suite = mine / "suite.json"
    suite.write_text(suite.read_text().replace('"Small"', '"Another"'))
    other = publish(mine, cells=[])
    assert other is not None
    assert other.group != third.group
    assert other.ids["leaderboard"] != third.ids["leaderboard"]


def test_rows_are_read_once_where_the_board_is_at_hand(
    old_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mine = Path(shutil.copytree(old_results, tmp_path / "mine"))
    made = build(mine, "wer")
    for path in mine.glob("cells/*/rows*.jsonl"):
        path.unlink()
    done = publish(mine, cells=[], made=made)
    assert done is not None
    (run,) = read_runs(mine / "wandb")
    assert [line["method"] for line in run.table("leaderboard")] == [
        entry.name for entry in [*made[0].tracks[0].methods, *made[0].tracks[0].references]
    ]
    assert made[0].tracks[0].methods[0].scores["wer"].value is not None


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_other_processes_send_nothing(old_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    mine = Path(shutil.copytree(old_results, tmp_path / "mine"))
    monkeypatch.setenv(name, "1")
    assert publish(mine) is None
    assert not (mine / "wandb").exists()


def test_failures_are_one_line(old_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mine = Path(shutil.copytree(old_results, tmp_path / "mine"))
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}

    def lost(*_: object, **__: object) -> None:
        raise wandb.errors.CommError("no\nnetwork")

    with monkeypatch.context() as patch:
        patch.setattr(wandb, "init", lost)
        with pytest.raises(ZooError, match=r"^W&B: CommError: no network$"):
            publish(mine)
    with monkeypatch.context() as patch:
        patch.setattr(wandb, "Histogram", lost)
        with pytest.raises(ZooError, match=r"^W&B: CommError: no network$"):
            publish(mine)
    assert [run.exit_code for run in read_runs(mine / "wandb")] == [1]
    assert {path: path.read_bytes() for path in before} == before


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main.run([str(item) for item in arguments])
        return code, *capsys.readouterr()

    return run


def test_command(run: Any, old_results: Path, tmp_path: Path):
    mine = Path(shutil.copytree(old_results, tmp_path / "mine"))
    code, out, err = run("leaderboard", mine, "--format", "json", "--wandb", "--wandb-project", "p")
    assert code == 0
    assert json.loads(out)["suite"] == "small"
    assert err.startswith("W&B: 6 runs in group mine-")
    assert {item.project for item in read_runs(mine / "wandb")} == {"p"}
    code, out, err = run("leaderboard", mine, "--wandb-project", "p")
    assert (code, out, err) == (2, "", "zoo leaderboard: --wandb-project: say --wandb, too\n")


def test_without_an_account_it_says_what_to_do(
    run: Any, old_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mine = Path(shutil.copytree(old_results, tmp_path / "mine"))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_MODE", "online")
    wandb.teardown()
    code, out, err = run("leaderboard", mine, "--wandb")
    assert (code, out) == (1, "")
    assert err == (
        "zoo leaderboard: no W&B account: run `wandb login`, or set WANDB_API_KEY, or WANDB_MODE=offline to keep it "
        "on this disk\n"
    )
    monkeypatch.setenv("WANDB_MODE", "bogus")
    wandb.teardown()
    code, _, err = run("leaderboard", mine, "--wandb")
    assert code == 1
    assert "W&B: ValidationError: 1 validation error for Settings mode Input should be 'online', 'offline'" in err
    assert err.count("\n") == 1
    monkeypatch.setenv("WANDB_MODE", "disabled")
    wandb.teardown()
    code, _, err = run("leaderboard", mine, "--format", "csv", "--wandb")
    assert (code, err.endswith(": nothing was sent, W&B is disabled\n")) == (0, True)
    wandb.teardown()
    assert not (mine / "wandb").exists()


def test_command_reads_the_rows_once(run: Any, old_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from zoo.leaderboard import table

    mine = Path(shutil.copytree(old_results, tmp_path / "mine"))
    read = []
    values = table.read_values
    monkeypatch.setattr(table, "read_values", lambda *found: (read.append(found[0]), values(*found))[1])
    assert run("leaderboard", mine, "--html", "--wandb")[0] == 0
    assert len(read) == len(set(read)) == 5
