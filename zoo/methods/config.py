"""Settings that every adversarial method has; light, as all settings are."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.registry.spec import setting


@dataclass
class AdversarialConfig:
    """What :class:`zoo.methods.adversarial.AdversarialMethod` asks of a method's settings.

    A method's dataclass inherits it, and declares again what its paper says otherwise.
    """

    learning_rate: float = setting(1e-4, "Adam's learning rate of all networks", "ours", least=0)
    beta1: float = setting(0.9, "Adam's first moment", "Adam's default", least=0)
    lr_decay_fraction: float = setting(
        0.0,
        "fraction of the run, its end, in which the generator's learning rate falls to zero; 0: it stays",
        "ours; papers: 0",
        least=0,
    )
    adversarial_start: float = setting(
        0.0,
        "fraction of the run after which the discriminators join; 0: at once",
        "ours; papers: 0",
        least=0,
    )
    discriminator_every: int = setting(
        1, "steps of the generator per step of the discriminators", "ours; papers: 1", least=1
    )
    gradient_clip: float = setting(
        0.0, "largest norm of the gradient of each optimiser; 0: any", "ours; papers: 0", least=0
    )
    channels_last: bool = setting(
        True, "memory layout of the networks; the same numbers, faster on most CPUs and GPUs", "ours"
    )
