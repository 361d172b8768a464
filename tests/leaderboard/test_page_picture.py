"""The README's picture of the page."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.paths import ROOT

TOOL = ROOT / "benchmarks" / "page_picture.py"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The tool's command line, in this process."""
    spec = importlib.util.spec_from_file_location("page_picture", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
        tool.main()

    return run


def test_same_rows_same_picture(old_results: Path, tmp_path: Path, run: Callable[..., None]):
    if shutil.which("chromium") is None:
        message = "no chromium here (Debian: apt install chromium)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    before = {path: path.stat().st_mtime_ns for path in old_results.rglob("*")}
    files = [tmp_path / "one.png", tmp_path / "docs" / "two.png"]
    for file in files:
        run(old_results, "--out", file, "--height", 1400)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert {path: path.stat().st_mtime_ns for path in old_results.rglob("*")} == before
    image = np.asarray(Image.open(files[0]).convert("RGB"))
    assert image.shape[1] == 1440
    assert 600 < image.shape[0] < 1400  # cut where the page ends
    assert (image[-1] == image[-1, 0]).all()  # beneath it
    assert np.median(image) > 240  # light
    assert (image.astype(int).max(2) - image.min(2) > 100).sum() > 100  # the signs of the methods have colours


def test_bad_folder(tmp_path: Path, run: Callable[..., None]):
    with pytest.raises(SystemExit, match=r"^error: .*no results there") as stop:
        run(tmp_path, "--out", tmp_path / "page.png")
    assert "\n" not in str(stop.value)
    assert not (tmp_path / "page.png").exists()
