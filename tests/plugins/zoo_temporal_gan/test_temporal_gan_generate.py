"""Generation by the temporal GAN and its static baseline: whole clips, streams, determinism, what is heard."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from zoo_temporal_gan.generation import AT_ONCE
from zoo_temporal_gan.method import StaticGAN
from zoo_temporal_gan.networks import Memory

from tests.helpers.batches import request, window_batch
from tests.plugins.zoo_temporal_gan.temporal_gan_inputs import HEIGHT, STATIC, THIN, WIDTH, make, random_batch
from zoo.data.request import Request
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.media import audio
from zoo.synthesis.make import make as make_clips

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=["temporal", "static", "released"])
def settled(request: pytest.FixtureRequest) -> StaticGAN:
    """A network whose norms know its inputs, so that no signal has faded at the output."""
    module = make({"temporal": THIN, "static": STATIC, "released": replace(THIN, preset="released")}[request.param])
    for norm in module.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            norm.momentum = 1.0
    with torch.inference_mode():
        module.train().reconstruct(random_batch(module))
    return module.eval()


def test_clips_of_a_batch_are_made_as_each_by_itself(settled: StaticGAN):
    batch = random_batch(settled, (2, 6, 4), frames=9)
    with torch.inference_mode():
        made = settled.reconstruct(batch)
        for row, length in enumerate((2, 6, 4)):
            one = slice(row, row + 1)
            alone = window_batch(
                batch.frames[one, :length],
                batch.given.stills[one],
                batch.given.sound[one, : 640 * (length - 1) + settled.context],
                batch.landmarks[one, :length],
                context=settled.context,
            )
            assert (settled.reconstruct(alone)[0] - made[row, :length]).abs().max() < 1e-6
            assert (made[row, length:] == 0).all()


def chunked(identity: Tensor, wave: Tensor, sizes: list[int]) -> Iterator[Request]:
    """The wave in parts of the given sizes, over and over."""
    start, number = 0, 0
    while start < wave.shape[1]:
        stop = start + sizes[number % len(sizes)]
        yield request(identity, wave[:, start:stop], 0)
        start, number = stop, number + 1


@pytest.mark.parametrize("sizes", [[100_000], [640], [1, 0, 3000, 17], [1279]])
@pytest.mark.parametrize("samples", [640 * 20, 640 * 20 - 300, 640 * 20 + 1, 5])
def test_a_stream_is_the_whole_clip(settled: StaticGAN, sizes: list[int], samples: int):
    identity, wave = torch.rand(2, 1, 3, HEIGHT, WIDTH), torch.rand(2, samples) - 0.5
    count = audio.num_frames(samples)
    with torch.inference_mode():
        whole = settled.generate(request(identity, audio.cut(wave, 0, 640 * count), count))
        streamed = torch.stack([*settled.stream(request(identity, None, 0), chunked(identity, wave, sizes))], 1)
    assert streamed.shape == whole.shape
    assert (streamed - whole).abs().max() < 1e-6


def test_a_stream_gives_frames_as_soon_as_it_can_and_forgets_the_past(settled: StaticGAN):
    identity, wave = torch.rand(1, 1, 3, HEIGHT, WIDTH), torch.rand(1, 640 * 40) - 0.5
    given = 0

    def chunks() -> Iterator[Request]:
        nonlocal given
        for part in chunked(identity, wave, [160]):
            given += part.sound.shape[1]
            yield part

    # Whoever forgets to switch gradients off must not pay for it with memory that grows with the stream.
    for t, frame in enumerate(settled.stream(request(identity, None, 0), chunks())):
        needed = audio.frame_window(t, 1, settled.context)[1]
        assert given == min(-(-needed // 160) * 160, wave.shape[1])
        assert not frame.requires_grad


@pytest.mark.parametrize("frames", [1, AT_ONCE, 75, 200])
def test_any_length_and_the_same_every_time(settled: StaticGAN, frames: int):
    identity, wave = torch.rand(1, 1, 3, HEIGHT, WIDTH), torch.rand(1, 640 * frames) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(identity, wave, frames))
        torch.manual_seed(99)
        assert torch.equal(made, settled.generate(request(identity, wave, frames)))
        short = settled.generate(request(identity, torch.cat([wave, torch.ones(1, 6400)], 1), frames + 1))
    assert made.shape == (1, frames, 3, HEIGHT, WIDTH)
    assert made.min() >= 0
    assert made.max() <= 1
    untouched = frames - settled.context // 640  # these hear nothing of what was added
    if untouched > 0:
        assert (short[:, :untouched] - made[:, :untouched]).abs().max() < 1e-6


def test_who_what_and_noise_matter_and_the_pose_does_not(settled: StaticGAN):
    identity, wave = torch.rand(2, 1, 3, HEIGHT, WIDTH), torch.rand(2, 640 * 3) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(identity, wave, 3))
        driven = request(identity, wave, 3, torch.rand(2, 3, 3, HEIGHT, WIDTH))
        assert torch.equal(made, settled.generate(driven))
        assert torch.equal(made, make_clips(settled, settled.spec, driven))
        assert (settled.generate(request(identity.flip(0), wave, 3)) - made).abs().mean() > 1e-4
        assert (settled.generate(request(identity, wave.flip(1), 3)) - made).abs().mean() > 1e-4
        # Both clips of a batch have the same noise, so that a clip's frames do not depend on its company.
        alone = settled.generate(request(identity[1:], wave[1:], 3))
        assert (alone - made[1:]).abs().max() < 1e-6
        settled.config = replace(settled.config, noise_seed=1)
        assert (settled.generate(request(identity, wave, 3)) - made).abs().max() > 1e-6
        settled.config = replace(settled.config, noise_seed=0)


def test_the_past_is_heard_by_the_temporal_one_only():
    """A change of the first frame's sound reaches a later frame that does not hear it."""
    for config, remembers in ((THIN, True), (STATIC, False)):
        module = make(config).eval()
        wave = torch.rand(1, 640 * 20) - 0.5
        other = wave.clone()
        other[:, :640] = 0
        with torch.inference_mode():
            latents = []
            for sound in (wave, other):
                windows = audio.per_frame(audio.widen(sound, 20, module.context), 20, module.context)[0]
                latent, _ = module.generator.latent(windows, torch.zeros(20, 10), torch.tensor([20]), Memory())
                latents.append(latent)
        changed = (latents[0] - latents[1]).abs().amax(1)
        assert changed[0] > 0
        assert bool(changed[12] > 0) is remembers


def test_training_generation_and_evaluation_hear_the_same(settled: StaticGAN, tiny_store: Path, monkeypatch: Any):
    store = Store(tiny_store)
    windows = Windows(store, settled.input_spec)
    heard: list[Tensor] = []
    real = settled.features
    monkeypatch.setattr(settled, "features", lambda sound: heard.append(sound) or real(sound))
    with torch.inference_mode():
        test = collate([windows[Draw(0, None)]]).unit()
        settled.generate(test.given)
        evaluated = torch.cat(heard)
        heard.clear()
        batch = collate([windows[Draw(0, (3,))]]).unit()
        settled.reconstruct(batch)
    first, count = int(batch.first), int(batch.length)
    assert len(evaluated) == store.clips[0].num_frames
    assert torch.equal(torch.cat(heard), evaluated[first : first + count])
    assert evaluated[10, settled.context // 2] == store.wave(0)[audio.frame_centre(10)]
