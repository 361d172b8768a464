"""The leaderboard as records: checked by hand on the old folder, and against what must never happen."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from tests.leaderboard.plausible import LEVELS, METRICS
from zoo.evaluation.results import line_of, read_cell, read_results, read_suite, write_cell, write_suite
from zoo.leaderboard.board import build
from zoo.leaderboard.records import Board, Entry
from zoo.leaderboard.text import facts, parts, percent, title
from zoo.leaderboard.write import text
from zoo.support.errors import DataError, UnknownNameError


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


def test_what_a_fit_found_out_stands_beside_its_training(folder: Path):
    for cell, told in (("alpha-seed0", ["one of two seeds"]), ("beta-seed0", ["it hears well", "and sees"])):
        about = read_cell(folder / "cells" / f"{cell}-reconstruction" / "cell.json")
        write_cell(folder, dataclasses.replace(about, training=about.training | {"remarks": told, "taught": "by us"}))
    board, _ = build(folder)
    (track,) = board.tracks
    assert entry(track, "beta").training.endswith("; budget: 1 min; by us; it hears well; and sees")
    assert "one of two seeds" not in entry(track, "alpha").training


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
    assert alpha.training == "100 steps in 1.0 min on synthgrid by-speaker; budget: 1 min"
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
    assert any("beta" in note and "6 stale" in note and "mends that" in note for note in board.notes)
    (aside,) = [note for note in board.notes if "stale/" in note]
    assert aside.startswith("3 older rows of one cell")
    assert "mends" not in aside
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


def test_a_seed_that_failed_does_not_take_the_others_with_it(folder: Path):
    change(folder, "alpha-seed0-reconstruction", "lmd", value=None, stats=(), scored=0, reason="no face was found")
    board, _ = build(folder)
    lmd, wer = (entry(board.tracks[0], "alpha").scores[name] for name in ("lmd", "wer"))
    assert (lmd.value, lmd.seeds, lmd.spread) == (pytest.approx(3.7), [None, pytest.approx(3.7)], None)
    assert (lmd.state, lmd.clips, lmd.coverage) == ("best", 6, 0.5)  # what it did not do, it did not do
    assert lmd.reason == "no face was found (6)"
    assert wer.seeds.count(None) == 0
    assert "alpha, reconstruction: 1 of 2 seeds count; seed 0 has no value of lmd" in board.notes
    alpha, column = entry(board.tracks[0], "alpha"), board.tracks[0].columns[0]
    assert parts(alpha, column, 2)[2:] == [
        "1 of 2 seeds",
        "50.0 % scored",
    ]


def test_a_seed_whose_fit_failed_is_told(folder: Path):
    path = folder / "cells" / "alpha-seed1-reconstruction"
    for file in path.glob("rows*.jsonl"):
        file.unlink()
    cell = dataclasses.replace(read_cell(path / "cell.json"), key="", status="failed", reason="it diverged")
    write_cell(folder, cell)
    board, _ = build(folder)
    alpha = entry(board.tracks[0], "alpha")
    assert (alpha.scores["lmd"].value, alpha.scores["lmd"].state) == (pytest.approx(3.5), "best")
    assert facts(alpha)["seeds"] == "1 of 2"
    assert "alpha, reconstruction: 1 of 2 seeds count; seed 1 has no value" in board.notes
    assert any("alpha seed 1" in note and "it diverged" in note for note in board.notes)


def test_clips_of_which_nothing_could_be_counted_are_not_covered(folder: Path):
    path = folder / "cells" / "beta-seed0-reconstruction" / "rows.jsonl"
    first = read_results(folder).rows["beta-seed0-reconstruction"][0].clip
    rows = [
        row if row.metric != "lmd" or row.clip == first
        else dataclasses.replace(row, value=None, stats=(), scored=0, total=0, reason="no face was found")
        for row in read_results(folder).rows["beta-seed0-reconstruction"]
    ]  # fmt: skip
    path.write_text("".join(map(line_of, rows)))
    beta = entry(build(folder)[0].tracks[0], "beta")
    assert beta.scores["lmd"].coverage == pytest.approx(1 / 6)  # one clip of six was scored, wholly
    assert facts(beta)["coverage"] == "16.6 %"


def test_only_all_of_it_reads_as_all():
    assert [percent(share) for share in (1.0, 0.9996, 0.99999999999, 0.96, 0.57, 0.0)] == [
        "100 %", "99.9 %", "99.9 %", "96.0 %", "57.0 %", "0.0 %",
    ]  # fmt: skip


def test_another_sound_is_not_compared_and_told(results: Path, tmp_path: Path):
    folder = shutil.copytree(results, tmp_path / "results")
    for path in folder.glob("cells/lipgan-*-cross/rows.jsonl"):
        path.write_text(path.read_text().replace('"sound":"s1/clip00"', '"sound":"s2/clip00"'))
    board, _ = build(folder)
    states = {item.name: item.scores["lse_d"].state for item in board.tracks[1].methods}
    assert "apart" in states.values()
    assert "cross: 20 clips have not the same sound in all methods; there they are not compared" in board.notes
    assert not any("same sound" in note for note in build(results)[0].notes)


def test_what_the_suite_left_out_is_told(folder: Path):
    suite = dataclasses.replace(read_suite(folder), left_out={"lse_d": "no sync expert; `zoo weights sync-expert`"})
    write_suite(folder, suite)
    assert "no lse_d: no sync expert; `zoo weights sync-expert`" in build(folder)[0].notes


def test_one_speaker_is_not_called_cross_speaker(results: Path, tmp_path: Path):
    folder = shutil.copytree(results, tmp_path / "results")
    board, _ = build(folder)
    assert title("cross", board) == "Cross-speaker: each face with the sound of another speaker's clip"
    write_suite(folder, dataclasses.replace(read_suite(folder), cross_speaker=False))
    board, _ = build(folder)
    assert title("cross", board).endswith("another clip of the same speaker or another")
    assert "in the track cross some faces speak another sentence of the same speaker" in board.notes
    clips = dict.fromkeys(read_suite(folder).clips, "s1")
    write_suite(folder, dataclasses.replace(read_suite(folder), cross_speaker=False, clips=clips))
    board, _ = build(folder)
    assert title("cross", board).endswith("another clip of the same speaker")
    assert any("one test speaker" in note for note in board.notes)
    for form in ("markdown", "table", "html"):
        made = text(folder, form)
        assert "same speaker" in made
        assert "Cross-speaker" not in made


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
    (lipgan,) = [r for r in reported if "accuracy" in r.values]
    assert "CS766" in lipgan.venue
    assert "not from a paper" in lipgan.flags["accuracy"]
    assert len(reported) == 12 + 9 + 4 + 1
    for item in reported:
        assert item.paper
        assert item.table
        assert all("psnr" in item.flags for _ in [0] if "Glance" in item.paper and "psnr" in item.values)


def test_a_row_that_lacks_fields_is_one_line(folder: Path):
    path = folder / "cells" / "beta-seed0-reconstruction" / "rows.jsonl"
    path.write_text(path.read_text().replace('"total":', '"whole":'))
    with pytest.raises(DataError, match="beta-seed0-reconstruction: a row of lmd lacks fields"):
        build(folder)


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


def test_lips_order_the_lines_where_nobody_says(results: Path, tmp_path: Path):
    folder = Path(shutil.copytree(results, tmp_path / "results"))
    assert [track.sort for track in build(folder)[0].tracks] == ["lmd", "lmd"]
    assert [track.sort for track in build(folder, "psnr")[0].tracks] == ["psnr", "psnr"]
    # Sharpness comes first in the suite, and nobody can compare with the real lips.
    metrics = [metric for metric in reversed(METRICS) if metric.name != "lmd"]
    write_suite(folder, dataclasses.replace(read_suite(folder), metrics=metrics))
    track = build(folder)[0].tracks[0]
    assert track.sort == "lse_d"
    costs = [method.scores["lse_d"].cost for method in track.methods]
    assert costs == sorted(costs, key=lambda cost: cost or 0.0)
