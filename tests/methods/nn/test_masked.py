"""What LipGAN and Wav2Lip share: hidden lower halves, clips drawn frame by frame, learning rates that fade."""

import pytest
import torch
from torch import Tensor

from tests.helpers.batches import request
from zoo.methods.nn.masked import DRAWN_AT_ONCE, draw_clips, mask_lower_half


def test_the_lower_half_is_black_and_the_given_faces_stay():
    faces = torch.rand(2, 3, 10, 6)
    kept = faces.clone()
    masked = mask_lower_half(faces)
    assert (masked[..., 5:, :] == 0).all()
    assert torch.equal(masked[..., :5, :], faces[..., :5, :])
    assert torch.equal(faces, kept)


@pytest.mark.parametrize("frames", [1, DRAWN_AT_ONCE, DRAWN_AT_ONCE + 1, 70])
@pytest.mark.parametrize("posed", [False, True])
def test_every_frame_gets_its_own_sound_and_pose(frames: int, posed: bool):
    reference, sound = torch.rand(2, 3, 4, 4), torch.rand(2, frames, 1) + 0.1 * torch.rand(2, frames, 640)
    pose = torch.rand(2, frames, 3, 4, 4) if posed else None
    sizes: list[int] = []

    def draw(still: Tensor, target: Tensor, sound: Tensor) -> Tensor:
        sizes.append(len(sound))
        return still + 10 * target + 100 * sound.mean(1)[:, None, None, None]

    made = draw_clips(draw, request(reference[:, None], sound.flatten(1), frames, pose), 640)
    target = reference[:, None] if pose is None else pose
    want = reference[:, None] + 10 * target + 100 * sound.mean(2)[..., None, None, None]
    assert torch.allclose(made, want.expand_as(made), atol=1e-4)
    assert max(sizes) <= DRAWN_AT_ONCE
    assert sum(sizes) == 2 * frames
