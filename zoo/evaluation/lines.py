"""Lines of JSON that carry their own checksum, so that damage is found, counted and never believed.

A line ends in ``"crc":"1a2b3c4d"}``: the CRC-32 of the line as it is without that field. Files of an older zoo carry
none; they are read as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

_FIELD = b',"crc":"'
_SIZE = len(_FIELD) + len('01234567"}')


@dataclass
class Lines:
    """What a file of lines holds.

    Attributes:
        values: of the lines that are whole.
        damaged: how many others there are.
    """

    values: list[dict[str, Any]] = field(default_factory=list)
    damaged: int = 0


def sealed(line: str) -> str:
    """A line of JSON, an object that is not empty, with its checksum; with its newline where it had one."""
    text, newline = line.removesuffix("\n"), "\n" * line.endswith("\n")
    return f'{text[:-1]},"crc":"{crc32(text.encode()):08x}"}}{newline}'


def read_lines(data: bytes, *, growing: bool = False) -> Lines:
    """The lines of a file.

    Args:
        data: its content.
        growing: whether a process adds to it: what it was killed in the middle of, at the end, is no damage.
    """
    *every, torn = data.split(b"\n")
    lines = [line for line in [*every, *([] if growing else [torn])] if line]
    whole = [line for line in lines if _is_whole(line)]
    if any(map(_has_sum, whole)):  # then all of them had one
        whole = [line for line in whole if _has_sum(line)]
    values = _parsed(whole)
    return Lines(values, len(lines) - len(values))


def _has_sum(line: bytes) -> bool:
    return line[-_SIZE:-10] == _FIELD


def _is_whole(line: bytes) -> bool:
    """Whether a line is what its checksum was made of, or has none."""
    return not _has_sum(line) or b"%08x" % crc32(line[:-_SIZE] + b"}") == line[-10:-2]


def _parsed(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """The objects of those lines that are JSON; all at once where all of them are, which takes half the time."""
    text = b",".join(lines)
    if b"\\ud" not in text.lower():  # half a character, maybe, which no file takes
        try:
            found = json.loads(b"[" + text + b"]")
            if len(found) == len(lines):
                return [values for values in found if isinstance(values, dict)]
        except (ValueError, RecursionError):
            pass
    return list(_one_by_one(lines))


def _one_by_one(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            values = json.loads(line)
            json.dumps(values, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):  # the rest of a torn line may be a number
            yield values
