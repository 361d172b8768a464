"""SynthGRID gives the same truthful clips for the same seed, and keeps its speakers apart."""

import subprocess
import sys
from hashlib import sha256
from itertools import pairwise

import pytest
import torch

from zoo.data.sources.base import RawClip, SourceItem
from zoo.data.sources.synthgrid import SynthGrid
from zoo.data.sources.synthgrid.source import SPLITS
from zoo.media.clip import Word
from zoo.support.errors import ConfigError, DataError, ZooError

DIGEST = """
import sys
from hashlib import sha256
import torch
from zoo.data.sources.synthgrid import SynthGrid
torch.set_num_threads(int(sys.argv[1]))
source = SynthGrid(clips=12, speakers=3, seed=5, frames=50)
items = {item.id: item for item in source.items()}
for other in sys.argv[3:]:
    source.read(items[other])
clip = source.read(items[sys.argv[2]])
parts = (clip.frames, clip.wave, clip.landmarks)
print(sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest())
"""


def digest(clip: RawClip) -> str:
    """A hash of all that a clip holds in numbers."""
    assert clip.landmarks is not None
    parts = (clip.frames, clip.wave, clip.landmarks)
    return sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()


@pytest.fixture(scope="module")
def clips() -> list[tuple[SourceItem, RawClip]]:
    source = SynthGrid(clips=4, speakers=4, seed=2)
    return [(item, source.read(item)) for item in source.items()]


def test_same_bytes_after_other_clips_in_other_processes_and_on_other_threads() -> None:
    source = SynthGrid(clips=12, speakers=3, seed=5, frames=50)
    items = source.items()
    wanted = digest(source.read(items[7]))
    source.read(items[1])
    assert digest(source.read(items[7])) == wanted
    command = [sys.executable, "-c", DIGEST, "2", items[7].id, items[10].id, items[0].id]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == wanted


def test_another_seed_gives_other_clips() -> None:
    first, second = (SynthGrid(clips=3, frames=50, seed=seed) for seed in (0, 1))
    a, b = first.read(first.items()[0]), second.read(second.items()[0])
    assert not torch.equal(a.frames, b.frames)
    assert not torch.equal(a.wave, b.wave)


@pytest.mark.parametrize(("clips", "speakers"), [(3, None), (4, 3), (24, 24), (160, None), (1000, 7), (5000, None)])
def test_splits_share_no_speaker_and_ids_are_unique(clips: int, speakers: int | None) -> None:
    items = SynthGrid(clips=clips, speakers=speakers).items()
    assert len({item.id for item in items}) == len(items) == clips
    people = {item.speaker for item in items}
    assert len(people) == (speakers or max(3, -(-clips // 8)))
    share = {split: sum(item.speaker.startswith(split) for item in items) / clips for split in SPLITS}
    assert all(value > 0 for value in share.values())
    assert sum(share.values()) == pytest.approx(1)
    if clips >= 100:
        assert share == pytest.approx(SPLITS, abs=0.01)
    assert all(item.id.startswith(f"{item.speaker}/") for item in items)


def test_speakers_of_different_splits_look_different() -> None:
    source = SynthGrid(clips=3, frames=50)
    first = [source.read(item).frames[0].float() for item in source.items()]
    assert min((a - b).abs().mean().item() for a, b in pairwise(first)) > 8


def test_clip_is_like_one_of_grid(clips: list[tuple[SourceItem, RawClip]]) -> None:
    for item, clip in clips:
        assert clip.frames.shape == (75, 3, 256, 256)
        assert clip.frames.dtype == torch.uint8
        assert clip.wave.shape == (48_000,)
        assert 0.3 < clip.wave.abs().max() <= 1
        assert len(clip.text.split()) == 6
        assert item.id.split("/")[1][0] == clip.text[0]


def test_words_are_in_order_and_the_ends_are_quiet(clips: list[tuple[SourceItem, RawClip]]) -> None:
    for _, clip in clips:
        assert [word.text for word in clip.words] == clip.text.split()
        times = [time for word in clip.words for time in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert times[0] >= 0.1
        assert times[-1] <= 3 - 0.1
        before, after = clip.wave[: int(times[0] * 16_000) - 160], clip.wave[int(times[-1] * 16_000) + 800 :]
        assert before.abs().max() < 0.01
        assert after.abs().max() < 0.01


def test_sound_lies_where_the_words_are(clips: list[tuple[SourceItem, RawClip]]) -> None:
    for _, clip in clips:
        for word in clip.words:
            spoken = clip.wave[int(word.start_s * 16_000) : int(word.end_s * 16_000)]
            assert spoken.square().mean().sqrt() > 0.02, word


def test_a_sentence_that_is_too_long_is_spoken_faster() -> None:
    source = SynthGrid(clips=3, frames=40)
    clip = source.read(source.items()[0])
    assert clip.frames.shape[0] == 40
    assert clip.wave.shape == (25_600,)
    assert isinstance(clip.words[-1], Word)
    assert clip.words[-1].end_s < 1.6


@pytest.mark.parametrize(
    "wrong", [{"clips": 2}, {"clips": 8, "speakers": 2}, {"speakers": 200}, {"frames": 10}, {"seed": -1}]
)
def test_impossible_sizes_say_what_to_give(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="give"):
        SynthGrid(**wrong)


@pytest.mark.parametrize("bad", ["nonsense", "train00/bbaf2n-00000", "train00/bbaf2n-x"])
def test_foreign_item_is_refused(bad: str) -> None:
    with pytest.raises(DataError, match="items\\(\\)"):
        SynthGrid(clips=3, seed=123).read(SourceItem(bad, "train00"))


def test_missing_espeak_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import espeakng_loader

    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: "/nowhere/libespeak-ng.so")
    source = SynthGrid(clips=3)
    with pytest.raises(ZooError, match="pip install espeakng-loader") as error:
        source.read(source.items()[0])
    assert "\n" not in str(error.value)
