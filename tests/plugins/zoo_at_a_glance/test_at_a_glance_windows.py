"""Windows that are joined, and the losses, by hand."""

import pytest
import torch
from zoo_at_a_glance.losses import correlation_loss
from zoo_at_a_glance.windows import join, window_starts


@pytest.mark.parametrize(
    ("frames", "starts"),
    [(1, [0]), (16, [0]), (17, [0, 8]), (24, [0, 8]), (25, [0, 8, 16]), (75, list(range(0, 72, 8)))],
)
def test_windows_cover_the_clip_every_8_frames(frames: int, starts: list[int]):
    assert window_starts(frames) == starts
    assert starts[-1] + 16 >= frames
    assert starts[-1] + 16 - frames < 16


@pytest.mark.parametrize("frames", [1, 16, 17, 75, 200])
def test_windows_that_agree_are_joined_without_a_trace(frames: int):
    truth = torch.randn(frames + 16, 2, generator=torch.Generator().manual_seed(0))
    windows = torch.stack([truth[s : s + 16] for s in window_starts(frames)])
    joined = join(windows, frames)
    assert joined.shape == (frames, 2)
    assert torch.allclose(joined, truth[:frames], atol=1e-6)


def test_windows_that_differ_are_cross_faded():
    joined = join(torch.tensor([0.0, 1.0])[:, None].expand(2, 16), 24)
    assert (joined[:8] == 0).all()
    assert (joined[16:] == 1).all()
    assert torch.allclose(joined[8:16], (torch.arange(8) + 0.5) / 8)


def test_the_correlation_loss_by_hand():
    sound = torch.tensor([[3.0, 4.0], [1.0, 0.0], [1.0, 1.0]])
    motion = torch.tensor([[6.0, 8.0], [0.0, 2.0], [-1.0, -1.0]])
    # Cosines 1, 0 and -1.
    assert correlation_loss(sound[:1], motion[:1]).item() == pytest.approx(0, abs=1e-6)
    assert correlation_loss(sound, motion).item() == pytest.approx((0 + 1 + 2) / 3, abs=1e-6)
    assert correlation_loss(torch.zeros(1, 2), motion[:1]).item() == 1  # nothing to correlate, nothing divided by zero
