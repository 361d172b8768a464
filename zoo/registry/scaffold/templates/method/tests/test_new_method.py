"""NewMethod keeps the zoo's contract, learns, and draws what its shapes say."""

import torch
from zoo import registry
from zoo.methods.trainable import build
from zoo.testing import check

from zoo_new_method.config import NewMethodConfig
from zoo_new_method.networks import COLUMNS, SIZE, Network


def test_it_keeps_the_contract():
    report = check("new-method", quick=True)  # `zoo plugin check` without --quick does the rest
    assert report.ok, report.text()


def test_the_still_stays_where_nothing_moves():
    network = Network(8).eval()
    torch.nn.init.zeros_(network.out.weight)
    torch.nn.init.constant_(network.out.bias, -100.0)
    still = torch.rand(2, 3, SIZE, SIZE)
    assert torch.equal(network(still, torch.randn(2, 1, 80, COLUMNS)), still)


def test_the_sound_reaches_the_picture():
    network = Network(8).eval()
    still = torch.rand(1, 3, SIZE, SIZE)
    loud, quiet = torch.randn(1, 1, 80, COLUMNS), torch.zeros(1, 1, 80, COLUMNS)
    assert not torch.equal(network(still, loud), network(still, quiet))


def test_a_seed_gives_the_same_weights():
    spec = registry.method("new-method")
    first, second = (build(spec, NewMethodConfig(width=8), seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
