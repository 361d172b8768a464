"""Folders that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""

FOREIGN = ROOT / "tests" / "foreign"
"""Modules as strangers write them; pytest and the processes that tests start have this folder on their path."""
