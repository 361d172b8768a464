"""The temporal GAN and its static baseline: what is trained against what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from zoo.methods.adversarial import Group, Step, Term, Terms
from zoo.methods.losses.adversarial import loss_as_generated, loss_as_real
from zoo.methods.losses.reconstruction import lip_weights
from zoo.registry.spec import InputSpec
from zoo_temporal_gan.clips import Clips, mirrored, sampled_frames
from zoo_temporal_gan.config import StaticGANConfig, TemporalGANConfig, sizes
from zoo_temporal_gan.generation import FaceGenerator
from zoo_temporal_gan.losses import fooling_loss, half_l1
from zoo_temporal_gan.networks import FrameDiscriminator, Generator, SequenceDiscriminator
from zoo_temporal_gan.sound import check_sound, context_samples


class StaticGAN(FaceGenerator):
    """Each frame by itself from a sliding window of sound: L1 and the frame discriminator only (paper, section 3.3)."""

    config: StaticGANConfig
    short_windows = "keep"  # clips of any length, side by side
    temporal = False

    def build(self, config: StaticGANConfig) -> None:
        """Generator and frame discriminator.

        Raises:
            ConfigError: a rate or a window that the sound encoder cannot be built for.
        """
        size = sizes(config)
        check_sound(size.window_s, size.sample_rate)
        self.sample_rate, self.context = size.sample_rate, context_samples(size.window_s)
        self.generator = Generator(
            *size, noise_dim=config.noise_dim, height=config.height, width=config.width, temporal=self.temporal
        )
        self.frame_discriminator = FrameDiscriminator(config.height, config.width)

    @property
    def frames(self) -> int | None:
        """Frames per training window."""
        return 1

    @property
    def input_spec(self) -> InputSpec:
        """Faces brought onto the mean face, the clip's first one as the reference, and the sound around each frame."""
        size, context = (self.config.height, self.config.height * 3 // 4), self.context
        return InputSpec(crop="aligned", size=size, frames=self.frames, context=context, identity="first", paste="all")

    def decayed(self, learning_rate: float) -> float:
        """A learning rate in this epoch (paper, section 2.3)."""
        return (1 - self.config.decay_rate) ** max(0, self.current_epoch + 1 - self.config.decay_from) * learning_rate

    def players(self) -> dict[str, list[Group]]:
        """The generator and the frame discriminator, whose learning rates decay."""
        return {
            "generator": [Group([self.generator], self.decayed(self.config.learning_rate))],
            "frame_discriminator": [Group([self.frame_discriminator], self.decayed(self.config.frame_learning_rate))],
        }

    @property
    def discriminator_weights(self) -> dict[str, float]:
        """Weight of each discriminator in eq. 1; one of weight 0 is neither asked nor trained."""
        return {"frame": self.config.frame_weight}

    def logits(
        self, name: str, frames: Float[Tensor, "N 3 H W"], clips: Clips, chosen: Int64[Tensor, " n"]
    ) -> Float[Tensor, " logits"]:
        """A discriminator's logits, in float32; the frame discriminator is given S(x) beside the reference frames."""
        return self.frame_discriminator(frames[chosen], clips.stills[clips.clip[chosen]]).float()

    def judged(self) -> Iterator[tuple[str, float]]:
        """The discriminators that count, with their weights."""
        yield from ((name, weight) for name, weight in self.discriminator_weights.items() if weight)

    def generator_terms(self, step: Step) -> Terms:
        """Eq. 3."""
        config = self.config
        step.clips = clips = self.clips(mirrored(step.batch, config.mirror))
        noise = config.noise_std * torch.randn(len(clips.clip), config.noise_dim, device=self.device)
        step.chosen = sampled_frames(clips.lengths, config.sampled_frames)
        step.generated = self.generator(clips.stills, clips.windows, noise, clips.lengths).float()
        height, width = clips.frames.shape[2:]
        weights = None if config.lip_weight == 1 else lip_weights(clips.landmarks, (height, width), config.lip_weight)
        yield Term("l1", half_l1(step.generated, clips.frames, weights, config.upper_weight), config.l1_weight)
        for name, weight in self.judged() if step.adversarial else ():
            logits = self.logits(name, step.generated, clips, step.chosen)
            yield Term(f"g_{name}", fooling_loss(logits, config.generator_loss), weight)

    def discriminator_terms(self, step: Step) -> Terms:
        """Eq. 1, of all discriminators in one backward pass: none sees another's parameters."""
        for name, _ in self.judged():
            real = self.logits(name, step.clips.frames, step.clips, step.chosen)
            generated = self.logits(name, step.generated, step.clips, step.chosen)
            yield Term(f"d_{name}", loss_as_real(real) + loss_as_generated(generated))
            yield Term(f"d_{name}_real", real.sigmoid().mean(), 0)
            yield Term(f"d_{name}_generated", generated.sigmoid().mean(), 0)


class TemporalGAN(StaticGAN):
    """The proposed model: GRUs over sound and noise, and a discriminator of whole sequences with their sound."""

    config: TemporalGANConfig
    temporal = True

    def build(self, config: Any) -> None:
        """The static baseline's networks with their recurrent parts, and the sequence discriminator."""
        super().build(config)
        size = sizes(config)
        self.sequence_discriminator = SequenceDiscriminator(
            size.window_s, size.sample_rate, config.height, config.width
        )

    @property
    def frames(self) -> int | None:
        """Frames per training sequence; ``None`` is whole clips."""
        return self.config.frames

    def players(self) -> dict[str, list[Group]]:
        """The sequence discriminator's learning rate stays."""
        group = Group([self.sequence_discriminator], self.config.sequence_learning_rate)
        return super().players() | {"sequence_discriminator": [group]}

    @property
    def discriminator_weights(self) -> dict[str, float]:
        """See :attr:`StaticGAN.discriminator_weights`."""
        return super().discriminator_weights | {"sequence": self.config.sequence_weight}

    def logits(
        self, name: str, frames: Float[Tensor, "N 3 H W"], clips: Clips, chosen: Int64[Tensor, " n"]
    ) -> Float[Tensor, " logits"]:
        """See :meth:`StaticGAN.logits`; the sequence discriminator is given all frames and their sound."""
        if name == "sequence":
            return self.sequence_discriminator(frames, clips.windows, clips.lengths).float()
        return super().logits(name, frames, clips, chosen)
