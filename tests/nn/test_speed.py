"""bf16, channels-last and compiling behind one switch: the same results within rounding, the same names."""

import copy

import torch
from torch import nn

from zoo import config, registry
from zoo.nn.speed import speed_up
from zoo.train import make_trainer


class Pair(nn.Module):
    """A module with a network, a volume network and a part without parameters."""

    def __init__(self) -> None:
        super().__init__()
        # None of the zoo's own blocks: the shape checks of the tests cannot be compiled.
        self.draw = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1))
        self.volume = nn.Conv3d(3, 2, 3)
        self.nothing = nn.Identity()


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


def test_one_switch(tmp_path):
    spec = registry.trainable("sync-expert")
    slow, fast = (config.resolve(spec, [f"fast={value}", "trainer.accelerator=cpu"]) for value in ("false", "true"))
    assert make_trainer(slow, [], [], tmp_path).precision == "32-true"
    assert make_trainer(fast, [], [], tmp_path).precision == "bf16-mixed"
