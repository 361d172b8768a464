"""LipGAN's training and generation: Lightning around the plain networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.data.store import Store
from zoo.errors import ConfigError, DataError
from zoo.losses.contrastive import contrastive_loss
from zoo.losses.reconstruction import lip_weights, weighted_l1
from zoo.losses.sync import SyncLoss
from zoo.method import TalkingFaceMethod
from zoo.nn.masked import draw_clips, mask_lower_half
from zoo.schedule import fading, reached
from zoo.spec import InputSpec
from zoo_lipgan import accuracy
from zoo_lipgan.config import LipGANConfig
from zoo_lipgan.networks import FRONTENDS, Discriminator, Generator

SIZE = 96
"""Height and width of LipGAN's faces in pixels."""


class LipGAN(TalkingFaceMethod):
    """LipGAN: L1 and a contrastive sync discriminator learnt along the way, or a frozen expert, or both.

    Args:
        config: settings.

    Raises:
        ConfigError: an unknown front end or kind of negatives.
    """

    config: LipGANConfig

    def __init__(self, config: LipGANConfig) -> None:
        super().__init__(config)
        if config.frontend not in FRONTENDS:
            raise ConfigError(f"model.frontend: '{config.frontend}' is none of {', '.join(FRONTENDS)}")
        if config.negatives not in ("clip", "roll"):
            raise ConfigError(f"model.negatives: '{config.negatives}' is neither clip nor roll")
        if config.lip_weight < 1:
            raise ConfigError("model.lip_weight: must be at least 1")
        frontend, columns = FRONTENDS[config.frontend]
        self.automatic_optimization = False
        self.frontend = frontend(columns)
        self.generator = Generator(config.frontend, config.width)
        self.discriminator = Discriminator(config.frontend, config.width)
        if config.channels_last:
            self.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def input_spec(self) -> InputSpec:
        """96x96 faces and the sound of one feature window around each."""
        frames = SyncLoss.frames if self.config.expert else self.config.window
        context = self.frontend.samples
        return InputSpec(crop="face", size=(SIZE, SIZE), frames=frames, context=context, identity_gap=6, paste="lower")

    @cached_property
    def sync_loss(self) -> SyncLoss | None:
        """The frozen expert, if there is one; read when it is first needed, since a trained generator does without."""
        return SyncLoss(self.config.expert) if self.config.expert else None

    def before_fit(self) -> None:
        """See :meth:`zoo.trainable.TrainableModule.before_fit`."""
        _ = self.sync_loss

    def on_train_start(self) -> None:
        """Say so where the expert knows no real faces."""
        if self.sync_loss:
            self.sync_loss.check_data(self.trainer.datamodule)  # type: ignore[attr-defined]

    def features(self, sound: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 bands columns"]:
        """Sound windows to features; always in float32."""
        with torch.autocast(sound.device.type, enabled=False):
            return self.frontend(sound)

    def draw(
        self,
        reference: Float[Tensor, "batch 3 H W"],
        target: Float[Tensor, "batch 3 H W"],
        features: Float[Tensor, "batch 1 bands columns"],
    ) -> Float[Tensor, "batch 3 H W"]:
        """One frame from a reference face and the upper half of the target, RGB in [0, 1]."""
        faces = torch.cat([reference, mask_lower_half(target)], dim=1)
        if self.config.channels_last:
            faces = faces.contiguous(memory_format=torch.channels_last)
        return self.generator(faces, features).float()

    def heard(self, batch: Batch) -> Float[Tensor, "B T samples"]:
        """What each frame of a training window hears."""
        return batch.given.audio_windows(self.frontend.samples)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.reconstruct`."""
        features = self.features(self.heard(batch).flatten(0, 1))
        reference = batch.given.stills[:, :1].expand_as(batch.frames)
        return self.draw(reference.flatten(0, 1), batch.frames.flatten(0, 1), features).view_as(batch.frames)

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.generate`. Some frames at a time: memory does not grow."""
        return draw_clips(
            lambda still, target, sound: self.draw(still, target, self.features(sound)), request, self.frontend.samples
        )

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of the generator (L1 and sync) and one of the discriminator (generated, real, real out of sync)."""
        config = self.config
        if len(batch.clip) < 2:
            raise ConfigError("data.batch_size: batch normalisation needs at least two windows per step")
        frames = batch.frames.shape[1]
        if int(batch.length.min()) < frames:
            clip = batch.clip[int(batch.length.argmin())]
            raise DataError(f"{clip}: shorter than a training window, which has {frames} frames")
        optimisers: Any = self.optimizers()
        optimiser_g, optimiser_d = optimisers
        for group in optimiser_g.param_groups:
            group["lr"] = config.learning_rate * fading(self, config.fade)
        warm = reached(self, config.judged_from)
        adversarial = config.adversarial_weight > 0 and warm
        heard = self.heard(batch)
        features = self.features(heard.flatten(0, 1))
        reference, real = batch.given.stills[:, :1].expand_as(batch.frames).flatten(0, 1), batch.frames.flatten(0, 1)

        made = self.draw(reference, real, features)
        weights = lip_weights(batch.landmarks.flatten(0, 1), (SIZE, SIZE), config.lip_weight)
        reconstruction = weighted_l1(made, real, weights)
        loss = reconstruction
        if adversarial:
            self.toggle_optimizer(optimiser_g)
            together = torch.zeros(len(real), dtype=torch.bool, device=real.device)
            sync = contrastive_loss(self.discriminator(made, features), together, config.margin)
            loss = loss + config.adversarial_weight * sync
            self.log("train/g_sync", sync)
        if warm and self.sync_loss:
            judged = self.sync_loss(made.view_as(batch.frames), heard)
            loss = loss + config.expert_weight * judged
            self.log("train/g_expert", judged.detach())
        optimiser_g.zero_grad()
        self.manual_backward(loss)
        optimiser_g.step()
        if adversarial:
            self.untoggle_optimizer(optimiser_g)
        self.log("train/l1", (made.detach() - real).abs().mean(), prog_bar=True)
        self.log("train/g_loss", loss.detach())
        if adversarial and batch_idx % config.discriminator_every == 0:
            self._discriminator_step(optimiser_d, made.detach(), real, reference, features)

    def _discriminator_step(
        self,
        optimiser: Any,
        made: Float[Tensor, "batch 3 H W"],
        real: Float[Tensor, "batch 3 H W"],
        elsewhere: Float[Tensor, "batch 3 H W"],
        features: Float[Tensor, "batch 1 bands columns"],
    ) -> None:
        """The three kinds of samples of the project page: generated, real in sync, real out of sync."""
        self.toggle_optimizer(optimiser)
        if self.config.negatives == "clip":
            faces, sounds = [made, real, elsewhere], [features, features, features]
        else:
            per_window = self.input_spec.frames or 1
            shift = min(10, len(real) // per_window - 1) * per_window  # neighbours in a window are all but in sync
            faces, sounds = [made, real, real], [features, features, features.roll(shift, 0)]
        count = len(real)
        distance = self.discriminator(torch.cat(faces), torch.cat(sounds)).float()
        apart = torch.ones(3 * count, dtype=torch.bool, device=real.device)
        apart[count : 2 * count] = False
        loss = contrastive_loss(distance, apart, self.config.margin)
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()
        self.untoggle_optimizer(optimiser)
        generated, in_sync, out_of_sync = distance.detach().split(count)
        self.log("train/d_loss", loss.detach(), prog_bar=True)
        self.log("train/d_generated", generated.mean())
        self.log("train/d_in_sync", in_sync.mean())
        self.log("train/d_out_of_sync", out_of_sync.mean())

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for both networks."""
        betas = (self.config.beta1, 0.999)
        return [
            torch.optim.Adam(network.parameters(), lr=self.config.learning_rate, betas=betas)
            for network in (self.generator, self.discriminator)
        ]

    def score(self, outputs: Float[Tensor, "B T 3 h w"], batch: Batch, store: Store) -> list[dict[str, Any]]:
        """As any method's, and how far the discriminator tells real frames in sync from real frames that are not."""
        rows = super().score(outputs, batch, store)
        if self.config.adversarial_weight > 0:
            for b, row in enumerate(rows):
                count = int(batch.length[b])
                heard = batch.given.part(0, count).audio_windows(self.frontend.samples)[b]
                row |= accuracy.distances(self.discriminator, batch.frames[b, :count], self.features(heard))
        return rows

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """As any method's, with the discriminator's accuracy where there is a discriminator."""
        found = accuracy.summary(rows, self.config.margin) if self.config.adversarial_weight > 0 else {}
        return super().summarise(rows) | found
