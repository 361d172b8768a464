"""CER, the character error rate of a lip reader on generated faces (LipNet, Assael et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer

from zoo.metrics.wer import GrammarWER, LipReadingWER, paired


def cer(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> float:
    """Character error rate: edits of all sentences over characters of all references, spaces included.

    Case and surplus spaces do not count (:func:`zoo.metrics.wer.plain`). Edits come from jiwer.

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


class LipReadingCER(LipReadingWER):
    """As :class:`zoo.metrics.wer.LipReadingWER`, over characters."""

    name = "cer"

    def edits(self, said: str, read: str) -> tuple[int, int]:
        """Edits and characters of the reference."""
        return character_edits(said, read)


class GrammarCER(GrammarWER):
    """As :class:`zoo.metrics.wer.GrammarWER`, over characters."""

    name = "cer_grammar"

    def edits(self, said: str, read: str) -> tuple[int, int]:
        """Edits and characters of the reference."""
        return character_edits(said, read)
