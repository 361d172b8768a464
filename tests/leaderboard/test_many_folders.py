"""`zoo leaderboard A B`: lines of a benchmark beside videos that anybody scored."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.cli import main
from zoo.evaluation.results import VIDEOS, read_suite, write_suite
from zoo.leaderboard.board import build
from zoo.leaderboard.merge import read_tables
from zoo.support.errors import DataError


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bench``: references on two speakers, with their videos; ``theirs``: `zoo score` of the still's videos."""
    root = tmp_path_factory.mktemp("many")
    store, bench = root / "store", root / "bench"
    assert main.run(["data", "synth", "--clips", "12", "--out", str(store)]) == 0
    assert main.run(
        ["benchmark", "--methods", "none", "--out", str(bench), f"data.root={store}", "data.split=by-clip",
         "tracks=[reconstruction]", "references=[real,still]", "metrics=[lmd,motion]", "--devices", "1"]
    ) == 0  # fmt: skip
    for side, cell in (("pred", "still"), ("real", "real")):
        shutil.copytree(bench / "cells" / f"{cell}-reconstruction" / "videos", root / side)
    ids = {clip.replace("/", "-"): clip for clip in read_suite(bench).clips}
    for side in ("pred", "real"):
        for name, clip in ids.items():
            (root / side / clip).parent.mkdir(exist_ok=True)
            shutil.move(root / side / f"{name}.mp4", root / side / f"{clip}.mp4")
    assert main.run(
        ["score", "--pred", str(root / "pred"), "--real", str(root / "real"), "--metrics", "lmd,motion",
         "--name", "theirs", "--out", str(root / "theirs")]
    ) == 0  # fmt: skip
    return root


def test_scored_videos_stand_beside_the_benchmark(folders: Path, capsys: pytest.CaptureFixture[str]):
    """The same videos get the same numbers, but for what encoding them costs; whose they are is said."""
    assert main.run(["leaderboard", str(folders / "bench"), str(folders / "theirs"), "--format", "json"]) == 0
    (track,) = json.loads(capsys.readouterr().out)["tracks"]
    (theirs,) = track["methods"]
    assert (theirs["name"], theirs["source"]) == ("theirs", "videos only")
    assert {entry["name"] for entry in track["references"]} == {"real", "still"}
    (still,) = (entry for entry in track["references"] if entry["name"] == "still")
    assert theirs["scores"]["lmd"]["protocol"] == ""
    assert theirs["scores"]["lmd"]["clips"] == still["scores"]["lmd"]["clips"] > 1
    assert theirs["scores"]["lmd"]["value"] == pytest.approx(still["scores"]["lmd"]["value"], rel=0.1)


def test_a_folder_of_scores_is_a_leaderboard_by_itself(folders: Path, capsys: pytest.CaptureFixture[str]):
    assert main.run(["leaderboard", str(folders / "theirs")]) == 0
    out = capsys.readouterr().out
    assert "theirs" in out
    assert "videos only" in out
    assert main.run(["leaderboard", str(folders / "theirs"), "--html"]) == 0
    assert "theirs" in (folders / "theirs" / "index.html").read_text()


@pytest.fixture
def other(results: Path, tmp_path: Path) -> Path:
    """The same results once more, elsewhere, as scored videos of fewer metrics and clips."""
    folder = tmp_path / "other"
    shutil.copytree(results, folder)
    suite = read_suite(folder)
    clips = dict(list(suite.clips.items())[:3])
    write_suite(folder, replace(suite, name=VIDEOS, clips=clips, metrics=suite.metrics[:2]))
    return folder


def test_clips_of_the_benchmark_decide_and_what_is_there_twice_is_named_apart(results: Path, other: Path):
    alone, _ = build(results)
    for order in ([results, other], [other, results]):
        board, table = build(order)
        assert board.clips == alone.clips
        names = {entry.name for entry in board.tracks[0].methods}
        wanted = {entry.name for entry in alone.tracks[0].methods}
        assert names == wanted | {f"{name} (other)" for name in wanted}
        assert len(board.tracks[0].references) == len(alone.tracks[0].references)
        for cell, metric in table.values:
            if cell.endswith("(other)"):
                assert table.values[cell, metric].seen.sum() <= 3, "its other clips are not made up"
        scores = [entry.scores for entry in board.tracks[0].methods if entry.name.endswith("(other)")]
        assert max(score["lmd"].coverage for score in scores) <= 3 / alone.clips, "nor are they covered"


def test_clips_that_are_not_compared_cover_nothing(results: Path, tmp_path: Path):
    """The benchmark has three clips, somebody else's folder all: of hers only those three count."""
    few = tmp_path / "few"
    shutil.copytree(results, few)
    suite = read_suite(few)
    write_suite(few, replace(suite, clips=dict(list(suite.clips.items())[:3])))
    theirs = tmp_path / "theirs"
    shutil.copytree(results, theirs)
    write_suite(theirs, replace(suite, name=VIDEOS))
    board, table = build([few, theirs])
    assert board.clips == 3
    assert not any("theirs" in cell for cell in table.stale)
    for (cell, metric), values in table.values.items():
        if cell.endswith("(theirs)"):
            same = table.values[cell.removesuffix(" (theirs)"), metric]
            assert (values.scored, values.total, values.countable) == (same.scored, same.total, same.countable)
            assert np.array_equal(values.value, same.value, equal_nan=True)
    assert any("of its 20 clips are not among those compared here" in note for note in board.notes)


def test_folders_of_one_name_are_told_apart(results: Path, other: Path, tmp_path: Path):
    again = tmp_path / "elsewhere" / "other"
    shutil.copytree(other, again)
    names = {entry.name for entry in build([results, other, again])[0].tracks[0].methods}
    one = next(entry.name for entry in build(results)[0].tracks[0].methods)
    assert {one, f"{one} (other)", f"{one} (other 2)"} <= names


def rename(folder: Path, names: dict[str, str]) -> None:
    """Give clips other ids, in the suite and in all rows."""
    suite = read_suite(folder)
    write_suite(folder, replace(suite, clips={names[clip]: speaker for clip, speaker in suite.clips.items()}))
    for path in folder.glob("cells/*/rows*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        kept = [{k: v for k, v in row.items() if k != "crc"} | {"clip": names[row["clip"]]} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in kept))


def test_clips_are_found_by_the_last_part_of_their_id(results: Path, other: Path, tmp_path: Path):
    clips = {clip: f"clip{number}" for number, clip in enumerate(read_suite(results).clips)}
    base = tmp_path / "base"
    shutil.copytree(results, base)
    rename(base, {clip: f"s1/{name}" for clip, name in clips.items()})
    rename(other, clips)
    table = read_tables([base, other])
    found = [values.seen.sum() for (cell, _), values in table.values.items() if cell.endswith("(other)")]
    assert max(found) == 3


def test_what_does_not_fit_is_one_line(results: Path, other: Path, capsys: pytest.CaptureFixture[str]):
    suite = read_suite(other)
    write_suite(other, replace(suite, clips={"nobody/knows": "x"}))
    with pytest.raises(DataError, match="no clip in common"):
        read_tables([results, other])
    write_suite(other, replace(suite, data="other clips"))
    with pytest.raises(DataError, match="different test data"):
        read_tables([results, other])
    write_suite(other, replace(suite, metrics=[replace(suite.metrics[0], reduce="ratio"), *suite.metrics[1:]]))
    with pytest.raises(DataError, match=r"its \w+ is another measure"):
        read_tables([results, other])
    assert main.run(["leaderboard", str(results), str(other), "--html"]) == 2
    assert "several folders: say --out FILE" in capsys.readouterr().err
