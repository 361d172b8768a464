"""The temporal GAN's networks against paper and published facts: shapes of every stage, parameters summed by hand."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from zoo_temporal_gan.config import PRESETS, Preset, StaticGANConfig, TemporalGANConfig, sizes
from zoo_temporal_gan.networks import (
    DecoderBlock,
    FrameDiscriminator,
    Generator,
    Memory,
    SequenceDiscriminator,
    SoundEncoder,
    prime_factors,
    spread,
)

RELEASED_BYTES = 221_156_392
"""Size of the weights of the authors' released model as its file tells it: floats, and counters of 19 batch norms."""


def shapes(stages: Sequence[nn.Module], run: object) -> list[tuple[int, ...]]:
    """What each stage gives in one forward pass, without the batch dimension."""
    seen: dict[int, tuple[int, ...]] = {}

    def keep(number: int, output: Tensor) -> None:
        seen[number] = tuple(output.shape[1:])

    hooks = [stage.register_forward_hook(lambda _m, _i, o, n=n: keep(n, o)) for n, stage in enumerate(stages)]
    with torch.inference_mode():
        run()  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    return [seen[n] for n in range(len(stages))]


@pytest.fixture(scope="module", params=["paper", "released"])
def full(request: pytest.FixtureRequest) -> tuple[Preset, Generator, FrameDiscriminator, SequenceDiscriminator]:
    size = PRESETS[request.param]
    with torch.device("meta"):  # tensors without numbers
        generator = Generator(*size)
        return size, generator.eval(), FrameDiscriminator().eval(), SequenceDiscriminator(*size[1:]).eval()


def test_presets_are_those_of_paper_and_release():
    assert PRESETS["paper"] == (50, 0.16, 16_000)
    assert PRESETS["released"] == (128, 0.2, 50_000)
    assert sizes(TemporalGANConfig()) == PRESETS["paper"]
    assert sizes(TemporalGANConfig(preset="released")) == PRESETS["released"]
    assert sizes(TemporalGANConfig(preset="released", identity_dim=9)) == (9, 0.2, 50_000)
    assert sizes(StaticGANConfig()) == (50, 0.35, 16_000)


