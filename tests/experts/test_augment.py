"""Random changes of pictures: in range, alike for all frames of a clip, and borders repeated."""

import torch

from zoo.experts.augment import augment


def clips(count: int = 24) -> torch.Tensor:
    """``(B, 3, 3, 8, 10)``: three equal frames in every clip."""
    torch.manual_seed(1)
    return torch.rand(count, 1, 3, 8, 10).expand(-1, 3, -1, -1, -1).clone()


def test_nothing_asked_is_nothing_done():
    frames = clips()
    assert torch.equal(augment(frames), frames)


def test_all_frames_of_a_clip_are_changed_alike_and_clips_are_not():
    frames = clips()
    made = augment(frames, flip=0.5, jitter=0.4, shift=2)
    assert made.shape == frames.shape
    assert made.min() >= 0
    assert made.max() <= 1
    assert torch.equal(made[:, :1].expand_as(made), made)
    same = augment(frames[:1].expand_as(frames), flip=0.5, jitter=0.4, shift=2)
    assert not torch.equal(same[:1].expand_as(same), same)


def test_a_share_of_clips_is_mirrored():
    frames = clips(200)
    made = augment(frames, flip=0.25)
    mirrored = (made == frames.flip(-1)).flatten(1).all(1)
    kept = (made == frames).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 25 <= int(mirrored.sum()) <= 75


def test_shift_repeats_the_border():
    frames = clips(200)
    padded = torch.nn.functional.pad(frames.flatten(0, 1), (2, 2, 2, 2), mode="replicate").unflatten(0, (200, 3))
    found = set()
    for made, clip in zip(augment(frames, shift=2), padded, strict=True):
        moves = [(y, x) for y in range(5) for x in range(5) if torch.equal(made, clip[..., y : y + 8, x : x + 10])]
        assert len(moves) == 1
        found.add(moves[0])
    assert len(found) > 20  # of 25, both ways and none


def test_jitter_stays_within_its_share():
    grey = torch.full((200, 1, 3, 4, 4), 0.5)
    moved = augment(grey, jitter=0.2) - 0.5
    assert moved.abs().max() <= 0.1 + 0.025 + 1e-6  # contrast does nothing to the middle; brightness and tint
    assert moved.std() > 0.02
    contrast = augment(torch.tensor([0.4, 0.6]).view(1, 1, 1, 1, 2).expand(200, 1, 3, 1, 2), jitter=0.2)
    ratio = (contrast[..., 1] - contrast[..., 0]) / 0.2
    assert 0.8 - 1e-5 <= ratio.min() < 0.9
    assert 1.1 < ratio.max() <= 1.2 + 1e-5
