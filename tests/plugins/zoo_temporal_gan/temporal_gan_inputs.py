"""Tiny temporal GANs and batches of clips of different length for the tests."""

import torch
from zoo_temporal_gan.config import StaticGANConfig, TemporalGANConfig
from zoo_temporal_gan.method import StaticGAN

from tests.helpers.batches import window_batch
from zoo import registry
from zoo.data.batch import Batch
from zoo.methods import trainable

HEIGHT, WIDTH = 32, 24
THIN = TemporalGANConfig(height=HEIGHT, width=0.05, mirror=0.0)
STATIC = StaticGANConfig(height=HEIGHT, width=0.05, mirror=0.0)


def make(config: StaticGANConfig) -> StaticGAN:
    name = "temporal-gan" if isinstance(config, TemporalGANConfig) else "temporal-gan-static"
    module = trainable.build(registry.method(name), config, seed=1)
    assert isinstance(module, StaticGAN)
    return module


def random_batch(module: StaticGAN, lengths: tuple[int, ...] = (3, 5, 4), frames: int | None = None) -> Batch:
    """Clips of some lengths, all padded to ``frames`` frames."""
    random = torch.Generator().manual_seed(0)
    size, most = len(lengths), frames or max(lengths)
    pictures = torch.zeros(size, most, 3, HEIGHT, WIDTH)
    wave = torch.zeros(size, 640 * (most - 1) + module.context)
    landmarks = torch.zeros(size, most, 68, 2)
    for row, length in enumerate(lengths):  # clip by clip: the same clips whatever the padding
        landmarks[row, :length] = 8 + 8 * torch.rand(length, 68, 2, generator=random) + torch.tensor([0, 10])
        pictures[row, :length] = torch.rand(length, 3, HEIGHT, WIDTH, generator=random)
        heard = 640 * (length - 1) + module.context
        wave[row, :heard] = torch.rand(heard, generator=random) - 0.5
    stills = torch.rand(size, 1, 3, HEIGHT, WIDTH, generator=random)
    return window_batch(pictures, stills, wave, landmarks, context=module.context, length=torch.tensor(lengths))
