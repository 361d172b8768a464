"""Results folders to make leaderboards of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaderboard.plausible import write_results


@pytest.fixture(scope="session")
def old_results() -> Path:
    """A small folder of schema 1 with values that can be checked by hand; it must load for ever."""
    return Path(__file__).parent / "results-1"


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plausible results: 3 methods with 2 seeds, 4 references, 2 tracks, 12 metrics, 20 clips of 5 speakers."""
    return write_results(tmp_path_factory.mktemp("plausible") / "benchmark-synth")
