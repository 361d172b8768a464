"""Windows are cut where the draw says, with the right pixels, sound and landmarks; samplers miss and repeat nothing."""

import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.helpers.drawn import centre_of_light, clip_of_dots
from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.data.windows import Draw, EveryClip, RandomWindows, Windows, collate, place
from zoo.media import audio
from zoo.media.clip import Word
from zoo.registry.spec import InputSpec, Uses

POINTS = (48, 54, 51, 57, 62, 66)
"""Lip landmarks marked with a dot, frame after frame: every crop shows them."""

LENGTHS = (75, 40, 12, 3, 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("windows") / "store"
    clips = [clip_of_dots(f"s{k}/c{k}", frames, POINTS) for k, frames in enumerate(LENGTHS)]
    write_store(path, clips, dataset="test")
    return Store(path)


def draw_at(length: int, spec: InputSpec, first: int) -> tuple[int, ...]:
    """A seed whose window begins at ``first``."""
    return next((k,) for k in range(100_000) if place(length, spec, 1, (k,))[0] == first)


@pytest.mark.parametrize("crop", ["face", "aligned", "mouth"])
@pytest.mark.parametrize("size", [(96, 96), (48, 48), (256, 256)])
def test_landmarks_lie_on_the_pixels_they_name(store: Store, crop: str, size: tuple[int, int]):
    windows = Windows(store, InputSpec(crop=crop, size=size, frames=None))
    window = windows[Draw(0, (1,))]
    assert window.frames.shape == (75, 3, *size)
    for t, frame in enumerate(window.frames):
        expected = window.landmarks[t, POINTS[t % len(POINTS)]]
        assert (centre_of_light(frame) - expected).norm() < max(0.5, size[0] / 256), (t, expected)


@pytest.mark.parametrize("frames", [1, 5, 16, None])
def test_shapes(store: Store, frames: int | None):
    spec = InputSpec(frames=frames, context=5400)
    batch = collate([Windows(store, spec, Uses(stills=3))[Draw(0, (k,))] for k in range(4)])
    count = frames or 75
    assert batch.frames.shape == (4, count, 3, 96, 96)
    assert batch.frames.dtype == torch.uint8
    assert batch.given.stills.shape == (4, 3, 3, 96, 96)
    assert batch.given.sound.shape == (4, 5400 + 640 * (count - 1))
    assert batch.landmarks.shape == (4, count, 68, 2)
    assert batch.length.tolist() == [count] * 4
    assert batch.clip == ["s0/c0"] * 4
    unit = batch.unit()
    assert unit.frames.dtype == torch.float32
    assert torch.equal((unit.frames * 255).round().to(torch.uint8), batch.frames)


@pytest.mark.parametrize("frames", [1, 5, 16, None])
def test_windows_of_short_and_long_clips_share_a_batch(store: Store, frames: int | None):
    windows = Windows(store, InputSpec(frames=frames, context=5400))
    parts = [windows[Draw(clip, (9,))] for clip in range(len(LENGTHS))]
    batch = collate(parts)
    expected = [length if frames is None else min(frames, length) for length in LENGTHS]
    assert batch.length.tolist() == expected
    assert batch.frames.shape[:2] == (5, max(expected))
    for b, (part, count) in enumerate(zip(parts, expected, strict=True)):
        samples = 5400 + 640 * (count - 1)
        assert torch.equal(batch.frames[b, :count], part.frames)
        assert torch.equal(batch.landmarks[b, :count], part.landmarks)
        assert torch.equal(batch.given.sound[b, :samples], part.sound)
        assert (batch.given.sound[b, samples:] == 0).all()
        assert (batch.frames[b, count:] == part.frames[-1]).all()
        assert (batch.landmarks[b, count:] == part.landmarks[-1]).all()


@pytest.mark.parametrize("frames", [1, 5, 16])
def test_every_frame_of_a_window_hears_what_it_hears_in_the_whole_clip(store: Store, frames: int):
    """Training cuts, whole-clip generation and evaluation give each frame the very same samples."""
    context = 5600
    spec = InputSpec(frames=frames, context=context)
    windows = Windows(store, spec)
    whole = collate([windows[Draw(0, None)]])
    assert whole.wave.shape == (1, 75 * 640)
    generation = audio.per_frame(audio.widen(whole.wave, 75, context), 75, context)
    for first in (0, 1, 37, 75 - frames):
        batch = collate([windows[Draw(0, draw_at(75, spec, first))]])
        assert batch.first.item() == first
        heard = batch.given.audio_windows(context)
        assert torch.equal(heard, generation[:, first : first + frames])
        assert torch.equal(batch.frames[0], whole.frames[0, first : first + frames])
        assert torch.equal(batch.landmarks[0], whole.landmarks[0, first : first + frames])


@pytest.mark.parametrize("frames", [1, 5, None])
@pytest.mark.parametrize("t", [0, 20, 39])
def test_an_impulse_at_a_frames_centre_is_in_the_middle_of_what_it_hears(tmp_path: Path, frames: int | None, t: int):
    clip = clip_of_dots("s/c", 40, POINTS)
    wave = torch.zeros(40 * 640)
    wave[audio.frame_centre(t)] = 1
    write_store(tmp_path / "store", [replace(clip, wave=wave)], dataset="test")
    spec = InputSpec(frames=frames, context=5400)
    windows = Windows(Store(tmp_path / "store"), spec)
    first = 0 if frames is None else min(t, 40 - frames)
    batch = collate([windows[Draw(0, draw_at(40, spec, first))]])
    heard = batch.given.audio_windows(5400)[0, t - first]
    assert heard.nonzero().flatten().tolist() == [2700]
    generated = collate([windows[Draw(0, None)]]).given.audio_windows(5400)
    assert torch.equal(generated[0, t], heard)


@pytest.mark.parametrize("frames", [1, 5, 16, None])
@pytest.mark.parametrize("identity", ["still", "first"])
def test_evaluation_gives_whole_clips_and_their_own_sound(store: Store, frames: int | None, identity: str):
    """``generate`` wants the clip's sound, without the silence around it, from every kind of method."""
    windows = Windows(store, InputSpec(frames=frames, identity=identity), Uses(stills=3))
    for clip, length in enumerate(LENGTHS):
        window = windows[Draw(clip, None)]
        assert len(window.frames) == length
        assert window.first == 0
        assert torch.equal(window.sound, store.wave(clip))
        assert torch.equal(window.stills[0], window.frames[0])
        assert len(window.stills) == 3


def test_words_of_a_window_count_from_its_first_frame(tmp_path: Path):
    words = (Word(0.2, 0.4, "set"),)
    write_store(tmp_path / "store", [replace(clip_of_dots("s/c", 40, POINTS), words=words)], dataset="test")
    spec = InputSpec(size=(32, 32), frames=5)
    batch = collate([Windows(Store(tmp_path / "store"), spec)[Draw(0, draw_at(40, spec, 10))]])
    ((word,),) = batch.given.words
    assert (word.start_s, word.end_s, word.text) == (pytest.approx(-0.2), pytest.approx(0.0), "set")
    ((word,),) = batch.words
    assert word.start_s == pytest.approx(0.2), "as api_version 1 has it: from the clip's first frame"


def test_further_reference_frames_of_a_test_clip_come_from_other_clips_of_the_speaker(tmp_path: Path):
    """Never from the clip that is being judged: it would show the true mouth."""
    names = [f"{speaker}/{number}" for speaker in ("ann", "bob") for number in range(3)]
    clips = [clip_of_dots(name, 12, (48 + number,)) for number, name in enumerate([*names, "eve/0"])]
    write_store(tmp_path / "store", clips, dataset="test")
    store = Store(tmp_path / "store")
    spec = InputSpec(size=(32, 32))
    windows, first = Windows(store, spec, Uses(stills=4)), Windows(store, spec)
    firsts = [first[Draw(number, None)].frames[0] for number in range(len(store))]
    numbers = {info.id: number for number, info in enumerate(store.clips)}
    for info in store.clips:
        stills = windows[Draw(numbers[info.id], None)].stills
        assert torch.equal(stills[0], firsts[numbers[info.id]])
        mine = [n for n, other in enumerate(store.clips) if other.speaker == info.speaker and other.id != info.id]
        allowed = [firsts[number] for number in mine] or [stills[0]]
        assert all(any(torch.equal(still, one) for one in allowed) for still in stills[1:])
        assert len({still.sum().item() for still in stills}) == min(4, len(mine) + 1)


@pytest.mark.parametrize("frames", [1, 5, 16, None])
@pytest.mark.parametrize("length", [1, 2, 5, 6, 11, 12, 13, 75])
def test_identity_pictures_lie_away_from_the_window_where_there_is_room(length: int, frames: int | None):
    spec = InputSpec(frames=frames, identity_gap=6)
    firsts = set()
    for seed in range(200):
        first, count, identity = place(length, spec, 2, (seed,))
        firsts.add(first)
        assert count == (length if frames is None else min(frames, length))
        assert 0 <= first <= length - count
        distance = [max(first - k, k - (first + count - 1), 0) for k in range(length)]
        least = min(6, max(distance))
        assert len(identity) == 2
        assert all(0 <= k < length and distance[k] >= least for k in identity)
    if length == 75 and frames is not None:
        assert {0, 75 - frames} <= firsts  # the ends are drawn too
        assert len(firsts) > 30
    first, _, identity = place(length, replace(spec, identity="first"), 2, (3,))
    assert identity == [0, 0]


def test_the_draw_decides_everything(store: Store):
    spec = InputSpec(frames=5)
    one, other = Windows(store, spec), pickle.loads(pickle.dumps(Windows(store, spec)))
    for draw in (Draw(0, (0, 1, 2)), Draw(1, (4,)), Draw(2, None)):
        for a, b in zip(one[draw], other[draw], strict=True):
            assert torch.equal(a, b) if torch.is_tensor(a) else a == b
    places = {(w.first, w.stills.sum().item()) for w in (one[Draw(0, (0, epoch, 0))] for epoch in range(20))}
    assert len(places) > 10


@pytest.mark.parametrize("world", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("clips", [1, 6, 13])
def test_evaluation_neither_repeats_nor_skips_a_clip(world: int, clips: int):
    numbers = [3 * k + 1 for k in range(clips)]
    ranks = [[draw.clip for draw in EveryClip(numbers, None, rank, world)] for rank in range(world)]
    assert all(ranks)  # Lightning refuses an empty loader
    seen = Counter(clip for rank in ranks for clip in rank)
    assert set(seen) == set(numbers)
    if clips >= world:
        assert set(seen.values()) == {1}
    else:
        # Only the processes that have none of their own get one that counts once, by its name.
        assert sum(seen.values()) == world
    fixed = list(EveryClip(numbers, 7, 0, world))
    assert fixed == list(EveryClip(numbers, 7, 0, world))
    assert all(draw.seed is not None for draw in fixed)


@pytest.mark.parametrize("world", [1, 2, 3, 7, 20])
@pytest.mark.parametrize(("clips", "per_clip"), [(1, 1), (13, 1), (13, 3)])
def test_training_windows_are_shared_out_evenly(world: int, clips: int, per_clip: int):
    numbers = [2 * k for k in range(clips)]
    epochs = []
    for epoch in (0, 1):
        samplers = [RandomWindows(numbers, per_clip, 5, rank, world) for rank in range(world)]
        for sampler in samplers:
            sampler.set_epoch(epoch)
        draws = [list(sampler) for sampler in samplers]
        assert len({len(rank) for rank in draws}) == 1
        assert all(len(rank) == len(sampler) for rank, sampler in zip(draws, samplers, strict=True))
        together = [draw for rank in draws for draw in rank]
        assert {draw.clip for draw in together} == set(numbers)
        assert 0 <= len(together) - clips * per_clip < world
        assert len(set(together)) == clips * per_clip  # windows of one clip are different ones
        again = RandomWindows(numbers, per_clip, 5, 0, world)
        again.set_epoch(epoch)
        assert list(again) == draws[0]
        epochs.append(set(together))
    assert not epochs[0] & epochs[1]
    assert list(RandomWindows(numbers, per_clip, 6)) != list(RandomWindows(numbers, per_clip, 5))
