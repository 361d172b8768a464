"""Names of files as they are stored and shown: printable whatever bytes they consist of."""

from __future__ import annotations

import os
import re
from pathlib import Path

# Control characters, those that turn the direction of writing, line ends of Unicode, and bytes that are no UTF-8.
_UNPRINTABLE = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_IN_TEXT = re.compile(f"[{_UNPRINTABLE}]")
_IN_NAME = re.compile(rf"[{_UNPRINTABLE}]|\\(?=x)")

LONGEST = 200
"""Bytes of a file's name that leave room for a suffix below the 255 that file systems allow."""


def storable(text: str | Path) -> str:
    r"""A text to be written as one line of UTF-8: what cannot be printed becomes ``\xHH``, one for each of its bytes.

    Example:
        >>> print(storable("a\x1b[31m" + "caf\udce9"))
        a\x1b[31mcaf\xe9
    """
    return _IN_TEXT.sub(_as_bytes, str(text))


def name_to_id(name: str | Path) -> str:
    r"""The id of a file by its name: :func:`storable`, and no two names have the same.

    Every ``\xHH`` in an id stands for a byte; where a name itself has ``\x`` its backslash becomes ``\x5c``. The same
    bytes give the same id under every locale.

    Example:
        >>> print(name_to_id("s1/caf\udce9"), name_to_id(r"s1/caf\xe9"))
        s1/caf\xe9 s1/caf\x5cxe9
    """
    return _IN_NAME.sub(_as_bytes, os.fsencode(name).decode("utf-8", errors="surrogateescape"))


def id_to_name(clip: str) -> str:
    """A name for a file of a clip: without folders, at most :data:`LONGEST` bytes; long ones end in a hash.

    Example:
        >>> id_to_name("s1/bbaf2n")
        's1-bbaf2n'
    """
    from hashlib import blake2b

    name = storable(clip).replace("/", "-")
    data = name.encode()
    if len(data) <= LONGEST and name not in (".", ".."):
        return name
    return f"{data[: LONGEST - 17].decode(errors='ignore')}-{blake2b(data, digest_size=8).hexdigest()}"


def _as_bytes(match: re.Match[str]) -> str:
    char = match[0]
    escaped = "\udc80" <= char <= "\udcff"
    data = char.encode("utf-8", errors="surrogateescape" if escaped else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)
