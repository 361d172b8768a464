"""LipGAN: what is trained against what."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.methods.adversarial import Step, Term, Terms
from zoo.methods.framewise import FramewiseMethod
from zoo.methods.losses.contrastive import contrastive_loss
from zoo.methods.losses.sync import SyncLoss
from zoo.methods.nn.masked import mask_lower_half
from zoo.registry.spec import InputSpec
from zoo_lipgan.accuracy import ScoresDiscriminator
from zoo_lipgan.config import LipGANConfig
from zoo_lipgan.networks import FRONTENDS, SIZE, Discriminator, Generator


class LipGAN(ScoresDiscriminator, FramewiseMethod):
    """L1 and a contrastive sync discriminator learnt along the way, or a frozen expert, or both."""

    config: LipGANConfig
    least_windows = 2  # batch normalisation

    def build(self, config: LipGANConfig) -> None:
        """Front end, generator and discriminator."""
        frontend, columns = FRONTENDS[config.frontend]
        self.frontend = frontend(columns)
        self.generator = Generator(config.frontend, config.width)
        self.discriminator = Discriminator(config.frontend, config.width)

    @property
    def input_spec(self) -> InputSpec:
        """96x96 faces and the sound of one feature window around each."""
        frames = SyncLoss.frames if self.config.expert else self.config.window
        context = self.frontend.samples
        return InputSpec(crop="face", size=(SIZE, SIZE), frames=frames, context=context, identity_gap=6, paste="lower")

    def render(
        self,
        reference: Float[Tensor, "N 3 H W"],
        target: Float[Tensor, "N 3 H W"],
        features: Float[Tensor, "N 1 bands columns"],
    ) -> Float[Tensor, "N 3 H W"]:
        """Frames from a reference face and the upper half of the target."""
        faces = torch.cat([reference, mask_lower_half(target)], dim=1)
        return self.generator(self.laid_out(faces), features).float()

    def generator_terms(self, step: Step) -> Terms:
        """L1 with weight on the lips, the discriminator's distance, and the expert."""
        generated, config = self.render_window(step), self.config
        yield from self.l1_terms(step, config.lip_weight)
        if step.adversarial and config.adversarial_weight:
            distance = self.discriminator(generated, step.features)
            together = torch.zeros(len(distance), dtype=torch.bool, device=distance.device)
            yield Term("g_sync", contrastive_loss(distance, together, config.margin), config.adversarial_weight)
        if step.adversarial and config.expert:
            yield self.expert_term(step, "g_expert", config.expert_weight)

    def discriminator_terms(self, step: Step) -> Terms:
        """The three kinds of samples of the project page: generated, real in sync, real out of sync."""
        if not self.config.adversarial_weight:
            return
        real, features = step.real, step.features
        if self.config.negatives == "clip":  # a frame from elsewhere in the clip
            faces, sounds = [step.generated, real, step.reference], [features, features, features]
        else:  # another sample's sound; neighbours in a window are all but in sync
            window = step.batch.frames.shape[1]
            other = features.roll(min(10, len(step.batch.clip) - 1) * window, 0)
            faces, sounds = [step.generated, real, real], [features, features, other]
        distance = self.discriminator(torch.cat(faces), torch.cat(sounds)).float()
        apart = torch.ones_like(distance, dtype=torch.bool)
        apart[len(real) : 2 * len(real)] = False
        yield Term("d_contrastive", contrastive_loss(distance, apart, self.config.margin))
        for kind, part in zip(("generated", "in_sync", "out_of_sync"), distance.split(len(real)), strict=True):
            yield Term(f"d_{kind}", part.mean(), 0)
