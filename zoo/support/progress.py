"""Progress of long work: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from zoo.support.printable import printable, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S = 5.0
"""Seconds between two lines where the output is no terminal."""


class Progress:
    """Shows count, rate and time left on stderr while it is open.

    Args:
        title: what is being done, for example ``preparing grid``.
        total: how many steps there are.
        unit: what a step is, for example ``clips``.
        show: ``False`` shows nothing.
        closing: whether a line in a log says at the end that it is done, also where it took no time.
    """

    def __init__(self, title: str, total: int, unit: str, *, show: bool = True, closing: bool = True) -> None:
        self.title, self.total, self.unit, self.show, self.closing = title, total, unit, show, closing
        self.done = 0.0
        self._bar = _make_bar(unit) if show and sys.stderr.isatty() else None
        self._start = self._said = time.monotonic()

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(printable(self.title), total=self.total, rate="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self.show and self.closing and self.done and error is None:
            self._say()

    def advance(self, steps: int | float = 1) -> None:
        """Count steps that are done, or parts of one."""
        whole = round(self.done + steps)
        # Parts of a step need not add up exactly.
        self.done = whole if abs(self.done + steps - whole) < 1e-6 else self.done + steps
        if self._bar is not None:
            self._bar.update(self._task, advance=steps, rate=f"{self._rate():.1f}/s")
        elif self.show and time.monotonic() - self._said > LINE_EVERY_S and self.done < self.total:
            self._say()

    def say(self, text: str) -> None:
        """Print a line on stderr, above the bar."""
        if self._bar is not None:
            self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
        elif self.show:
            say(text, file=sys.stderr, flush=True)

    def _rate(self) -> float:
        return self.done / max(time.monotonic() - self._start, 1e-9)

    def _say(self) -> None:
        self._said = time.monotonic()
        part = f" ({self.done / self.total:.0%})" if self.done % 1 else ""
        left = f", {(self.total - self.done) / self._rate():.0f} s left" if self.done < self.total else ""
        say(
            f"{self.title}: {int(self.done)}/{self.total} {self.unit}{part}, {self._rate():.1f}/s{left}",
            file=sys.stderr,
            flush=True,
        )


def _make_bar(unit: str) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
