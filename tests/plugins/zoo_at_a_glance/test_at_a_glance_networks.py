"""At a Glance's networks against Appendix A: shapes of every stage, and parameters counted from the tables."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from zoo_at_a_glance.autoencoder.networks import Autoencoder
from zoo_at_a_glance.frontend import LogMel
from zoo_at_a_glance.networks import Discriminator, FlowEncoder, Generator, SoundDerivative


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


def empty(*shape: int) -> Tensor:
    return torch.empty(*shape, device="meta")


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def conv(cin: int, cout: int, kernel: int, *, bias: bool = False, norm: bool = True) -> int:
    """Weights of a convolution with ``kernel`` weights per pair of channels, and what its norm adds."""
    return cin * cout * kernel + (cout if bias else 0) + (2 * cout if norm else 0)


def test_the_generator_is_tables_4_to_6():
    with torch.device("meta"):
        generator = Generator().eval()
    made: list[Tensor] = []

    def run() -> None:
        made.append(generator(empty(2, 3, 64, 64), empty(2, 1, 64, 128)))

    assert shapes(list(generator.sound), run) == [
        (32, 64, 128), (64, 32, 64), (128, 32, 64), (256, 16, 32), (256, 16, 16),
    ]  # fmt: skip
    assert shapes(list(generator.identity)[1:], run) == [(64, 64, 64), (128, 32, 32), (256, 16, 16)]
    assert shapes([generator.compress, generator.up[0], generator.up[1]], run) == [
        (256, 16, 16, 16), (128, 16, 32, 32), (64, 16, 64, 64),
    ]  # fmt: skip
    assert shapes(list(generator.residuals), run) == [(256, 16, 16)] * 9  # every frame by itself
    assert made[0].shape == (2, 16, 3, 64, 64)


def sound_parameters() -> int:
    return conv(1, 32, 9) + conv(32, 64, 9) + conv(64, 128, 9) + conv(128, 256, 9)


def test_parameters_of_the_generator():
    with torch.device("meta"):
        generator = Generator()
    identity = conv(3, 64, 49) + conv(64, 128, 9) + conv(128, 256, 9)
    residuals = 9 * 2 * conv(256, 256, 9)
    decoder = conv(512, 256, 27) + conv(256, 128, 27) + conv(128, 64, 27) + conv(64, 3, 343, bias=True, norm=False)
    assert count(generator.residuals) == residuals  # the published 10.6 million
    assert count(generator) == sound_parameters() + identity + residuals + decoder == 16_104_931


def test_the_correlation_networks_are_tables_7_and_8():
    with torch.device("meta"):
        sound, flow = SoundDerivative().eval(), FlowEncoder().eval()
    assert shapes(list(sound.layers), lambda: sound(empty(2, 256, 15, 16))) == [
        (128, 15, 8), (64, 15, 4), (32, 15, 2), (16, 15, 1),
    ]  # fmt: skip
    assert shapes(list(flow.layers), lambda: flow(empty(2, 2, 15, 16, 16))) == [
        (4, 15, 8, 8), (8, 15, 4, 4), (16, 15, 2, 2), (16, 15, 1, 1),
    ]  # fmt: skip
    assert sound(empty(2, 256, 15, 16)).shape == flow(empty(2, 2, 15, 16, 16)).shape == (2, 15)
    assert count(sound) == conv(256, 128, 9) + conv(128, 64, 9) + conv(64, 32, 9) + conv(32, 16, 9)
    assert count(flow) == conv(2, 4, 27) + conv(4, 8, 27) + conv(8, 16, 27) + conv(16, 16, 27)


@pytest.mark.parametrize("which", ["sound", "flow"])
def test_they_see_nine_steps(which: str):
    """Sec. 3.2: a delay of up to four steps either way is theirs to learn."""
    torch.manual_seed(0)
    network = (SoundDerivative(0.1) if which == "sound" else FlowEncoder()).eval()
    for layer in network.layers:
        nn.init.constant_(layer[0].weight, 0.1)  # positive: no signal dies on its way
    given = torch.rand(1, *((25, 15, 16) if which == "sound" else (2, 15, 16, 16)), requires_grad=True)
    if which == "sound":
        given = torch.rand(1, network.layers[0][0].in_channels, 15, 16, requires_grad=True)
    network(given)[0, 7].backward()
    assert given.grad is not None
    seen = given.grad.abs().flatten(3).sum((0, 1, 3)) if which == "sound" else given.grad.abs().sum((0, 1, 3, 4))
    assert (seen > 0).nonzero().flatten().tolist() == list(range(3, 12))


@pytest.mark.parametrize("streams", ["two", "three", "difference"])
def test_the_discriminator_is_tables_9_to_11(streams: str):
    with torch.device("meta"):
        network = Discriminator(1.0, streams).eval()  # type: ignore[arg-type]
    motion = None if streams == "two" else empty(2, 15, 2 if streams == "three" else 3, 16, 16)

    def run() -> Tensor:
        return network(empty(2, 1, 64, 128), empty(2, 16, 3, 64, 64), motion)

    assert shapes([network.sound.layers, network.sound.vector], run) == [(256, 16, 32), (256,)]
    last = 512 if streams == "two" else 256
    assert shapes(list(network.video), run) == [
        (64, 8, 32, 32), (128, 4, 16, 16), (256, 2, 8, 8), (last, 1, 4, 4),
    ]  # fmt: skip
    assert shapes(list(network.head), run) == [(512, 1, 4, 4), (1, 1, 1, 1)]
    assert run().shape == (2,)
    sound = sound_parameters() + 131_072 * 256 + 256
    video = conv(3, 64, 64, bias=True, norm=False) + conv(64, 128, 64) + conv(128, 256, 64) + conv(256, last, 64)
    head = conv(768, 512, 27) + conv(512, 1, 16, bias=True, norm=False)
    flow = 0
    if network.motion is not None:
        assert shapes(list(network.motion), run) == [(64, 8, 8, 8), (128, 4, 8, 8), (256, 2, 4, 4), (256, 1, 4, 4)]
        first = conv(2 if streams == "three" else 3, 64, 27, bias=True, norm=False)
        flow = first + conv(64, 128, 27) + conv(128, 256, 27) + conv(256, 256, 27)
    else:
        assert streams == "two"
    assert count(network) == sound + video + flow + head
    assert count(network) == {"two": 55_593_249, "three": 54_278_625, "difference": 54_280_353}[streams]


def test_the_autoencoder():
    with torch.device("meta"):
        network = Autoencoder().eval()
    pictures = empty(2, 3, 64, 64)
    assert shapes(list(network.encoder)[1:], lambda: network(pictures)) == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), *[(256, 16, 16)] * 6,
    ]  # fmt: skip
    assert network(pictures).shape == (2, 3, 64, 64)
    assert network.features(empty(2, 16, 3, 64, 64)).shape == (2, 16, 256, 16, 16)


@pytest.mark.parametrize("width", [0.06, 0.25])
def test_thin_networks_have_the_same_shape(width: float):
    torch.manual_seed(0)
    generator, network = Generator(width, last_kernel=3), Discriminator(width)
    still, heard = torch.rand(2, 3, 64, 64), torch.randn(2, 1, 64, 128)
    with torch.inference_mode():
        made = generator(still, heard)
        logits = network(heard, made, torch.randn(2, 15, 2, 16, 16))
    assert made.shape == (2, 16, 3, 64, 64)
    assert made.abs().max() <= 1
    assert logits.shape == (2,)
    assert count(generator) < 1.4 * width**2 * 16_104_931


def test_channels_last_changes_no_number():
    torch.manual_seed(0)
    generator = Generator(0.06, last_kernel=3, residual_blocks=2)
    still, heard = torch.rand(2, 3, 64, 64), torch.randn(2, 1, 64, 128)
    plain = generator(still, heard)
    assert torch.allclose(generator.use_channels_last()(still, heard), plain, atol=1e-4)
    assert generator.last[0].weight.is_contiguous(memory_format=torch.channels_last_3d)


def test_the_front_end_has_four_columns_per_frame_and_no_padding():
    frontend = LogMel()
    assert frontend.samples == 10_452
    assert frontend.context == 852
    assert frontend(torch.zeros(2, 10_452)).shape == (2, 1, 64, 128)
    assert (frontend(torch.zeros(1, 10_452)) == -1).all()
    # A click in the middle of frame 5: in the columns whose 372 samples it lies in, and in no others.
    wave = torch.zeros(1, 10_452)
    click = (852 - 640) // 2 + 5 * 640 + 320
    wave[0, click] = 1
    loud = (frontend(wave)[0, 0].amax(1) > -1).nonzero().flatten().tolist()
    assert loud == [k for k in range(64) if 160 * k < click < 160 * k + 372]
    assert {k // 4 for k in loud} == {5}


def test_the_front_end_against_librosa():
    librosa = pytest.importorskip("librosa")
    frontend = LogMel()
    wave = torch.rand(1, 10_452, generator=torch.Generator().manual_seed(0)) - 0.5
    # librosa's windows lie in the middle of the 1024 samples of its transform: 326 on either side.
    expected = torch.from_numpy(librosa.feature.melspectrogram(
        y=torch.nn.functional.pad(32768 * wave[0], (326, 326)).numpy(), sr=16_000, n_fft=1024, win_length=372,
        hop_length=160, n_mels=128, fmax=8000, center=False,
    )).T  # fmt: skip
    assert torch.allclose(frontend(wave)[0, 0], expected[:64].clamp(min=1).log() / 10 - 1, atol=1e-3)
