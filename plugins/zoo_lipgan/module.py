"""LipGAN's training and generation: Lightning around the plain networks."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zoo import audio
from zoo.data.batch import Batch
from zoo.errors import ConfigError
from zoo.losses.contrastive import contrastive_loss
from zoo.losses.reconstruction import lip_weights, weighted_l1
from zoo.method import TalkingFaceMethod
from zoo.spec import InputSpec
from zoo_lipgan.config import LipGANConfig
from zoo_lipgan.networks import FRONTENDS, Discriminator, Generator

SIZE = 96
"""Height and width of LipGAN's faces in pixels."""


def mask_lower_half(faces: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch H W"]:
    """The pose prior: the face with its lower half black, so that the true mouth stays hidden."""
    masked = faces.clone()
    masked[..., faces.shape[-2] // 2 :, :] = 0
    return masked


class LipGAN(TalkingFaceMethod):
    """LipGAN: L1 and a contrastive sync discriminator learnt along the way.

    Args:
        config: settings.

    Raises:
        ConfigError: an unknown front end or kind of negatives.
    """

    config: LipGANConfig
    steps_done: Tensor

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
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.long))
        self.generator = Generator(config.frontend, config.width)
        self.discriminator = Discriminator(config.frontend, config.width)
        if config.channels_last:
            self.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def input_spec(self) -> InputSpec:
        """One 96x96 face per window and the sound of one feature window around it."""
        return InputSpec(
            crop="face", size=(SIZE, SIZE), frames=1, context=self.frontend.samples, identity_gap=6, paste="lower"
        )

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

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.reconstruct`."""
        return self.draw(batch.identity[:, 0], batch.frames[:, 0], self.features(batch.wave))[:, None]

    def generate(
        self,
        identity: Float[Tensor, "B N 3 H W"],
        wave: Float[Tensor, "B S"],
        num_frames: int,
        pose: Float[Tensor, "B T 3 H W"] | None = None,
    ) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.generate`. Frames are made 32 at a time, so memory does not grow."""
        context = self.frontend.samples
        windows = audio.per_frame(audio.widen(wave, num_frames, context), num_frames, context)
        reference = identity[:, 0]
        made = wave.new_empty(len(wave), num_frames, 3, SIZE, SIZE)
        for b in range(len(wave)):
            for t in range(0, num_frames, 32):
                sound = windows[b, t : t + 32]
                still = reference[b].expand(len(sound), -1, -1, -1)
                target = still if pose is None else pose[b, t : t + 32]
                made[b, t : t + 32] = self.draw(still, target, self.features(sound))
        return made

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of the generator (L1 and sync) and one of the discriminator (generated, real, real out of sync)."""
        config = self.config
        if len(batch.clip) < 2:
            raise ConfigError("data.batch_size: batch normalisation needs at least two windows per step")
        optimisers: Any = self.optimizers()
        optimiser_g, optimiser_d = optimisers
        for group in (*optimiser_g.param_groups, *optimiser_d.param_groups):
            group["lr"] = config.learning_rate * self._decay(int(self.steps_done))
        adversarial = config.adversarial_weight > 0 and self.steps_done >= config.warmup_steps
        features = self.features(batch.wave)
        reference, real = batch.identity[:, 0], batch.frames[:, 0]

        made = self.draw(reference, real, features)
        weights = lip_weights(batch.landmarks[:, 0], (SIZE, SIZE), config.lip_weight)
        reconstruction = weighted_l1(made, real, weights)
        loss = reconstruction
        if adversarial:
            self.toggle_optimizer(optimiser_g)
            together = torch.zeros(len(real), dtype=torch.bool, device=real.device)
            sync = contrastive_loss(self.discriminator(made, features), together, config.margin)
            loss = loss + config.adversarial_weight * sync
            self.log("train/g_sync", sync)
        optimiser_g.zero_grad()
        self.manual_backward(loss)
        optimiser_g.step()
        if adversarial:
            self.untoggle_optimizer(optimiser_g)
        self.log("train/l1", (made.detach() - real).abs().mean(), prog_bar=True)
        self.log("train/g_loss", loss.detach())
        if adversarial and batch_idx % config.discriminator_every == 0:
            self._discriminator_step(optimiser_d, made.detach(), real, reference, features)
        self.steps_done += 1

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
            shift = min(10, len(real) - 1)
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

    def _decay(self, step: int) -> float:
        """What is left of the step size at a training step, 1 to 0."""
        if not self.config.decay_steps:
            return 1.0
        return min(1.0, max(0.0, 1 - (step - self.config.decay_from) / self.config.decay_steps))
