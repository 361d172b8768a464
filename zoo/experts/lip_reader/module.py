"""The lip reader's training, its test and its reading of whole clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.experts.augment import augment
from zoo.experts.lip_reader.config import LipReaderConfig
from zoo.experts.lip_reader.ctc import ALPHABET, ctc_decode
from zoo.experts.lip_reader.edits import character_edits, word_edits
from zoo.experts.lip_reader.networks import CLASSES, LipNet
from zoo.experts.schedule import adam
from zoo.media.clip import FPS, Word
from zoo.methods.module import TrainableModule
from zoo.registry.spec import InputSpec

CONTEXT = 640
"""Samples of sound per frame: the reader hears nothing, but a window needs some."""

UNKNOWN = -100
"""Marks frames of which no letter is known."""

_MARGIN = 2
"""Most frames before and after a single word that are kept."""


class LipReader(TrainableModule):
    """LipNet: whole clips to characters, trained with CTC.

    Args:
        config: settings.
    """

    config: LipReaderConfig
    monitor = "val/wer"

    def __init__(self, config: LipReaderConfig) -> None:
        super().__init__(config)
        self.network = LipNet(config.size, config.width, config.dropout, batch_norm=config.batch_norm)
        # CTC alone rests for long at answers that do not look at the mouth; this head shows the way and is never asked.
        self.letters = torch.nn.Linear(self.network.linear.in_features, CLASSES) if config.letters else None

    @property
    def input_spec(self) -> InputSpec:
        """Whole clips of faces; the lower half is read."""
        size = (self.config.size, self.config.size)
        return InputSpec(crop="face", size=size, frames=None, context=CONTEXT, paste="lower")

    def forward(self, faces: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T 28"]:
        """Natural-log probabilities of blank, space and a to z from faces, RGB in [0, 1]."""
        return self.network(self.lips(faces))

    def read(self, batch: Batch, b: int) -> Float[Tensor, "T 28"]:
        """Log-probabilities of one clip of a batch, read alone: what it is padded with must not change it."""
        return self(batch.frames[b : b + 1, : int(batch.length[b])])[0]

    def lips(self, faces: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T 3 h W"]:
        """The lower half of whole clips of faces as the network sees it, standardised if the settings say so."""
        lips = faces[..., self.config.size // 2 :, :]
        return standardise(lips) if self.config.standardise else lips

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """CTC on whole clips or, early on, on single words cut from them."""
        config = self.config
        spans, texts = whole_clips(batch)
        if float(torch.rand(())) < config.words**self.current_epoch:
            spans, texts = single_words(batch)
        picked = [stutter(first, last, config.repeat) for first, last in spans]
        length = torch.tensor([len(index) for index in picked], device=self.device)
        faces = augment(batch.frames, flip=config.flip, jitter=config.jitter, shift=config.shift)
        lips = torch.stack([clip[i] for clip, i in zip(self.lips(faces), pad_sequence(picked, True), strict=True)])
        features = self.network.features(lips)
        loss = self._loss(self.network.classify(features), length, texts)
        self.log("train/ctc", loss.detach(), prog_bar=True, batch_size=len(texts))
        if self.letters is not None:
            said = [
                spread_letters(words, batch.frames.shape[1])[i] for words, i in zip(batch.words, picked, strict=True)
            ]
            target = pad_sequence(said, True, UNKNOWN).to(self.device)
            shown = F.cross_entropy(self.letters(features).float().mT, target, ignore_index=UNKNOWN, reduction="sum")
            shown = shown / (target != UNKNOWN).sum().clamp(min=1)  # the mean, which without any would be NaN
            self.log("train/letters", shown.detach(), prog_bar=True, batch_size=len(texts))
            loss = loss + config.letters * shown
        return loss

    def _loss(self, log_probs: Tensor, length: Tensor, texts: Sequence[str]) -> Tensor:
        labels = [[ALPHABET.index(letter) + 1 for letter in text if letter in ALPHABET] for text in texts]
        # Clips without text are left out: CTC would take them for silence and teach to read nothing.
        known = [number for number, text in enumerate(labels) if text]
        if not known:
            return log_probs.sum() * 0
        targets = torch.tensor([label for text in labels for label in text], device=log_probs.device)
        sizes = torch.tensor([len(labels[number]) for number in known], device=log_probs.device)
        return F.ctc_loss(log_probs[known].transpose(0, 1), targets, length[known], sizes, zero_infinity=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """``val/ctc`` and ``val/wer`` (greedy, words wrong over words spoken) on clips held out."""
        texts = [sentence(words) for words in batch.words]
        read = [self.read(batch, b) for b in range(len(texts))]
        loss = self._loss(pad_sequence(read, True), batch.length, texts)
        # A batch without text has no weight; where none has any, both are NaN and not a perfect 0.
        self.log("val/ctc", loss, prog_bar=True, sync_dist=True, batch_size=sum(map(bool, texts)))
        pairs = [
            word_edits(text, ctc_decode(found.float().cpu())) for text, found in zip(texts, read, strict=True) if text
        ]
        wrong, words = sum(edits for edits, _ in pairs), sum(count for _, count in pairs)
        self.log("val/wer", wrong / max(words, 1), prog_bar=True, sync_dist=True, batch_size=words)

    def on_validation_epoch_end(self) -> None:
        """Say so where there was nothing to read."""
        if self.current_epoch == 0 and not math.isfinite(float(self.trainer.callback_metrics.get("val/ctc", 0.0))):
            rank_zero_warn("the lip reader's validation clips have no text: prepare the data set with its transcripts")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """What is read off whole clips, beside what was said."""
        rows = []
        for b, clip in enumerate(batch.clip):
            text = sentence(batch.words[b])
            found = ctc_decode(self.read(batch, b).float().cpu())
            # Where the text is not known, what is read is neither right nor wrong.
            wrong, words = word_edits(text, found) if text else (0, 0)
            slips, letters = character_edits(text, found) if text else (0, 0)
            rows.append(
                {
                    "clip": clip, "text": text, "read": found, "word_edits": wrong, "words": words,
                    "character_edits": slips, "characters": letters,
                }
            )  # fmt: skip
        return {"rows": rows}

    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """See :meth:`zoo.methods.module.TrainableModule.score`."""
        return [row | {"speaker": store.clips[store.index(row["clip"])].speaker} for row in outputs["rows"]]

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Word and character error rates on real clips: what those of generated ones are to be read against."""
        totals = {k: sum(row[k] for row in rows) for k in ("word_edits", "words", "character_edits", "characters")}
        wer = totals["word_edits"] / totals["words"] if totals["words"] else float("nan")
        cer = totals["character_edits"] / totals["characters"] if totals["characters"] else float("nan")
        known = [row for row in rows if row["text"]]
        whole = sum(row["text"] == row["read"] for row in known)
        return {
            "protocol": "lip-reader: greedy CTC, no language model, no dictionary; sums of edits over sums of lengths",
            "clips": len(known),
            "clips_without_text": len(rows) - len(known),
            "speakers": len({row["speaker"] for row in known}),
            "wer": round(wer, 4),
            "cer": round(cer, 4),
            **totals,
            "table": [
                ("word error rate", f"{wer:.1%}", f"{totals['word_edits']} edits, {totals['words']} words"),
                ("character error rate", f"{cer:.1%}", f"{totals['character_edits']} of {totals['characters']}"),
                ("sentences without error", f"{whole}", f"of {len(known)}"),
            ],
        }

    def quality(self, scores: dict[str, Any]) -> str:
        """Its error rates on real clips."""
        return f"word error rate {scores['wer']:.1%}, character error rate {scores['cer']:.1%}"

    def configure_optimizers(self) -> Any:
        """AdamW, with the schedule of the settings."""
        return adam(self, self.config)


