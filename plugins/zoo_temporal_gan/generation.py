"""Clips of any length from a generator that remembers: rendered in chunks, or while the sound comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.media import audio
from zoo.methods.adversarial import AdversarialMethod
from zoo_temporal_gan.clips import Clips
from zoo_temporal_gan.config import StaticGANConfig
from zoo_temporal_gan.networks import Generator, Memory, valid_frames
from zoo_temporal_gan.sound import NoiseSource, at_rate

AT_ONCE = 16
"""Frames that a whole clip is generated in at a time, so that memory does not grow with it."""


class FaceGenerator(AdversarialMethod):
    """What of the temporal GAN and its static baseline is no training.

    Attributes:
        sample_rate: of the sound encoder.
        context: samples of a frame's audio window, at 16 kHz.
    """

    config: StaticGANConfig
    generator: Generator
    sample_rate: int
    context: int

    def clips(self, batch: Batch) -> Clips:
        """The frames of a batch that are no padding, and all that belongs to them."""
        frames = batch.frames.shape[1]
        valid = valid_frames(batch.length, frames)
        windows = batch.given.audio_windows(self.context)[valid]
        clip = torch.arange(len(valid), device=valid.device).repeat_interleave(batch.length)
        return Clips(
            self.signed(batch.given.stills[:, 0]),
            self.signed(batch.frames[valid]),
            self.features(windows),
            batch.length,
            clip,
            batch.landmarks[valid],
        )

    def signed(self, pictures: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
        """[0, 1] to [-1, 1], in the networks' memory layout."""
        return self.laid_out(2 * pictures - 1)

    def frontend(self, windows: Float[Tensor, "N S"]) -> Float[Tensor, "N samples"]:
        """Audio windows at the sound encoder's rate."""
        return at_rate(windows, self.sample_rate)

    def noise_source(self) -> NoiseSource:
        """The noise of generated clips, from its beginning."""
        return NoiseSource(self.config.noise_dim, self.config.noise_std, self.config.noise_seed)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.reconstruct`; padding comes out black."""
        clips = self.clips(batch)
        valid = valid_frames(batch.length, batch.frames.shape[1])
        noise = self.noise_source().take(valid.shape[1]).to(valid.device).expand(len(valid), -1, -1)[valid]
        generated = torch.zeros_like(batch.frames)
        generated[valid] = (self.generator(clips.stills, clips.windows, noise, clips.lengths).float() + 1) / 2
        return generated

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.generate`."""
        talker = Talker(self, request.stills)
        parts = [talker.talk(part.audio_windows(self.context)) for part in request.parts(AT_ONCE)]
        return torch.cat(parts, 1)

    def stream(self, start: Request, parts: Iterable[Request]) -> Iterator[Float[Tensor, "B 3 H W"]]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.stream`: a frame comes half a window after its middle.

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


class Talker:
    """A generator in the middle of a clip: who talks, what is remembered, which noise comes next.

    Nothing is kept for gradients: what is remembered would otherwise hold all of the past.

    Args:
        module: whose generator.
        identity: reference frames, RGB in [0, 1]; the first one counts.
    """

    @torch.no_grad()
    def __init__(self, module: FaceGenerator, identity: Float[Tensor, "B N 3 H W"]) -> None:
        self.module = module
        self.identity, self.maps = module.generator.identity(module.signed(identity[:, 0]))
        self.noise = module.noise_source()
        self.memory = Memory()

    @torch.no_grad()
    def talk(self, windows: Float[Tensor, "B n context"]) -> Float[Tensor, "B n 3 H W"]:
        """The next frames, RGB in [0, 1], from their audio windows at 16 kHz."""
        size, count = windows.shape[:2]
        noise = self.noise.take(count).to(windows.device).expand(size, -1, -1).flatten(0, 1)
        lengths = torch.full((size,), count, device=windows.device)
        clip = torch.arange(size, device=windows.device).repeat_interleave(count)
        generator = self.module.generator
        sound = self.module.features(windows.flatten(0, 1))
        latent, self.memory = generator.latent(sound, noise, lengths, self.memory)
        generated = generator.draw(latent, self.identity, self.maps, clip).float()
        return ((generated + 1) / 2).view(size, count, *generated.shape[1:])
