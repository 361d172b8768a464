"""A results folder that somebody else made: it is read as it is, from inside, or refused in one line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from zoo.benchmark.ledger import Ledger
from zoo.cli import main
from zoo.evaluation.lines import read_lines, sealed
from zoo.evaluation.results import read_cell, read_results, video_name
from zoo.evaluation.rows import text_of
from zoo.leaderboard.board import build
from zoo.leaderboard.text import markdown
from zoo.support.errors import DataError
from zoo.support.printable import printable

CELL = "beta-seed0-reconstruction"


@pytest.fixture
def folder(old_results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(old_results, tmp_path / "results"))


def edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which every command refuses a folder."""
    capsys.readouterr()
    for line in (["leaderboard", str(folder)], ["compare", "alpha", "beta", "--dir", str(folder)]):
        assert main.run(line) == 1
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
    return err


@pytest.mark.parametrize(
    "name", ["../../../elsewhere", "/tmp/elsewhere", "..", "", "alpha-seed0-reconstruction", "a\0b"]
)
def test_a_cell_names_no_folder_but_its_own(name: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    edit(folder / "cells" / CELL / "cell.json", name=name)
    assert f"{CELL}/cell.json" in refused(folder, capsys)


def outside(folder: Path, inner: str) -> None:
    """Replace a file or folder of the results by a link to what lies outside."""
    kept = folder.parent / "elsewhere" / inner
    kept.parent.mkdir(parents=True)
    (folder / inner).rename(kept)
    (folder / inner).symlink_to(kept)


@pytest.mark.parametrize(
    "inner", ["suite.json", "cells", f"cells/{CELL}", f"cells/{CELL}/cell.json", f"cells/{CELL}/rows.jsonl"]
)
def test_no_link_leads_out(inner: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    outside(folder, inner)
    assert "leads out of" in refused(folder, capsys)


def test_a_folder_may_itself_be_a_link(folder: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(folder)
    assert build(tmp_path / "link")[0].clips == 6


def test_a_pipe_is_no_file(folder: Path, capsys: pytest.CaptureFixture[str]):
    path = folder / "cells" / CELL / "rows.jsonl"
    path.unlink()
    os.mkfifo(path)
    assert "no regular file" in refused(folder, capsys)


def test_links_in_a_circle(folder: Path, capsys: pytest.CaptureFixture[str]):
    path = folder / "cells" / CELL / "rows.jsonl"
    path.unlink()
    path.symlink_to(path)
    assert "rows.jsonl" in refused(folder, capsys)


@pytest.mark.parametrize("name", ["videos", "stale"])
def test_a_benchmark_touches_nothing_outside(name: str, folder: Path, tmp_path: Path):
    cell = read_cell(folder / "cells" / CELL / "cell.json")
    (tmp_path / "elsewhere").mkdir()
    video = tmp_path / "elsewhere" / "holiday.mp4"
    video.touch()
    (folder / "cells" / CELL / name).symlink_to(video.parent)
    with pytest.raises(DataError, match="leads out of"):
        Ledger(folder, cell, ["a"]).open()
    assert [path.name for path in video.parent.iterdir()] == ["holiday.mp4"]
    shutil.move(folder / "cells" / CELL, tmp_path / "cell")
    (folder / "cells" / CELL).symlink_to(tmp_path / "cell")
    with pytest.raises(DataError, match="leads out of"):
        Ledger(folder, cell, ["a"])


@pytest.mark.parametrize("clip", ["../../../etc/passwd", "/etc/passwd", "a/../b", "."])
def test_a_video_lies_in_its_folder_whatever_its_clip_is_called(clip: str):
    assert Path("videos") == Path("videos", video_name(clip)).parent
    assert ".." not in Path(video_name(clip)).parts


def test_no_video_from_outside_is_sent(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "private.mp4").touch()
    videos = folder / "cells" / CELL / "videos"
    videos.mkdir()
    for clip in read_results(folder).suite.clips:
        (videos / video_name(clip)).symlink_to(tmp_path / "private.mp4")
    assert main.run(["leaderboard", str(folder), "--wandb"]) == 1
    assert "leads out of" in capsys.readouterr().err


@pytest.fixture(params=["sealed", "of an older zoo"])
def rows(request: pytest.FixtureRequest, folder: Path) -> Path:
    """The rows of a cell, with checksums and without."""
    path = folder / "cells" / CELL / "rows.jsonl"
    if request.param == "sealed":
        path.write_text(text_of(read_results(folder).rows[CELL]))
    return path


def test_zeroed_bytes_are_counted_and_said(rows: Path, folder: Path, capsys: pytest.CaptureFixture[str]):
    assert build(folder)[1].damaged == {}
    data = bytearray(rows.read_bytes())
    data[100:1400] = bytes(1300)
    rows.write_bytes(data)
    board, table = build(folder)
    lost = 12 - len(read_results(folder).rows[CELL])
    assert table.damaged == {CELL: lost}
    assert lost > 1  # though it is one line now
    assert f"{CELL}: {lost} rows damaged" in " ".join(board.notes)
    (beta,) = [entry for entry in board.tracks[0].methods if entry.name == "beta"]
    assert min(score.coverage for score in beta.scores.values()) < 1
    assert main.run(["leaderboard", str(folder)]) == 0
    assert "rows damaged" in capsys.readouterr().out


def test_a_digit_that_changed_is_not_believed(folder: Path):
    path = folder / "cells" / CELL / "rows.jsonl"
    path.write_text(text_of(read_results(folder).rows[CELL]))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0].replace('"scored":', '"scored":1'), *lines[1:]]))
    assert build(folder)[1].damaged == {CELL: 1}
    path.write_text("".join([lines[0].split(',"crc"')[0] + "}\n", *lines[1:]]))  # nor one without its checksum
    assert build(folder)[1].damaged == {CELL: 1}


