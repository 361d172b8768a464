"""The leaderboard as one self-contained HTML page: its data, styles and script inline, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

import numpy as np

from zoo.evaluation.results import video_name
from zoo.leaderboard.board import plain
from zoo.leaderboard.records import Board, Entry, Leaderboard
from zoo.leaderboard.table import Table
from zoo.leaderboard.text import ARROWS, NEAR, REPORTED_NOTE, RTF, SIGNS, decimals, facts, source, subtitle, title

VALUES = 500_000
"""So many values of single clips are embedded (about 4 MB); of larger results every n-th clip."""

REASONS = 20_000
"""So many reasons of single clips are embedded."""

SCRIPTS = ("base.js", "table.js", "plots.js", "clips.js", "main.js")


def page(board: Leaderboard, table: Table, videos: str = ".") -> str:
    """The page as text.

    Args:
        board: what it shows.
        table: the rows behind it.
        videos: relative path from the page to the results folder, for the videos.
    """
    script = "(() => {\n'use strict';\n" + "\n".join(map(_file, SCRIPTS)) + "\n})();\n"
    parts = {
        "title": html.escape(board.title),
        "css": _file("page.css"),
        # Only this very script may run, whatever names and reasons hold.
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "data": _embedded(_data(board, table, videos)),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _file("page.html"))


def _file(name: str) -> str:
    return files("zoo.leaderboard").joinpath("web", name).read_text(encoding="utf-8")


def _embedded(data: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _data(board: Leaderboard, table: Table, videos: str) -> dict[str, Any]:
    step = max(1, -(-len(table.values) * len(table.clips) // VALUES))
    kept = np.arange(0, len(table.clips), step)
    reasons = _Reasons()
    return {
        "title": board.title,
        "subtitle": subtitle(board),
        "suite": board.suite,
        "dataset": board.dataset,
        "intervals": board.intervals,
        "signs": SIGNS,
        "near": NEAR,
        "rtf": RTF,
        "notes": board.notes,
        "videos": videos,
        "allClips": len(table.clips),
        "clips": [table.clips[place] for place in kept],
        "speakers": [table.speakers[place] for place in kept],
        "files": [video_name(table.clips[place]) for place in kept],
        "tracks": [{"label": title(t.track, board)} | _track(t, table, kept, reasons) for t in board.tracks],
        "reasons": reasons.texts,
        "reasonsLeftOut": reasons.left_out,
        "reportedNote": REPORTED_NOTE,
        "reported": [plain(item) | {"source": source(item)} for item in board.reported],
    }


class _Reasons:
    """Reasons of single clips, each text once."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.kept = 0
        self.left_out = 0

    @property
    def texts(self) -> list[str]:
        return list(self.places)

    def take(self, reasons: dict[int, str], clips: dict[int, int]) -> dict[int, int]:
        """Place of the reason by place of the clip on the page."""
        found = {}
        for clip, text in sorted(reasons.items()):
            if clip not in clips:
                continue
            if self.kept >= REASONS:
                self.left_out += 1
                continue
            self.kept += 1
            found[clips[clip]] = self.places.setdefault(text, len(self.places))
        return found


def _track(track: Board, table: Table, kept: np.ndarray, reasons: _Reasons) -> dict[str, Any]:
    entries = [*track.methods, *track.references]
    places = {int(clip): place for place, clip in enumerate(kept)}
    cells = [name for entry in entries for name in entry.cells]
    return {
        "track": track.track,
        "sort": track.sort,
        "columns": [
            plain(column) | {"arrow": ARROWS[column.better], "decimals": decimals(track, column.metric)}
            for column in track.columns
        ],
        "entries": [_entry(entry) for entry in entries],
        "values": {
            name: {
                column.metric: _values(table.values[name, column.metric].value[kept])
                for column in track.columns
                if (name, column.metric) in table.values
            }
            for name in cells
        },
        "reasons": {
            name: {
                column.metric: found
                for column in track.columns
                if (name, column.metric) in table.values
                and (found := reasons.take(table.values[name, column.metric].reasons, places))
            }
            for name in cells
        },
        "sounds": {
            name: {places[clip]: sound for clip, sound in table.sounds[name].items() if clip in places}
            for name in cells
        },
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return plain(entry) | {"facts": facts(entry)}


def _values(values: np.ndarray) -> list[float | None]:
    """Four digits of each are enough for a picture."""
    return [None if value != value else float(f"{value:.4g}") for value in values.tolist()]
