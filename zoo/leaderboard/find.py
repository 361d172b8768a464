"""Finds results folders, and lines of a leaderboard by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo.support.errors import DataError

NEWEST = "benchmark*"
"""Pattern of the folders among which the newest is looked for."""


def newest(here: Path = Path()) -> Path:
    """The results folder of this directory in which a cell was last written.

    Raises:
        DataError: there is none.
    """
    found = sorted(path.parent for path in here.glob(f"{NEWEST}/suite.json"))
    if not found:
        raise DataError(f"no results in ./{NEWEST}: name their folder, or make some with `zoo benchmark`")
    return max(found, key=lambda folder: max(path.stat().st_mtime_ns for path in _records(folder)))


def _records(folder: Path) -> Iterable[Path]:
    return [folder / "suite.json", *folder.glob("cells/*/cell.json")]