def test_what_a_process_was_killed_at_is_no_damage():
    line = sealed('{"a":1}\n').encode()
    assert read_lines(line + line[:9], growing=True).damaged == 0
    assert read_lines(line + line[:9]).damaged == 1
    assert read_lines(line + line[:-1]).values == [{"a": 1, "crc": line.decode()[-11:-3]}] * 2


@pytest.mark.parametrize(
    "junk", [b"\0" * 9, b"\xff\xfe", b"[" * 100_000, b"17", b'{"a":1},{"a":2}', b'{"a":"\\ud800"}']
)
def test_a_line_that_is_no_object(junk: bytes):
    found = read_lines(b'{"a":1}\n' + junk + b'\n{"a":2}\n')
    assert ([values["a"] for values in found.values], found.damaged) == ([1, 2], 1)


HOSTILE = [
    "\x1b]0;owned\x07\x9b2J",
    "a\u202eb",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png) [y](javascript:alert(1)) <http://evil.example>",
    "https://evil.example www.evil.example",
    "a|b`c\n\n# d\n\n- e\n\n<b>f",
    "=HYPERLINK(1)",
    "# heading",
    "1. item",
    "- item",
]


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, folder: Path) -> str:
    """What stands in every text of the folder."""
    text: str = request.param
    suite = json.loads((folder / "suite.json").read_text())
    for metric in suite["metrics"]:
        metric |= {"summary": text, "unit": text}
    left = {"left_out": {text: text}, "title": text, "dataset": text, "split": text, "name": text}
    (folder / "suite.json").write_text(json.dumps(suite | left))
    for path in folder.glob("cells/*/cell.json"):
        training = {"budget": text, "dataset": text, "split": text, "taught": text, "remarks": [text]}
        fields = ("reason", "summary", "dist", "shown", "source", "device", "trained_on")
        edit(path, **dict.fromkeys(fields, text), training=training, method=text + path.parent.name)
    for path in folder.glob("cells/*/rows*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
        path.write_text("".join(json.dumps(line | {"reason": text, "sound": text}) + "\n" for line in lines))
    return text


def test_what_strangers_write_is_text_everywhere(hostile: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    prefix = "" if "/" in hostile else hostile  # before a slash stands a folder
    for line in ([], ["--html"], ["--format", "csv"], ["--format", "markdown"], ["--format", "json"]):
        assert main.run(["leaderboard", str(folder), *line]) == 0
    assert main.run(["compare", prefix + CELL, prefix + "alpha-seed0-reconstruction", "--dir", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert printable(out + err, keep="\n") == out + err
    found = json.loads((folder / "leaderboard.json").read_text())
    assert found["title"] == hostile
    lines = list(csv.reader(io.StringIO((folder / "leaderboard.csv").read_text())))
    assert all(len(line) == len(lines[0]) for line in lines)
    assert not any(cell.startswith(("=", "+", "@", "\t")) for line in lines for cell in line)
    html = MarkdownIt("commonmark", {"linkify": True}).enable("table").render((folder / "leaderboard.md").read_text())
    tags = {tag.strip("/") for tag in re.findall(r"<(/?[a-z0-9]+)", html)}
    assert not tags & {"script", "img", "a", "b", "blockquote", "ol", "pre"}
    assert html.count("<h1>") == 1
    page = (folder / "index.html").read_text()
    assert page.count("</script>") == 2
    assert "<img" not in page


def test_a_footnote_is_named_by_no_stranger(folder: Path):
    name = "x]: <script>\n\n# y"
    suite = json.loads((folder / "suite.json").read_text())
    suite["metrics"][0]["name"] = name
    (folder / "suite.json").write_text(json.dumps(suite))
    for path in [*folder.glob("cells/*/rows*.jsonl"), *folder.glob("cells/*/cell.json")]:
        path.write_text(path.read_text().replace('"lmd"', json.dumps(name)))
    text = markdown(build(folder)[0])
    assert "<script>" not in text
    assert "\n# y" not in text
