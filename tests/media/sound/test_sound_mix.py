"""Channels: what each layout is mixed to, and what is said where a mix would lose the speech."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.recordings import heard, make_file, speechlike
from zoo.media.audio import read_audio, read_sound
from zoo.media.sound.mix import mix_gains

H = 0.5**0.5


@pytest.mark.parametrize(
    ("channels", "mono"),
    [
        ("FC", [1]),
        ("FL", [1]),
        ("LFE", [1]),
        ("FL FR", [0.5, 0.5]),
        ("DL DR", [0.5, 0.5]),
        ("FL FR LFE", [0.5, 0.5, 0]),
        ("FL FR FC", [H, H, 1]),
        ("FL FR FC BC", [H, H, 1, H]),
        ("FL FR BL BR", [0.5, 0.5, H / 2, H / 2]),
        ("FL FR FC LFE BL BR", [H, H, 1, 0, 0.5, 0.5]),
        ("FL FR FC LFE SL SR", [H, H, 1, 0, 0.5, 0.5]),
        ("FL FR FC LFE BL BR SL SR", [H, H, 1, 0, 0.5, 0.5, 0.5, 0.5]),
        ("FL FR DL DR", [0.5, 0.5, 0, 0]),
        ("AMBI0 AMBI1 AMBI2 AMBI3", [1, 0, 0, 0]),
        ("NONE", [1]),
        ("NONE NONE", [0.5, 0.5]),
        ("NONE NONE NONE NONE NONE NONE", [H, H, 1, 0, 0.5, 0.5]),
        (" ".join(["NONE"] * 12), [1 / 12] * 12),
    ],
)
def test_gains_of_mono(channels: str, mono: list[float]):
    assert mix_gains(channels.split(), 1)[0] == pytest.approx(mono)


@pytest.mark.parametrize(
    ("channels", "left", "right"),
    [
        ("FC", [1], [1]),
        ("FL FR", [1, 0], [0, 1]),
        ("FL FR FC LFE BL BR", [1, 0, H, 0, H, 0], [0, 1, H, 0, 0, H]),
        ("FL FR FC BC", [1, 0, H, 0.5], [0, 1, H, 0.5]),
    ],
)
def test_gains_of_stereo_are_those_of_bs_775(channels: str, left: list[float], right: list[float]):
    assert mix_gains(channels.split(), 2).tolist() == [pytest.approx(left), pytest.approx(right)]


@pytest.mark.parametrize(
    ("layout", "channel", "mono", "stereo"),
    [
        ("3.0", 2, 1, H),
        ("4.0", 2, 1, H),
        ("5.0", 2, 1, H),
        ("5.1", 2, 1, H),
        ("5.1", 0, H, H),
        ("5.1", 4, 0.5, 0.5),
        ("7.1", 2, 1, H),
        ("quad", 0, 0.5, H),
        ("2.1", 1, 0.5, H),
    ],
)
def test_speech_in_one_channel_keeps_its_loudness(
    tmp_path: Path, layout: str, channel: int, mono: float, stereo: float
):
    """Stereo is held by the power of both channels: the centre is heard from both at -3 dB."""
    speech = speechlike(0.5)
    count = {"3.0": 3, "4.0": 4, "5.0": 5, "5.1": 6, "7.1": 8, "quad": 4, "2.1": 3}[layout]
    channels = np.zeros((count, len(speech)), np.float32)
    channels[channel] = speech
    path = make_file(tmp_path / "a.mkv", channels, layout=layout, codec="flac")
    assert read_audio(path).std() / speech.std() == pytest.approx(mono, rel=0.02)
    wave, rate = read_sound(path)
    assert (len(wave), rate) == (2, 48_000)
    assert wave.square().mean().sqrt() / speech.std() == pytest.approx(stereo, rel=0.02)


def test_loud_surround_is_not_clipped(tmp_path: Path):
    tone = 0.9 * np.sin(2 * np.pi * 300 * np.arange(24_000) / 48_000)
    path = make_file(tmp_path / "a.wav", np.stack([tone] * 6), layout="5.1")
    wave = read_audio(path)
    assert wave.abs().max() <= 1
    spectrum = np.abs(np.fft.rfft(wave.numpy()[:8000]))
    assert spectrum[150] > 100 * np.delete(spectrum, range(145, 156)).max(), "a clipped tone has overtones"


@pytest.mark.parametrize(
    ("gains", "layout", "loudness", "said"),
    [
        ([1, 1], "stereo", 1, ""),
        ([1, 0.5], "stereo", 0.75, ""),
        ([1, -1], "stereo", 1, "opposite phase): the left channel alone"),
        ([-0.9, 1], "stereo", 1, "opposite phase): the right channel alone"),
        ([1, 0], "stereo", 0.5, "the right channel is silent or far below"),
        ([0.01, 1], "stereo", 0.505, "the left channel is silent or far below"),
        ([0] * 6 + [1, 0], "7.1", 0.5, ""),
        ([0, 0, 0, 0, 1, -1], "5.1", 1, "channel 5 alone"),
        ([0, 0, 0, 1, 0, 0], "5.1", 0, ""),
    ],
)
def test_channels_that_a_mix_would_lose(tmp_path: Path, gains: list[float], layout: str, loudness: float, said: str):
    speech = speechlike(0.5)
    path = make_file(tmp_path / "a.wav", np.outer(gains, speech), layout=layout)
    wave, notes = heard(path)
    assert wave.std() / speech.std() == pytest.approx(loudness, abs=0.02)
    assert said in notes if said else not notes
    assert notes.count(str(path)) == (1 if said else 0)


def test_sixteen_planes(tmp_path: Path):
    speech = speechlike(0.5)
    channels = np.outer([0] * 9 + [1] + [0] * 6, speech)  # TFR, high above the front
    path = make_file(tmp_path / "a.mkv", channels, layout="hexadecagonal", codec="wavpack")
    wave, notes = heard(path)
    assert wave.std() / speech.std() == pytest.approx(0.5, rel=0.02)
    assert not notes


def test_one_voice_among_many_channels_without_a_layout(tmp_path: Path):
    """A recorder of twelve microphones: the mean would be 22 dB quieter."""
    speech = speechlike(0.5, 16_000)
    data = np.zeros((len(speech), 12), "<i2")
    data[:, 7] = speech * 32_767
    header = b"RIFF\0\0\0\0WAVEfmt " + np.array([16, 0x000C0001, 16_000, 384_000, 0x00100018], "<u4").tobytes()
    body = header + b"data" + np.uint32(data.nbytes).tobytes() + data.tobytes()
    (tmp_path / "a.wav").write_bytes(body[:4] + np.uint32(len(body) - 8).tobytes() + body[8:])
    wave, notes = heard(tmp_path / "a.wav")
    assert wave.std() / speech.std() == pytest.approx(1, rel=0.02)
    assert "channel 8 alone" in notes


def test_what_is_no_number_is_silence(tmp_path: Path):
    speech = speechlike(0.5, 16_000)
    speech[2000:2100] = np.nan
    speech[3000] = np.inf
    wave = read_audio(make_file(tmp_path / "a.wav", speech, codec="pcm_f32le", rate=16_000)).numpy()
    assert np.isfinite(wave).all()
    assert np.allclose(wave[4000:], speech[4000:], atol=1e-6)
    assert not wave[2000:2100].any()


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_s64le", "pcm_f32le", "pcm_f64le"]
)
def test_every_kind_of_number(tmp_path: Path, codec: str):
    speech = speechlike(0.5, 16_000)
    wave = read_audio(make_file(tmp_path / "a.nut", speech, codec=codec, rate=16_000)).numpy()
    assert np.abs(wave - speech).max() < (0.01 if codec == "pcm_u8" else 1e-4)
