"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def grid_root() -> Path:
    """Folder of real GRID clips: ``$ZOO_GRID_ROOT``, or ``../shared/data/grid`` beside the repository."""
    root = Path(os.environ.get("ZOO_GRID_ROOT", Path(__file__).parents[2] / "shared" / "data" / "grid"))
    if not root.is_dir():
        message = f"no GRID clips in {root}: set ZOO_GRID_ROOT"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return root
