"""Wav2Lip's training and generation: Lightning around the plain networks."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torch.nn import functional as F

from zoo.clip import FPS, SAMPLE_RATE
from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.errors import ConfigError, DataError
from zoo.losses.reconstruction import lip_weights, weighted_l1
from zoo.losses.sync import SyncLoss
from zoo.method import TalkingFaceMethod
from zoo.nn.frontend import Mel
from zoo.nn.masked import draw_clips, mask_lower_half
from zoo.schedule import fading, reached
from zoo.spec import InputSpec
from zoo_wav2lip.config import Wav2LipConfig
from zoo_wav2lip.networks import Generator, QualityDiscriminator

SIZE = 96
"""Height and width of Wav2Lip's faces in pixels."""

COLUMNS = 16
"""Columns of mel that a frame hears: 0.2 s."""


class Wav2Lip(TalkingFaceMethod):
    """Wav2Lip: L1, a frozen sync expert that joins once lips begin to move, and a discriminator of visual quality.

    Args:
        config: settings.

    Raises:
        ConfigError: weights of losses that leave nothing for L1.
    """

    config: Wav2LipConfig
    sync_joined: Tensor

    def __init__(self, config: Wav2LipConfig) -> None:
        super().__init__(config)
        if config.sync_weight + config.disc_weight >= 1:
            raise ConfigError("model.sync_weight and model.disc_weight: together less than 1, the rest is L1's")
        self.automatic_optimization = False
        self.frontend = Mel(COLUMNS)
        self.register_buffer("sync_joined", torch.zeros((), dtype=torch.long))
        self.generator = Generator(config.width)
        self.discriminator = QualityDiscriminator(config.width)
        if config.channels_last:
            self.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def input_spec(self) -> InputSpec:
        """Five 96x96 faces per window, one reference face, and 0.2 s of sound around each frame."""
        delay = 2 * round(self.config.sound_delay * SAMPLE_RATE / FPS)
        context = self.frontend.samples + delay
        return InputSpec(
            crop="face", size=(SIZE, SIZE), frames=SyncLoss.frames, context=context, identity_gap=6, paste="lower"
        )

    @cached_property
    def sync_loss(self) -> SyncLoss:
        """The frozen expert; read when it is first needed, since a trained generator does without."""
        return SyncLoss(self.config.expert)

    def before_fit(self) -> None:
        """Read the expert (:meth:`zoo.trainable.TrainableModule.before_fit`); in a new run it has yet to join."""
        self.sync_joined.zero_()
        if self.config.sync_weight:
            _ = self.sync_loss

    def on_train_start(self) -> None:
        """Say so where the sync loss cannot join, or where the expert knows no real faces."""
        if not self.config.sync_weight:
            return
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if not data.clips["val"] or not self.trainer.limit_val_batches:
            rank_zero_warn(
                "no clip to validate on: the sync loss never joins (it waits for model.sync_bar on validation); "
                "prepare more clips or choose another data.split"
            )
        else:
            self.sync_loss.check_data(data)

    def draw(
        self,
        reference: Float[Tensor, "batch 3 H W"],
        target: Float[Tensor, "batch 3 H W"],
        heard: Float[Tensor, "batch context"],
    ) -> Float[Tensor, "batch 3 H W"]:
        """Frames from a reference face each, the upper half of the target and what the frame hears; RGB in [0, 1]."""
        with torch.autocast(heard.device.type, enabled=False):
            mel = self.frontend(heard[..., heard.shape[-1] - self.frontend.samples :])
        faces = torch.cat([mask_lower_half(target), reference], dim=1)
        if self.config.channels_last:
            faces = faces.contiguous(memory_format=torch.channels_last)
        return self.generator(faces, mel).float()

    def heard(self, batch: Batch) -> Float[Tensor, "B T context"]:
        """What each frame of a training window hears."""
        return batch.given.audio_windows(self.input_spec.context)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.reconstruct`."""
        frames = batch.frames
        reference = batch.given.stills[:, :1].expand_as(frames)
        made = self.draw(reference.flatten(0, 1), frames.flatten(0, 1), self.heard(batch).flatten(0, 1))
        return made.view_as(frames)

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.generate`. Some frames at a time: memory does not grow."""
        return draw_clips(self.draw, request, self.input_spec.context)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of the generator (L1, sync, quality) and one of the discriminator (real, generated)."""
        config = self.config
        _require_whole(batch)
        optimisers: Any = self.optimizers()
        optimiser_g, optimiser_d = optimisers
        for group in optimiser_g.param_groups:
            group["lr"] = config.learning_rate * fading(self, config.fade)
        judged = config.disc_weight > 0 and reached(self, config.judged_from)

        self.toggle_optimizer(optimiser_g)
        made = self.reconstruct(batch)
        loss = self._generator_loss(made, batch, judged)
        optimiser_g.zero_grad()
        self.manual_backward(loss)
        optimiser_g.step()
        self.untoggle_optimizer(optimiser_g)
        if judged:
            self._discriminator_step(optimiser_d, _lower(made.detach()), _lower(batch.frames))

    def _generator_loss(self, made: Float[Tensor, "B 5 3 H W"], batch: Batch, judged: bool) -> Float[Tensor, ""]:
        """Paper, section 3.3: the losses that have not joined leave their share to L1."""
        config = self.config
        weights = lip_weights(batch.landmarks.flatten(0, 1), (SIZE, SIZE), config.lip_weight)
        l1 = weighted_l1(made.flatten(0, 1), batch.frames.flatten(0, 1), weights)
        loss, left = l1.new_zeros(()), 1.0
        if config.sync_weight and self.sync_joined:
            sync = self.sync_loss(made, self.heard(batch))
            loss, left = loss + config.sync_weight * sync, left - config.sync_weight
            self.log("train/sync", sync.detach(), prog_bar=True)
        if judged:
            quality = F.softplus(-self.discriminator(_lower(made)).float()).mean()
            loss, left = loss + config.disc_weight * quality, left - config.disc_weight
            self.log("train/quality", quality.detach())
        loss = loss + left * l1
        self.log("train/l1", (made.detach() - batch.frames).abs().mean(), prog_bar=True)
        self.log("train/g_loss", loss.detach())
        return loss

    def _discriminator_step(
        self, optimiser: Any, made: Float[Tensor, "N 3 h W"], real: Float[Tensor, "N 3 h W"]
    ) -> None:
        """Binary cross-entropy: real is 1, generated is 0; both means added (code)."""
        self.toggle_optimizer(optimiser)
        of_real, of_made = self.discriminator(torch.cat([real, made])).float().chunk(2)
        loss = F.softplus(-of_real).mean() + F.softplus(of_made).mean()
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()
        self.untoggle_optimizer(optimiser)
        self.log("train/d_loss", loss.detach(), prog_bar=True)
        self.log("train/d_real", of_real.detach().sigmoid().mean())
        self.log("train/d_made", of_made.detach().sigmoid().mean())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """``val/l1`` and the expert's ``val/sync`` on windows held out; the latter decides when the sync loss joins."""
        _require_whole(batch)
        made = self.reconstruct(batch)
        size = len(batch.clip)
        self.log("val/l1", (made - batch.frames).abs().mean(), prog_bar=True, sync_dist=True, batch_size=size)
        if self.config.sync_weight:
            sync = self.sync_loss(made, self.heard(batch))
            self.log("val/sync", sync, prog_bar=True, sync_dist=True, batch_size=size)

    def on_validation_epoch_end(self) -> None:
        """Let the sync loss join, for good, once it is below the bar; kept in checkpoints."""
        found = self.trainer.callback_metrics.get("val/sync")
        if found is not None and float(found) < self.config.sync_bar:
            self.sync_joined.fill_(1)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for both networks."""
        betas = (self.config.beta1, 0.999)
        return [
            torch.optim.Adam(network.parameters(), lr=self.config.learning_rate, betas=betas)
            for network in (self.generator, self.discriminator)
        ]


def _lower(faces: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "N 3 h W"]:
    """The lower halves of all frames, which the discriminator sees."""
    return faces[..., faces.shape[-2] // 2 :, :].flatten(0, 1)


def _require_whole(batch: Batch) -> None:
    if int(batch.length.min()) < SyncLoss.frames:
        short = batch.clip[int(batch.length.argmin())]
        raise DataError(f"{short}: Wav2Lip needs clips of at least {SyncLoss.frames} frames")
