"""Damaged and truncated sound: what is broken costs itself, is silent at its time, and is told of."""

import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.recordings import heard, lag_ms, make_file, speechlike
from zoo.media.audio import read_audio, read_sound
from zoo.support.errors import MediaError, MediaWarning, one_line_warnings

KIND = {"mpg": "mpeg", "m4a": "ipod"}


def seconds_silenced(wave: np.ndarray, whole: np.ndarray) -> float:
    """How much is silent that was not, in steps of 5 ms."""
    count = min(len(wave), len(whole)) // 80 * 80
    loud, left = (np.abs(one[:count]).reshape(-1, 80).max(1) for one in (whole, wave))
    return float(((loud > 0.02) & (left < 0.002)).sum() * 0.005)


@pytest.mark.parametrize(
    ("ending", "codec", "at_most"),
    [
        ("mp3", "libmp3lame", 0.1),
        ("ac3", "ac3", 0.1),
        ("m4a", "aac", 0.1),
        ("m4a", "alac", 0.2),
        ("flac", "flac", 0.2),
        ("ts", "aac", 0.3),
        ("ts", "mp2", 0.1),
        ("mpg", "mp2", 0.2),
        ("flv", "aac", 0.1),
    ],
)
@pytest.mark.parametrize("where", [0.25, 0.5, 0.8])
def test_damage_costs_what_it_hits(tmp_path: Path, ending: str, codec: str, at_most: float, where: float):
    path = make_file(tmp_path / f"a.{ending}", speechlike(3.0), codec=codec, kind=KIND.get(ending))
    whole, nothing = heard(path)
    data = bytearray(path.read_bytes())
    begin = round(len(data) * where)
    data[begin : begin + 300] = bytes(300)
    path.write_bytes(data)
    wave, said = heard(path)
    assert not nothing
    assert len(wave) == pytest.approx(len(whole), abs=16_000 * 0.002)
    assert lag_ms(wave[42_000:46_000], whole[42_000:46_000]) == pytest.approx(0, abs=1)
    silenced = seconds_silenced(wave, whole)
    assert silenced < at_most
    assert "are damaged or missing" in said or silenced < 0.035, "a decoder may mend one frame without a word"
    assert said.count("a.") <= 1


@pytest.mark.parametrize("lost", [0, 3, 10])
def test_broken_packets_are_silent_by_their_times(tmp_path: Path, lost: int, monkeypatch: pytest.MonkeyPatch):
    """Of any ``lost`` packets, the first and the last ones too, nothing is left but their place."""
    import zoo.media.sound.decode as module
    from zoo.media.sound.decode import Heard, Lost

    whole, _ = heard(make_file(tmp_path / "a.mkv", speechlike(2.0)))
    usual = module._decode
    for first in (0, 20, -lost or 93):

        def broken(*arguments, first=first):
            events = list(usual(*arguments))
            for k in list(range(len(events)))[first:][:lost]:
                assert isinstance(events[k], Heard)
                events[k] = Lost(events[k].time, events[k].length)
            yield from events

        monkeypatch.setattr(module, "_decode", broken)
        wave, said = heard(tmp_path / "a.mkv")
        assert len(wave) == pytest.approx(len(whole), abs=32)
        assert lag_ms(wave[8000:28_000], whole[8000:28_000]) == pytest.approx(0, abs=0.6)
        assert seconds_silenced(wave, whole) == pytest.approx(lost * 1024 / 48_000, abs=0.02)
        assert ("missing" in said) == (lost > 0)
        assert said == "" or f"{lost * 1024 / 48_000:.2f} s" in said
    monkeypatch.setattr(module, "_decode", lambda *_: iter([Lost(0.0, 0.02)] * 9))
    with pytest.raises(MediaError, match="not one packet of it can be decoded"):
        read_audio(tmp_path / "a.mkv")


@pytest.mark.parametrize(
    ("ending", "codec"),
    [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("flac", "flac"), ("mka", "pcm_s16le"), ("aiff", "pcm_s16be")],
)
def test_a_truncated_file_is_told_of(tmp_path: Path, ending: str, codec: str):
    path = make_file(tmp_path / f"a.{ending}", speechlike(3.0), codec=codec)
    whole, nothing = heard(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    wave, said = heard(path)
    assert 0.4 < len(wave) / len(whole) < 0.7
    assert "before the 3.0" in said
    assert not nothing


def test_noise_in_the_place_of_a_file(tmp_path: Path):
    """Whatever is in a file: an array or one error."""
    draw = np.random.default_rng(0)
    for ending, codec in (("mp3", "libmp3lame"), ("ts", "aac"), ("ogg", "libopus"), ("m4a", "aac"), ("mka", "flac")):
        data = make_file(tmp_path / f"a.{ending}", speechlike(1.0), codec=codec, kind=KIND.get(ending)).read_bytes()
        for _ in range(12):
            broken = np.frombuffer(data, np.uint8).copy()
            places = draw.integers(0, len(data), draw.integers(1, 60))
            broken[places] = draw.integers(0, 256, len(places))
            path = tmp_path / f"b.{ending}"
            path.write_bytes(broken.tobytes())
            try:
                wave, _ = heard(path)
            except MediaError:
                continue
            assert np.isfinite(wave).all()
            assert len(wave) < 16_000 * 70


def test_read_sound_says_the_same(tmp_path: Path):
    path = make_file(tmp_path / "a.mkv", speechlike(2.0), without=[(1.0, 1.5)])
    with pytest.warns(MediaWarning, match=r"0\.5\d s of its sound are damaged or missing, from 1\.0\d s on"):
        wave, rate = read_sound(path)
    assert (len(wave), rate) == (1, 48_000)
    assert wave.shape[1] == pytest.approx(96_000, abs=48)


def test_it_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = make_file(tmp_path / "a.mkv", speechlike(2.0), without=[(1.0, 1.5)])
    with warnings.catch_warnings(), one_line_warnings("zoo predict"):
        warnings.resetwarnings()
        warnings.showwarning = lambda text, kind, file, line, *_: print(warnings.formatwarning(text, kind, file, line))
        read_audio(path)
        read_sound(path)
    said = capsys.readouterr().out.split("\n")
    assert [line for line in said if line] == [said[0]]
    assert said[0].startswith(f"zoo predict: warning: {path}: 0.5")


def test_commands_say_it_in_one_line(tmp_path: Path, zoo: Callable[..., subprocess.CompletedProcess[str]]):
    (tmp_path / "in").mkdir()
    make_file(tmp_path / "in" / "a.mkv", speechlike(2.0), pictures=50, without=[(1.0, 1.5)])
    done = zoo("data", "prepare", "folder", "--root", tmp_path / "in", "--out", tmp_path / "store")
    lines = [line for line in done.stderr.splitlines() if "missing" in line]
    assert len(lines) == 1
    assert lines[0].startswith("zoo")
    assert "a.mkv: 0.5" in lines[0]
