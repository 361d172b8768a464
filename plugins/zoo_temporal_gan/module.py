"""The temporal GAN: recurrent generator, frame and sequence discriminators."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from zoo_temporal_gan.base import Clips, FaceGAN
from zoo_temporal_gan.config import TemporalGANConfig, sizes
from zoo_temporal_gan.networks import SequenceDiscriminator


class TemporalGAN(FaceGAN):
    """The proposed model: GRUs over sound and noise, and a discriminator that judges whole sequences with their sound.

    Args:
        config: settings.

    Raises:
        ConfigError: a rate or a window that the sound encoder cannot be built for.
    """

    config: TemporalGANConfig

    def __init__(self, config: TemporalGANConfig) -> None:
        super().__init__(config, temporal=True)
        size = sizes(config)
        self.sequence_discriminator = SequenceDiscriminator(
            size.window_s, size.sample_rate, config.height, config.width
        )
        self._lay_out()

    @property
    def frames(self) -> int | None:
        """Frames per training sequence; ``None`` is whole clips."""
        return self.config.frames

    @property
    def judge_weights(self) -> dict[str, float]:
        """See :attr:`FaceGAN.judge_weights`."""
        return {**super().judge_weights, "sequence": self.config.sequence_weight}

    def judge(
        self, frames: Float[Tensor, "N 3 H W"], clips: Clips, chosen: Int64[Tensor, " n"]
    ) -> dict[str, Float[Tensor, " logits"]]:
        """See :meth:`FaceGAN.judge`; the sequence discriminator sees all frames and hears the sound."""
        logits = super().judge(frames, clips, chosen)
        if self.judge_weights["sequence"]:
            logits["sequence"] = self.sequence_discriminator(frames, clips.windows, clips.lengths).float()
        return logits

    def step_sizes(self, epoch: int) -> list[float]:
        """See :meth:`FaceGAN.step_sizes`; the sequence discriminator's stays."""
        return [*super().step_sizes(epoch), self.config.sequence_learning_rate]

    def _networks(self) -> list[torch.nn.Module]:
        return [*super()._networks(), self.sequence_discriminator]
