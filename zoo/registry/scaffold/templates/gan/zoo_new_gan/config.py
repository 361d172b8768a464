"""Settings of NewGan: `zoo info` shows them, `zoo fit` takes them as KEY=VALUE."""

from dataclasses import dataclass

from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import setting


@dataclass
class NewGanConfig(AdversarialConfig):
    """Every setting has a default, a line of help with its unit, and the source of its value.

    Those of every adversarial method are inherited; declared again is what has another default here.
    """

    width: int = setting(32, "channels of the first layer; deeper ones have up to eight times as many", "ours", least=2)
    learning_rate: float = setting(1e-3, "Adam's learning rate of both networks", "ours", least=0)
    beta1: float = setting(0.5, "Adam's first moment", "Radford et al. 2016, DCGAN", least=0)
    lip_weight: float = setting(5.0, "weight of the lip region in the L1 loss, against 1 elsewhere", "ours", least=1)
    adversarial_weight: float = setting(0.01, "weight of the adversarial loss for the generator", "ours", least=0)
