"""Settings of the three."""

from dataclasses import dataclass

from zoo.registry.spec import setting


@dataclass
class PeerConfig:
    """What all have in common."""

    width: int = setting(64, "channels", "ours", least=1)
    learning_rate: float = setting(3e-3, "Adam's learning rate", "ours")


@dataclass
class SaidConfig(PeerConfig):
    """With the moods that are told apart."""

    moods: list[str] = setting(["", "happy", "sad"], "values of the label emotion; any other is the first", "ours")


@dataclass
class PointsOptions:
    """What may be chosen after training."""

    smoothness: float = setting(0.5, "weight of the difference of neighbouring frames", "ours", least=0)
    steps: int = setting(5, "steps of gradient descent", "ours", least=0)
