"""When pictures are shown: rates of timelines, joined files, leaps in time."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.helpers.videos import encode, numbered
from zoo.media.pictures.timing import timeline_rate
from zoo.media.video import open_video, probe_video, read_video
from zoo.support.errors import MediaError


def shown(path: Path, fps: float | None = None) -> list[int]:
    """Numbers of the pictures that are read."""
    return (read_video(path, fps=fps).frames.float().mean((1, 2, 3)) / 3).round().int().tolist()


RATES = [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50, Fraction(60000, 1001), 60, 12, 15, 10, 8]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("rate", RATES)
def test_a_constant_rate_is_kept(tmp_path: Path, rate: Fraction, ending: str):
    tick = Fraction(1, 1000) if ending == "mkv" else Fraction(1, 90_000)
    path = encode(tmp_path / f"a.{ending}", numbered(80), rate=rate, tick=tick)
    assert read_video(path, fps=None).fps == pytest.approx(float(rate), rel=1e-6)
    assert shown(path) == list(range(80))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("rate", [Fraction(30000, 1001), 30, 25, 60])
def test_a_variable_rate_with_drops_is_the_timelines(tmp_path: Path, rate: Fraction, ending: str):
    kept = [k for k in range(85) if k % 4 != 2 and not 40 <= k < 46]
    pictures = numbered(85)
    path = encode(tmp_path / f"a.{ending}", [pictures[k] for k in kept], times=[k / float(rate) for k in kept])
    assert probe_video(path).fps == pytest.approx(float(rate), rel=1.1e-3)
    got = shown(path)
    assert len(got) == pytest.approx(85, abs=1)
    assert all(abs(number - k) <= 4 for k, number in enumerate(got))


@pytest.mark.parametrize("jitter", [0.02, 0.08, 0.12])
@pytest.mark.parametrize("seed", range(4))
def test_jitter_of_a_phone(tmp_path: Path, seed: int, jitter: float):
    draw = np.random.default_rng(seed)
    times = (np.arange(80) + draw.uniform(-jitter, jitter, 80)) / 30
    path = encode(tmp_path / "a.mp4", numbered(80), times=list(times - times[0]))
    assert probe_video(path).fps == pytest.approx(30, rel=2e-3)


@pytest.mark.parametrize("claim", [1000, 600, 90_000])
def test_a_header_that_claims_too_much(tmp_path: Path, claim: int):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264rgb", rate=claim, options={"qp": "0", "bf": "0"})
        stream.height, stream.width, stream.pix_fmt = 32, 48, "rgb24"
        stream.codec_context.time_base = Fraction(1, 1000)
        for k, picture in enumerate(numbered(50)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = 40 * k, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert probe_video(tmp_path / "a.mkv").fps == 25
    assert shown(tmp_path / "a.mkv") == list(range(50))


def test_rate_of_times():
    at_30 = [k / 30 for k in range(60)]
    assert timeline_rate(at_30, tick=1e-5, claims=[Fraction(1000)]) == 30
    assert timeline_rate([round(t, 3) for t in at_30], tick=1e-3, claims=[]) == 30
    assert timeline_rate(at_30, tick=1e-5, claims=[Fraction(2213, 100), Fraction(30)]) == 30
    assert timeline_rate([k / 18 for k in range(20)], tick=1e-5, claims=[Fraction(18)]) == 18
    assert timeline_rate([0.0], tick=1e-3, claims=[Fraction(1)]) == 25
    assert timeline_rate([], tick=0.0, claims=[None]) == 25
    assert timeline_rate([0.0, 0.0, 0.0], tick=1e-3, claims=[Fraction(90000)]) == 25


KINDS = {
    "ts": ("mpegts", "libx264", "yuv420p"),
    "mpg": ("mpeg", "mpeg2video", "yuv420p"),
    "vob": ("vob", "mpeg2video", "yuv420p"),
}


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("parts", [2, 3])
def test_joined_files_are_read_to_their_end(tmp_path: Path, ending: str, parts: int):
    kind, codec, pixels = KINDS[ending]
    one = tmp_path / f"one.{ending}"
    encode(one, numbered(40), kind=kind, codec=codec, pixels=pixels, tick=Fraction(1, 25))
    (tmp_path / f"all.{ending}").write_bytes(one.read_bytes() * parts)
    single, joined = shown(one, 25.0), shown(tmp_path / f"all.{ending}", 25.0)
    assert len(single) == 40
    assert len(joined) == pytest.approx(40 * parts, abs=parts)
    assert joined[-1] == pytest.approx(39, abs=1)
    assert joined[42] < 6


def test_a_part_that_begins_hours_later_joins_on(tmp_path: Path):
    for name, first in (("a", 0.0), ("b", 20_000.0)):
        times = [first + k / 25 for k in range(40)]
        encode(tmp_path / name, numbered(40), times=times, kind="mpegts", codec="libx264", pixels="yuv420p")
    (tmp_path / "all.ts").write_bytes((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    assert len(read_video(tmp_path / "all.ts").frames) == pytest.approx(80, abs=2)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_leap_of_hours_fills_no_memory(tmp_path: Path, ending: str):
    times = [*(k / 25 for k in range(20)), *(36_000 + k / 25 for k in range(20))]
    path = encode(tmp_path / f"a.{ending}", numbered(40), times=times, tick=Fraction(1, 1000))
    with pytest.raises(MediaError, match=r"a\.\w+: the pictures stop for 35999 s"):
        read_video(path)
    with open_video(path, seconds=0.4) as reader:  # what lies before it can be had
        assert len(list(reader)) == 10


def test_a_pause_is_held(tmp_path: Path):
    path = encode(tmp_path / "a.mp4", numbered(4), times=[0, 0.04, 12.0, 12.04])
    got = shown(path, 25.0)
    assert len(got) == pytest.approx(302, abs=1)
    assert set(got) == {0, 1, 2, 3}


def test_pictures_out_of_order_are_no_join(tmp_path: Path):
    path = encode(tmp_path / "a.mkv", numbered(20), times=[k / 25 for k in range(20)])
    assert shown(path, 25.0) == list(range(20))


def test_interlaced_pictures_are_read(tmp_path: Path):
    with av.open(str(tmp_path / "a.mpg"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"flags": "+ilme+ildct"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for k, picture in enumerate(numbered(10, 64, 96)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert len(read_video(tmp_path / "a.mpg").frames) == 10
