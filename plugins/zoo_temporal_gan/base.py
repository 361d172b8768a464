"""What the temporal GAN and its static baseline share: one training step, and generation frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from zoo import audio
from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.errors import ConfigError
from zoo.losses.reconstruction import lip_weights
from zoo.method import TalkingFaceMethod
from zoo.schedule import fading, reached
from zoo.spec import InputSpec
from zoo_temporal_gan.config import StaticGANConfig, sizes
from zoo_temporal_gan.losses import fooling_loss, half_l1, judge_loss
from zoo_temporal_gan.networks import FrameDiscriminator, Generator, Memory, prime_factors, valid_frames
from zoo_temporal_gan.sound import NoiseSource, at_rate, context_samples

AT_ONCE = 16
"""Frames that a whole clip is generated in at a time, so that memory does not grow with it."""

LARGEST_STRIDE = 13
"""Largest prime factor of a window in milliseconds: it becomes a stride, and half a kernel, of the sound encoder."""


class Clips(NamedTuple):
    """The frames of a batch that count, as the networks want them.

    Attributes:
        stills: RGB in [-1, 1], one per clip.
        frames: RGB in [-1, 1], the true ones, clip by clip.
        windows: what each frame hears, at the sound encoder's rate.
        lengths: frames of each clip; ``N`` is their sum.
        clip: which clip each frame is of.
        landmarks: in pixels of ``frames``.
    """

    stills: Float[Tensor, "B 3 H W"]
    frames: Float[Tensor, "N 3 H W"]
    windows: Float[Tensor, "N samples"]
    lengths: Int64[Tensor, " B"]
    clip: Int64[Tensor, " N"]
    landmarks: Float[Tensor, "N 68 2"]


class FaceGAN(TalkingFaceMethod):
    """A generator, a frame discriminator and what they are trained with.

    Args:
        config: settings.
        temporal: whether the generator has its recurrent parts.

    Raises:
        ConfigError: a rate or a window that the sound encoder cannot be built for.
    """

    config: StaticGANConfig

    def __init__(self, config: StaticGANConfig, *, temporal: bool) -> None:
        super().__init__(config)
        size = sizes(config)
        _check_sound(size.window_s, size.sample_rate)
        self.automatic_optimization = False
        self.sample_rate, self.context = size.sample_rate, context_samples(size.window_s)
        self.generator = Generator(
            *size, noise_dim=config.noise_dim, height=config.height, width=config.width, temporal=temporal
        )
        self.frame_discriminator = FrameDiscriminator(config.height, config.width)

    def _lay_out(self) -> None:
        """Put all networks into the memory layout of the settings."""
        if self.config.channels_last:
            for network in self.children():
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def frames(self) -> int | None:
        """Frames per training window."""
        return 1

    @property
    def input_spec(self) -> InputSpec:
        """Faces brought onto the mean face, the clip's first one as the still, and the sound around each frame."""
        height = self.config.height
        return InputSpec(
            crop="aligned",
            size=(height, height * 3 // 4),
            frames=self.frames,
            context=self.context,
            identity="first",
            paste="all",
        )

    def clips(self, batch: Batch) -> Clips:
        """The frames of a batch that are no padding, and all that belongs to them."""
        frames = batch.frames.shape[1]
        valid = valid_frames(batch.length, frames)
        windows = batch.given.audio_windows(self.context)[valid]
        clip = torch.arange(len(valid), device=valid.device).repeat_interleave(batch.length)
        return Clips(
            self._signed(batch.given.stills[:, 0]),
            self._signed(batch.frames[valid]),
            self._heard(windows),
            batch.length,
            clip,
            batch.landmarks[valid],
        )

    def _signed(self, pictures: Float[Tensor, "*batch 3 H W"]) -> Float[Tensor, "*batch 3 H W"]:
        """[0, 1] to [-1, 1]."""
        signed = 2 * pictures - 1
        return signed.contiguous(memory_format=torch.channels_last) if self.config.channels_last else signed

    def _heard(self, windows: Float[Tensor, "N S"]) -> Float[Tensor, "N samples"]:
        """Windows at the sound encoder's rate; always in float32."""
        with torch.autocast(windows.device.type, enabled=False):
            return at_rate(windows, self.sample_rate)

    def noise_source(self) -> NoiseSource:
        """The noise of generated clips, from its beginning."""
        return NoiseSource(self.config.noise_dim, self.config.noise_std, self.config.noise_seed)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.reconstruct`; padding comes out black."""
        clips = self.clips(batch)
        valid = valid_frames(batch.length, batch.frames.shape[1])
        noise = self.noise_source().take(valid.shape[1]).to(valid.device).expand(len(valid), -1, -1)[valid]
        made = torch.zeros_like(batch.frames)
        made[valid] = (self.generator(clips.stills, clips.windows, noise, clips.lengths).float() + 1) / 2
        return made

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.generate`."""
        talker = Talker(self, request.stills)
        parts = [talker.talk(part.audio_windows(self.context)) for part in request.parts(AT_ONCE)]
        return torch.cat(parts, 1)

    def stream(self, start: Request, parts: Iterable[Request]) -> Iterator[Float[Tensor, "B 3 H W"]]:
        """See :meth:`zoo.method.TalkingFaceMethod.stream`: a frame comes half a window after its middle.

        Memory does not grow with the sound.
        """
        talker = Talker(self, start.stills)
        kept = start.stills.new_zeros(len(start), 0)
        begin, end, t = 0, 0, 0  # `kept` begins and ends at these samples

        def window(frame: int) -> tuple[int, int]:
            return audio.frame_window(frame, 1, self.context)

        for part in parts:
            assert part.sound is not None
            kept = torch.cat([kept, part.sound.to(kept)], 1)
            end += part.sound.shape[1]
            while window(t)[1] <= end:
                yield talker.talk(audio.cut(kept, *(s - begin for s in window(t)))[:, None])[:, 0]
                t += 1
            spent = min(max(window(t)[0], begin), end)
            kept, begin = kept[:, spent - begin :], spent
        for late in range(t, audio.num_frames(end)):
            yield talker.talk(audio.cut(kept, *(s - begin for s in window(late)))[:, None])[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of the generator (eq. 3), then one of every discriminator (eq. 1)."""
        config = self.config
        optimiser_g, *optimisers_d = self._optimisers()
        adversarial = reached(self, config.judged_from) and any(self.judge_weights.values())
        clips = self.clips(mirrored(batch, config.mirror))
        noise = config.noise_std * torch.randn(len(clips.clip), config.noise_dim, device=self.device)
        chosen = self._sample(clips.lengths)
        if adversarial:
            self.toggle_optimizer(optimiser_g)
        made = self.generator(clips.stills, clips.windows, noise, clips.lengths).float()
        l1 = half_l1(made, clips.frames, self._lip_weights(clips), config.upper_weight)
        loss = config.l1_weight * l1
        if adversarial:
            for name, logits in self.judge(made, clips, chosen).items():
                fooling = fooling_loss(logits, config.generator_loss)  # type: ignore[arg-type]
                loss = loss + self.judge_weights[name] * fooling
                self.log(f"train/g_{name}", fooling.detach())
        optimiser_g.zero_grad()
        self.manual_backward(loss)
        optimiser_g.step()
        self.log("train/l1", l1.detach(), prog_bar=True)
        self.log("train/g_loss", loss.detach())
        if adversarial:
            self.untoggle_optimizer(optimiser_g)
            self._judges_step(optimisers_d, made.detach(), clips, chosen)

    def _judges_step(
        self, optimisers: list[Any], made: Float[Tensor, "N 3 H W"], clips: Clips, chosen: Int64[Tensor, " n"]
    ) -> None:
        """All discriminators in one backward pass; none sees another's parameters."""
        on_real, on_made = self.judge(clips.frames, clips, chosen), self.judge(made, clips, chosen)
        losses = {name: judge_loss(on_real[name], on_made[name]) for name in on_real}
        for optimiser in optimisers:
            optimiser.zero_grad()
        self.manual_backward(torch.stack([*losses.values()]).sum())
        for optimiser in optimisers:
            optimiser.step()
        for name, loss in losses.items():
            self.log(f"train/d_{name}", loss.detach(), prog_bar=True)
            self.log(f"train/d_{name}_real", on_real[name].detach().sigmoid().mean())
            self.log(f"train/d_{name}_made", on_made[name].detach().sigmoid().mean())

    def _lip_weights(self, clips: Clips) -> Float[Tensor, "N 1 H W"] | None:
        weight, (height, width) = self.config.lip_weight, clips.frames.shape[2:]
        return None if weight == 1 else lip_weights(clips.landmarks, (height, width), weight)

    def _sample(self, lengths: Int64[Tensor, " B"]) -> Int64[Tensor, " n"]:
        """S(x): some frames of every clip, uniformly, as indices of the flat list."""
        ends = lengths.cumsum(0)
        share = torch.rand(len(lengths), self.config.sampled_frames, device=lengths.device)
        return ((ends - lengths)[:, None] + (share * lengths[:, None]).long()).flatten()

    @property
    def judge_weights(self) -> dict[str, float]:
        """Weight of each discriminator in the generator's objective; one of weight 0 is neither asked nor trained."""
        return {"frame": self.config.frame_weight}

    def judge(
        self, frames: Float[Tensor, "N 3 H W"], clips: Clips, chosen: Int64[Tensor, " n"]
    ) -> dict[str, Float[Tensor, " logits"]]:
        """Logits of the discriminators on real or generated frames, by name, in float32.

        Args:
            frames: of all clips, RGB in [-1, 1].
            clips: what they belong to.
            chosen: which frames the frame discriminator looks at.
        """
        if not self.judge_weights["frame"]:
            return {}
        return {"frame": self.frame_discriminator(frames[chosen], clips.stills[clips.clip[chosen]]).float()}

    def step_sizes(self, epoch: int) -> list[float]:
        """Adam's step sizes in an epoch (0 is the first): of the generator, then of each discriminator."""
        config = self.config
        left = (1 - config.decay_rate) ** max(0, epoch + 1 - config.decay_from)
        return [left * config.learning_rate, left * config.frame_learning_rate]

    def _networks(self) -> list[torch.nn.Module]:
        """What each optimiser trains, in the order of :meth:`step_sizes`."""
        return [self.generator, self.frame_discriminator]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for every network."""
        betas = (self.config.beta1, 0.999)
        return [
            torch.optim.Adam(network.parameters(), lr=size, betas=betas)
            for network, size in zip(self._networks(), self.step_sizes(0), strict=True)
        ]

    def _optimisers(self) -> list[Any]:
        """The optimisers with the step sizes of this step, and of nothing else: a resumed run has the same."""
        optimisers: Any = self.optimizers()
        generator, *judges = self.step_sizes(self.current_epoch)
        for optimiser, size in zip(optimisers, [generator * fading(self, self.config.fade), *judges], strict=True):
            for group in optimiser.param_groups:
                group["lr"] = size
        return list(optimisers)


class Talker:
    """A generator in the middle of a clip: who talks, what is remembered, which noise comes next.

    Nothing is kept for gradients: what is remembered would otherwise hold all of the past.

    Args:
        module: whose generator.
        identity: as for :meth:`FaceGAN.generate`; the first picture counts.
    """

    @torch.no_grad()
    def __init__(self, module: FaceGAN, identity: Float[Tensor, "B N 3 H W"]) -> None:
        self.module = module
        self.identity, self.maps = module.generator.identity(module._signed(identity[:, 0]))
        self.noise = module.noise_source()
        self.memory = Memory()

    @torch.no_grad()
    def talk(self, windows: Float[Tensor, "B n context"]) -> Float[Tensor, "B n 3 H W"]:
        """The next frames, RGB in [0, 1], from what they hear at 16 kHz."""
        size, count = windows.shape[:2]
        noise = self.noise.take(count).to(windows.device).expand(size, -1, -1).flatten(0, 1)
        lengths = torch.full((size,), count, device=windows.device)
        clip = torch.arange(size, device=windows.device).repeat_interleave(count)
        generator = self.module.generator
        heard = self.module._heard(windows.flatten(0, 1))
        latent, self.memory = generator.latent(heard, noise, lengths, self.memory)
        made = generator.draw(latent, self.identity, self.maps, clip).float()
        return ((made + 1) / 2).view(size, count, *made.shape[1:])


def mirrored(batch: Batch, share: float) -> Batch:
    """The batch with some of its clips mirrored: pictures, stills and where the lips are."""
    if not share:
        return batch
    turned = (torch.rand(len(batch.clip), device=batch.frames.device) < share)[:, None, None, None]
    points = batch.landmarks * batch.landmarks.new_tensor([-1, 1])
    points[..., 0] += batch.frames.shape[-1] - 1
    stills = batch.given.stills
    identity = replace(batch.given.identity, frames=torch.where(turned[..., None], stills.flip(-1), stills))
    return replace(
        batch,
        given=replace(batch.given, identity=identity),
        frames=torch.where(turned[..., None], batch.frames.flip(-1), batch.frames),
        landmarks=torch.where(turned, points, batch.landmarks),
    )


def _check_sound(window_s: float, sample_rate: int) -> None:
    steps = round(window_s * 1000)
    if sample_rate % 1000:
        raise ConfigError(
            f"model.sample_rate: {sample_rate} is not a whole number of kHz, which the sound encoder needs; "
            "16000 takes the sound as it is"
        )
    if abs(steps - window_s * 1000) > 1e-6 or max(prime_factors(steps)) > LARGEST_STRIDE:
        raise ConfigError(
            f"model.window_s: {window_s} s cannot be divided for the sound encoder; give whole milliseconds without a "
            f"prime factor above {LARGEST_STRIDE}, such as 0.16, 0.2 or 0.35"
        )
