"""Networks made ready to be asked give what they gave before, with fewer operations."""

import pytest
import torch
from torch import nn

from zoo.experts.sync_expert.networks import SyncNetwork
from zoo.methods.nn.inference import PairedConv, for_inference


@pytest.mark.parametrize(
    ("kernel", "padding", "width"), [(7, 3, 96), (3, 1, 16), (5, (1, 2), 10), (3, 1, 15), (3, 0, 12)]
)
def test_two_pixels_at_once(kernel: int, padding: int | tuple[int, int], width: int):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, kernel, padding=padding)
    x = torch.randn(2, 3, 9, width).contiguous(memory_format=torch.channels_last)
    found = PairedConv(conv)(x)
    assert found.shape == conv(x).shape
    assert torch.allclose(found, conv(x), atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_a_narrow_expert_keeps_its_embeddings():
    torch.manual_seed(0)
    network = SyncNetwork(0.25).train()
    faces, mel = torch.rand(6, 15, 48, 96), torch.randn(6, 1, 80, 16)
    network.embed_faces(faces)  # running statistics that are not those of the start
    network.embed_sounds(mel)
    network.eval()
    with torch.no_grad():
        want = network.embed_faces(faces), network.embed_sounds(mel)
        for_inference(network)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        assert sum(isinstance(module, PairedConv) for module in network.modules()) == 4  # 8 channels at stride 1
        assert torch.allclose(network.embed_faces(faces), want[0], atol=1e-6)
        assert torch.allclose(network.embed_sounds(mel), want[1], atol=1e-6)
    assert not any(parameter.requires_grad for parameter in network.parameters())
