"""Scene cuts: found where they are, and nowhere else."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.face.shots import shots


@pytest.fixture(scope="module")
def talkers() -> list[Tensor]:
    source = SynthGrid(clips=6, frames=40)
    return [source.read(item).frames[:30, :, ::2, ::2] for item in source.items()[2:5]]


def starts(frames: Tensor) -> list[int]:
    return [number for number, _ in shots(frames)]


def test_every_cut_is_found_at_its_picture(talkers: list[Tensor]):
    for one, two in itertools.permutations(talkers, 2):
        assert starts(torch.cat([one, two, one[:10]])) == [0, 30, 60]
    assert starts(torch.cat([talkers[0], talkers[1][:1]])) == [0, 30]


def test_one_shot_stays_one(talkers: list[Tensor]):
    for talker in talkers:
        assert starts(talker) == [0]
        assert starts(talker[[t // 3 * 3 for t in range(30)]]) == [0]  # 8 pictures a second, each shown three times
    assert starts(talkers[0][:1]) == [0]
    assert starts(talkers[0][:0]) == []


def test_light_and_movement_are_no_cuts(talkers: list[Tensor]):
    flash = talkers[0].clone()
    flash[12:14] = 255
    assert starts(flash) == [0]
    fade = (talkers[0].float() * torch.linspace(1, 0.1, 30)[:, None, None, None]).byte()
    assert starts(fade) == [0]
    noise = torch.randint(0, 256, (3, 96, 400), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    noise = noise.float().unfold(2, 40, 1).mean(-1).byte()
    pan = torch.stack([noise[:, :, 8 * t : 8 * t + 120] for t in range(28)])
    assert starts(pan) == [0]


def test_the_pictures_of_all_shots_are_the_stream(talkers: list[Tensor]):
    frames = torch.cat([talkers[0], talkers[1]])
    assert torch.equal(torch.stack([picture for _, shot in shots(frames) for picture in shot]), frames)
    halves = [(number, next(shot)) for number, shot in shots(frames)]  # what is not read is passed over
    assert [number for number, _ in halves] == [0, 30]
    assert torch.equal(halves[1][1], frames[30])
