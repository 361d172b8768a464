"""What At a Glance needs before its first step: optical flow, and an autoencoder that is frozen from then on."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.methods.adversarial import AdversarialMethod
from zoo.methods.schedule import steps_planned
from zoo.support.errors import ConfigError
from zoo_at_a_glance.autoencoder.module import load_autoencoder
from zoo_at_a_glance.autoencoder.networks import Autoencoder
from zoo_at_a_glance.config import Ablation, AtAGlanceConfig
from zoo_at_a_glance.motion import Flow, make_flow


class WarmUp(AdversarialMethod):
    """A method with a flow estimator, and with an autoencoder that is loaded, or trained in the first steps of the run.

    Args:
        config: settings.
    """

    config: AtAGlanceConfig
    parts: Ablation
    autoencoder: Autoencoder | None
    flow: Flow | None = None
    steps_done: Tensor

    def __init__(self, config: AtAGlanceConfig) -> None:
        super().__init__(config)
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.long))

    @property
    def warm_up(self) -> int:
        """Steps that belong to the autoencoder alone, before the generator's first."""
        config = self.config
        return config.autoencoder_steps if self.parts.perceptual and not config.autoencoder else 0

    def before_fit(self) -> None:
        """Find the flow estimator and the autoencoder's weights.

        Raises:
            ConfigError, DataError: weights that are needed are not named, not there, or of another size.
        """
        needs_flow = self.parts.correlation == "derivative" or self.parts.discriminator == "three"
        if needs_flow and self.flow is None:
            self.flow = Flow(make_flow(self.config))
        if self.autoencoder is not None and self.config.autoencoder:
            loaded = load_autoencoder(self.config.autoencoder, self.config.autoencoder_width)
            self.autoencoder.load_state_dict(loaded.state_dict())

    def setup(self, stage: str) -> None:
        """Lightning's hook; see :meth:`before_fit`."""
        if stage == "fit":
            self.before_fit()

    def on_train_start(self) -> None:
        """Refuse a run that would end before the generator's first step.

        Raises:
            ConfigError: the autoencoder's steps are all there are.
        """
        total = steps_planned(self.trainer)
        if total <= self.warm_up - int(self.steps_done):
            raise ConfigError(
                f"model.autoencoder_steps: all {int(total)} steps of this run would be the autoencoder's "
                f"({self.warm_up}); take fewer, or raise trainer.max_epochs"
            )
