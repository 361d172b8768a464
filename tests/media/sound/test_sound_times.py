"""Every part of the sound where its time says: delays, encoder padding, holes, overlaps, joined files."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.helpers.recordings import at_16k, heard, lag_ms, make_file, speechlike
from zoo.media.audio import read_audio
from zoo.support.errors import MediaError

VIDEO = {"webm": "libvpx", "ogg": "libvpx", "mpg": "mpeg2video", "avi": "mpeg4", "flv": "flv"}
KIND = {"mpg": "mpeg", "m4a": "ipod"}


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("mp4", "aac"),
        ("mp4", "libmp3lame"),
        ("mp4", "libopus"),
        ("mov", "pcm_s16le"),
        ("mkv", "aac"),
        ("mkv", "flac"),
        ("mkv", "libmp3lame"),
        ("mkv", "libopus"),
        ("webm", "libopus"),
        ("ogg", "libopus"),
        ("ts", "aac"),
        ("ts", "mp2"),
        ("ts", "libopus"),
        ("mpg", "mp2"),
        ("flv", "aac"),
    ],
)
@pytest.mark.parametrize(("start", "pictures_start"), [(0.0, 0.0), (0.33, 0.0), (0.0, 0.32)])
def test_sound_and_pictures_begin_apart(tmp_path: Path, ending: str, codec: str, start: float, pictures_start: float):
    speech = speechlike(1.2)
    path = make_file(
        tmp_path / f"a.{ending}",
        speech,
        codec=codec,
        kind=KIND.get(ending),
        start=start,
        pictures=50,
        video=VIDEO.get(ending, "libx264"),
        pictures_start=pictures_start,
    )
    wave, said = heard(path)
    assert lag_ms(wave, at_16k(speech)) == pytest.approx(1000 * (start - pictures_start), abs=1)
    assert not said


@pytest.mark.parametrize(
    ("ending", "codec", "longer"),
    [
        ("wav", "pcm_s16le", 0),
        ("mp3", "libmp3lame", 0),
        ("flac", "flac", 0),
        ("opus", "libopus", 0),
        ("ogg", "libopus", 0),
        ("webm", "libopus", 0),
        ("m4a", "aac", 0),
        ("mp4", "libopus", 0),
        ("mp4", "libmp3lame", 0),
        ("m4a", "alac", 0),
        ("mka", "aac", 0.022),  # Matroska says nothing of what an encoder adds at the end
    ],
)
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_encoders_add_is_taken_away(tmp_path: Path, ending: str, codec: str, longer: float, rate: int):
    if codec == "libopus":
        rate = 48_000
    speech = speechlike(1.23, rate)
    wave, said = heard(make_file(tmp_path / f"a.{ending}", speech, codec=codec, kind=KIND.get(ending), rate=rate))
    assert lag_ms(wave, at_16k(speech, rate)) == pytest.approx(0, abs=1)
    assert -0.001 < len(wave) / 16_000 - 1.23 <= longer + 0.001
    assert not said


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "pcm_s16le"), ("mkv", "libopus"), ("ts", "aac"), ("mpg", "mp2")])
@pytest.mark.parametrize("hole", [0.13, 0.6])
@pytest.mark.parametrize("pictures", [0, 75])
def test_a_hole_is_silent_and_moves_nothing(tmp_path: Path, ending: str, codec: str, hole: float, pictures: int):
    speech = speechlike(3.0)
    options = {"codec": codec, "kind": KIND.get(ending), "pictures": pictures, "video": VIDEO.get(ending, "libx264")}
    whole, nothing = heard(make_file(tmp_path / f"a.{ending}", speech, **options))
    wave, said = heard(make_file(tmp_path / f"b.{ending}", speech, **options, without=[(1.0, 1.0 + hole)]))
    assert lag_ms(wave[32_000:], whole[32_000:]) == pytest.approx(0, abs=1)
    assert lag_ms(wave[:15_000], whole[:15_000]) == pytest.approx(0, abs=1)
    assert len(wave) == pytest.approx(len(whole), abs=16)
    assert np.abs(wave[round(16_000 * 1.05) : round(16_000 * (1 + hole - 0.05))]).max() < 0.01
    assert "are damaged or missing" in said
    assert not nothing


def test_many_small_holes_do_not_add_up(tmp_path: Path):
    """Each is below what is tolerated: 16 of 21 ms are lost at the same place of every fifth packet."""
    speech = speechlike(3.0)
    holes = [(k / 10, k / 10 + 0.021) for k in range(3, 28)]
    wave, said = heard(make_file(tmp_path / "a.mkv", speech, codec="pcm_s16le", without=holes))
    assert lag_ms(wave[40_000:], at_16k(speech)[40_000:]) == pytest.approx(0, abs=1)
    assert "missing" in said


@pytest.mark.parametrize("jitter", [0.002, 0.015])
def test_jitter_of_times_is_no_hole(tmp_path: Path, jitter: float):
    speech = speechlike(2.0)
    shift = [(0.3, jitter), (0.6, -jitter), (0.9, -jitter), (1.2, jitter)]
    wave, said = heard(make_file(tmp_path / "a.mkv", speech, shift=shift))
    assert np.abs(wave - at_16k(speech))[400:-400].max() < 1e-3
    assert not said


def test_an_overlap_is_cut(tmp_path: Path):
    speech = speechlike(2.0)
    wave, _ = heard(make_file(tmp_path / "a.mkv", speech, codec="pcm_s16le", shift=[(1.0, -0.2)], pictures=50))
    assert lag_ms(wave[20_000:28_000], at_16k(speech)[20_000 + 3200 : 28_000 + 3200]) == pytest.approx(0, abs=1)
    assert len(wave) == pytest.approx(16_000 * 1.8, abs=32)


def parts_of(wave: np.ndarray, parts: list[np.ndarray], rate: int = 48_000) -> list[float]:
    """Where each part begins in the wave, in milliseconds."""
    return [lag_ms(wave, at_16k(part, rate)) for part in parts]


@pytest.mark.parametrize(
    ("ending", "codec", "slack"),
    [("mp3", "libmp3lame", 80), ("ogg", "libopus", 20), ("flac", "flac", 1), ("ts", "mp2", 30), ("mka", "libopus", 20)],
)
@pytest.mark.parametrize("lengths", [(1.5, 1.2), (0.6, 2.0), (1.0, 1.0)])
def test_joined_sound_files_follow_each_other(
    tmp_path: Path, ending: str, codec: str, slack: float, lengths: tuple[float, float]
):
    parts = [speechlike(length, seed=seed) for seed, length in enumerate(lengths)]
    files = [make_file(tmp_path / f"{k}.{ending}", part, codec=codec).read_bytes() for k, part in enumerate(parts)]
    (tmp_path / f"a.{ending}").write_bytes(b"".join(files))
    wave, _ = heard(tmp_path / f"a.{ending}")
    begins = parts_of(wave, parts)
    assert begins[0] == pytest.approx(0, abs=12)
    assert begins[1] == pytest.approx(1000 * lengths[0], abs=slack)


@pytest.mark.parametrize(
    ("ending", "codec", "rates"),
    [
        ("ogg", "libopus", (48_000, 48_000)),
        ("ogg", "flac", (44_100, 48_000)),
        ("flac", "flac", (48_000, 44_100)),
        ("aac", "aac", (44_100, 48_000)),
        ("mp3", "libmp3lame", (44_100, 48_000)),
    ],
)
def test_joined_sound_files_may_differ_in_rate_and_layout(
    tmp_path: Path, ending: str, codec: str, rates: tuple[int, int]
):
    parts = [speechlike(1.5, rate, seed=rate % 7) for rate in rates]
    one = make_file(tmp_path / f"1.{ending}", parts[0], codec=codec, rate=rates[0]).read_bytes()
    both = np.stack([parts[1]] * 2)
    two = make_file(tmp_path / f"2.{ending}", both, codec=codec, rate=rates[1], layout="stereo").read_bytes()
    (tmp_path / f"a.{ending}").write_bytes(one + two)
    wave, said = heard(tmp_path / f"a.{ending}")
    assert len(wave) == pytest.approx(48_000, abs=1600)
    begin = lag_ms(wave, at_16k(parts[1], rates[1]))
    assert begin == pytest.approx(1500, abs=80)
    second = wave[round(begin * 16) :][:24_000]
    assert np.corrcoef(second, at_16k(parts[1], rates[1])[: len(second)])[0, 1] > 0.95
    assert "damaged" not in said


@pytest.mark.parametrize(("ending", "video"), [("ts", "libx264"), ("mpg", "mpeg2video")])
@pytest.mark.parametrize("starts", [(0, 0, 0, 0), (0, 30, 10, 60)])
def test_joined_videos_keep_their_sound_at_their_pictures(
    tmp_path: Path, ending: str, video: str, starts: tuple[float, ...]
):
    """Each part's sound is 60 ms shorter than its pictures; it must not come earlier from part to part."""
    parts = [speechlike(0.94, seed=seed) for seed in range(4)]
    options = {"codec": "mp2", "kind": KIND.get(ending), "pictures": 25, "video": video}
    files = []
    for k, (part, start) in enumerate(zip(parts, starts, strict=True)):
        path = make_file(tmp_path / f"{k}.{ending}", part, start=start, pictures_start=start, **options)
        files.append(path.read_bytes())
    (tmp_path / f"a.{ending}").write_bytes(b"".join(files))
    wave, said = heard(tmp_path / f"a.{ending}")
    begins = parts_of(wave, parts)
    assert begins == pytest.approx([0, 1000, 2000, 3000], abs=1)
    assert "jumps at" in said


