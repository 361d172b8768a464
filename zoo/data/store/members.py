"""Checking the arrays in a shard by the CRC-32 that every member of a ZIP carries, right where they are read."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from zoo.support.errors import DataError

if TYPE_CHECKING:
    from zoo.data.store.shard_files import LocalFiles, RemoteFiles

AT_ONCE = 2**20
"""Bytes that are read at once where an array is only checked: they stay in the processor's cache."""

_HEAD = struct.Struct("<4s5H3L2H")
"""The header of a member: signature, version, flags, method, time, date, CRC, sizes, lengths of name and extra."""

_SIGNATURE = b"PK\x03\x04"
_NUMPY = b"\x93NUMPY"
_ROOM = 1024  # bytes for the header of NumPy (64 to 192 are usual) and the extra field of large members
_LARGE = 0xFFFFFFFF


def check_member(
    files: LocalFiles | RemoteFiles, shard: str, member: str, start: int, size: int, data: memoryview | None = None
) -> None:
    """Check an array and NumPy's header in front of it against the CRC-32 in the ZIP.

    Args:
        files: the store's.
        shard: name of the shard.
        member: name in the ZIP, ``<id>/frames.npy``.
        start: where the array's numbers start.
        size: how many bytes they are.
        data: these bytes, where they were read already; otherwise they are read piece by piece.

    Raises:
        DataError: the bytes are not those that were written, or another array lies there.
    """
    head = np.empty(min(start, _HEAD.size + len(member.encode()) + _ROOM), np.uint8)
    files.read_into(shard, start - len(head), head)
    crc, header = _expected(head.tobytes(), member, size)
    found = zlib.crc32(header)
    if data is not None:
        found = zlib.crc32(data, found)
    else:
        buffer = np.empty(min(size, AT_ONCE), np.uint8)
        for first in range(0, size, AT_ONCE):
            part = buffer[: min(AT_ONCE, size - first)]
            files.read_into(shard, start + first, part)
            found = zlib.crc32(part.data, found)
    if found != crc:
        raise DataError(
            f"{files.path}/shards/{shard}.zip: {member} is damaged, its bytes are not those that were written; "
            "run: zoo data verify on the store"
        )


def _expected(head: bytes, member: str, size: int) -> tuple[int | None, bytes]:
    """The stated CRC-32 of a member and NumPy's header; no CRC where what lies there is not that member."""
    place = head.rfind(_SIGNATURE)
    if place < 0 or len(head) - place < _HEAD.size:
        return None, b""
    _, _, _, method, _, _, crc, packed, plain, name_size, extra_size = _HEAD.unpack_from(head, place)
    name_at = place + _HEAD.size
    name = head[name_at : name_at + name_size]
    extra = head[name_at + name_size : name_at + name_size + extra_size]
    header = head[name_at + name_size + extra_size :]
    if plain == _LARGE and extra[:4] == b"\x01\x00\x10\x00":  # more than 4 GB: the sizes stand in the extra field
        plain, packed = struct.unpack_from("<2Q", extra, 4)
    whole = method == 0 and packed == plain == len(header) + size
    fits = whole and name == member.encode() and header.startswith(_NUMPY)
    return (crc if fits else None), header
