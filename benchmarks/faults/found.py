"""What the campaign does, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.faults.warm import Moment

FAULTS = ("lost", "doubled", "half-written", "tracebacks", "hangs")
"""Lost: what should be there is missing, other than it was, or damaged without a word."""


@dataclass(frozen=True)
class Case:
    """One kill, or one mutation.

    Attributes:
        kind: of command, or of file.
        number: in its kind; with the seed it says all about the case.
        moment: when to kill; ``None``: a mutation.
    """

    kind: str
    number: int
    moment: Moment | None = None

    @property
    def name(self) -> str:
        """For ``--only``."""
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True)
class Fault:
    """One of :data:`FAULTS`, and what it was."""

    kind: str
    what: str
