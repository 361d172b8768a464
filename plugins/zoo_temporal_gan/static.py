"""The static baseline of the temporal GAN's paper: the same networks without anything that remembers."""

from __future__ import annotations

from zoo_temporal_gan.base import FaceGAN
from zoo_temporal_gan.config import StaticGANConfig


class StaticGAN(FaceGAN):
    """Each frame by itself from a sliding window of sound: L1 and the frame discriminator only (paper, section 3.3).

    Args:
        config: settings.

    Raises:
        ConfigError: a rate or a window that the sound encoder cannot be built for.
    """

    config: StaticGANConfig

    def __init__(self, config: StaticGANConfig) -> None:
        super().__init__(config, temporal=False)
        self._lay_out()
