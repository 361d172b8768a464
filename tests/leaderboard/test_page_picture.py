"""The README's picture of the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOL = Path(__file__).parents[2] / "benchmarks" / "page_picture.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_same_rows_same_picture(results: Path, tmp_path: Path):
    if shutil.which("chromium") is None:
        message = "no chromium here (Debian: apt install chromium)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    files = [tmp_path / "one.png", tmp_path / "docs" / "two.png"]
    for file in files:
        done = run(results, "--out", file, "--height", 2000)
        assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    image = np.asarray(Image.open(files[0]).convert("RGB"))
    assert image.shape[1] == 1440
    assert 600 < image.shape[0] < 2000  # cut where the page ends
    assert (image[-1] == image[-1, 0]).all()  # beneath it
    assert np.median(image) > 240  # light
    assert (image.astype(int).max(2) - image.min(2) > 100).sum() > 100  # the signs of the methods have colours


def test_bad_folder(tmp_path: Path):
    done = run(tmp_path, "--out", tmp_path / "page.png")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no results there" in done.stderr
    assert not (tmp_path / "page.png").exists()
