"""bf16, channels-last and compiling behind one switch: the same results within rounding, the same names."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from zoo import config, registry, trainable
from zoo.nn.speed import speed_up
from zoo.testing.trial import OneBatch, fit, trial
from zoo.train import make_trainer


class Pair(nn.Module):
    """A module with a network, a volume network and a part without parameters."""

    def __init__(self) -> None:
        super().__init__()
        # None of the zoo's own blocks: the shape checks of the tests cannot be compiled.
        self.draw = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1))
        self.volume = nn.Conv3d(3, 2, 3)
        self.nothing = nn.Identity()
        self.ear = Ear()


class Ear(nn.Module):
    """A network that is run through a method of its own, and as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh())

    def forward(self, sound):
        return 2 * self.hear(sound)

    def hear(self, sound):
        return self.layers(sound)


def test_the_same_results_within_rounding():
    torch.manual_seed(0)
    plain = Pair()
    fast = copy.deepcopy(plain)
    names = list(fast.state_dict())
    speed_up(fast)
    assert list(fast.state_dict()) == names
    assert fast.draw[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert not fast.draw[0].weight.is_contiguous()
    compiled = [part._compiled_call_impl is not None for part in (fast.draw, fast.volume, fast.nothing)]
    assert compiled == [True, True, False]
    assert fast.ear.layers._compiled_call_impl is not None
    sound = torch.rand(2, 4)
    assert torch.allclose(fast.ear.hear(sound), plain.ear.hear(sound), atol=1e-6)
    assert torch.allclose(fast.ear(sound), plain.ear(sound), atol=1e-6)
    x = torch.rand(2, 3, 12, 12)
    want = plain.draw(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = fast.draw(x)
    assert found.dtype == torch.bfloat16
    assert (found.float() - want).abs().max() < 0.02 * want.abs().max()
    want.square().mean().backward()
    found.float().square().mean().backward()
    for (name, ours), theirs in zip(plain.draw.named_parameters(), fast.draw.parameters(), strict=True):
        if name != "0.bias":  # a bias before normalisation has no gradient but rounding
            likeness = torch.cosine_similarity(ours.grad.flatten(), theirs.grad.flatten(), dim=0)
            assert likeness > 0.99, name
    fast.load_state_dict(plain.state_dict())


@pytest.mark.parametrize("name", ["lipgan", "wav2lip", "at-a-glance", "temporal-gan", "temporal-gan-static"])
def test_steps_of_every_method_in_bf16_have_the_same_losses(name: str, tiny_store: Path, tmp_path: Path):
    """From the same weights on the same batch, to the third step, which is the first of At a Glance's generator.

    Compiling is left out: the tests' shape checks forbid it.
    """
    spec = registry.trainable(name)
    settings = trial(spec, tiny_store)
    module = trainable.build(spec, settings.model, seed=settings.seed)
    module.before_fit()
    data = OneBatch(settings.data, module.input_spec, settings.seed, 3)
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        trained, _ = fit(settings, tmp_path / precision, epochs=1, data=data, precision=precision, limit_val_batches=0)
        losses.append({key: float(value) for key, value in trained.trainer.callback_metrics.items()})
    exact, rounded = losses
    assert exact.keys() == rounded.keys()
    for key, value in exact.items():
        assert rounded[key] == pytest.approx(value, rel=0.05, abs=0.01), key


def test_one_switch(tmp_path):
    spec = registry.trainable("sync-expert")
    slow, fast = (config.resolve(spec, [f"fast={value}", "trainer.accelerator=cpu"]) for value in ("false", "true"))
    assert make_trainer(slow, [], [], tmp_path).precision == "32-true"
    assert make_trainer(fast, [], [], tmp_path).precision == "bf16-mixed"
