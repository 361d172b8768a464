"""State dicts with the names and shapes of Wav2Lip's published files, filled with random numbers."""

from __future__ import annotations

import torch
from torch import Tensor

State = dict[str, Tensor]


def block(state: State, name: str, cin: int, cout: int, kernel: int, norm: bool = True, up: bool = False) -> None:
    """One ``conv_block``: convolution with bias, batch normalisation."""
    channels = (cin, cout) if up else (cout, cin)
    state[f"{name}.conv_block.0.weight"] = torch.randn(*channels, kernel, kernel) * (1 / (cin * kernel**2)) ** 0.5
    state[f"{name}.conv_block.0.bias"] = torch.randn(cout) * 0.1
    if norm:
        state[f"{name}.conv_block.1.weight"] = 1 + 0.1 * torch.randn(cout)
        state[f"{name}.conv_block.1.bias"] = 0.1 * torch.randn(cout)
        state[f"{name}.conv_block.1.running_mean"] = 0.1 * torch.randn(cout)
        state[f"{name}.conv_block.1.running_var"] = 1 + torch.rand(cout)
        state[f"{name}.conv_block.1.num_batches_tracked"] = torch.tensor(7)


def stack(state: State, name: str, blocks: list[tuple[int, int, int]], norm: bool = True) -> None:
    """Blocks numbered from 0."""
    for number, shape in enumerate(blocks):
        block(state, f"{name}.{number}", *shape, norm=norm)


def stage(cin: int, cout: int, residuals: int) -> list[tuple[int, int, int]]:
    """A 3x3 convolution and its residual blocks."""
    return [(cin, cout, 3), *[(cout, cout, 3)] * residuals]


def sound(last: int) -> list[tuple[int, int, int]]:
    """The audio encoder; ``last`` residual blocks of 256 channels (1 in the generator, 2 in the expert)."""
    blocks = [*stage(1, 32, 2), *stage(32, 64, 2), *stage(64, 128, 2), *stage(128, 256, last)]
    return [*blocks, (256, 512, 3), (512, 512, 1)]


def generator() -> State:
    """``wav2lip.pth``, ``wav2lip_gan.pth``."""
    state: State = {}
    face = [[(6, 16, 7)], stage(16, 32, 2), stage(32, 64, 3), stage(64, 128, 2), stage(128, 256, 2), stage(256, 512, 1)]
    for number, blocks in enumerate([*face, [(512, 512, 3), (512, 512, 1)]]):
        stack(state, f"face_encoder_blocks.{number}", blocks)
    stack(state, "audio_encoder", sound(1))
    block(state, "face_decoder_blocks.0.0", 512, 512, 1)
    ups = [(1024, 512, 1), (1024, 512, 2), (768, 384, 2), (512, 256, 2), (320, 128, 2), (160, 64, 2)]
    for number, (cin, cout, residuals) in enumerate(ups, 1):
        block(state, f"face_decoder_blocks.{number}.0", cin, cout, 3, up=True)
        for extra in range(1, residuals + 1):
            block(state, f"face_decoder_blocks.{number}.{extra}", cout, cout, 3)
    block(state, "output_block.0", 80, 32, 3)
    state |= {"output_block.1.weight": torch.randn(3, 32, 1, 1), "output_block.1.bias": torch.randn(3)}
    return state


def expert() -> State:
    """``lipsync_expert.pth``."""
    state: State = {}
    face = [(15, 32, 7), (32, 64, 5), *[(64, 64, 3)] * 2, *stage(64, 128, 3), *stage(128, 256, 2), *stage(256, 512, 2)]
    stack(state, "face_encoder", [*face, (512, 512, 3), (512, 512, 3), (512, 512, 1)])
    stack(state, "audio_encoder", sound(2))
    return state


def discriminator() -> State:
    """``visual_quality_disc.pth``."""
    state: State = {}
    pairs = [(32, 64, 5), (64, 128, 5), (128, 256, 5), (256, 512, 3), (512, 512, 3)]
    stack(state, "face_encoder_blocks.0", [(3, 32, 7)], norm=False)
    for number, (cin, cout, kernel) in enumerate(pairs, 1):
        stack(state, f"face_encoder_blocks.{number}", [(cin, cout, kernel), (cout, cout, kernel)], norm=False)
    stack(state, "face_encoder_blocks.6", [(512, 512, 3), (512, 512, 1)], norm=False)
    return state | {"binary_pred.0.weight": torch.randn(1, 512, 1, 1), "binary_pred.0.bias": torch.randn(1)}


def wrapped(state: State) -> dict[str, object]:
    """As the authors' training saves it: ``DataParallel`` names, an optimiser, counters."""
    return {
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]},
        "global_step": 3,
        "global_epoch": 1,
    }
