"""The adversarial losses of logits."""

import torch
from torch.nn import functional as F

from zoo.methods.losses.adversarial import loss_as_generated, loss_as_real


def test_they_are_binary_cross_entropy():
    logits = torch.tensor([0.3, -2.0, 40.0])
    assert torch.allclose(loss_as_real(logits), F.binary_cross_entropy_with_logits(logits, torch.ones(3)))
    assert torch.allclose(loss_as_generated(logits), F.binary_cross_entropy_with_logits(logits, torch.zeros(3)))
