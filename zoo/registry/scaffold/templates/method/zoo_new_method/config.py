"""Settings of NewMethod: `zoo info` shows them, `zoo fit` takes them as KEY=VALUE."""

from dataclasses import dataclass

from zoo.registry.spec import setting


@dataclass
class NewMethodConfig:
    """Every setting has a default, a line of help with its unit, and the source of its value."""

    width: int = setting(32, "channels of the first layer; deeper ones have two or four times as many", "ours", least=2)
    learning_rate: float = setting(1e-3, "Adam's learning rate", "ours", least=0)
    lip_weight: float = setting(5.0, "weight of the lip region in the L1 loss, against 1 elsewhere", "ours", least=1)
