"""Locks keep a second process out, and nobody longer than their owner lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.support.errors import DataError
from zoo.support.locks import is_locked, locked

HOLD = """
import os, sys, time
from pathlib import Path
from zoo.support.locks import locked
with locked(Path(sys.argv[1]), "taken"):
    if os.fork() == 0:  # a worker that lives on when its parent is killed
        print(os.getpid(), flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_refused_or_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / ".lock"
    assert not is_locked(path)
    assert not path.exists()
    with locked(path, "taken"):
        assert is_locked(path)
        with pytest.raises(DataError, match="taken"), locked(path, "taken"):
            pass
        assert is_locked(path), "asking has not opened it"
    assert not is_locked(path)
    with locked(path, "taken", waiting="waiting"):
        assert capsys.readouterr().err == "", "nobody to wait for"


def test_a_killed_owner_holds_nothing_through_its_workers(tmp_path: Path):
    path = tmp_path / ".lock"
    owner = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    worker = int(owner.stdout.readline())
    try:
        assert is_locked(path)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert not is_locked(path), "the worker holds it"
    finally:
        os.kill(worker, signal.SIGKILL)
        owner.stdout.close()


def test_a_link_is_not_followed(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("kept")
    (tmp_path / ".lock").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path / ".lock", "taken"):
        pass
    assert (tmp_path / "mine.txt").read_text() == "kept"
