"""Text of strangers (names, messages, fields of stores and results) made safe for a terminal and for spreadsheets."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from unicodedata import category

JOINERS = "\u200c\u200d"
"""Join and part letters of many scripts, and make one picture of several emoji; they reorder and hide nothing."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula."""

T = TypeVar("T")


def printable(text: object, keep: str = "") -> str:
    r"""Text in which every character that a terminal would obey is written out, as ``\x1b``.

    Those are control characters (ESC and the C1 controls among them), signs that turn the direction of writing, other
    signs that cannot be seen, line separators, and halves of characters, which stand for bytes of file names that are
    no UTF-8.

    Args:
        text: whatever somebody else may have written.
        keep: control characters that are wanted, such as a newline.
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(letter if _is_safe(letter) or letter in keep else _written_out(letter) for letter in plain)


def _is_safe(letter: str) -> bool:
    return letter.isprintable() or letter in JOINERS or category(letter) == "Zs"  # spaces, though no plain ones


def _written_out(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte of a file's name that is no UTF-8, written as :mod:`.names` writes it
        return rf"\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()


def say(*parts: object, end: str = "\n", file: Any = None, flush: bool = False) -> None:
    """As ``print``, with nothing that a terminal would obey but newlines and tabs.

    Args:
        parts: what is printed, with spaces between.
        end: what follows.
        file: a text stream; standard output where none is given.
        flush: whether it is written at once.
    """
    text = " ".join(printable(part, keep="\n\t") for part in parts)
    print(text, end=end, file=sys.stdout if file is None else file, flush=flush)


def printable_record(value: T) -> T:
    """A record (or a list or dictionary of such) with all its texts, keys included, as :func:`printable` has them."""
    found: Any = value
    if isinstance(value, str):
        found = printable(value)
    elif isinstance(value, list | tuple):
        found = type(value)(map(printable_record, value))
    elif isinstance(value, dict):
        found = {printable_record(key): printable_record(item) for key, item in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        found = replace(value, **{item.name: printable_record(getattr(value, item.name)) for item in fields(value)})
    return found


def csv_cell(value: object) -> object:
    """A value for a CSV file: no text in it is taken for a formula, and numbers stay numbers."""
    if not isinstance(value, str):
        return value
    return "'" + printable(value) if value.startswith(FORMULA) else printable(value)
