"""WER, the word error rate of a lip reader on generated faces (LipNet, Assael et al. 2016; Vougioukas et al. 2019)."""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.evaluation.metrics.base import Row
from zoo.evaluation.metrics.judged import UNNAMED, JudgedMetric
from zoo.experts.lip_reader.ctc import BEAM, Grammar, Unreadable, ctc_decode
from zoo.experts.lip_reader.edits import plain, wer, word_edits

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

__all__ = ["GrammarWER", "LipReadingWER", "ctc_decode", "wer", "word_edits"]

LEAST_SEEN = 0.9
"""Share of frames that must show a face for a clip to be read at all."""

Decode = Literal["greedy", "beam"]


class ReadingMetric(JudgedMetric):
    """Base of the error rates of a lip reader: sums of edits over sums of lengths.

    A clip without text is not scored. A clip is read whole or not at all: where fewer than ``least_seen`` of its frames
    show a face (frames that a generated clip is short of count as hidden) it is not scored; above that it is, and the
    share of hidden frames lowers how many of its words count as scored.

    Args:
        least_seen: share of frames, 0..1.
        reader: name and hash of the lip reader; see :class:`zoo.evaluation.metrics.judged.JudgedMetric`.
        protocol: how the text is decoded.
    """

    pooled = True
    higher_is_better = False
    role: ClassVar[str] = "reader"

    def __init__(self, *, least_seen: float = LEAST_SEEN, reader: str = UNNAMED, **protocol: str | int | float) -> None:
        super().__init__(reader, **protocol, least_seen=least_seen)
        if not 0 <= least_seen <= 1:
            raise ValueError(f"{self.name}: least_seen is a share 0..1, not {least_seen}")
        self.least_seen = least_seen

    @abstractmethod
    def decode(self, log_probs: Float[Tensor, "T V"]) -> str:
        """What was read."""

    def edits(self, said: str, read: str) -> tuple[int, int]:
        """Edits and length of the reference."""
        return word_edits(said, read)

    def update(
        self,
        clip: str,
        read: Float[Tensor, "T V"] | str,
        text: str,
        *,
        seen: Bool[Tensor, " due"] | None = None,
    ) -> None:
        """Add one clip.

        Args:
            clip: its id.
            read: natural-log probabilities of the reader (:func:`zoo.experts.lip_reader.ctc.ctc_decode`), or the text
                it read.
            text: what was said; empty where unknown.
            seen: frames that show a face, as many as the clip should have; all where not given.
        """
        if not plain(text):
            self.skip(clip, 0, "no text to compare with")
            return
        length = self.edits(text, "")[1]
        shown, due = (1, 1) if seen is None else (int(torch.as_tensor(seen).sum()), len(seen))
        hidden = "" if shown == due else f"{due - shown} of {due} frames missing or without a face"
        if shown < self.least_seen * due or not shown:
            self.skip(clip, length, hidden or "no frame")
            return
        try:
            hypothesis = read if isinstance(read, str) else self.decode(read)
        except Unreadable as error:
            self.skip(clip, length, str(error))
            return
        edits, length = self.edits(text, hypothesis)
        self.add(Row(clip, (float(edits), float(length)), length * shown // due, length, hidden))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add one clip: what is read from the generated face against what was said."""
        self.judged_by(pred.reading.reader)
        seen = torch.zeros(max(len(pred), len(real)), dtype=torch.bool)
        seen[: len(pred)] = pred.seen.cpu()
        self.update(clip, pred.reading.log_probs, real.text, seen=seen)


class LipReadingWER(ReadingMetric):
    """:func:`wer` of what a lip reader reads from generated faces, over all clips together.

    Read it beside the value of the real clips through the same reader: that is what a perfect generator would get.

    Args:
        decode: ``greedy`` or ``beam``, see :func:`zoo.experts.lip_reader.ctc.ctc_decode`.
        beam: prefixes kept by ``beam``.
        least_seen: see :class:`ReadingMetric`.
        reader: name and hash of the lip reader.
    """

    name = "wer"

    def __init__(
        self,
        *,
        decode: Decode = "greedy",
        beam: int = BEAM,
        least_seen: float = LEAST_SEEN,
        reader: str = UNNAMED,
    ) -> None:
        width = {"beam": beam} if decode == "beam" else {}
        super().__init__(decode=decode, **width, least_seen=least_seen, reader=reader)
        if decode not in ("greedy", "beam"):
            raise ValueError(
                f"{self.name}: decode is greedy or beam, not {decode!r}; a grammar has the name wer_grammar"
            )
        if beam < 1:
            raise ValueError(f"{self.name}: the beam is at least 1, not {beam}")
        self.method: Decode = decode
        self.beam = beam

    def decode(self, log_probs: Float[Tensor, "T V"]) -> str:
        """What was read, letter by letter."""
        return ctc_decode(log_probs, method=self.method, beam=self.beam)


class GrammarWER(ReadingMetric):
    """:func:`wer` where the reader may only say sentences of a grammar, under a name of its own.

    It reads a sentence of the grammar from anything, a still face too, and gets words right by chance: on GRID 19 % of
    them (one guess in each of the six places).

    Args:
        grammar: words allowed at each place; those of GRID where not given. Its size and hash stand in the signature.
        least_seen: see :class:`ReadingMetric`.
        reader: name and hash of the lip reader.
    """

    name = "wer_grammar"

    def __init__(
        self, *, grammar: Grammar | None = None, least_seen: float = LEAST_SEEN, reader: str = UNNAMED
    ) -> None:
        if grammar is None:
            from zoo.data.sources.synthgrid.grammar import SLOTS

            grammar = SLOTS
        places = tuple(tuple(words) for words in grammar)
        digest = hashlib.sha256(repr(places).encode()).hexdigest()[:8]
        size = math.prod(map(len, places))
        super().__init__(decode="grammar", grammar=f"{size}-{digest}", least_seen=least_seen, reader=reader)
        self.grammar = places

    def decode(self, log_probs: Float[Tensor, "T V"]) -> str:
        """The most probable sentence of the grammar."""
        return ctc_decode(log_probs, method="grammar", grammar=self.grammar)