def weights(size: Preset) -> int:
    """Weights of the generator summed by hand: convolutions of pictures without biases, those of sound with them."""
    dim, samples = size.identity_dim, round(size.window_s * size.sample_rate)
    hop = size.sample_rate // 1000
    kernels = {8000: [4, 4, 4, 10], 2560: [4, 4, 4, 4, 4], 10_000: [4, 4, 4, 10]}[samples]
    channels = [16, 32, 64, 128, 256, 256][: len(kernels) + 1]
    sound = 16 * 5 * hop + sum(a * b * k for a, b, k in zip(channels, channels[1:], kernels, strict=False))
    sound += channels[-1] * 256 * 5 + 256  # the last prime factor as a whole
    sound += 3 * sum(channels)  # bias, and the norm's scale and shift
    gru = 2 * 3 * (256 * 256 * 2 + 2 * 256)
    identity = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 1024 * dim * 12
    identity += 2 * (64 + 128 + 256 + 512 + 1024)
    noise = 3 * (10 * 10 * 2 + 2 * 10)
    decoder = (256 + dim + 10) * 1024 * 12 + 2 * 1024
    for c in (1024, 512, 256, 128):
        decoder += 2 * c * c * 9 + 2 * c + c * (c // 2) * 16 + 2 * (c // 2)
    return sound + gru + identity + noise + decoder + 64 * 3 * 16


def test_parameters_are_those_of_the_facts(
    full: tuple[Preset, Generator, FrameDiscriminator, SequenceDiscriminator],
):
    size, generator, frame, sequence = full
    count = sum(p.numel() for p in generator.parameters())
    assert count == weights(size) == {50: 53_422_948, 128: 55_276_292}[size.identity_dim]
    if size == PRESETS["released"]:
        assert sum(t.numel() * t.element_size() for t in generator.state_dict().values()) == RELEASED_BYTES
    assert sum(p.numel() for p in frame.parameters()) == 11_163_457
    assert sum(p.numel() for p in sequence.parameters()) == {50: 16_113_937, 128: 16_050_353}[size.identity_dim]


def test_stages_of_the_generator(full: tuple[Preset, Generator, FrameDiscriminator, SequenceDiscriminator]):
    size, generator, _, _ = full
    samples = round(size.window_s * size.sample_rate)

    def run() -> Tensor:
        stills, windows = torch.empty(2, 3, 128, 96, device="meta"), torch.empty(5, samples, device="meta")
        maps = generator.identity(stills)[1]
        latent = torch.empty(5, 256 + size.identity_dim + 10, device="meta")
        generator.sound(windows)
        return generator.decoder(latent, maps, torch.zeros(5, dtype=torch.long, device="meta"))

    assert shapes([*generator.identity.stages, generator.identity.code], run) == [
        (64, 64, 48), (128, 32, 24), (256, 16, 12), (512, 8, 6), (1024, 4, 3), (size.identity_dim, 1, 1),
    ]  # fmt: skip
    assert shapes([generator.decoder.seed, *generator.decoder.blocks, generator.decoder.output], run) == [
        (1024, 4, 3), (512, 8, 6), (256, 16, 12), (128, 32, 24), (64, 64, 48), (3, 128, 96),
    ]  # fmt: skip
    sound = [layer for layer in generator.sound.layers if isinstance(layer, nn.Conv1d)]
    assert shapes(sound, run) == {
        2560: [(16, 160), (32, 80), (64, 40), (128, 20), (256, 10), (256, 5), (256, 1)],
        10_000: [(16, 200), (32, 100), (64, 50), (128, 25), (256, 5), (256, 1)],
    }[samples]  # fmt: skip
    kernels = [(layer.kernel_size[0], layer.stride[0]) for layer in sound]
    assert (
        kernels
        == {
            2560: [(80, 16), (4, 2), (4, 2), (4, 2), (4, 2), (4, 2), (5, 1)],
            10_000: [(250, 50), (4, 2), (4, 2), (4, 2), (10, 5), (5, 1)],
        }[samples]
    )
    assert (generator.context.input_size, generator.context.hidden_size, generator.context.num_layers) == (256, 256, 2)
    assert (generator.noise.input_size, generator.noise.hidden_size, generator.noise.num_layers) == (10, 10, 1)


def test_the_frame_discriminator_has_six_layers_and_sees_the_still(
    full: tuple[Preset, Generator, FrameDiscriminator, SequenceDiscriminator],
):
    _, _, frame, sequence = full
    for network, cin in ((frame.encoder, 6), (sequence.picture, 3)):
        convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
        assert len(convolutions) == 6
        assert convolutions[0].in_channels == cin
    assert (sequence.memory.input_size, sequence.memory.num_layers) == (512, 2)
    assert len([layer for layer in sequence.classifier if isinstance(layer, nn.Linear)]) == 2


def test_the_static_generator_is_the_same_without_what_remembers():
    with torch.device("meta"):
        temporal, static = Generator(50, 0.16, 16_000), Generator(50, 0.16, 16_000, temporal=False)
    gone = {name for name in temporal.state_dict() if name.startswith(("context.", "noise."))}
    assert set(static.state_dict()) == set(temporal.state_dict()) - gone
    assert len(gone) == 12


def test_a_decoder_block_is_the_convolution_over_frame_and_still():
    """What is computed once per clip gives what one convolution over both, one behind the other, gives."""
    torch.manual_seed(0)
    block = DecoderBlock(8, 4).eval()
    x, still, clip = torch.randn(5, 8, 4, 3), torch.randn(2, 8, 4, 3), torch.tensor([0, 0, 1, 1, 1])
    both = block.mix(torch.cat([x, still[clip]], 1))
    expected = block.up(F.relu(block.norm(both)))
    assert torch.allclose(block(x, still, clip), expected, atol=1e-6)


@pytest.mark.parametrize("height", [32, 64, 256])
@pytest.mark.parametrize(("window_s", "rate"), [(0.35, 16_000), (0.2, 24_000), (0.04, 8_000)])
def test_other_sizes_fit_together(height: int, window_s: float, rate: int):
    generator = Generator(50, window_s, rate, height=height, width=0.05).eval()
    judge, frame = SequenceDiscriminator(window_s, rate, height, 0.05), FrameDiscriminator(height, 0.05)
    lengths, samples = torch.tensor([1, 2]), round(window_s * rate)
    assert generator.sound.samples == samples
    stills = torch.rand(2, 3, height, height * 3 // 4) * 2 - 1
    windows = torch.rand(3, samples)
    with torch.inference_mode():
        made = generator(stills, windows, torch.randn(3, 10), lengths)
        assert made.shape == (3, 3, height, height * 3 // 4)
        assert made.abs().max() <= 1
        assert judge.eval()(made, windows, lengths).shape == (2,)
        assert frame.eval()(made, stills[[0, 1, 1]]).shape == (3,)


def test_no_noise_no_noise_network():
    generator = Generator(50, 0.04, 16_000, 0, 32, 0.1).eval()
    assert generator.noise is None
    made = generator(torch.zeros(1, 3, 32, 24), torch.zeros(2, 640), torch.zeros(2, 0), torch.tensor([2]))
    assert made.shape == (2, 3, 32, 24)


def test_the_sound_encoder_hears_its_whole_window():
    torch.manual_seed(0)
    encoder = SoundEncoder(0.16, 16_000).eval()
    window = (torch.rand(1, 2560) - 0.5).requires_grad_()
    encoder(window).square().sum().backward()
    assert window.grad is not None
    assert (window.grad[0, 16:-16] != 0).float().mean() > 0.99


def test_clips_do_not_hear_each_other():
    torch.manual_seed(0)
    generator = Generator(50, 0.04, 16_000, height=32, width=0.1).eval()
    lengths = torch.tensor([2, 3])
    windows, noise = torch.rand(5, 640), torch.randn(5, 10)
    with torch.inference_mode():
        both, memory = generator.latent(windows, noise, lengths, Memory())
        assert memory.context is not None
        first, _ = generator.latent(windows[:2], noise[:2], lengths[:1], Memory())
        second, _ = generator.latent(windows[2:], noise[2:], lengths[1:], Memory())
        assert torch.allclose(both, torch.cat([first, second]), atol=1e-6)
        earlier = generator.latent(windows[2:4], noise[2:4], torch.tensor([2]), Memory())[0]
        assert torch.allclose(second[:2], earlier, atol=1e-6)
        unmoved = generator.latent(windows[3:], noise[3:], torch.tensor([2]), Memory())[0]
        assert (second[1:] - unmoved).abs().max() > 1e-3  # it remembers the frame before


def test_a_sequence_is_judged_at_its_own_end():
    torch.manual_seed(0)
    judge = SequenceDiscriminator(0.04, 16_000, 32, 0.1).eval()
    frames, windows = torch.rand(7, 3, 32, 24), torch.rand(7, 640)
    with torch.inference_mode():
        both = judge(frames, windows, torch.tensor([2, 5]))
        alone = [judge(frames[:2], windows[:2], torch.tensor([2])), judge(frames[2:], windows[2:], torch.tensor([5]))]
        assert torch.allclose(both, torch.cat(alone), atol=1e-6)
        assert (judge(frames[3:], windows[3:], torch.tensor([4])) - both[1]).abs() > 1e-6  # the first frame counts


def test_small_helpers():
    assert [prime_factors(n) for n in (2, 160, 200, 350)] == [[2], [2, 2, 2, 2, 2, 5], [2, 2, 2, 5, 5], [2, 5, 5, 7]]
    rows = spread(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1, 2]))
    assert rows[..., 0].tolist() == [[1, 0], [2, 3]]
