"""A request: what is hidden is hidden, sound is cut by the one time rule, parts make the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.helpers.batches import pictures, request
from zoo.data.request import Pictures, Request
from zoo.media import audio
from zoo.media.clip import Word
from zoo.registry.spec import Uses
from zoo.support.errors import ConfigError

FRAMES = 9


@pytest.fixture
def whole() -> Request:
    """Two clips of which everything is known."""
    draw = torch.Generator().manual_seed(0)
    frames, points = torch.rand(2, FRAMES, 3, 8, 8, generator=draw), torch.rand(2, FRAMES, 68, 2, generator=draw) * 8
    given = request(torch.rand(2, 3, 3, 8, 8, generator=draw), torch.rand(2, 640 * FRAMES, generator=draw), FRAMES)
    return replace(
        given,
        driver=Pictures(frames=frames, points=points),
        words=((Word(0.0, 0.1, "bin"),), (Word(0.1, 0.3, "lay"),)),
        labels={"emotion": ("happy", "sad"), "accent": ("", "")},
        arrays={"pose": torch.rand(2, FRAMES, 6, generator=draw), "gaze": torch.rand(2, FRAMES, generator=draw)},
    )


def test_a_mode_is_given_what_it_uses_and_nothing_else(whole: Request):
    given = whole.only("plain", Uses())
    assert (given.mode, given.stills.shape[1], given.driver) == ("plain", 1, None)
    assert given.sound is whole.sound
    assert (given.words, given.labels, given.arrays) == (((), ()), {}, {})
    given = whole.only(
        "all", Uses(stills=2, sound=False, driver="video", words=True, labels=("emotion",), arrays=("pose",))
    )
    assert given.sound is None
    assert torch.equal(given.stills, whole.stills[:, :2])
    assert given.driver is whole.driver
    assert given.words == whole.words
    assert given.labels == {"emotion": ("happy", "sad")}
    assert list(given.arrays) == ["pose"]
    with pytest.raises(ConfigError, match=r"mode 'all' is given no sound: its spec has to say Uses\(sound=True\)"):
        given.audio_windows(640)


def test_of_a_driver_points_hide_mouth_and_jaw_and_the_upper_half_the_lower_one(whole: Request):
    assert whole.driver is not None
    assert whole.driver.frames is not None
    points = whole.only("m", Uses(driver="points")).driver
    assert points is not None
    assert points.frames is None
    hidden = points.points.isnan().all(-1)
    assert hidden[..., :17].all()
    assert hidden[..., 48:].all()
    assert torch.equal(points.points[..., 17:48, :], whole.driver.points[..., 17:48, :])
    upper = whole.only("m", Uses(driver="upper half")).driver
    assert upper is not None
    assert upper.frames is not None
    assert torch.equal(upper.frames[..., :4, :], whole.driver.frames[..., :4, :])
    assert not upper.frames[..., 4:, :].any()
    low = whole.driver.points[..., 1] >= 4
    assert upper.points[low].isnan().all()
    assert upper.points[..., :17, :].isnan().all()
    assert torch.equal(
        upper.points[..., 17:48, :][~low[..., 17:48]], whole.driver.points[..., 17:48, :][~low[..., 17:48]]
    )
    assert not whole.driver.points.isnan().any(), "the request itself stays as it is"


@pytest.mark.parametrize("context", [100, 640, 3801, 6000])
def test_a_training_window_hears_what_the_whole_clip_does(whole: Request, context: int):
    """Sound cut for a window of frames gives the windows that those frames have in the clip."""
    assert whole.sound is not None
    heard = whole.audio_windows(context)
    assert heard.shape == (2, FRAMES, context)
    for t in range(FRAMES):
        begin = audio.frame_centre(t) - context // 2
        assert torch.equal(heard[:, t], audio.cut(whole.sound, begin, begin + context))
    begin, stop = audio.frame_window(3, 4, context)
    window = replace(whole, num_frames=4, sound=audio.cut(whole.sound, begin, stop), start=audio.num_samples(3) - begin)
    assert torch.equal(window.audio_windows(context), heard[:, 3:7])
    assert torch.equal(whole.part(3, 4).audio_windows(context), heard[:, 3:7])


def test_parts_are_the_whole_and_can_be_joined(whole: Request):
    parts = list(whole.parts(4))
    assert [part.num_frames for part in parts] == [4, 4, 1]
    assert torch.equal(torch.cat([part.audio_windows(900) for part in parts], 1), whole.audio_windows(900))
    assert torch.equal(torch.cat([_frames(part) for part in parts], 1), _frames(whole))
    assert torch.equal(torch.cat([part.arrays["pose"] for part in parts], 1), whole.arrays["pose"])
    assert whole.sound is not None
    pieces = whole.sound.split(700, 1)
    silent = [replace(part, sound=None) for part in parts]
    start = replace(whole, sound=None, driver=None, arrays={}, num_frames=0)
    joined = start.joined([replace(start, sound=piece) for piece in pieces])
    assert joined.num_frames == FRAMES
    assert joined.sound is not None
    assert torch.equal(joined.sound, whole.sound)
    joined = start.joined(silent)
    assert joined.num_frames == FRAMES
    assert torch.equal(_frames(joined), _frames(whole))
    assert torch.equal(joined.arrays["gaze"], whole.arrays["gaze"])


def test_times_of_words_count_from_the_first_frame(whole: Request):
    (word,) = whole.part(5, 2).words[1]
    assert (word.start_s, word.end_s, word.text) == (pytest.approx(-0.1), pytest.approx(0.1), "lay")
    assert whole.part(0, 2).words == whole.words


def test_beyond_its_end_a_clip_is_silent(whole: Request):
    assert whole.sound is not None
    late = whole.part(FRAMES - 2, 16)
    assert torch.equal(late.audio_around(640)[:, : 2 * 640], whole.sound[:, -2 * 640 :])
    assert not late.audio_around(640)[:, 2 * 640 :].any()


def test_what_is_used_by_any_mode_is_used_in_training():
    both = Uses(stills=5, driver="points", labels=("emotion",)) | Uses(sound=False, driver="video", words=True)
    assert both == Uses(stills=5, driver="video", words=True, labels=("emotion",))
    assert str(both) == "5 stills, sound, the whole driver, words, emotion"
    assert str(Uses(driver="points")) == "a still, sound, the driver's landmarks without mouth and jaw"
    assert str(Uses(sound=False)) == "a still"


def test_to_moves_all_tensors(whole: Request):
    moved = whole.to("meta")
    assert moved.driver is not None
    assert moved.sound is not None
    tensors = (moved.stills, moved.identity.points, moved.sound, moved.driver.points, *moved.arrays.values())
    assert all(tensor.is_meta for tensor in tensors)
    assert moved.words == whole.words


def _frames(given: Request) -> Tensor:
    assert given.driver is not None
    assert given.driver.frames is not None
    return given.driver.frames


def test_pictures_can_be_chosen():
    frames = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(1, 4, 3, 2, 2)
    chosen = pictures(frames).chosen([3, 0, 3])
    assert chosen.frames is not None
    assert chosen.frames[0, :, 0, 0, 0].tolist() == [3, 0, 3]
