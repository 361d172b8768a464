"""``zoo leaderboard`` and its files, as users run it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.leaderboard.plausible import write_results
from zoo.cli import main
from zoo.leaderboard import terminal
from zoo.leaderboard.board import build
from zoo.leaderboard.text import decimals, interval, number, significant, size
from zoo.leaderboard.write import write_leaderboard

Run = Callable[..., str]

EVIL = "</script><img src=x onerror=alert(1)>|`*"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line here and return what it printed."""

    def run(*arguments: object, code: int = 0) -> str:
        assert main.run([str(item) for item in arguments]) == code
        out, err = capsys.readouterr()
        return out if code == 0 else err

    return run


def test_without_torch(results: Path, tmp_path: Path):
    """All of it in one process that must not have imported anything heavy."""
    folder = shutil.copytree(results, tmp_path / "results")
    script = (
        "import sys; from zoo.cli import main\n"
        f"for line in (['leaderboard', {str(folder)!r}], ['leaderboard', {str(folder)!r}, '--html'],\n"
        f"             ['compare', 'lipgan', 'still', '--dir', {str(folder)!r}]):\n"
        "    assert main.run(line) == 0\n"
        "heavy = {'torch', 'pytorch_lightning', 'wandb', 'scipy', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_same_rows_same_bytes(results: Path, tmp_path: Path):
    folders = [Path(shutil.copytree(results, tmp_path / name / "same")) for name in ("one", "other")]
    for path in (folders[1] / "cells").glob("*/rows.jsonl"):  # the order of lines is no content
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[::-1]))
        os.utime(path, (0, 0))
    one, other = ([path.read_bytes() for path in write_leaderboard(folder)] for folder in folders)
    assert one == other


def test_table(run: Run, old_results: Path):
    shown = run("leaderboard", old_results)
    words = shown.split()
    assert {"alpha", "3.60★", "0.240★", "4.50", "0.375≈", "2.27–4.93", "±0.14"} <= set(words)
    assert "6 clips of 6 speakers" in shown
    assert "; best lmd first" in shown
    assert "one still" in shown
    assert "1.23 M" in shown
    assert "gamma seed 0, reconstruction: failed: ValueError: it cannot generate" in shown
    assert "1 stale row (" in shown
    assert "lmd|points:mouth20|zoo:0.1.0" in shown


