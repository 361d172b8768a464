"""Whose sound goes with which face: the same as when every pair was looked at."""

from __future__ import annotations

import random
from collections.abc import Mapping
from hashlib import blake2b

import pytest

from zoo.data.store.index import ClipInfo
from zoo.evaluation.partners import Partners


def by_all_pairs(clips: Mapping[int, ClipInfo], index: int, here: ClipInfo) -> int | None:
    """The rule as it is written: every other clip is looked at."""
    others = [(number, there) for number, there in clips.items() if number != index]

    def order(item: tuple[int, ClipInfo]) -> tuple[object, ...]:
        there = item[1]
        chance = blake2b(f"{here.id} {there.id}".encode(), digest_size=8).digest()
        differs = (there.speaker == here.speaker, there.text == here.text)
        return (*differs, abs(there.num_frames - here.num_frames), chance)

    return min(others, key=order)[0] if others else None


def corpus(
    rng: random.Random, size: int, speakers: int, texts: int, lengths: int, *, twice: bool
) -> dict[int, ClipInfo]:
    """Clips whose numbers have gaps, as those of a split have."""
    numbers = sorted(rng.sample(range(3 * size), size))
    ids = [f"c{rng.randrange(size) if twice else number}" for number in numbers]
    return {
        number: ClipInfo(
            clip, f"s{rng.randrange(speakers)}", f"t{rng.randrange(texts)}", (), 70 + rng.randrange(lengths), 1, 1, 1
        )
        for number, clip in zip(numbers, ids, strict=True)
    }


@pytest.mark.parametrize("seed", range(40))
def test_partners_are_those_of_all_pairs(seed: int):
    rng = random.Random(seed)
    choices = [(rng.choice((1, 2, 9)), rng.choice((1, 2, 40)), rng.choice((1, 3, 60)))]
    ((speakers, texts, lengths),) = choices
    clips = corpus(rng, rng.choice((1, 2, 3, 30)), speakers, texts, lengths, twice=seed % 4 == 0)
    partners = Partners(clips)
    for index, here in clips.items():
        expected = by_all_pairs(clips, index, here)
        assert partners.of(index, here) == expected
        if expected is not None:
            assert partners.has_another_speaker(here) == (clips[expected].speaker != here.speaker)
    stranger = ClipInfo("x", "s0", "t0", (), 75, 1, 1, 1)
    assert partners.of(-1, stranger) == by_all_pairs(clips, -1, stranger)
