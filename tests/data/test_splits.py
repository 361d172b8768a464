"""Splits are disjoint, complete, stable, and say when they cannot be used."""

from itertools import product

import pytest

from zoo.data.splits import SPEAKER_DEPENDENT, SPLITS, require_train, split_clips
from zoo.data.store.index import ClipInfo
from zoo.support.errors import ConfigError, DataError


def clips(speakers: list[str], count: int) -> list[ClipInfo]:
    return [ClipInfo(f"{s}/{n}", s, "", (), 75, 160, 160, 48000) for s, n in product(speakers, range(count))]


GRID = clips([f"s{n}" for n in range(1, 35) if n != 21], 100)


def speakers_of(infos: list[ClipInfo], numbers: list[int]) -> set[str]:
    return {infos[number].speaker for number in numbers}


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_each_clip_is_in_one_part(name: str):
    split = split_clips(GRID, name)
    assert list(split) == ["train", "val", "test"]
    assert sorted(split["train"] + split["val"] + split["test"]) == list(range(len(GRID)))
    assert all(split.values())
    assert all(part == sorted(part) for part in split.values())
    shared = speakers_of(GRID, split["train"]) & speakers_of(GRID, split["test"])
    assert bool(shared) == (name in SPEAKER_DEPENDENT)


@pytest.mark.parametrize("name", sorted(set(SPLITS) - {"grid-overlapped"}))
def test_a_clip_keeps_its_part_when_others_are_added(name: str):
    few = [clip for number, clip in enumerate(GRID) if number % 3]
    before, after = split_clips(few, name), split_clips(GRID, name)
    for part in before:
        assert {few[n].id for n in before[part]} <= {GRID[n].id for n in after[part]}


def test_published_counts():
    unseen = split_clips(GRID, "grid-unseen")
    assert speakers_of(GRID, unseen["test"]) == {"s1", "s2", "s20", "s22"}
    whole = clips(["s1", "s5"], 1000)
    overlapped = split_clips(whole, "grid-overlapped")
    for speaker in ("s1", "s5"):
        assert sum(whole[n].speaker == speaker for n in overlapped["test"]) == 255


def test_by_clip_shares():
    split = split_clips(GRID, "by-clip")
    assert len(split["train"]) / len(GRID) == pytest.approx(0.8, abs=0.03)
    assert len(split["test"]) / len(GRID) == pytest.approx(0.12, abs=0.03)


def test_hash_is_the_same_on_every_machine():
    """These numbers may never change: a checkpoint's test clips would become training clips."""
    few = clips(["s1"], 40)
    assert split_clips(few, "by-clip")["test"] == [6, 7, 9, 22, 25, 35]


def test_names_of_synthetic_speakers_decide():
    infos = clips(["train000", "train001", "val000", "test000", "test12"], 2)
    split = split_clips(infos, "by-speaker")
    assert speakers_of(infos, split["train"]) == {"train000", "train001"}
    assert speakers_of(infos, split["val"]) == {"val000"}
    assert speakers_of(infos, split["test"]) == {"test000", "test12"}


def test_unknown_split():
    with pytest.raises(ConfigError, match="did you mean 'by-clip'"):
        split_clips(GRID, "by-clips")


def test_nothing_to_train_on():
    infos = clips(["s1"], 20)
    with pytest.raises(DataError, match=r"data\.split=by-clip"):
        require_train(split_clips(infos, "grid-unseen"), "grid-unseen")
    require_train(split_clips(infos, "by-clip"), "by-clip")
    with pytest.raises(DataError, match="more clips"):
        require_train(split_clips(infos, "by-clip"), "by-clip", least=100)