def sentence(words: Sequence[Word]) -> str:
    """The words spoken, lower case, one blank between them."""
    return " ".join(word.text.lower() for word in words)


def standardise(lips: Float[Tensor, "B T 3 h W"]) -> Float[Tensor, "B T 3 h W"]:
    """Each clip without its mean picture, divided by the standard deviation of what is left (at least 0.02).

    A still picture becomes zero throughout: there is nothing to read.
    """
    moving = lips - lips.mean(1, keepdim=True)
    return moving / moving.square().mean((1, 2, 3, 4), keepdim=True).sqrt().clamp(min=0.02)


def whole_clips(batch: Batch) -> tuple[list[tuple[int, int]], list[str]]:
    """First and last frame (excluded) of every clip of a batch, and what is said."""
    return [(0, count) for count in batch.length.tolist()], [sentence(words) for words in batch.words]


def single_words(batch: Batch) -> tuple[list[tuple[int, int]], list[str]]:
    """One word of each clip, chosen at random, with up to two frames before and after it; as :func:`whole_clips`.

    A clip without words gives all of itself and the empty text.
    """
    spans, texts = whole_clips(batch)
    for number, words in enumerate(batch.words):
        if not words:
            continue
        word = words[int(torch.randint(len(words), ()))]
        before, after = torch.randint(0, _MARGIN + 1, (2,)).tolist()
        total = spans[number][1]
        # CTC needs a frame for every letter and one between equal ones.
        least = 2 * len(word.text)
        first = max(0, min(math.floor(word.start_s * FPS) - before, total - least))
        spans[number] = first, min(total, max(math.ceil(word.end_s * FPS) + after, first + least))
        texts[number] = word.text.lower()
    return spans, texts


def stutter(first: int, last: int, share: float) -> Int64[Tensor, " t"]:
    """Frames ``first`` to ``last`` (excluded) with a share of them doubled or left out, so that speed varies.

    As the authors' code does (bshillingford/LipNet, TemporalJitter). Never fewer than nine in ten frames are kept.
    """
    index = torch.arange(first, last)
    chance = torch.rand(len(index))
    times = 1 - (chance < share / 2).long() + (chance > 1 - share / 2).long()
    return index.repeat_interleave(times) if int(times.sum()) >= 0.9 * len(index) else index


def spread_letters(words: Sequence[Word], count: int) -> Int64[Tensor, " T"]:
    """The letter that is on in each frame if all letters of a word last equally long.

    Returns:
        As CTC's classes, 0 where nobody speaks; :data:`UNKNOWN` throughout where the words are not known.
    """
    found = torch.full((count,), 0 if words else UNKNOWN)
    for word in words:
        text = [ALPHABET.index(letter) + 1 for letter in word.text.lower() if letter in ALPHABET]
        first, last = round(word.start_s * FPS), min(round(word.end_s * FPS), count)
        if text and last > first:
            place = torch.arange(last - first) * len(text) // (last - first)
            found[first:last] = torch.tensor(text)[place]
    return found
