"""Numbers that papers print, each with its source; they stand apart from ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

PLAIN = ("dataset", "method")


@dataclass(frozen=True)
class Reported:
    """A line of a table in a paper.

    Attributes:
        paper: its title.
        authors: surnames; empty where the source names none.
        venue: where and when it appeared.
        table: where in it.
        dataset: registered name where the zoo has it; empty where the paper does not say.
        method: as the paper calls it.
        values: by metric, as printed.
        flags: why a value must not be compared with anything, by metric.
    """

    paper: str
    authors: str
    venue: str
    table: str
    dataset: str
    method: str
    values: dict[str, str]
    flags: dict[str, str] = field(default_factory=dict)


def read_reported() -> list[Reported]:
    """All of ``reported.yaml``, in its order."""
    import yaml

    tables = yaml.safe_load(files("zoo.leaderboard").joinpath("reported.yaml").read_text(encoding="utf-8"))
    return [
        Reported(
            **{name: table[name] for name in ("paper", "authors", "venue", "table")},
            **{name: row[name] for name in PLAIN},
            values={name: value for name, value in row.items() if name not in PLAIN},
            flags={name: why for name, why in table["flags"].items() if name in row},
        )
        for table in tables
        for row in table["rows"]
    ]
