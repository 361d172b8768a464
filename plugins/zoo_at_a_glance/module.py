"""Training and generation of At a Glance: Lightning around the plain networks."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from zoo import trainable
from zoo.callbacks import steps_planned
from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.errors import ConfigError, DataError
from zoo.method import TalkingFaceMethod
from zoo.nn.flow import FlowEstimator, LucasKanade, Raft
from zoo.schedule import fading, reached
from zoo.spec import InputSpec
from zoo_at_a_glance.autoencoder.module import MouthAutoencoder
from zoo_at_a_glance.autoencoder.networks import Autoencoder
from zoo_at_a_glance.config import ABLATIONS, FLOWS, AtAGlanceConfig
from zoo_at_a_glance.flow.module import MouthFlow
from zoo_at_a_glance.frontend import FRAMES, LogMel
from zoo_at_a_glance.losses import correlation_loss, discriminator_loss, generator_loss
from zoo_at_a_glance.networks import (
    FLOW_SIZE,
    SIZE,
    Discriminator,
    FlowEncoder,
    Generator,
    SoundDerivative,
    initialise,
)
from zoo_at_a_glance.spec import AUTOENCODER, FLOW
from zoo_at_a_glance.windows import join, window_starts

WINDOWS_AT_ONCE = 8
"""How many windows are made together, so that memory does not grow with the clip."""


class Example(NamedTuple):
    """A training batch as the networks take it."""

    features: Float[Tensor, "batch 1 64 128"]
    identity: Float[Tensor, "batch 3 64 64"]
    real: Float[Tensor, "batch 16 3 64 64"]


class AtAGlance(TalkingFaceMethod):
    """At a Glance and its ablations.

    Args:
        config: settings.

    Raises:
        ConfigError: an unknown ablation or flow, or an even last kernel.
    """

    config: AtAGlanceConfig
    steps_done: Tensor

    def __init__(self, config: AtAGlanceConfig) -> None:
        super().__init__(config)
        if config.ablation not in ABLATIONS:
            raise ConfigError(f"model.ablation: '{config.ablation}' is none of {', '.join(ABLATIONS)}")
        if config.flow not in FLOWS:
            raise ConfigError(f"model.flow: '{config.flow}' is none of {', '.join(FLOWS)}")
        if config.last_kernel % 2 == 0:
            raise ConfigError(f"model.last_kernel: must be odd, not {config.last_kernel}")
        self.automatic_optimization = False
        self.parts = ABLATIONS[config.ablation]
        others = self.parts.pixel or self.parts.perceptual or self.parts.correlation != "none"
        self.judged_from = config.judged_from if others else 0.0  # (a) has nothing else to learn from
        self.frontend = LogMel()
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.long))
        self.generator = Generator(config.width, config.last_kernel, config.residual_blocks)
        self.sound_derivative = self.flow_encoder = self.discriminator = self.autoencoder = None
        if self.parts.correlation != "none":
            self.sound_derivative = SoundDerivative(config.width)
            self.flow_encoder = FlowEncoder(2 if self.parts.correlation == "derivative" else 3)
        if self.parts.discriminator != "none":
            self.discriminator = Discriminator(config.width, self.parts.discriminator)
        if self.parts.perceptual:
            self.autoencoder = Autoencoder(config.autoencoder_width)
        initialise(self)
        if config.channels_last:
            self.generator.use_channels_last()
            if self.autoencoder is not None:
                self.autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.autoencoder is not None and config.autoencoder:
            self.autoencoder.requires_grad_(False)
        # Not a submodule: it is never trained here, and whoever only generates needs no weights of it.
        self._flow: tuple[FlowEstimator, ...] = ()

    @property
    def input_spec(self) -> InputSpec:
        """Sixteen 64x64 mouths, and any frame of the same clip."""
        return InputSpec(
            crop="mouth", size=(SIZE, SIZE), frames=FRAMES, context=self.frontend.context, identity_gap=0
        )  # fmt: skip

    @property
    def needs_flow(self) -> bool:
        """Whether anything looks at optical flow."""
        return self.parts.correlation == "derivative" or self.parts.discriminator == "three"

    @property
    def warm_up(self) -> int:
        """Steps that belong to the autoencoder alone, before the generator's first."""
        config = self.config
        return config.autoencoder_steps if self.parts.perceptual and not config.autoencoder else 0

    # ---- what is made -------------------------------------------------------------------------------------------

    def features(self, sound: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 64 128"]:
        """Sound windows to features; always in float32."""
        with torch.autocast(sound.device.type, enabled=False):
            return self.frontend(sound)

    def example(self, batch: Batch) -> Example:
        """A batch for the networks; of clips shorter than a window the last picture is held and the rest is silent."""
        missing, frames = FRAMES - batch.frames.shape[1], batch.frames
        if missing:
            frames = torch.cat([frames, frames[:, -1:].expand(-1, missing, -1, -1, -1)], 1)
        sound = batch.given.part(0, FRAMES).audio_around(self.frontend.context)
        return Example(self.features(sound), 2 * batch.given.stills[:, 0] - 1, 2 * frames - 1)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.reconstruct`."""
        given = self.example(batch)
        made = self.generator(given.identity, given.features)
        return (made[:, : batch.frames.shape[1]].float() + 1) / 2

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.generate`.

        Windows of 16 frames overlap by 8 and are cross-faded (:func:`zoo_at_a_glance.windows.join`).
        """
        starts = window_starts(request.num_frames)
        sounds = torch.stack([request.part(start, FRAMES).audio_around(self.frontend.context) for start in starts], 1)
        clips = []
        for still, windows in zip(request.stills[:, 0], sounds, strict=True):
            parts = []
            for part in windows.split(WINDOWS_AT_ONCE):
                stills = (2 * still - 1).expand(len(part), -1, -1, -1)
                parts.append((self.generator(stills, self.features(part)).float() + 1) / 2)
            clips.append(join(torch.cat(parts), request.num_frames))
        return torch.stack(clips)

    # ---- what it is compared with -------------------------------------------------------------------------------

    def before_fit(self) -> None:
        """Find the flow estimator and the autoencoder's weights (:meth:`zoo.trainable.TrainableModule.before_fit`).

        Raises:
            DataError: weights that are named are not there, or of another size.
        """
        if self.needs_flow and not self._flow:
            self.use_flow(make_flow(self.config))
        if self.autoencoder is not None and self.config.autoencoder:
            loaded = trainable.load_checkpoint(
                trainable.find_weights(AUTOENCODER, self.config.autoencoder), AUTOENCODER.name
            )
            assert isinstance(loaded, MouthAutoencoder)
            if loaded.config.width != self.config.autoencoder_width:
                raise DataError(
                    f"model.autoencoder_width: {self.config.autoencoder} has {loaded.config.width}, "
                    f"not {self.config.autoencoder_width}"
                )
            self.autoencoder.load_state_dict(loaded.network.state_dict())

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

    def use_flow(self, estimator: FlowEstimator) -> None:
        """Let ``estimator`` say how pictures move."""
        self._flow = (estimator.eval().requires_grad_(False),)

    def flow(self, video: Float[Tensor, "batch 16 3 64 64"]) -> Float[Tensor, "batch 15 2 16 16"]:
        """Flow from frame to frame in pixels of the 64x64 picture, at a quarter of the size; video in [-1, 1]."""
        (estimator,) = self._flow
        with torch.autocast(video.device.type, enabled=False):
            full = estimator.to(video.device).video((video.float() + 1) / 2)
        return _pooled(full)

    def motion(self, video: Float[Tensor, "batch 16 3 64 64"], flow: Tensor | None) -> Tensor | None:
        """What the discriminator's third stream sees of a video."""
        if self.parts.discriminator == "difference":
            return _pooled(video[:, 1:] - video[:, :-1])
        return flow if self.parts.discriminator == "three" else None

    def correlation(
        self, sound: Float[Tensor, "batch C 16 16"], video: Float[Tensor, "batch 16 3 64 64"], flow: Tensor | None
    ) -> Float[Tensor, ""]:
        """The correlation loss of sound features and a video (eq. 1), of derivatives or of the things themselves.

        Always in float32: differences of neighbours, and the cosine of series that are nearly constant, cancel.
        """
        assert self.sound_derivative is not None
        assert self.flow_encoder is not None
        if self.parts.correlation == "derivative":
            assert flow is not None
            heard, seen = sound.float()[:, :, :-1] - sound.float()[:, :, 1:], flow
        else:
            heard, seen = sound.float(), _pooled(video)
        with torch.autocast(sound.device.type, enabled=False):
            return correlation_loss(self.sound_derivative(heard), self.flow_encoder(seen.float().transpose(1, 2)))

    # ---- training -----------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """A step of the autoencoder while it learns; then one of the generator and one of the discriminator."""
        if len(batch.clip) < 2:
            raise ConfigError("data.batch_size: mismatched pairs need at least two windows per step")
        optimisers: Any = self.optimizers()
        named = dict(zip(self._optimised(), optimisers if isinstance(optimisers, list) else [optimisers], strict=True))
        given = self.example(batch)
        if self.config.norm_fixed_from < 1 and reached(self, self.config.norm_fixed_from):
            for layer in self.generator.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        step = int(self.steps_done) - self.warm_up
        if step < 0:
            self._autoencoder_step(named["autoencoder"], given.real)
        else:
            for group, rate in zip(named["generator"].param_groups, self._rates()["generator"], strict=True):
                group["lr"] = rate * fading(self, self.config.fade)
            adversarial = self.discriminator is not None and reached(self, self.judged_from)
            made, flow, flow_real = self._generator_step(named["generator"], given, adversarial)
            if adversarial:
                self._discriminator_step(named["discriminator"], given, made, flow, flow_real)
        self.steps_done += 1

    def _autoencoder_step(self, optimiser: Any, real: Tensor) -> None:
        assert self.autoencoder is not None
        self.autoencoder.train()
        self.toggle_optimizer(optimiser)
        pictures = real.flatten(0, 1)
        loss = F.mse_loss(self.autoencoder(pictures).float(), pictures)
        self._descend(optimiser, loss)
        self.log("train/autoencoder", loss.detach(), prog_bar=True)

    def _generator_step(
        self, optimiser: Any, given: Example, adversarial: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Returns the video that was made and its flow, both without history, and the real one's flow."""
        config = self.config
        self.toggle_optimizer(optimiser)
        sound = self.generator.encode(given.features)
        made = self.generator.draw(given.identity, sound).float()  # differences of neighbours are taken
        flow = flow_real = None
        if self.needs_flow and (adversarial or self.parts.correlation == "derivative"):
            with torch.no_grad():
                flow_real = self.flow(given.real)
            flow = self.flow(made)
        loss = made.new_zeros(())
        pixel = (made - given.real).abs().mean()
        if self.parts.pixel:
            loss = loss + config.pixel_weight * pixel
        if self.autoencoder is not None:
            self.autoencoder.eval()  # fixed, and so is its batch normalisation
            with torch.no_grad():
                wanted = self.autoencoder.features(given.real).float()
            perceptual = F.mse_loss(self.autoencoder.features(made).float(), wanted)
            loss = loss + config.perceptual_weight * perceptual
            self.log("train/perceptual", perceptual.detach())
        if self.parts.correlation != "none":
            real = self.correlation(sound, given.real, flow_real)
            fake = self.correlation(sound, made, flow)
            loss = loss + config.correlation_weight * (real + fake)
            self.log("train/correlation_real", real.detach())
            self.log("train/correlation_made", fake.detach())
        if adversarial:
            assert self.discriminator is not None
            fooled = generator_loss(self.discriminator(given.features, made, self.motion(made, flow)))
            loss = loss + config.adversarial_weight * fooled
            self.log("train/g_adversarial", fooled.detach())
        self._descend(optimiser, loss)
        self.log("train/l1", pixel.detach() / 2, prog_bar=True)
        self.log("train/g_loss", loss.detach())
        return made.detach(), None if flow is None else flow.detach(), flow_real

    def _discriminator_step(
        self, optimiser: Any, given: Example, made: Tensor, flow: Tensor | None, flow_real: Tensor | None
    ) -> None:
        assert self.discriminator is not None
        self.toggle_optimizer(optimiser)
        judge = self.discriminator
        heard = judge.sound(given.features)
        seen = judge.look(given.real, self.motion(given.real, flow_real))
        real, mismatched = judge.judge(heard, seen), judge.judge(heard.roll(1, 0), seen)
        fake = judge.judge(heard, judge.look(made, self.motion(made, flow)))
        loss = discriminator_loss(
            real, fake, mismatched,
            fake_weight=self.config.fake_weight, mismatch_weight=self.config.mismatch_weight,
        )  # fmt: skip
        self._descend(optimiser, loss)
        self.log("train/d_loss", loss.detach(), prog_bar=True)
        for name, logits in (("real", real), ("made", fake), ("mismatched", mismatched)):
            self.log(f"train/d_{name}", logits.detach().sigmoid().mean())

    def _descend(self, optimiser: Any, loss: Tensor) -> None:
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()
        self.untoggle_optimizer(optimiser)

    def _rates(self) -> dict[str, list[float]]:
        """Step sizes of every optimiser's groups."""
        config = self.config
        rates = {"generator": [config.learning_rate]}
        if self.parts.correlation != "none":
            rates["generator"].append(config.correlation_rate)
        if self.discriminator is not None:
            rates["discriminator"] = [config.learning_rate]
        if self.warm_up:
            rates["autoencoder"] = [config.learning_rate]
        return rates

    def _optimised(self) -> list[str]:
        return list(self._rates())

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam: generator and correlation networks, discriminator, and the autoencoder where it is trained here."""
        config, betas = self.config, (self.config.beta1, 0.999)
        groups: list[dict[str, Any]] = [{"params": list(self.generator.parameters())}]
        if self.sound_derivative is not None and self.flow_encoder is not None:
            params = [*self.sound_derivative.parameters(), *self.flow_encoder.parameters()]
            groups.append({"params": params, "weight_decay": config.correlation_decay})
        wanted: dict[str, list[dict[str, Any]]] = {"generator": groups}
        if self.discriminator is not None:
            wanted["discriminator"] = [{"params": list(self.discriminator.parameters())}]
        if self.warm_up and self.autoencoder is not None:
            wanted["autoencoder"] = [{"params": list(self.autoencoder.parameters())}]
        made: list[torch.optim.Optimizer] = []
        for name, rates in self._rates().items():
            parts = [group | {"lr": rate} for group, rate in zip(wanted[name], rates, strict=True)]
            made.append(torch.optim.Adam(parts, lr=config.learning_rate, betas=betas))
        return made


def make_flow(config: AtAGlanceConfig) -> FlowEstimator:
    """The flow estimator of the settings.

    Raises:
        ConfigError: it needs weights and none are given.
        DataError: its weights are not there.
    """
    if config.flow == "raft":
        return Raft(config.flow_weights)
    if config.flow == "flownets":
        if config.flow_weights is None:
            raise ConfigError(f"model.flow_weights: flownets needs a checkpoint of `zoo fit {FLOW.name}`")
        loaded = trainable.load_checkpoint(trainable.find_weights(FLOW, config.flow_weights), FLOW.name)
        assert isinstance(loaded, MouthFlow)
        return loaded.network
    return LucasKanade(levels=3 if config.flow_shrink == 1 else 2, iterations=2, shrink=config.flow_shrink)


def _pooled(pictures: Tensor) -> Tensor:
    """A series of pictures ``(B, T, C, H, W)`` at the size that the encoders of motion take."""
    small = F.adaptive_avg_pool2d(pictures.flatten(0, 1), (FLOW_SIZE, FLOW_SIZE))
    return small.view(*pictures.shape[:3], FLOW_SIZE, FLOW_SIZE)
