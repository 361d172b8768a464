"""What is said in a clip: files of text, word times, and whether these can be true of the clip."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from zoo.media.clip import Word
from zoo.support.errors import MediaError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""First bytes of a text file that say how it is encoded."""

UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b\u2060\u00ad\u200e\u200f"))
"""Characters without width that editors leave behind (marks of byte order, direction and hyphenation); not spoken."""

OVERLAP_S = 0.001
"""By how much a word may begin before the one in front of it ends: times are rounded."""

BEYOND_S = 0.1
"""By how much a word may end after the last picture: GRID's clips of 74 frames stand for 75."""


def read_text(path: str | Path) -> str:
    """Read a text file: UTF-8, or UTF-16 and UTF-32 where the file begins with their mark of byte order.

    Raises:
        MediaError: the file cannot be read, or it is no such text. Nothing is guessed or replaced.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MediaError(f"{path}: the text cannot be read ({error.strerror})") from error
    mark, encoding = next(((mark, name) for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise MediaError(
            f"{path}: the text is not {encoding.upper()} at byte {len(mark) + error.start}; save it as UTF-8"
        ) from error
    if "\0" in text:
        raise MediaError(f"{path}: the text holds NUL characters (UTF-16 without its mark?); save it as UTF-8")
    if "\N{REPLACEMENT CHARACTER}" in text:
        raise MediaError(f"{path}: characters of the text were lost (U+FFFD) before it came here; write them anew")
    return text


def plain_text(text: str) -> str:
    """A text as it is stored and compared: composed characters (NFC), lower case, words divided by one blank.

    Example:
        >>> plain_text(" Cafe\N{COMBINING ACUTE ACCENT} AU  lait ")
        'café au lait'
    """
    lower = unicodedata.normalize("NFC", text).translate(UNSEEN).lower()
    return " ".join(unicodedata.normalize("NFC", lower).split())


def read_transcript(path: str | Path) -> str:
    """The words in a text file, as :func:`plain_text`.

    Raises:
        MediaError: see :func:`read_text`.
    """
    return plain_text(read_text(path))


def check_times(words: Sequence[Word], what: str | Path) -> None:
    """Check that words follow each other in time.

    Args:
        words: in the order in which they were found.
        what: whose times they are, for the message.

    Raises:
        MediaError: a word starts before 0, ends before it has begun, or begins before the one in front of it ends.
    """
    for word in words:
        if not 0 <= word.start_s < word.end_s < float("inf"):
            raise MediaError(f"{what}: '{word.text}' lasts from {word.start_s:g} s to {word.end_s:g} s")
    for before, word in pairwise(words):
        if word.start_s < before.end_s - OVERLAP_S:
            raise MediaError(
                f"{what}: '{word.text}' begins at {word.start_s:g} s, before '{before.text}' ends at {before.end_s:g} s"
            )


def check_end(words: Sequence[Word], seconds: float, what: str | Path) -> None:
    """Check that a clip is long enough for its words.

    Raises:
        MediaError: a word ends after the clip: the file is cut short, or the times are another clip's.
    """
    last = max((word.end_s for word in words), default=0.0)
    if last > seconds + BEYOND_S:
        raise MediaError(
            f"{what}: its words end at {last:.2f} s, its pictures at {seconds:.2f} s: the file is cut short, or "
            "these are the words of another"
        )