@pytest.mark.parametrize("pictures", [0, 50])
@pytest.mark.parametrize("jump", [3600.0, 90_000.0, -90_000.0])
@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_a_jump_of_hours_is_joined(tmp_path: Path, ending: str, jump: float, pictures: int):
    """Silence of 25 hours would be 6 GB."""
    speech = speechlike(2.0)
    begin = max(-jump, 0) + 1
    path = tmp_path / f"a.{ending}"
    try:
        codec = "pcm_s16le" if ending == "mkv" else "mp2"
        make_file(path, speech, codec=codec, shift=[(-1, begin), (1.0, jump)], pictures=pictures)
    except av.FFmpegError:
        pytest.skip("FFmpeg writes no such file")
    wave, said = heard(path)
    assert len(wave) < 16_000 * 5
    assert said


def test_sound_that_ends_before_the_pictures_begin(tmp_path: Path):
    path = make_file(tmp_path / "a.mkv", speechlike(0.5), pictures=10, pictures_start=2.0)
    with pytest.raises(MediaError, match="ends before the pictures begin"):
        read_audio(path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((44_100, "mono"), (48_000, "stereo")),
        ((48_000, "stereo"), (44_100, "mono")),
        ((48_000, "mono"), (48_000, "5.1")),
    ],
)
@pytest.mark.parametrize("codec", ["mp2", "ac3"])
def test_rate_and_layout_may_change(tmp_path: Path, codec: str, first: tuple[int, str], second: tuple[int, str]):
    if codec == "mp2" and second[1] == "5.1":
        codec = "ac3"
    bodies, parts = [], []
    for seed, (rate, layout) in enumerate((first, second)):
        speech = speechlike(1.5, rate, seed)
        channels = {"mono": [1], "stereo": [1, 1], "5.1": [0, 0, 1, 0, 0, 0]}[layout]
        name = tmp_path / f"{seed}.{codec}"
        bodies.append(make_file(name, np.outer(channels, speech), codec=codec, rate=rate, layout=layout).read_bytes())
        parts.append(at_16k(speech, rate))
    (tmp_path / f"a.{codec}").write_bytes(b"".join(bodies))
    wave, _ = heard(tmp_path / f"a.{codec}")
    assert lag_ms(wave, parts[0]) == pytest.approx(0, abs=12)
    assert lag_ms(wave, parts[1]) == pytest.approx(1500, abs=50)
    for begin, part in ((3200, parts[0]), (24_000 + 4800, parts[1])):
        assert wave[begin : begin + 16_000].std() == pytest.approx(part[3200:19_200].std(), rel=0.1)
