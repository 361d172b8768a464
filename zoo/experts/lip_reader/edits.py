"""Edits between what was said and what was read: word and character error rates, over all sentences together."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer

from zoo.media.transcript import plain_text


def wer(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> float:
    """Word error rate: substitutions, deletions and insertions of all sentences over words of all references.

    Case and surplus spaces do not count (:func:`plain`). Edits come from jiwer.

    Args:
        references: what was said, one sentence or several.
        hypotheses: what was read, one for each; may be empty.

    Returns:
        0 or more (above 1 with many insertions); lower is better. LipNet-PyTorch averages sentences instead: the same
        on GRID, where all have six words, and another number elsewhere.

    Raises:
        ValueError: an empty reference, no sentence, or lists of different lengths.

    Example:
        >>> wer(["bin blue at f two now", "no"], ["bin blue by f two", "no no"])
        0.42857142857142855
    """
    edits, length = word_edits(references, hypotheses)
    return edits / length


def word_edits(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> tuple[int, int]:
    """Edits of all sentences, and words of all references; as :func:`wer`."""
    said, read = paired("wer", references, hypotheses)
    found = jiwer.process_words(said, read)
    return found.substitutions + found.deletions + found.insertions, sum(map(len, found.references))


def plain(text: str) -> str:
    """A sentence as it is compared: lower case, one space between words, none at the ends, composed (NFC)."""
    return plain_text(text)


def paired(name: str, references: str | Sequence[str], hypotheses: str | Sequence[str]) -> tuple[list[str], list[str]]:
    """Sentences to compare, made :func:`plain`.

    Raises:
        ValueError: an empty reference (a division by zero), no sentence, or different numbers of them.
    """
    said = [plain(text) for text in ([references] if isinstance(references, str) else references)]
    read = [plain(text) for text in ([hypotheses] if isinstance(hypotheses, str) else hypotheses)]
    if len(said) != len(read) or not said:
        raise ValueError(f"{name}: needs one hypothesis for each reference; got {len(read)} for {len(said)}")
    if "" in said:
        raise ValueError(f"{name}: reference {said.index('')} is empty: leave that sentence out")
    return said, read


def cer(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> float:
    """Character error rate: edits of all sentences over characters of all references, spaces included.

    Case and surplus spaces do not count (:func:`plain`). Edits come from jiwer.

    Args:
        references: what was said, one sentence or several.
        hypotheses: what was read, one for each; may be empty.

    Returns:
        0 or more (above 1 with many insertions); lower is better.

    Raises:
        ValueError: an empty reference, no sentence, or lists of different lengths.

    Example:
        >>> cer("at f two", "at s to")
        0.25
    """
    edits, length = character_edits(references, hypotheses)
    return edits / length


def character_edits(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> tuple[int, int]:
    """Edits of all sentences, and characters of all references; as :func:`cer`."""
    said, read = paired("cer", references, hypotheses)
    found = jiwer.process_characters(said, read)
    return found.substitutions + found.deletions + found.insertions, sum(map(len, found.references))
