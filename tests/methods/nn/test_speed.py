"""bf16, channels-last and compiling behind one switch: the same results within rounding, the same names."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.methods.nn.rounding import STEPS, look, off
from zoo import registry
from zoo.methods import trainable
from zoo.methods.nn.speed import speed_up
from zoo.registry import config
from zoo.testing.trial import OneBatch, trial
from zoo.training.fit import make_trainer


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


def test_the_same_results_within_rounding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # What others have compiled on this machine may be for another processor, as ATEN_CPU_CAPABILITY has it.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
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


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["lipgan", "wav2lip", "at-a-glance", "temporal-gan", "temporal-gan-static"])
def test_steps_of_every_method_in_bf16_are_off_by_rounding_alone(name: str, tiny_store: Path, tmp_path: Path):
    """From the same weights on the same batch: what is logged and the gradients, against float64.

    The bound is what roundings drawn by lot come to, and so no processor's: eight of their standard deviations. Those
    of a processor are smaller (to nearest), but may all go the same way in a picture of one colour, where lots do not.
    Compiling is left out: the tests' shape checks forbid it.
    """
    spec = registry.trainable(name)
    settings = trial(spec, tiny_store)
    module = trainable.build(spec, settings.model, seed=settings.seed)
    module.before_fit()
    exact, rounded, lots = look(
        settings, tmp_path, lambda: OneBatch(settings.data, module.input_spec, settings.seed, STEPS)
    )
    assert exact.values.keys() == rounded.values.keys()
    assert set(rounded.types.values()) == {torch.float32}  # losses are no sums of rounded numbers
    allowed = dict(off(exact, lots))
    for key, found in off(exact, [rounded]):
        assert found <= 8 * allowed[key] + 1e-6, key


def test_one_switch(tmp_path):
    spec = registry.trainable("sync-expert")
    slow, fast = (config.resolve(spec, [f"fast={value}", "trainer.accelerator=cpu"]) for value in ("false", "true"))
    assert make_trainer(slow, [], [], tmp_path).precision == "32-true"
    assert make_trainer(fast, [], [], tmp_path).precision == "bf16-mixed"
