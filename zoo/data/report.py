"""The list of clips that were set aside, with reasons: ``report.jsonl`` beside the shards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.support.errors import DataError
from zoo.support.files import write_text_aside
from zoo.support.names import storable


@dataclass(frozen=True)
class SetAside:
    """A clip that cannot be used.

    Attributes:
        id: of the clip.
        path: the file it would have been read from.
        reason: one line.
    """

    id: str
    path: str
    reason: str


def report_path(store: Path) -> Path:
    """Where the report of a store is."""
    return store / "report.jsonl"


def read_report(store: Path) -> dict[str, SetAside]:
    """The clips set aside so far, by id; a line that a kill cut short or that is damaged is left out.

    Raises:
        DataError: the report is there but cannot be read.
    """
    try:
        lines = report_path(store).read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(f"{report_path(store)}: cannot be read ({error.strerror})") from error
    entries = filter(None, map(_parse, lines))
    return {entry.id: entry for entry in entries}


def _parse(line: bytes) -> SetAside | None:
    try:
        entry = SetAside(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    return entry if all(isinstance(value, str) for value in asdict(entry).values()) else None


def append_report(store: Path, entries: Iterable[SetAside]) -> None:
    """Add clips to the report."""
    text = _lines(entries)
    if text:
        with report_path(store).open("a", encoding="utf-8") as file:
            file.write("\n" + text if _is_cut(report_path(store)) else text)


def write_report(store: Path, entries: Iterable[SetAside]) -> None:
    """Replace the report; without an entry there is none."""
    text = _lines(entries)
    if text:
        write_text_aside(report_path(store), text)
    else:
        report_path(store).unlink(missing_ok=True)


def _lines(entries: Iterable[SetAside]) -> str:
    told = ({key: storable(value) for key, value in asdict(entry).items()} for entry in entries)
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in told)


def _is_cut(path: Path) -> bool:
    """Whether the last line has no end because a kill came in between."""
    text = path.read_bytes()
    return bool(text) and not text.endswith(b"\n")
