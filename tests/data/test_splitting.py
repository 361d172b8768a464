"""Dividing videos: by who is seen, by length, at silences; and words that keep their times."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from zoo.data.splits import split_clips
from zoo.data.splitting import Splitting, Stretch, cut_long, name_persons, split_persons, words_within
from zoo.data.store.store import ClipInfo
from zoo.media.clip import Word


def face(person: int, noise: float = 0.0) -> Tensor:
    """An embedding; those of two persons are 1.4 apart."""
    vector = torch.zeros(8)
    vector[person], vector[7] = 1.0, noise
    return vector


def stretch(first: int, length: int, *persons: int) -> Stretch:
    """A stretch looked at at even times, where these persons are seen."""
    looks = [(first + k * length // len(persons), face(person, 0.1 * k)) for k, person in enumerate(persons)]
    return Stretch(first, torch.zeros(length, 68, 2), looks)


def spans(parts: list[Stretch]) -> list[tuple[int, int]]:
    return [(part.first, part.stop) for part in parts]


def test_one_person_stays_one_and_another_is_divided_off():
    assert spans(split_persons(stretch(10, 100, 0, 0, 0, 0))) == [(10, 110)]
    assert spans(split_persons(stretch(10, 100, 0, 0, 1, 1))) == [(10, 36), (60, 110)]  # looks at 10, 35, 60, 85
    assert spans(split_persons(Stretch(5, torch.zeros(30, 68, 2)))) == [(5, 35)]


def test_a_look_that_fails_divides_nothing():
    assert spans(split_persons(stretch(0, 125, 0, 0, 1, 0, 0))) == [(0, 125)]


def test_the_longest_seen_is_the_speaker():
    parts = [stretch(0, 30, 1, 1), stretch(30, 80, 0, 0, 0), stretch(110, 40, 2, 2), stretch(150, 20, 1)]
    assert name_persons(parts) == 3
    assert [part.person for part in parts] == [1, 0, 2, 1]
    assert name_persons([Stretch(0, torch.zeros(5, 68, 2))]) == 1


@pytest.mark.parametrize("total", [501, 760, 1000, 1003, 2600])
def test_long_stretches_are_cut_at_silences(total: int):
    wave = 0.3 * torch.randn((total + 50) * 640, generator=torch.Generator().manual_seed(0))
    silences = range(120, total + 50, 170)
    for frame in silences:
        wave[frame * 640 - 2500 : frame * 640 + 2500] = 0
    parts = cut_long(stretch(50, total, 0), wave, 20.0)
    assert parts[0].first == 50
    assert parts[-1].stop == 50 + total
    assert all(one.stop == two.first for one, two in pairwise(parts))
    assert all(25 <= len(part.landmarks) <= 500 for part in parts)
    assert all(min(abs(part.first - silence) for silence in silences) <= 2 for part in parts[1:])


def test_a_stretch_that_is_short_enough_is_not_cut():
    assert spans(cut_long(stretch(7, 500, 0), torch.zeros(1000), 20.0)) == [(7, 507)]


def test_sound_that_ends_early_can_still_be_cut():
    assert sum(len(part.landmarks) for part in cut_long(stretch(0, 900, 0), torch.zeros(100), 4.0)) == 900


def test_words_go_where_their_middle_is():
    words = (Word(0.5, 0.9, "one"), Word(1.8, 2.1, "two"), Word(2.5, 3.0, "three"))
    assert words_within(words, 0, 50) == (Word(0.5, 0.9, "one"), Word(1.8, 2.0, "two"))
    assert [(round(word.start_s, 6), word.text) for word in words_within(words, 50, 100)] == [(0.5, "three")]


def test_settings_of_the_default_are_empty():
    assert Splitting().settings == {}
    assert Splitting(clip_seconds=8.0, faces="all").settings == {"clip_seconds": 8.0, "faces": "all"}


def test_everybody_in_a_speakers_video_is_in_the_same_part_of_a_split():
    for number in range(40):
        base = f"person {number}"
        names = [base, f"{base}+face2", f"{base}+a.b talk.face13"]
        infos = [ClipInfo(f"{k}", name, "", (), 1, 1, 1, 640) for k, name in enumerate(names)]
        assert sorted(map(len, split_clips(infos, "by-speaker").values())) == [0, 0, 3]
