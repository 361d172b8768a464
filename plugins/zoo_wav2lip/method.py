"""Wav2Lip: what is trained against what."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zoo.media.clip import FPS, SAMPLE_RATE
from zoo.methods.adversarial import Step, Term, Terms
from zoo.methods.losses.sync import SyncLoss
from zoo.methods.nn.frontend import Mel
from zoo.methods.nn.masked import mask_lower_half
from zoo.registry.spec import InputSpec
from zoo.support.errors import ConfigError
from zoo_wav2lip.config import Wav2LipConfig
from zoo_wav2lip.joining import JoinsExpert
from zoo_wav2lip.networks import COLUMNS, SIZE, Generator, QualityDiscriminator, lower_half


class Wav2Lip(JoinsExpert):
    """L1, a frozen sync expert that joins once lips begin to move, and a discriminator of visual quality."""

    config: Wav2LipConfig

    def build(self, config: Wav2LipConfig) -> None:
        """Front end, generator and discriminator."""
        if config.sync_weight + config.disc_weight >= 1:
            raise ConfigError("model.sync_weight and model.disc_weight: together less than 1, the rest is L1's")
        self.frontend = Mel(COLUMNS)
        self.generator = Generator(config.width)
        self.discriminator = QualityDiscriminator(config.width)

    @property
    def input_spec(self) -> InputSpec:
        """Five 96x96 faces per window, one reference face, and 0.2 s of sound around each frame."""
        context = self.frontend.samples + 2 * round(self.config.sound_delay * SAMPLE_RATE / FPS)
        return InputSpec(
            crop="face", size=(SIZE, SIZE), frames=SyncLoss.frames, context=context, identity_gap=6, paste="lower"
        )

    def features(self, sound: Float[Tensor, "N context"]) -> Float[Tensor, "N 1 80 16"]:
        """The mel of the last 0.2 s, which are around the frame if ``sound_delay`` is 0."""
        return super().features(sound[..., sound.shape[-1] - self.frontend.samples :])

    def render(
        self,
        reference: Float[Tensor, "N 3 H W"],
        target: Float[Tensor, "N 3 H W"],
        features: Float[Tensor, "N 1 80 16"],
    ) -> Float[Tensor, "N 3 H W"]:
        """Frames from a reference face and the upper half of the target."""
        faces = torch.cat([mask_lower_half(target), reference], dim=1)
        return self.generator(self.laid_out(faces), features).float()

    def generator_terms(self, step: Step) -> Terms:
        """Paper, section 3.3: the losses that have not joined leave their share to L1."""
        generated, config, left = self.render_window(step), self.config, 1.0
        if config.sync_weight and self.sync_joined:
            yield self.expert_term(step, "sync", config.sync_weight)
            left -= config.sync_weight
        if config.disc_weight and step.adversarial:
            quality = F.softplus(-self.discriminator(lower_half(generated)).float()).mean()
            yield Term("quality", quality, config.disc_weight)
            left -= config.disc_weight
        yield from self.l1_terms(step, config.lip_weight, left)

    def discriminator_terms(self, step: Step) -> Terms:
        """Binary cross-entropy: real is 1, generated is 0; both means added (code)."""
        if self.config.disc_weight:
            faces = torch.cat([lower_half(step.real), lower_half(step.generated)])
            real, generated = self.discriminator(faces).float().chunk(2)
            yield Term("d_loss_real", F.softplus(-real).mean())
            yield Term("d_loss_generated", F.softplus(generated).mean())
            yield Term("d_real", real.sigmoid().mean(), 0)
            yield Term("d_generated", generated.sigmoid().mean(), 0)
