"""Crops are laid back where they were cut."""

from pathlib import Path

import torch

from zoo.data.store.store import Store
from zoo.face.paste import paste_back
from zoo.registry.spec import InputSpec


def test_pasting_back_uses_the_methods_own_crop(tiny_store: Path):
    clip = Store(tiny_store).clip(0)
    for kind in ("face", "mouth", "aligned"):
        spec = InputSpec(crop=kind)
        made = paste_back(clip.frames[:3], torch.ones(3, 3, 96, 96), clip.landmarks[:3], spec)
        x, y = clip.landmarks[1, 60:68].mean(0).round().long().tolist()
        assert (made[1, :, y, x] == 255).all()
        assert torch.equal(made[:, :, 0], clip.frames[:3, :, 0])
