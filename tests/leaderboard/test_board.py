"""The leaderboard as records: checked by hand on the old folder, and against what must never happen."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from plausible import LEVELS, METRICS

from zoo.benchmark.results import line_of, read_cell, read_results, write_cell
from zoo.errors import DataError, UnknownNameError
from zoo.leaderboard.board import Board, Entry, build


def entry(board: Board, name: str) -> Entry:
    (found,) = [item for item in [*board.methods, *board.references] if item.name == name]
    return found


@pytest.fixture
def folder(old_results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(old_results, tmp_path / "results"))


def change(folder: Path, cell: str, metric: str, **fields: object) -> None:
    """Change fields of all rows of one metric in a cell."""
    path = folder / "cells" / cell / "rows.jsonl"
    rows = read_results(folder).rows[cell]
    changed = [dataclasses.replace(row, **fields) if row.metric == metric else row for row in rows]  # type: ignore[arg-type]
    path.write_text("".join(map(line_of, changed)))
    about = read_cell(path.with_name("cell.json"))
    write_cell(folder, dataclasses.replace(about, protocols={row.metric: row.protocol for row in changed}))


def test_old_results_still_load(old_results: Path):
    results = read_results(old_results)
    assert {name: len(rows) for name, rows in results.rows.items()} == {
        "alpha-seed0-reconstruction": 12, "alpha-seed1-reconstruction": 12, "beta-seed0-reconstruction": 12,
        "gamma-seed0-reconstruction": 0, "real-seed0-reconstruction": 12,
    }  # fmt: skip
    assert results.stale["alpha-seed1-reconstruction"] == 1


def test_values_by_hand(old_results: Path):
    board, _ = build(old_results)
    (track,) = board.tracks
    alpha, beta, gamma, real = (entry(track, name) for name in ("alpha", "beta", "gamma", "real"))
    assert [item.name for item in track.methods] == ["alpha", "beta", "gamma"]
    lmd, wer = alpha.scores["lmd"], alpha.scores["wer"]
    assert lmd.value == pytest.approx(3.6)  # seeds 3.5 and 3.7
    assert lmd.seeds == pytest.approx([3.5, 3.7])
    assert lmd.spread == pytest.approx(0.02**0.5)
    assert (lmd.clips, lmd.coverage, lmd.state) == (6, 1.0, "best")
    assert wer.value == pytest.approx(6 / 25)  # not the mean of the clips' rates, 1/6
    # Beta is 0.9 worse on each of six clips: no test of six can say more than 2 / 2**6.
    assert beta.scores["lmd"].state == "worse"
    assert beta.scores["lmd"].p == 2**-5
    assert beta.scores["wer"].value == pytest.approx(9 / 24)  # one word of 25 lies in a clip without a face
    assert (beta.scores["wer"].clips, beta.scores["wer"].coverage) == (5, pytest.approx(24 / 25))
    assert beta.scores["wer"].state == "tie"  # five common clips cannot tell
    assert beta.scores["wer"].reason == "no face was found"
    assert (gamma.status, gamma.scores) == ("failed", {})
    assert alpha.fps == pytest.approx(1200 / 30)
    assert alpha.rtf == pytest.approx(25 / 40)
    assert alpha.training == "budget 1 min; 100 steps in 1.0 min; on synthgrid by-speaker"
    assert all(score.state == "" for score in real.scores.values())
    assert any("gamma" in note and "cannot generate" in note for note in board.notes)
    assert any("1 stale row " in note and "alpha-seed1" in note for note in board.notes)


def test_no_number_is_never_a_score(folder: Path):
    change(folder, "beta-seed0-reconstruction", "lmd", value=float("nan"), stats=(float("nan"), 10.0), reason="broken")
    track = build(folder)[0].tracks[0]
    score = entry(track, "beta").scores["lmd"]
    assert (score.value, score.cost, score.state, score.clips) == (None, None, "", 0)
    assert score.reason == "broken (6)"
    assert [item.name for item in track.methods] == ["alpha", "beta", "gamma"]  # last but for the name


def test_a_rate_without_its_counts_is_no_score(folder: Path):
    change(folder, "beta-seed0-reconstruction", "wer", value=0.0, stats=())
    score = entry(build(folder)[0].tracks[0], "beta").scores["wer"]
    assert (score.value, score.state, score.clips) == (None, "", 0)


def test_another_protocol_is_not_ranked(folder: Path):
    other = "lmd|points:all68|zoo:0.1.0"
    change(folder, "beta-seed0-reconstruction", "lmd", value=0.0, stats=(0.0, 10.0), protocol=other)
    track = build(folder)[0].tracks[0]
    assert track.columns[0].protocol == "lmd|points:mouth20|zoo:0.1.0"
    score = entry(track, "beta").scores["lmd"]
    assert (score.value, score.state, score.protocol) == (0.0, "", other)
    alpha = entry(track, "alpha").scores
    assert (alpha["lmd"].state, alpha["wer"].state) == ("", "best")  # alone in its column: better than nobody


def test_rows_of_an_older_protocol_or_set_aside_are_stale(folder: Path):
    path = folder / "cells" / "beta-seed0-reconstruction" / "rows.jsonl"
    path.write_text(path.read_text().replace("points:mouth20", "points:all68"))
    aside = path.parent / "stale" / "rows.jsonl"
    aside.parent.mkdir()
    aside.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    board, _ = build(folder)
    assert "lmd" not in entry(board.tracks[0], "beta").scores
    assert any("beta" in note and "9 stale" in note for note in board.notes)
    assert read_results(folder).stale["beta-seed0-reconstruction"] == 9


def test_seeds_under_two_protocols_are_not_ranked(folder: Path):
    change(folder, "alpha-seed0-reconstruction", "lmd", protocol="lmd|points:all68|zoo:0.1.0")
    track = build(folder)[0].tracks[0]
    assert entry(track, "alpha").scores["lmd"].state == ""
    assert " and " in entry(track, "alpha").scores["lmd"].protocol


def test_rows_that_are_not_there_lower_coverage(folder: Path):
    path = folder / "cells" / "beta-seed0-reconstruction" / "rows.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:6]))
    cell = read_cell(path.with_name("cell.json"))
    write_cell(folder, dataclasses.replace(cell, status="partial"))
    board, _ = build(folder)
    found = entry(board.tracks[0], "beta")
    assert (found.status, found.scores["lmd"].coverage, found.scores["lmd"].clips) == ("partial", 0.5, 3)
    assert any("beta" in note and "not all rows" in note for note in board.notes)


def test_two_cells_of_one_seed_stand_apart(folder: Path):
    cells = folder / "cells"
    shutil.copytree(cells / "beta-seed0-reconstruction", cells / "beta-again")
    cell = dataclasses.replace(read_cell(cells / "beta-again" / "cell.json"), name="beta-again")
    write_cell(folder, cell)
    names = {item.name for item in build(folder)[0].tracks[0].methods}
    assert {"beta-again", "beta-seed0-reconstruction"} < names


def test_order(results: Path):
    board, _ = build(results, sort="cpbd")
    values = [item.scores["cpbd"].value for item in board.tracks[0].methods]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]
    with pytest.raises(UnknownNameError, match="did you mean cpbd"):
        build(results, sort="cpdb")


def test_plausible_results_look_as_they_were_made(results: Path):
    board, _ = build(results)
    assert [track.track for track in board.tracks] == ["reconstruction", "cross"]
    for track in board.tracks:
        assert [column.metric for column in track.columns] == [metric.name for metric in METRICS]
        assert {item.name for item in track.methods} == {"lipgan", "at-a-glance", "speech-driven-gan"}
        for column in track.columns:
            states = [item.scores[column.metric].state for item in track.methods]
            assert states.count("best") == 1
            assert not any(item.scores[column.metric].state for item in track.references)
    assert "real" not in {item.name for item in board.tracks[1].references}
    lipgan = entry(board.tracks[0], "lipgan").scores["lse_d"]
    assert lipgan.value == pytest.approx(LEVELS["lipgan"][2], abs=0.4)
    assert lipgan.low is not None
    assert lipgan.high is not None
    assert lipgan.value is not None
    assert lipgan.low < lipgan.value < lipgan.high


def test_numbers_from_papers_stand_apart(results: Path):
    reported = build(results)[0].reported
    (ours,) = [r for r in reported if (r.table, r.dataset, r.method) == ("Table 3", "grid", "full model")]
    assert ours.values == {"lmd": "1.18", "ssim": "0.73", "psnr": "29.89", "cpbd": "0.175"}
    assert "wrap" in ours.flags["psnr"]
    (sda,) = [r for r in reported if r.values.get("wer") == "25.4 %"]
    assert (sda.values["acd"], sda.values["psnr"], sda.flags) == ("1.02e-4", "27.98", {})
    assert len(reported) == 12 + 9 + 4 + 1
    for item in reported:
        assert item.paper
        assert item.table
        assert all("psnr" in item.flags for _ in [0] if "Glance" in item.paper and "psnr" in item.values)


def test_bad_folders(tmp_path: Path, folder: Path):
    with pytest.raises(DataError, match="no results there"):
        build(tmp_path / "nothing")
    path = folder / "suite.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(DataError, match="newer zoo"):
        build(folder)
    path.write_text("{")
    with pytest.raises(DataError, match="not results"):
        build(folder)