def test_no_interval_is_broken(results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    board, _ = build(results)
    wanted = {
        word
        for track in board.tracks
        for column in track.columns
        for entry in [*track.methods, *track.references]
        if column.metric in entry.scores
        for word in interval(entry.scores[column.metric], decimals(track, column.metric)).split()
    }
    for width in (88, 96, 120, 140):
        monkeypatch.setattr(terminal, "WIDTH", width)
        terminal.show(board)
        assert wanted <= set(capsys.readouterr().out.split()), width


def test_papers_of_the_suites_dataset_are_shown(run: Run, old_results: Path, tmp_path: Path):
    folder = shutil.copytree(old_results, tmp_path / "results")
    suite = folder / "suite.json"
    assert "29.89" not in run("leaderboard", folder)
    suite.write_text(json.dumps(json.loads(suite.read_text()) | {"dataset": "grid"}))
    shown = run("leaderboard", folder)
    assert "29.89‡" in shown
    assert "23.54" not in shown  # TCD-TIMIT
    assert "not ranked with ours" in shown


def test_markdown_is_a_table_with_footnotes(run: Run, old_results: Path):
    text = run("leaderboard", old_results, "--format", "markdown")
    assert "Best lmd first." in text
    assert "**3.60★**" in text
    assert "[^lmd-1]: landmark distance. `lmd|points:mouth20|zoo:0.1.0`" in text
    assert "*real* (reference)" in text
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<table>") == 2 + 4  # four tables of papers
    assert "28.45‡" in html
    assert "27.98‡" not in html  # another paper's PSNR
    first = html.split("</table>")[0]
    assert first.count("<tr>") == 5
    assert first.count("<td") == 4 * first.count("</th>")


def test_json_and_csv(run: Run, old_results: Path):
    found = json.loads(run("leaderboard", old_results, "--format", "json"))
    (track,) = found["tracks"]
    assert track["methods"][0]["scores"]["lmd"]["value"] == pytest.approx(3.6)
    assert found["schema"] == 1
    lines = list(csv.DictReader(io.StringIO(run("leaderboard", old_results, "--format", "csv"))))
    by = {(line["method"], line["metric"]): line for line in lines}
    assert float(by["alpha", "lmd"]["value"]) == pytest.approx(3.6)
    names = ("state", "seeds", "seeds_scored", "ranked")
    assert [by["alpha", "lmd"][name] for name in names] == ["best", "2", "2", "True"]
    assert by["real", "wer"]["ranked"] == "False"
    assert by["gamma", ""]["reason"] == "ValueError: it cannot generate"
    assert by["beta", "wer"]["reason"] == "no face was found"


def test_rows_are_read_once_where_the_board_is_at_hand(results: Path, tmp_path: Path):
    folder = shutil.copytree(results, tmp_path / "results")
    expected = [path.read_bytes() for path in write_leaderboard(folder)]
    made = build(folder)
    for path in folder.glob("cells/*/rows.jsonl"):
        path.unlink()
    assert [path.read_bytes() for path in write_leaderboard(folder, made=made)] == expected


def test_names_of_strangers_cannot_break_the_files(tmp_path: Path, run: Run):
    folder = write_results(tmp_path / "results", ("reconstruction",), {"lipgan": EVIL})
    write_leaderboard(folder)
    page = (folder / "index.html").read_text()
    assert "<img" not in page
    assert page.count("</script>") == 2
    html = MarkdownIt("commonmark").enable("table").render((folder / "leaderboard.md").read_text())
    assert "<img" not in html
    assert f"<strong>{escape(EVIL, quote=False)}</strong>" in html  # whole, in one cell
    assert html.count("<tr>") == html.count("</tr>") == 1 + 7 + 1 + 3 + 4 + 26
    assert EVIL in run("leaderboard", folder, "--format", "json").replace("\\", "")


def test_files_and_default_folder(run: Run, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert "name their folder" in run("leaderboard", code=1)
    for name in ("benchmark-synth", "benchmark-old"):
        shutil.copytree(results, tmp_path / name)
    for path in (tmp_path / "benchmark-old").rglob("*.json"):
        os.utime(path, (1, 1))
    names = ("leaderboard.md", "leaderboard.json", "leaderboard.csv", "index.html")
    assert run("leaderboard", "--html").split() == [f"benchmark-synth/{name}" for name in names]
    assert run("leaderboard", "--out", "sub/board.html") == "sub/board.html\n"
    page = (tmp_path / "sub" / "board.html").read_text()
    assert '"videos":"../benchmark-synth"' in page
    assert '"videos":"."' in (tmp_path / "benchmark-synth" / "index.html").read_text()
    run("leaderboard", "--out", "board.md", "--sort", "cpbd")
    assert (tmp_path / "board.md").read_text().startswith("# SynthGRID")
    assert "name it" in run("leaderboard", "--out", "board.doc", code=2)
    assert "exclude" in run("leaderboard", "--html", "--format", "csv", code=2)
    assert "did you mean lmd" in run("leaderboard", "--sort", "lmdd", code=2)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1.005, 1, "1.0"),
        (0.3125, 3, "0.313"),
        (-0.5, 0, "−1"),
        (-0.004, 2, "0.00"),
        (2.1e-4, -1, "2.10e-4"),
        (-2.1e-12, -1, "−2.10e-12"),
        (0.0, -1, "0.00e0"),
        (-12345.6, 0, "−12,346"),
        (None, 2, "–"),
    ],
)
def test_number(value: float | None, decimals: int, text: str):
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1407.8, 3, "1,410"),
        (999.6, 3, "1,000"),
        (123456.0, 3, "123,000"),
        (82.42, 3, "82.4"),
        (5.0, 3, "5.00"),
        (0.0178, 2, "0.018"),
        (0.0996, 2, "0.10"),
        (0.000123, 2, "0.00012"),
        (0.0, 2, "0.0"),
    ],
)
def test_significant(value: float, digits: int, text: str):
    assert significant(value, digits) == text


def test_size():
    assert [size(n) for n in (0, 12, 1234, 999_400, 11_000_000)] == ["", "12", "1.23 k", "999 k", "11.0 M"]
