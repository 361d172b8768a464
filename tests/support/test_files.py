"""Files that appear complete or not at all, and what a killed writer leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.support.files import write_text_aside

KILLED = """
import os, signal, sys
from zoo.support.files import write_aside
with write_aside(sys.argv[1]) as temporary:
    temporary.write_text('{"half": ')
    print("writing", flush=True)
    os.kill(os.getpid(), signal.SIGKILL) if sys.argv[2] == "killed" else sys.stdin.read()
"""


def write(path: Path, end: str) -> subprocess.Popen[str]:
    """A process in the middle of writing."""
    command = [sys.executable, "-c", KILLED, path, end]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "writing\n"
    return started


def test_an_exception_leaves_the_old_file_alone(tmp_path: Path):
    path = tmp_path / "a.json"
    write_text_aside(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text_aside(path, "new\udcff")
    assert {item.name: item.read_text() for item in tmp_path.iterdir()} == {"a.json": "old"}


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path):
    path = tmp_path / "summary.json"
    assert write(path, "killed").wait() == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    others = [tmp_path / ".summary.json", tmp_path / ".summary.mine.json", tmp_path / ".summaries.abcdefgh.json"]
    for other in others:
        other.touch()
    write_text_aside(path, "{}")
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


def test_a_writer_that_lives_is_left_in_peace(tmp_path: Path):
    path = tmp_path / "summary.json"
    other = write(path, "slow")
    write_text_aside(path, "ours")
    assert path.read_text() == "ours"
    other.communicate("")
    assert other.returncode == 0
    assert path.read_text() == '{"half": '
    assert os.listdir(tmp_path) == ["summary.json"]
