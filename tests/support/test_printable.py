"""Text of strangers: nothing of it is obeyed by a terminal or a spreadsheet."""

from __future__ import annotations

import ast
import io
from dataclasses import dataclass
from pathlib import Path

import pytest

import zoo
from zoo.cli import main
from zoo.cli.output import print_table
from zoo.support.printable import csv_cell, printable, printable_record, say

PACKAGE = Path(zoo.__file__).parent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bbaf2n ★ größer 日本語 1 000", "bbaf2n ★ größer 日本語 1 000"),
        ("\x1b[31mred\x1b]8;;http://x\x07", "\\x1b[31mred\\x1b]8;;http://x\\x07"),
        ("\x9b2J\x90", "\\x9b2J\\x90"),
        ("\x7f\b\r\0", "\\x7f\\x08\\r\\x00"),
        ("a\u202eb\u2066c\u200ed\ufeff", "a\\u202eb\\u2066c\\u200ed\\ufeff"),
        ("a\u2028b\u2029c\nd\te", "a\\u2028b\\u2029c\\nd\\te"),
        ("\U000e0001", "\\U000e0001"),
        (b"\xff.mp4".decode(errors="surrogateescape"), "\\xff.mp4"),
        ("👩\u200d🔬 می\u200cخواهم", "👩\u200d🔬 می\u200cخواهم"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str):
    assert printable(text) == shown
    printable(text).encode()


def test_lines_may_be_kept():
    file = io.StringIO()
    say("a\nb\tc\x1b", Path("d\x9be"), file=file, end="")
    assert file.getvalue() == "a\nb\tc\\x1b d\\x9be"


def test_records_are_shown_with_all_that_they_hold():
    @dataclass
    class Record:
        name: str
        some: dict[str, list[str]]
        number: float = 1.5

    assert printable_record(Record("\x1b", {"\x1b": ["\x1b"]})) == Record("\\x1b", {"\\x1b": ["\\x1b"]})


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_formula_in_a_spreadsheet(start: str):
    assert str(csv_cell(f"{start}HYPERLINK(1)")).startswith("'")
    assert csv_cell(-1.5) == -1.5
    assert csv_cell("a-b") == "a-b"


def test_tables_take_no_markup(capsys: pytest.CaptureFixture[str]):
    print_table(["[red]a[/red]"], [["[link=http://x]b[/link]"], [":warning: \x1b[2J"]], "[bold]c[/bold]")
    shown = capsys.readouterr().out
    for text in ("[red]a[/red]", "[link=http://x]b[/link]", ":warning: \\x1b[2J", "[bold]c[/bold]"):
        assert text in shown


def test_errors_are_safe(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main.run(["leaderboard", str(tmp_path / "\x1b[2Jgone")]) == 1
    with pytest.raises(SystemExit):
        main.run(["leaderboard", "--\x1b[2J"])
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert err.count("\\x1b[2J") == 2


def test_everything_is_printed_by_one_function():
    """What talks to a process of ours and not to a person is left out."""
    allowed = {"support/printable.py", "benchmark/worker.py", "testing/light.py"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "templates" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert found <= allowed
