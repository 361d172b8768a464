"""The discriminator sees the frame and the still, and its turn leaves the generator alone."""

import torch
from zoo import registry
from zoo.methods.trainable import build

from zoo_new_gan.config import NewGanConfig
from zoo_new_gan.discriminator import Discriminator
from zoo_new_method.networks import SIZE


def test_frame_and_still_both_count() -> None:
    """Another frame, or another still, gives another logit."""
    discriminator = Discriminator(4)
    first, second = torch.rand(2, 1, 3, SIZE, SIZE)
    logits = [discriminator(frame, still).item() for frame, still in ((first, first), (second, first), (first, second))]
    assert len(set(logits)) == 3


def test_generator_and_discriminator_have_an_optimiser_each() -> None:
    """All parameters are trained, each by one of the two."""
    module = build(registry.method("new-gan"), NewGanConfig(width=4))
    owned = [len(group["params"]) for optimiser in module.configure_optimizers() for group in optimiser.param_groups]
    assert owned == [len(list(part.parameters())) for part in (module.generator, module.discriminator)]
