"""Wav2Lip's networks against the published tables: shapes of every stage, and parameters counted from the tables."""

import pytest
import torch
from torch import Tensor, nn
from zoo_wav2lip.networks import Generator, QualityDiscriminator

from zoo.methods.nn.blocks import ConvResidual


def shapes(stages: list[nn.Module], run: object) -> list[tuple[int, ...]]:
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


@pytest.fixture(scope="module")
def generator() -> Generator:
    with torch.device("meta"):  # tensors without numbers cost neither time nor memory
        return Generator().eval()


@pytest.fixture(scope="module")
def discriminator() -> QualityDiscriminator:
    with torch.device("meta"):
        return QualityDiscriminator().eval()


def conv(cin: int, cout: int, kernel: int, norm: bool = True) -> int:
    """Weights and biases of a convolution, and scale and shift of the norm behind it."""
    return cin * cout * kernel**2 + cout + (2 * cout if norm else 0)


def test_the_published_sizes(generator: Generator, discriminator: QualityDiscriminator):
    face = conv(6, 16, 7) + conv(16, 32, 3) + 2 * conv(32, 32, 3) + conv(32, 64, 3) + 3 * conv(64, 64, 3)
    face += conv(64, 128, 3) + 2 * conv(128, 128, 3) + conv(128, 256, 3) + 2 * conv(256, 256, 3)
    face += conv(256, 512, 3) + conv(512, 512, 3) + conv(512, 512, 3) + conv(512, 512, 1)
    sound = conv(1, 32, 3) + 2 * conv(32, 32, 3) + conv(32, 64, 3) + 2 * conv(64, 64, 3)
    sound += conv(64, 128, 3) + 2 * conv(128, 128, 3) + conv(128, 256, 3) + conv(256, 256, 3)
    sound += conv(256, 512, 3) + conv(512, 512, 1)
    up = conv(512, 512, 1) + conv(1024, 512, 3) + conv(512, 512, 3) + conv(1024, 512, 3) + 2 * conv(512, 512, 3)
    up += conv(768, 384, 3) + 2 * conv(384, 384, 3) + conv(512, 256, 3) + 2 * conv(256, 256, 3)
    up += conv(320, 128, 3) + 2 * conv(128, 128, 3) + conv(160, 64, 3) + 2 * conv(64, 64, 3)
    last = conv(80, 32, 3) + conv(32, 3, 1, norm=False)
    assert face + sound + up + last == 36_298_035 == sum(p.numel() for p in generator.parameters())
    assert len(generator.state_dict()) == 352
    quality = [(3, 32, 7), (32, 64, 5), (64, 64, 5), (64, 128, 5), (128, 128, 5), (128, 256, 5), (256, 256, 5)]
    quality += [(256, 512, 3), *[(512, 512, 3)] * 4, (512, 512, 1), (512, 1, 1)]
    count = sum(conv(*shape, norm=False) for shape in quality)
    assert count == 14_113_793 == sum(p.numel() for p in discriminator.parameters())
    assert len(discriminator.state_dict()) == 28


def test_stages_of_the_generator(generator: Generator):
    faces, mel = torch.empty(1, 6, 96, 96, device="meta"), torch.empty(1, 1, 80, 16, device="meta")

    def run() -> Tensor:
        return generator(faces, mel)

    assert shapes(list(generator.face_encoder), run) == [
        (16, 96, 96), (32, 48, 48), (64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3), (512, 1, 1),
    ]  # fmt: skip
    sound = shapes(list(generator.audio_encoder), run)
    assert [sound[k] for k in (2, 5, 8, 10, 11, 12)] == [
        (32, 80, 16), (64, 27, 16), (128, 9, 6), (256, 3, 3), (512, 1, 1), (512, 1, 1),
    ]  # fmt: skip
    assert shapes(list(generator.decoder), run) == [
        (512, 1, 1), (512, 3, 3), (512, 6, 6), (384, 12, 12), (256, 24, 24), (128, 48, 48), (64, 96, 96),
    ]  # fmt: skip
    assert run().shape == (1, 3, 96, 96)

    def residuals(stage: nn.Module) -> int:
        return sum(isinstance(part, ConvResidual) for part in stage.modules())

    assert [residuals(stage) for stage in generator.face_encoder] == [0, 2, 3, 2, 2, 1, 0]
    assert [residuals(stage) for stage in generator.decoder] == [0, 1, 2, 2, 2, 2, 2]


def test_stages_of_the_discriminator(discriminator: QualityDiscriminator):
    lower = torch.empty(2, 3, 48, 96, device="meta")

    def run() -> Tensor:
        return discriminator(lower)

    assert shapes(list(discriminator.face_encoder), run) == [
        (32, 48, 96), (64, 48, 48), (64, 48, 48), (128, 24, 24), (128, 24, 24), (256, 12, 12), (256, 12, 12),
        (512, 6, 6), (512, 6, 6), (512, 3, 3), (512, 3, 3), (512, 1, 1), (512, 1, 1),
    ]  # fmt: skip
    assert run().shape == (2,)


@pytest.mark.parametrize("width", [0.06, 0.25])
def test_thin_networks_have_the_same_shape(width: float, generator: Generator):
    faces, mel = torch.rand(2, 6, 96, 96), torch.randn(2, 1, 80, 16)
    thin = Generator(width)
    with torch.inference_mode():
        made, verdict = thin(faces, mel), QualityDiscriminator(width)(faces[:, :3, 48:])
    assert made.shape == (2, 3, 96, 96)
    assert ((made >= 0) & (made <= 1)).all()
    assert verdict.shape == (2,)
    count = sum(p.numel() for p in thin.parameters())
    assert count < 1.3 * width**2 * sum(p.numel() for p in generator.parameters())
