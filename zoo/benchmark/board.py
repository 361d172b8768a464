"""Progress of a benchmark: a bar over everything and one for the cell at work, or plain lines where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from zoo.support.printable import printable, say
from zoo.support.progress import LINE_EVERY_S

if TYPE_CHECKING:
    from rich.progress import Progress as Bars


class Board:
    """Shows on stderr how far the work is, while it is open.

    Args:
        expected: seconds of work in all, summed over processes; the unit of the overall bar.
        cells: clips of each cell.
        clip_seconds: what a clip is expected to take.
        show: ``False`` shows nothing.
    """

    def __init__(self, expected: float, cells: dict[str, int], clip_seconds: float, *, show: bool = True) -> None:
        self.expected, self.cells, self.clip_seconds, self.show = max(expected, 1e-6), cells, clip_seconds, show
        self.done = dict.fromkeys(cells, 0)
        self.worked = 0.0
        self._bars = _make_bars() if show and sys.stderr.isatty() else None
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Board:
        if self._bars is not None:
            self._bars.start()
            self._all = self._bars.add_task("benchmark", total=self.expected, text="")
            self._cell = self._bars.add_task("", total=None, text="", visible=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if self._bars is not None:
            self._bars.console.print(printable(text), highlight=False, markup=False, emoji=False)
        elif self.show:
            say(text, file=sys.stderr, flush=True)

    def fitted(self, name: str, expected: float, error: str) -> None:
        """A fit has ended."""
        self._advance(expected)
        self.say(f"{name}: {error}" if error else f"{name}: fitted")

    def scored(self, cell: str) -> None:
        """A clip of a cell is done."""
        self.done[cell] += 1
        done, total = self.done[cell], self.cells[cell]
        self._advance(self.clip_seconds)
        if self._bars is not None:
            name, text = printable(cell), f"{done}/{total} clips"
            self._bars.update(self._cell, description=name, completed=done, total=total, text=text, visible=True)
        elif self.show and (done == total or time.monotonic() - self._said > LINE_EVERY_S):
            self._said = time.monotonic()
            say(f"{cell}: {done}/{total} clips; all: {self._share():.0%}{self._left()}", file=sys.stderr, flush=True)

    def _advance(self, seconds: float) -> None:
        self.worked += seconds
        if self._bars is not None:
            self._bars.update(self._all, completed=min(self.worked, self.expected), text=f"{self._share():.0%}")

    def _share(self) -> float:
        return min(1.0, self.worked / self.expected)

    def _left(self) -> str:
        left = (time.monotonic() - self._started) * (1 / max(self._share(), 1e-6) - 1)
        return f", {left:.0f} s left" if left >= 1 else ""


def _make_bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
