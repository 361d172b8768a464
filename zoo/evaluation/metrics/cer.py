"""CER, the character error rate of a lip reader on generated faces (LipNet, Assael et al. 2016)."""

from __future__ import annotations

from zoo.evaluation.metrics.wer import GrammarWER, LipReadingWER
from zoo.experts.lip_reader.edits import cer, character_edits

__all__ = ["GrammarCER", "LipReadingCER", "cer", "character_edits"]


class LipReadingCER(LipReadingWER):
    """As :class:`zoo.evaluation.metrics.wer.LipReadingWER`, over characters."""

    name = "cer"

    def edits(self, said: str, read: str) -> tuple[int, int]:
        """Edits and characters of the reference."""
        return character_edits(said, read)


class GrammarCER(GrammarWER):
    """As :class:`zoo.evaluation.metrics.wer.GrammarWER`, over characters."""

    name = "cer_grammar"

    def edits(self, said: str, read: str) -> tuple[int, int]:
        """Edits and characters of the reference."""
        return character_edits(said, read)
