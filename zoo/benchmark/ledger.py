"""The files of one cell while it is worked at: what is there, what is set aside, what processes add, how it is merged.

Beside ``rows.jsonl`` lie ``times.jsonl`` (what generating each clip took) and, in ``stale``, rows of another key or
protocol. A process adds to ``rows-R.jsonl`` and ``times-R.jsonl`` alone; whoever holds the cell's lock merges them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.benchmark.results import Cell, Failure, Row, every_row, line_of, row_of, video_name, write_cell
from zoo.errors import FAILED
from zoo.files import write_text_aside

Place = tuple[str, str]
"""A clip and a metric."""


@dataclass(frozen=True)
class Task:
    """One clip of one cell that must be generated.

    Attributes:
        cell: name of the cell.
        clip: id of the clip that gives the face.
        metrics: those that have no row yet; may be empty where only the video is missing.
    """

    cell: str
    clip: str
    metrics: tuple[str, ...]


@dataclass
class Stock:
    """What a cell's folder holds.

    Attributes:
        rows: that count, by clip and metric.
        failed: rows of a program that failed, which are tried again.
        stale: rows of another key or protocol, or of clips and metrics that are not asked for, beside those that count.
        aside: the same in the folder ``stale``.
        back: whether rows that were set aside count again.
    """

    rows: dict[Place, Row] = field(default_factory=dict)
    failed: dict[Place, Row] = field(default_factory=dict)
    stale: list[Row] = field(default_factory=list)
    aside: list[Row] = field(default_factory=list)
    back: bool = False


class Ledger:
    """The folder of one cell.

    Args:
        folder: of the results.
        cell: what its rows have in common.
        clips: ids of the clips that it is to hold.
    """

    def __init__(self, folder: Path, cell: Cell, clips: Collection[str]) -> None:
        self.folder, self.cell, self.clips = folder, cell, clips
        self.path = folder / "cells" / cell.name

    def stock(self) -> Stock:
        """Read what is there, rows that were set aside included."""
        found = Stock()
        for here, others in ((self.path, found.stale), (self.path / "stale", found.aside)):
            for row in map(row_of, every_row(here)):
                place = (row.clip, row.metric)
                if not self._counts(row):
                    others.append(row)
                elif row.reason.startswith(FAILED):
                    found.failed[place] = row
                elif place not in found.rows:
                    found.rows[place] = row
                    found.back |= others is found.aside
        found.failed = {place: row for place, row in found.failed.items() if place not in found.rows}
        return found

    def _counts(self, row: Row) -> bool:
        cell = self.cell
        return row.key == cell.key and row.clip in self.clips and cell.protocols.get(row.metric) == row.protocol

    def missing(self, stock: Stock, videos: bool) -> list[Task]:
        """What there is to do, in the order of the clips."""
        tasks, there = [], self.videos() if videos else set()
        for clip in self.clips:
            metrics = tuple(name for name in self.cell.protocols if (clip, name) not in stock.rows)
            if metrics or (videos and clip not in there):
                tasks.append(Task(self.cell.name, clip, metrics))
        return tasks

    def video(self, clip: str) -> Path:
        """Where the video of a clip lies."""
        return self.path / "videos" / video_name(clip)

    def videos(self) -> set[str]:
        """Clips whose video was made under this key; one whose process was killed before it said so may be older."""
        return {clip for clip in self.times(self.cell.key) if self.video(clip).is_file()}

    def open(self) -> None:
        """Set aside what does not count and leave one file of rows, so that processes can add theirs.

        A kill between two of these steps leaves rows in two places, and they are read once.
        """
        stock = self.stock()
        aside = self.path / "stale" / "rows.jsonl"
        if stock.stale:  # what counts again stays there until it is in rows.jsonl
            before = map(row_of, every_row(aside.parent))
            write_text_aside(aside, _text(dict.fromkeys([*before, *stock.stale])))
        self._write(stock.rows)
        if aside.exists():
            write_text_aside(aside, _text(dict.fromkeys(stock.aside + stock.stale)))
        kept = {self.video(clip) for clip in self.videos()}
        for video in self.path.glob("videos/*.mp4"):
            if video not in kept:  # a video of other weights must not be taken for this one's
                video.unlink()
        self._write_times(self.times(self.cell.key))
        write_cell(self.folder, replace(self.cell, status="partial"))

    def close(self) -> Cell:
        """Merge what the processes added, and say in ``cell.json`` what came of the cell."""
        stock = self.stock()
        every = stock.rows | stock.failed
        self._write(every)
        times = self.times(self.cell.key)
        self._write_times(times)
        cell = replace(self.cell, failures=failures(stock.failed.values()), **_speed(times.values()))
        due = len(self.clips) * len(cell.protocols)
        cell.status = "done" if len(every) == due else "partial"
        if stock.failed and not stock.rows:
            cell.status, cell.reason = "failed", cell.failures[0].reason
        write_cell(self.folder, cell)
        return cell

    def times(self, key: str) -> dict[str, dict[str, Any]]:
        """What generating took under a key, by clip; see :meth:`zoo.benchmark.worker.Worker`."""
        found = {}
        for path in [*self.path.glob("times.jsonl"), *sorted(self.path.glob("times-*.jsonl"))]:  # the newer last
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    row = json.loads(line)
                    if row["key"] == key:
                        found[row["clip"]] = row
                except (ValueError, TypeError, KeyError):
                    continue
        return found

    def _write(self, rows: Mapping[Place, Row]) -> None:
        write_text_aside(self.path / "rows.jsonl", _text(row for _, row in sorted(rows.items())))
        for part in self.path.glob("rows-*.jsonl"):
            part.unlink()

    def _write_times(self, times: Mapping[str, dict[str, Any]]) -> None:
        text = "".join(json.dumps(row) + "\n" for _, row in sorted(times.items()))
        write_text_aside(self.path / "times.jsonl", text)
        for part in self.path.glob("times-*.jsonl"):
            part.unlink()


def failures(rows: Iterable[Row]) -> list[Failure]:
    """Rows of a program that failed as failures; a clip whose metrics all failed alike is one."""
    by_clip: dict[str, list[Row]] = {}
    for row in rows:
        by_clip.setdefault(row.clip, []).append(row)
    found = []
    for clip, failed in sorted(by_clip.items()):
        reasons = {row.reason for row in failed}
        whole = len(reasons) == 1 and len(failed) > 1
        found += [Failure(clip, "" if whole else row.metric, row.reason.removeprefix(FAILED)) for row in failed][
            : 1 if whole else None
        ]
    return found


def _text(rows: Iterable[Row]) -> str:
    return "".join(map(line_of, rows))


def _speed(times: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Frames and seconds of generation on the device that made the most, without each process's first clip."""
    known = [row for row in times if row["frames"]]
    devices = Counter(row["device"] for row in known)
    device = max(sorted(devices), key=devices.__getitem__, default="")
    alike = [row for row in known if row["device"] == device]
    warm = [row for row in alike if not row["first"]] or alike
    return {
        "frames": sum(row["frames"] for row in warm),
        "seconds": round(sum((row["seconds"] for row in warm), 0.0), 3),
        "parameters": max((row["parameters"] for row in known), default=0),
        "device": device,
    }
