"""The sync expert's training, its test and its embeddings of whole clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torch.nn import functional as F

from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.experts.augment import augment
from zoo.experts.schedule import adam
from zoo.experts.sync_expert.config import SyncExpertConfig
from zoo.experts.sync_expert.networks import COLUMNS, FRAMES, SyncNetwork
from zoo.experts.sync_expert.quality import LEAST_SHIFT, THRESHOLD, expert_quality, negative_starts
from zoo.media import audio
from zoo.media.clip import FPS, Word
from zoo.methods.module import TrainableModule
from zoo.methods.nn.frontend import Mel
from zoo.methods.nn.inference import for_inference
from zoo.registry.spec import InputSpec
from zoo.support.errors import DataError

SIZE = 96
"""Height and width of the face crop in pixels; the expert sees its lower half."""

CHANCE = 0.55
"""Balanced accuracy below which the expert counts as stuck at chance."""


class SyncExpert(TrainableModule):
    """Two encoders whose cosine says whether five frames and 0.2 s of sound belong together.

    Args:
        config: settings.
    """

    config: SyncExpertConfig
    monitor = "val/loss"

    def __init__(self, config: SyncExpertConfig) -> None:
        super().__init__(config)
        self.mel = Mel(COLUMNS)
        self.network = SyncNetwork(config.width)
        # Scale and offset of the cosine in the matching loss; the starting values are those of syncnet_trainer.
        self.scale = torch.nn.Parameter(torch.tensor(10.0))
        self.offset = torch.nn.Parameter(torch.tensor(-5.0))
        if config.channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._seen: list[tuple[Tensor, Tensor]] = []

    @property
    def input_spec(self) -> InputSpec:
        """Windows of five frames end to end, and the sound of 16 mel columns around the middle of each."""
        frames = FRAMES * self.config.windows
        return InputSpec(crop="face", size=(SIZE, SIZE), frames=frames, context=self.mel.samples, paste="lower")

    def for_inference(self) -> TrainableModule:
        """Fold batch normalisation and pair narrow convolutions."""
        for_inference(self.network.eval())
        return super().for_inference()

    def embed_faces(self, faces: Float[Tensor, "batch 5 3 96 96"]) -> Float[Tensor, "batch D"]:
        """Embeddings of windows of five faces, RGB in [0, 1]."""
        stacked = faces[..., SIZE // 2 :, :].flatten(1, 2)
        if self.config.channels_last:
            stacked = stacked.contiguous(memory_format=torch.channels_last)
        return self.network.embed_faces(stacked)

    def embed_sounds(self, sound: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch D"]:
        """Embeddings of the sound around the middle of windows, as long as :class:`.Mel` needs."""
        with torch.autocast(sound.device.type, enabled=False):
            mel = self.mel(sound)
        return self.network.embed_sounds(mel)

    def embed_clip(
        self, faces: Float[Tensor, "T 3 96 96"], wave: Float[Tensor, " S"], *, chunk: int = 24
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N D"]]:
        """Embeddings of every window of a clip, ``N = T - 4``: window ``i`` is frames ``i`` to ``i + 4`` and its sound.

        Args:
            faces: RGB in [0, 1].
            wave: the clip's sound in [-1, 1] at 16 kHz.
            chunk: most windows per pass: memory does not grow with the clip, and stays in the processor's cache.

        Returns:
            Of the faces and of the sound; none where there are fewer than five frames.
        """
        count = len(faces) - FRAMES + 1
        if count < 1:
            none = faces.new_zeros(0, self.network.dim)
            return none, none
        samples = self.mel.samples
        heard = audio.per_frame(audio.widen(wave[None], len(faces), samples), len(faces), samples)[0]
        sounds = heard[FRAMES // 2 : FRAMES // 2 + count]
        windows = faces.unfold(0, FRAMES, 1).permute(0, 4, 1, 2, 3)
        passes = math.ceil(count / chunk)
        video = [self.embed_faces(part) for part in windows.tensor_split(passes)]
        sound = [self.embed_sounds(part) for part in sounds.tensor_split(passes)]
        return torch.cat(video), torch.cat(sound)

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """One step on the windows of each clip of the batch."""
        config = self.config
        faces = augment(batch.frames, flip=config.flip, jitter=config.jitter, shift=config.shift)
        loss, bce, accuracy = self._losses(*self._embed(batch, faces))
        self.log("train/loss", loss.detach())
        self.log("train/bce", bce.detach(), prog_bar=True)
        self.log("train/matched", accuracy, prog_bar=True)
        return loss

    def _embed(self, batch: Batch, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings ``(B, K, D)`` of the windows that every clip of the batch has."""
        count = int(batch.length.min()) // FRAMES
        if count < 2:
            raise DataError(
                f"the sync expert needs clips of at least {2 * FRAMES} frames; one has {int(batch.length.min())}"
            )
        frames = faces[:, : count * FRAMES]
        sounds = batch.given.audio_windows(self.mel.samples)[:, FRAMES // 2 :: FRAMES]
        video = self.embed_faces(frames.reshape(-1, FRAMES, *frames.shape[2:]))
        sound = self.embed_sounds(sounds.flatten(0, 1))
        return video.view(-1, count, video.shape[1]), sound.view(-1, count, sound.shape[1])

    def _losses(self, video: Tensor, sound: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cosine = _cosines(video, sound)
        count = cosine.shape[1]
        truth = torch.arange(count, device=cosine.device).expand(len(cosine), count)
        positive = cosine.diagonal(dim1=1, dim2=2)
        # One other window of the same clip for every window: as many pairs that match as pairs that do not.
        other = (truth + torch.randint(1, max(count, 2), truth.shape, device=cosine.device)) % count
        negative = cosine.gather(2, other[..., None])[..., 0]
        pairs = torch.stack([positive, negative]).clamp(0, 1)
        labels = torch.stack([torch.ones_like(positive), torch.zeros_like(negative)])
        bce = F.binary_cross_entropy(pairs, labels)
        logits = self.scale * cosine + self.offset
        matching = (F.cross_entropy(logits.flatten(0, 1), truth.flatten()) + F.cross_entropy(
            logits.mT.flatten(0, 1), truth.flatten()
        )) / 2  # fmt: skip
        loss = {"bce": bce, "matching": matching, "both": bce + matching}[self.config.loss]
        return loss, bce, (logits.argmax(2) == truth).float().mean()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """``val/loss``, ``val/bce`` and ``val/accuracy`` (balanced, one negative per window) on clips held out."""
        video, sound = self._embed(batch, batch.frames)
        loss, bce, _ = self._losses(video, sound)
        size = len(batch.clip)
        self.log("val/loss", loss, sync_dist=True, batch_size=size)
        self.log("val/bce", bce, prog_bar=True, sync_dist=True, batch_size=size)
        cosine = _cosines(video, sound)
        positive = cosine.diagonal(dim1=1, dim2=2)
        negative = cosine.roll(1, dims=2).diagonal(dim1=1, dim2=2)
        accuracy = ((positive > THRESHOLD).float().mean() + (negative <= THRESHOLD).float().mean()) / 2
        self.log("val/accuracy", accuracy, prog_bar=True, sync_dist=True, batch_size=size)

    def on_validation_epoch_end(self) -> None:
        """Say so while the expert sits at chance."""
        found = self.trainer.callback_metrics
        if "val/accuracy" in found and float(found["val/accuracy"]) < CHANCE:
            rank_zero_warn(
                f"the sync expert is at chance after epoch {self.current_epoch}: balanced accuracy "
                f"{float(found['val/accuracy']):.0%}, loss {float(found['val/bce']):.3f} (0.693 says nothing); "
                "model.loss=both gets away from there, plain bce may take very long"
            )

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Scores of all windows of whole clips, with their own sound and with another start's."""
        rows = []
        for b, clip in enumerate(batch.clip):
            frames = batch.frames[b, : int(batch.length[b])]
            video, sound = self.embed_clip(frames, batch.wave[b])
            speech = speech_windows(batch.words[b], len(video))
            partner = negative_starts(len(video), least=LEAST_SHIFT, seed=0)
            has = torch.as_tensor(partner) >= 0
            positive = (video * sound).sum(1).cpu()
            negative = (video[has] * sound[torch.as_tensor(partner)[has]]).sum(1).cpu()
            rows.append(
                {
                    "clip": clip,
                    "positive": _rounded(positive),
                    "negative": _rounded(negative),
                    "speech": speech.int().tolist(),
                    "negative_speech": speech[has].int().tolist(),
                }
            )
        return {"rows": rows}

    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """See :meth:`zoo.methods.module.TrainableModule.score`."""
        return [row | {"speaker": store.clips[store.index(row["clip"])].speaker} for row in outputs["rows"]]

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """How well the expert judges real clips: apart from how well any generator fares before it."""
        positive, negative = (torch.tensor([s for row in rows for s in row[k]]) for k in ("positive", "negative"))
        speech = torch.tensor([s for row in rows for s in row["speech"]], dtype=torch.bool)
        other = torch.tensor([s for row in rows for s in row["negative_speech"]], dtype=torch.bool)
        scores: dict[str, Any] = {
            "protocol": f"sync-expert: cosine > {THRESHOLD}; negatives: another start in the same clip, at least "
            f"{LEAST_SHIFT} frames away; windows of {FRAMES} frames; with speech: at least one frame of a word",
            "clips": len(rows),
            "speakers": len({row["speaker"] for row in rows}),
        }
        table = []
        for name, own, wrong in (
            ("windows with speech", positive[speech], negative[other]),
            ("all windows", positive, negative),
        ):
            quality = expert_quality(own, wrong, THRESHOLD)
            key = name.replace(" ", "_")
            scores[key] = {"pairs": len(own) + len(wrong)} | {
                k: round(float(v), 4) for k, v in quality._asdict().items()
            }
            found = scores[key]
            table += [
                (f"balanced accuracy, {name}", f"{found['balanced_accuracy']:.1%}", f"of {found['pairs']} pairs"),
                (f"  true positives, {name}", f"{found['true_positive_rate']:.1%}", "own sound accepted"),
                (f"  true negatives, {name}", f"{found['true_negative_rate']:.1%}", "other start refused"),
                (f"  area under ROC, {name}", f"{found['auc']:.3f}", "any threshold"),
            ]
        return scores | {"table": table}

    def quality(self, scores: dict[str, Any]) -> str:
        """Balanced accuracy with what it is made of, on windows with speech."""
        found = scores["windows_with_speech"]
        rates = f"true positives {found['true_positive_rate']:.1%}, true negatives {found['true_negative_rate']:.1%}"
        return f"balanced accuracy {found['balanced_accuracy']:.1%} on windows with speech ({rates})"

    def configure_optimizers(self) -> Any:
        """AdamW, with the schedule of the settings."""
        return adam(self, self.config)


def _cosines(video: Float[Tensor, "B K D"], sound: Float[Tensor, "B K D"]) -> Float[Tensor, "B K K"]:
    """Of unit vectors, every window's face with every window's sound; always in float32.

    In bfloat16 the best of all, near 1, would be told apart in steps of 0.004, and their losses are of what is missing.
    """
    with torch.autocast(video.device.type, enabled=False):
        return video.float() @ sound.float().mT


def speech_windows(words: Sequence[Word], count: int) -> Bool[Tensor, " N"]:
    """Which windows of five frames overlap a spoken word for at least one frame (0.04 s)."""
    starts = torch.arange(count) / FPS
    stops = starts + FRAMES / FPS
    found = torch.zeros(count, dtype=torch.bool)
    for word in words:
        found |= stops.clamp(max=word.end_s) - starts.clamp(min=word.start_s) >= 1 / FPS - 1e-6
    return found


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
