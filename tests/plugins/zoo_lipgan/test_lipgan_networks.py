"""LipGAN's networks against the published tables: shapes of every stage, and parameters counted from the tables."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from zoo_lipgan.networks import Discriminator, Generator

SOUND = {"mel": (1, 80, 27), "mfcc": (1, 12, 35)}


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


@pytest.fixture(scope="module", params=["mel", "mfcc"])
def networks(request: pytest.FixtureRequest) -> tuple[str, Generator, Discriminator]:
    # Tensors without numbers: 140 million parameters cost neither time nor memory.
    with torch.device("meta"):
        return request.param, Generator(request.param, 1.0).eval(), Discriminator(request.param, 1.0).eval()


def test_stages_of_the_generator(networks: tuple[str, Generator, Discriminator]):
    name, generator, _ = networks
    faces, sound = torch.empty(1, 6, 96, 96, device="meta"), torch.empty(1, *SOUND[name], device="meta")

    def run() -> Tensor:
        return generator(faces, sound)

    last_face = generator.face_encoder[-1]
    assert isinstance(last_face, nn.Sequential)
    assert shapes([*generator.face_encoder[:-1], *last_face], run) == [
        (32, 96, 96), (64, 48, 48), (128, 24, 24), (256, 12, 12), (512, 6, 6), (512, 3, 3), (512, 1, 1), (512, 1, 1),
    ]  # fmt: skip
    assert shapes(list(generator.audio_encoder), run) == {
        "mel": [(32, 80, 27), (64, 27, 9), (128, 9, 9), (256, 3, 3), (512, 1, 1), (512, 1, 1)],
        "mfcc": [
            (128, 12, 35), (128, 13, 35), (256, 13, 18), (512, 7, 9), (512, 4, 5), (512, 1, 1), (512, 1, 1),
        ],
    }[name]  # fmt: skip
    assert shapes(list(generator.decoder), run) == [
        (512, 3, 3), (512, 6, 6), (256, 12, 12), (128, 24, 24), (64, 48, 48), (32, 96, 96),
    ]  # fmt: skip
    assert shapes(list(generator.output), run)[-1] == (3, 96, 96)


def test_the_decoders_steps_take_sound_and_six_skips(networks: tuple[str, Generator, Discriminator]):
    _, generator, _ = networks
    ups = [stage[0][0] for stage in generator.decoder]
    assert [(up.in_channels, up.out_channels, up.stride[0], up.kernel_size) for up in ups] == [
        (1024, 512, 3, (3, 3)), (1024, 512, 2, (3, 3)), (1024, 256, 2, (3, 3)), (512, 128, 2, (3, 3)),
        (256, 64, 2, (3, 3)), (128, 32, 2, (3, 3)),
    ]  # fmt: skip
    assert generator.output[0][0].in_channels == 64
    residuals = [len(stage) - 1 for stage in [*generator.face_encoder][:6]]
    assert residuals == [0, 2, 3, 2, 2, 0]
    assert [len(stage) - 1 for stage in generator.decoder] == [0, 2, 2, 2, 2, 0]


def test_stages_of_the_discriminator(networks: tuple[str, Generator, Discriminator]):
    name, _, discriminator = networks
    frames, sound = torch.empty(2, 3, 96, 96, device="meta"), torch.empty(2, *SOUND[name], device="meta")

    def run() -> Tensor:
        return discriminator(frames, sound)

    assert shapes(list(discriminator.face), run) == [
        (64, 48, 48), (128, 24, 24), (256, 12, 12), (512, 6, 6), (512, 3, 3), (512, 1, 1),
    ]  # fmt: skip
    assert shapes(list(discriminator.sound), run)[-2:] == [(512, 1, 1), (512, 1, 1)]
    assert shapes(list(discriminator.sound), run)[:-1] == {
        "mel": [(32, 80, 27), (64, 27, 9), (128, 9, 9), (256, 3, 3), (512, 1, 1)],
        "mfcc": [
            (64, 12, 35), (128, 12, 35), (128, 13, 35), (256, 13, 18), (256, 13, 18), (256, 7, 9), (512, 4, 5),
            (512, 1, 1),
        ],
    }[name]  # fmt: skip
    assert run().shape == (2,)


def conv(cin: int, cout: int, height: int, width: int, norm: bool = True) -> int:
    """Weights and biases of a convolution, and scale and shift of the norm behind it."""
    return cin * cout * height * width + cout + (2 * cout if norm else 0)


def residuals(channels: int, count: int) -> int:
    return count * 2 * conv(channels, channels, 3, 3)


def generator_parameters(name: str) -> int:
    """The published tables "Face encoder", "Audio encoder" and "Decoder", summed by hand."""
    face = conv(6, 32, 7, 7) + conv(32, 64, 5, 5) + residuals(64, 2) + conv(64, 128, 3, 3) + residuals(128, 3)
    face += conv(128, 256, 3, 3) + residuals(256, 2) + conv(256, 512, 3, 3) + residuals(512, 2)
    face += conv(512, 512, 3, 3) + conv(512, 512, 3, 3) + conv(512, 512, 1, 1)
    if name == "mel":
        sound = conv(1, 32, 3, 3) + residuals(32, 2) + conv(32, 64, 3, 3) + residuals(64, 2)
        sound += conv(64, 128, 3, 3) + residuals(128, 2) + conv(128, 256, 3, 3) + residuals(256, 2)
        sound += conv(256, 512, 3, 3) + conv(512, 512, 1, 1)
    else:
        sound = conv(1, 128, 3, 3) + residuals(128, 3) + conv(128, 256, 3, 3) + residuals(256, 2)
        sound += conv(256, 512, 3, 3) + residuals(512, 2) + conv(512, 512, 3, 3) + residuals(512, 1)
        sound += conv(512, 512, 4, 5) + conv(512, 512, 1, 1)
    up = conv(512 + 512, 512, 3, 3) + conv(512 + 512, 512, 3, 3) + residuals(512, 2)
    up += conv(512 + 512, 256, 3, 3) + residuals(256, 2) + conv(256 + 256, 128, 3, 3) + residuals(128, 2)
    up += conv(128 + 128, 64, 3, 3) + residuals(64, 2) + conv(64 + 64, 32, 3, 3)
    return face + sound + up + conv(32 + 32, 16, 3, 3) + conv(16, 16, 3, 3) + conv(16, 3, 1, 1, norm=False)


def discriminator_parameters(name: str) -> int:
    """The published tables "Discriminator face" and "Discriminator audio"; no norm where one position is left."""
    face = conv(3, 64, 7, 7) + conv(64, 128, 5, 5) + conv(128, 256, 3, 3) + conv(256, 512, 3, 3)
    face += conv(512, 512, 3, 3) + conv(512, 512, 3, 3, norm=False)
    if name == "mel":
        sound = conv(1, 32, 3, 3) + conv(32, 64, 3, 3) + conv(64, 128, 3, 3) + conv(128, 256, 3, 3)
        sound += conv(256, 512, 3, 3, norm=False)
    else:
        sound = conv(1, 64, 3, 3) + conv(64, 128, 3, 3) + conv(128, 256, 3, 3) + 2 * conv(256, 256, 3, 3)
        sound += conv(256, 512, 3, 3) + conv(512, 512, 4, 5, norm=False)
    return face + sound + conv(512, 512, 1, 1, norm=False)


def test_parameters_are_those_of_the_tables(networks: tuple[str, Generator, Discriminator]):
    name, generator, discriminator = networks
    assert sum(p.numel() for p in generator.parameters()) == generator_parameters(name)
    assert sum(p.numel() for p in discriminator.parameters()) == discriminator_parameters(name)
    assert generator_parameters(name) == {"mel": 49_543_123, "mfcc": 71_331_987}[name]
    assert discriminator_parameters(name) == {"mel": 8_243_904, "mfcc": 14_651_264}[name]


@pytest.mark.parametrize("name", ["mel", "mfcc"])
@pytest.mark.parametrize("width", [0.06, 0.25])
def test_thin_networks_have_the_same_shape(name: str, width: float):
    faces, sound = torch.rand(2, 6, 96, 96), torch.randn(2, *SOUND[name])
    with torch.inference_mode():
        made, distance = Generator(name, width)(faces, sound), Discriminator(name, width)(faces[:, :3], sound)
    assert made.shape == (2, 3, 96, 96)
    assert ((made >= 0) & (made <= 1)).all()
    assert distance.shape == (2,)
    assert ((distance >= 0) & (distance <= 2)).all()
    count = sum(p.numel() for p in Generator(name, width).parameters())
    assert count < 1.4 * max(width, 0.1) ** 2 * generator_parameters(name)
