"""The lip reader's training, its test and its reading of whole clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torch.nn import functional as F

from zoo.clip import FPS, Word
from zoo.data.batch import Batch
from zoo.data.store import Store
from zoo.experts.augment import augment
from zoo.experts.lip_reader.config import LipReaderConfig
from zoo.experts.lip_reader.networks import LipNet
from zoo.experts.schedule import adam
from zoo.metrics.cer import character_edits
from zoo.metrics.ctc import ALPHABET, ctc_decode
from zoo.metrics.wer import word_edits
from zoo.spec import InputSpec
from zoo.trainable import TrainableModule

CONTEXT = 640
"""Samples of sound per frame: the reader hears nothing, but a window needs some."""

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
        self.network = LipNet(config.size, config.width, config.dropout)

    @property
    def input_spec(self) -> InputSpec:
        """Whole clips of faces; the lower half is read."""
        size = (self.config.size, self.config.size)
        return InputSpec(crop="face", size=size, frames=None, context=CONTEXT, paste="lower")

    def forward(self, faces: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T 28"]:
        """Natural-log probabilities of blank, space and a to z from faces, RGB in [0, 1]."""
        return self.network(faces[..., self.config.size // 2 :, :])

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """CTC on whole clips or, early on, on single words cut from them."""
        config = self.config
        frames, length, texts = batch.frames, batch.length, [sentence(words) for words in batch.words]
        if float(torch.rand(())) < config.words**self.current_epoch:
            frames, length, texts = cut_words(batch)
        frames = augment(frames, flip=config.flip, jitter=config.jitter, shift=config.shift)
        if config.repeat:
            frames, length = stutter(frames, length, config.repeat)
        loss = self._loss(self(frames), length, texts)
        self.log("train/ctc", loss.detach(), prog_bar=True, batch_size=len(texts))
        return loss

    def _loss(self, log_probs: Tensor, length: Tensor, texts: Sequence[str]) -> Tensor:
        labels = [[ALPHABET.index(letter) + 1 for letter in text if letter in ALPHABET] for text in texts]
        targets = torch.tensor([label for text in labels for label in text], device=log_probs.device)
        sizes = torch.tensor([len(text) for text in labels], device=log_probs.device)
        return F.ctc_loss(log_probs.transpose(0, 1), targets, length, sizes, zero_infinity=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """``val/ctc`` and ``val/wer`` (greedy, words wrong over words spoken) on clips held out."""
        texts = [sentence(words) for words in batch.words]
        log_probs = self(batch.frames)
        loss = self._loss(log_probs, batch.length, texts)
        self.log("val/ctc", loss, prog_bar=True, sync_dist=True, batch_size=len(texts))
        pairs = [
            word_edits(text, ctc_decode(found[:count].cpu()))
            for text, found, count in zip(texts, log_probs, batch.length.tolist(), strict=True)
            if text
        ]
        wrong, words = sum(edits for edits, _ in pairs), sum(count for _, count in pairs)
        self.log("val/wer", wrong / max(words, 1), prog_bar=True, sync_dist=True, batch_size=max(words, 1))

    def on_validation_epoch_end(self) -> None:
        """Say so where there was nothing to read."""
        if self.current_epoch == 0 and not math.isfinite(float(self.trainer.callback_metrics.get("val/ctc", 0.0))):
            rank_zero_warn("the lip reader's validation clips have no text: prepare the data set with its transcripts")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """What is read off whole clips, beside what was said."""
        rows = []
        for b, clip in enumerate(batch.clip):
            text = sentence(batch.words[b])
            found = ctc_decode(self(batch.frames[b : b + 1, : int(batch.length[b])])[0].float().cpu())
            if text:
                (wrong, words), (slips, letters) = word_edits(text, found), character_edits(text, found)
                rows.append(
                    {
                        "clip": clip, "text": text, "read": found, "word_edits": wrong, "words": words,
                        "character_edits": slips, "characters": letters,
                    }
                )  # fmt: skip
        return {"rows": rows}

    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """See :meth:`zoo.trainable.TrainableModule.score`."""
        return [row | {"speaker": store.clips[store.index(row["clip"])].speaker} for row in outputs["rows"]]

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Word and character error rates on real clips: what those of generated ones are to be read against."""
        totals = {k: sum(row[k] for row in rows) for k in ("word_edits", "words", "character_edits", "characters")}
        wer = totals["word_edits"] / totals["words"] if totals["words"] else float("nan")
        cer = totals["character_edits"] / totals["characters"] if totals["characters"] else float("nan")
        whole = sum(row["text"] == row["read"] for row in rows)
        return {
            "protocol": "lip-reader: greedy CTC, no language model, no dictionary; sums of edits over sums of lengths",
            "clips": len(rows),
            "speakers": len({row["speaker"] for row in rows}),
            "wer": round(wer, 4),
            "cer": round(cer, 4),
            **totals,
            "table": [
                ("word error rate", f"{wer:.1%}", f"{totals['word_edits']} edits, {totals['words']} words"),
                ("character error rate", f"{cer:.1%}", f"{totals['character_edits']} of {totals['characters']}"),
                ("sentences without error", f"{whole}", f"of {len(rows)}"),
            ],
        }

    def configure_optimizers(self) -> Any:
        """AdamW, with the schedule of the settings."""
        return adam(self, self.config)


def sentence(words: Sequence[Word]) -> str:
    """The words spoken, lower case, one blank between them."""
    return " ".join(word.text.lower() for word in words)


def cut_words(batch: Batch) -> tuple[Float[Tensor, "B t 3 H W"], Tensor, list[str]]:
    """One word of each clip, chosen at random, with up to two frames before and after it.

    Returns:
        Frames (the last ones repeated where a word is shorter than the longest), lengths and texts.
    """
    spans, texts = [], []
    for words, total in zip(batch.words, batch.length.tolist(), strict=True):
        if not words:
            spans.append((0, total))
            texts.append("")
            continue
        word = words[int(torch.randint(len(words), ()))]
        before, after = torch.randint(0, _MARGIN + 1, (2,)).tolist()
        first = max(0, math.floor(word.start_s * FPS) - before)
        # CTC needs a frame for every letter and one between equal ones.
        last = min(total, max(math.ceil(word.end_s * FPS) + after, first + 2 * len(word.text)))
        spans.append((first, last))
        texts.append(word.text.lower())
    longest = max(last - first for first, last in spans)
    index = torch.stack([torch.arange(first, first + longest).clamp(max=last - 1) for first, last in spans])
    frames = torch.stack(
        [clip[chosen] for clip, chosen in zip(batch.frames, index.to(batch.frames.device), strict=True)]
    )
    return frames, torch.tensor([last - first for first, last in spans], device=batch.length.device), texts


def stutter(
    frames: Float[Tensor, "B T 3 H W"], length: Tensor, share: float
) -> tuple[Float[Tensor, "B T 3 H W"], Tensor]:
    """Double or leave out a share of the frames of each clip, so that speed varies (LipNet, section 4.1)."""
    moved, lengths = [], []
    total = frames.shape[1]
    for clip, count in zip(frames, length.tolist(), strict=True):
        times = torch.ones(count, dtype=torch.long)
        chance = torch.rand(count)
        times[chance < share / 2] = 0
        times[chance > 1 - share / 2] = 2
        index = torch.arange(count).repeat_interleave(times)[:total]
        if len(index) < 0.8 * count:
            index = torch.arange(count)
        lengths.append(len(index))
        padded = torch.cat([index, index[-1:].expand(total - len(index))]).to(clip.device)
        moved.append(clip[padded])
    return torch.stack(moved), torch.tensor(lengths, device=length.device)
