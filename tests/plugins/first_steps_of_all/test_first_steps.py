"""Methods train as they did when :mod:`first_steps` kept what they log: every loss of the first twenty steps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.first_steps_of_all import first_steps


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[float]]]:
    """Of all methods, in a process of its own: there everything is double."""
    kept = tmp_path_factory.mktemp("steps") / "losses.json"
    done = subprocess.run(
        [sys.executable, first_steps.__file__, str(kept)], capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(kept.read_text())


@pytest.mark.parametrize("case", first_steps.CASES)
def test_the_first_steps_are_what_they_were(losses: dict[str, dict[str, list[float]]], case: str):
    recorded = json.loads(Path(first_steps.RECORDED).read_text())[case]
    assert len(recorded["train/l1"]) >= 18
    for name, values in recorded.items():
        assert losses[case][name] == pytest.approx(values, rel=1e-5), name
