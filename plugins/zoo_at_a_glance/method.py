"""At a Glance and its ablations: what is trained against what."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.methods.adversarial import Group, Step, Term, Terms, Turn
from zoo.methods.losses.adversarial import loss_as_generated, loss_as_real
from zoo.methods.schedule import reached
from zoo.registry.spec import InputSpec
from zoo.support.errors import ConfigError
from zoo_at_a_glance.autoencoder.networks import Autoencoder
from zoo_at_a_glance.config import ABLATIONS, AtAGlanceConfig
from zoo_at_a_glance.frontend import FRAMES, LogMel
from zoo_at_a_glance.losses import correlation_loss
from zoo_at_a_glance.motion import pooled
from zoo_at_a_glance.networks import SIZE, Discriminator, FlowEncoder, Generator, SoundDerivative, initialise
from zoo_at_a_glance.warm_up import WarmUp
from zoo_at_a_glance.windows import render_clips


class AtAGlance(WarmUp):
    """Pixels, perceptual distance, correlation of sound and motion, and a discriminator: as the ablation says."""

    config: AtAGlanceConfig
    least_windows = 2  # mismatched pairs
    short_windows = "extend"

    def build(self, config: AtAGlanceConfig) -> None:
        """The networks that the ablation needs.

        Raises:
            ConfigError: an even last kernel.
        """
        if config.last_kernel % 2 == 0:
            raise ConfigError(f"model.last_kernel: must be odd, not {config.last_kernel}")
        self.parts = ABLATIONS[config.ablation]
        self.frontend = LogMel()
        self.generator = Generator(config.width, config.last_kernel, config.residual_blocks)
        self.sound_derivative = self.flow_encoder = self.discriminator = self.autoencoder = None
        if self.parts.correlation != "none":
            self.sound_derivative = SoundDerivative(config.width)
            self.flow_encoder = FlowEncoder(2 if self.parts.correlation == "derivative" else 3)
        if self.parts.discriminator != "none":
            self.discriminator = Discriminator(config.width, self.parts.discriminator)
        if self.parts.perceptual:
            self.autoencoder = Autoencoder(config.autoencoder_width).requires_grad_(not config.autoencoder)
        initialise(self)
        if config.channels_last:
            self.generator.use_channels_last()

    @property
    def input_spec(self) -> InputSpec:
        """Sixteen 64x64 mouths, and any frame of the same clip."""
        size, context = (SIZE, SIZE), self.frontend.context
        return InputSpec(crop="mouth", size=size, frames=FRAMES, context=context, identity_gap=0)

    @property
    def adversarial_start(self) -> float:
        """(a) has nothing else to learn from."""
        return 0.0 if self.config.ablation == "a" else self.config.adversarial_start

    def players(self) -> dict[str, list[Group]]:
        """The correlation networks learn with the generator; the autoencoder by itself, where it has no weights."""
        players, config = super().players(), self.config
        if self.sound_derivative is not None and self.flow_encoder is not None:
            networks = [self.sound_derivative, self.flow_encoder]
            players["generator"].append(Group(networks, config.correlation_rate, config.correlation_decay))
        if self.autoencoder is not None and self.warm_up:
            players["autoencoder"] = [Group([self.autoencoder], config.learning_rate)]
        return players

    def turns(self, step: Step) -> Iterator[Turn]:
        """The autoencoder's while it learns; then those of generator and discriminator."""
        step.features, step.identity, step.real = self.inputs(step.batch)
        if self.config.norm_fixed_from < 1 and reached(self, self.config.norm_fixed_from):
            for layer in self.generator.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        self.steps_done += 1
        if self.steps_done > self.warm_up:
            yield from super().turns(step)
        else:
            yield Turn(self.autoencoder_terms, ["autoencoder"], "")

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the sound, reference frame and true frames, both in [-1, 1], of whole windows."""
        sound = batch.given.audio_around(self.frontend.context)
        return self.features(sound), 2 * batch.given.stills[:, 0] - 1, 2 * batch.frames - 1

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.reconstruct`."""
        features, identity, _ = self.inputs(self.whole_windows(batch))
        return (self.generator(identity, features)[:, : batch.frames.shape[1]].float() + 1) / 2

    def render(
        self, reference: Float[Tensor, "N 3 64 64"], sound: Float[Tensor, "N samples"]
    ) -> Float[Tensor, "N 16 3 64 64"]:
        """Windows of 16 frames from a reference frame and the sound of each window, RGB in [0, 1]."""
        return (self.generator(2 * reference - 1, self.features(sound)).float() + 1) / 2

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.generate`: windows overlap and are cross-faded."""
        return render_clips(self.render, request, self.frontend.context)

    def autoencoder_terms(self, step: Step) -> Terms:
        """Sec. 4.1: trained from scratch, then fixed."""
        assert self.autoencoder is not None
        pictures = step.real.flatten(0, 1)
        yield Term("autoencoder", F.mse_loss(self.autoencoder.train()(pictures).float(), pictures))

    def generator_terms(self, step: Step) -> Terms:
        """Eq. 2 and Table 2."""
        parts, config, real = self.parts, self.config, step.real
        sound = self.generator.encode(step.features)
        step.generated = generated = self.generator.draw(step.identity, sound).float()
        step.flow = step.flow_real = None
        if self.flow and (parts.correlation == "derivative" or step.adversarial):
            with torch.no_grad():
                step.flow_real = self.flow(real)
            step.flow = self.flow(generated)
        pixel = (generated - real).abs().mean()
        yield Term("l1", pixel / 2, 0)  # of pictures in [0, 1]
        if parts.pixel:
            yield Term("pixel", pixel, config.pixel_weight)
        if self.autoencoder is not None:
            self.autoencoder.eval()  # fixed, and so is its batch normalisation
            with torch.no_grad():
                wanted = self.autoencoder.features(real).float()
            found = self.autoencoder.features(generated).float()
            yield Term("perceptual", F.mse_loss(found, wanted), config.perceptual_weight)
        if parts.correlation != "none":
            weight = config.correlation_weight
            yield Term("correlation_real", self.correlation(sound, real, step.flow_real), weight)
            yield Term("correlation_generated", self.correlation(sound, generated, step.flow), weight)
        if step.adversarial and self.discriminator is not None:
            logits = self.discriminator(step.features, generated, self.motion(generated, step.flow))
            yield Term("g_adversarial", loss_as_real(logits), config.adversarial_weight)

    def discriminator_terms(self, step: Step) -> Terms:
        """Eq. 4: real videos with their sound, generated ones, and real ones with another's sound."""
        if self.discriminator is None:
            return
        judge, config = self.discriminator.judge, self.config
        heard = self.discriminator.sound(step.features)
        seen = self.discriminator.look(step.real, self.motion(step.real, step.flow_real))
        seen_generated = self.discriminator.look(step.generated, self.motion(step.generated, step.flow))
        real, mismatched, generated = judge(heard, seen), judge(heard.roll(1, 0), seen), judge(heard, seen_generated)
        yield Term("d_loss_real", loss_as_real(real))
        yield Term("d_loss_generated", loss_as_generated(generated), config.fake_weight)
        yield Term("d_loss_mismatched", loss_as_generated(mismatched), config.mismatch_weight)
        for name, logits in (("real", real), ("generated", generated), ("mismatched", mismatched)):
            yield Term(f"d_{name}", logits.sigmoid().mean(), 0)

    def motion(self, video: Float[Tensor, "batch 16 3 64 64"], flow: Tensor | None) -> Tensor | None:
        """What the discriminator's third stream sees of a video."""
        if self.parts.discriminator == "difference":
            return pooled(video[:, 1:] - video[:, :-1])
        return flow if self.parts.discriminator == "three" else None

    def correlation(
        self, sound: Float[Tensor, "batch C 16 16"], video: Float[Tensor, "batch 16 3 64 64"], flow: Tensor | None
    ) -> Float[Tensor, ""]:
        """Eq. 1 of derivatives, or of sound features and frames themselves; in float32, since differences cancel."""
        assert self.sound_derivative is not None
        assert self.flow_encoder is not None
        heard, seen = sound.float(), pooled(video) if flow is None or self.parts.correlation == "direct" else flow
        if self.parts.correlation == "derivative":
            heard = heard[:, :, :-1] - heard[:, :, 1:]
        with torch.autocast(sound.device.type, enabled=False):
            return correlation_loss(self.sound_derivative(heard), self.flow_encoder(seen.float().transpose(1, 2)))
