"""Ogg and FLAC files that hold several recordings one after another (RFC 3533, section 4: chained streams)."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

Span = tuple[int, int]
"""First byte and the byte behind the last one."""

PAGE, HEADER = b"OggS", 27
"""How a page of Ogg begins, and the bytes before the lengths of its segments."""

BEGINS = 2
"""The bit of a page's header that says that a stream begins with it."""


FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""How a recording of FLAC begins: its mark, and the head of the block that describes it (RFC 9639, section 8.2)."""


def chain_links(path: Path) -> list[Span]:
    """Where each recording of a file lies: where the next has another rate or layout, FFmpeg drops or doubles sound.

    Args:
        path: any file; only Ogg and FLAC have several.

    Returns:
        At least one span; of a file of another kind, or with one recording, the whole.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[: len(PAGE)] == PAGE:
            starts = _ogg_starts(data)
        elif FLAC.match(data):
            starts = [found.start() for found in FLAC.finditer(data)]
        else:
            starts = [0]
        return list(zip(starts, [*starts[1:], len(data)], strict=True))


def _ogg_starts(data: mmap.mmap) -> list[int]:
    """Where recordings begin: at the first page of a group whose streams begin."""
    starts, at, began = [0], 0, True
    while at + HEADER <= len(data):
        if data[at : at + len(PAGE)] != PAGE:  # damage: go on with the next page
            at = data.find(PAGE, at + 1)
            if at < 0:
                break
            continue
        begins = bool(data[at + 5] & BEGINS)
        if begins and not began:
            starts.append(at)
        began = begins
        segments = data[at + HEADER - 1]
        at += HEADER + segments + sum(data[at + HEADER : at + HEADER + segments])
    return starts
