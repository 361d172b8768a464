"""The report of a check: outcomes of all rules, and how they read on a terminal; nothing here imports torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["passed", "failed", "undecided", "not asked", "skipped"]

_SIGNS: dict[Status, str] = {
    "passed": "ok",
    "failed": "FAILED",
    "undecided": "UNDECIDED",
    "not asked": "not asked",
    "skipped": "skipped",
}

_ALWAYS = ("passed", "failed", "skipped")

_WIDTH = 2 + max(map(len, _SIGNS.values()))


@dataclass(frozen=True)
class Check:
    """Outcome of one rule.

    Attributes:
        name: what was checked, the same words for every plugin, for example ``determinism under a seed``.
        status: ``passed``; ``failed``; ``undecided`` where nothing can be said as yet; ``not asked`` where a rule that
            it needs is not kept; ``skipped`` for a reason that is declared or lies in this machine.
        expected: what the contract asks for (of a failed check).
        got: what the plugin did instead (of a failed check), or the reason why nothing is said.
        mend: what its author may do about it (of a failed check).
        seconds: how long it took.
    """

    name: str
    status: Status
    expected: str = ""
    got: str = ""
    mend: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """Outcomes of all rules of one plugin.

    Attributes:
        name: the plugin.
        kind: ``method``, ``expert``, ``dataset`` or ``metric``.
        dist: the distribution that it came with.
        version: that distribution's version; empty where it has none.
        checks: in the order in which they ran.
        asked: which weights were asked; empty where there are none.
    """

    name: str
    kind: str
    dist: str = ""
    version: str = ""
    checks: list[Check] = field(default_factory=list)
    asked: str = ""

    @property
    def ok(self) -> bool:
        """Whether something was checked, and all of it is kept that can be asked of this plugin on this machine."""
        return bool(self.checks) and all(check.status in ("passed", "skipped") for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.status == "failed"]

    def as_dict(self) -> dict[str, Any]:
        """The report in plain containers, for ``--json``."""
        return {**asdict(self), "ok": self.ok}

    def text(self) -> str:
        """The report in plain lines: one per check, and below each failure what was expected, got, and the mend."""
        origin = " ".join(filter(None, (self.dist, self.version)))
        lines = [f"{self.kind} {self.name}" + (f" ({origin})" if origin else "")]
        lines += [f"weights: {self.asked}"] if self.asked else []
        for check in self.checks:
            why = f": {check.got}" if check.got and check.status != "failed" else ""
            lines.append(f"  {_SIGNS[check.status]:<{_WIDTH}}{check.name}{why} ({check.seconds:.1f} s)")
            if check.status == "failed":
                told = (("expected", check.expected), ("got", check.got), ("mend", check.mend))
                lines += [f"{'':{_WIDTH + 2}}{word:<9} {text}" for word, text in told if text]
        return "\n".join([*lines, self._last_line()])

    def _last_line(self) -> str:
        count = {status: sum(check.status == status for check in self.checks) for status in _SIGNS}
        seconds = sum(check.seconds for check in self.checks)
        told = [f"{number} {status}" for status, number in count.items() if number or status in _ALWAYS]
        return f"{', '.join(told)} in {seconds:.0f} s"
