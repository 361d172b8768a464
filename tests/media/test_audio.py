"""Sound: the time rule, the pad rule, and files of every kind."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from zoo.media.audio import (
    cut,
    frame_centre,
    frame_window,
    match_length,
    num_frames,
    num_samples,
    per_frame,
    read_audio,
    widen,
)
from zoo.media.video import write_video
from zoo.support.errors import MediaError


def make_wav(path: Path, wave: np.ndarray | None, rate: int) -> None:
    """``wave`` is (channels, samples) in [-1, 1]; ``None`` gives a track without a sample."""
    with av.open(str(path), "w") as container:
        layout = "stereo" if wave is not None and len(wave) == 2 else "mono"
        stream = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        if wave is None:
            container.start_encoding()
            return
        packed = (wave.T.reshape(1, -1) * 32767).round().astype(np.int16)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_one_time_rule():
    assert [frame_centre(t) for t in (-1, 0, 1, 74)] == [-320, 320, 960, 47680]
    assert frame_window(3, 5, 6000) == (2240 - 3000, 2240 + 4 * 640 + 3000)
    for first in range(-3, 8):
        for count in (1, 2, 5):
            start, stop = frame_window(first, count, 1000, fps=29.97)
            assert start == frame_window(first, 1, 1000, fps=29.97)[0]
            assert stop == frame_window(first + count - 1, 1, 1000, fps=29.97)[1]


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (-3, 4), (8, 15), (-5, 20), (-9, -2), (12, 15), (4, 4)])
def test_cut_gives_silence_outside(start: int, stop: int):
    wave = torch.arange(1.0, 11.0)
    want = torch.tensor([float(k + 1) if 0 <= k < 10 else 0.0 for k in range(start, stop)])
    assert torch.equal(cut(wave, start, stop), want)


def test_lengths():
    assert (num_samples(75), num_samples(1, fps=30000 / 1001)) == (48000, 534)
    for frames in range(1, 200):
        assert num_frames(num_samples(frames)) == frames
    assert (num_frames(0), num_frames(1), num_frames(641)) == (1, 1, 2)


def test_pad_rule():
    wave = torch.rand(47648)
    padded = match_length(wave, 75)
    assert torch.equal(padded[:47648], wave)
    assert padded[47648:].tolist() == [0.0] * 352
    assert torch.equal(match_length(wave, 74), wave[:47360])
    with pytest.raises(MediaError, match=r"1\.02 s"):
        match_length(wave, 100)


def test_per_frame_hears_what_a_window_hears():
    wave = torch.rand(1, 4800)
    heard = per_frame(widen(wave, 7, 2000), 7, 2000)
    for t in range(7):
        assert torch.equal(heard[0, t], cut(wave[0], *frame_window(t, 1, 2000)))


def test_stereo_of_44100_becomes_mono_of_16000(tmp_path: Path):
    time = np.arange(44100) / 44100
    tone = np.sin(2 * np.pi * 440 * time) * 0.8
    make_wav(tmp_path / "a b.c.wav", np.stack([tone, 0 * tone]), 44100)
    wave = read_audio(tmp_path / "a b.c.wav")
    assert abs(len(wave) - 16000) < 50
    assert wave.abs().max() == pytest.approx(0.4, abs=0.02)
    assert int(torch.fft.rfft(wave[:16000]).abs().argmax()) == 440


def test_loud_stereo_is_not_clipped(tmp_path: Path):
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 16000) * 0.9
    make_wav(tmp_path / "a.wav", np.stack([tone, tone]), 16000)
    assert torch.allclose(read_audio(tmp_path / "a.wav"), torch.from_numpy(tone).float(), atol=1e-3)


def test_silence_is_fine(tmp_path: Path):
    make_wav(tmp_path / "a.wav", np.zeros((1, 8000)), 16000)
    assert torch.equal(read_audio(tmp_path / "a.wav"), torch.zeros(8000))


def test_files_without_sound(tmp_path: Path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound " * 50)
    write_video(tmp_path / "mute.mp4", torch.zeros(5, 3, 32, 32, dtype=torch.uint8))
    make_wav(tmp_path / "nothing.wav", None, 16000)
    for name, reason in {
        "empty.wav": "the file is empty",
        "text.wav": "not a picture, video or sound file",
        "mute.mp4": "no sound track",
        "missing.wav": "no such file",
        "nothing.wav": "sound track is empty",
    }.items():
        with pytest.raises(MediaError, match=reason) as error:
            read_audio(tmp_path / name)
        assert name in str(error.value)


def test_truncated_sound_keeps_what_decodes(tmp_path: Path):
    make_wav(tmp_path / "a.wav", np.full((1, 16000), 0.5), 16000)
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    assert 7000 < len(read_audio(tmp_path / "cut.wav")) < 9000


@pytest.mark.parametrize("delay", [0.3, -0.2])
def test_sound_that_starts_apart_from_the_pictures(tmp_path: Path, delay: float):
    """A click half a second after the sound's start must come out where the pictures' clock says."""
    wave = np.zeros((1, 16000), np.int16)
    wave[0, 8000:8100] = 30000
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 32, 32, "yuv420p"
        video.options = {"tune": "zerolatency"}
        sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for k in range(30):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            picture.pts = k + round(max(-delay, 0) * 25)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, round(max(delay, 0) * 16000)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    got = int(read_audio(tmp_path / "a.mkv").abs().argmax())
    assert abs(got - (8000 + delay * 16000)) < 160


@pytest.mark.grid
def test_grid_sound_is_22_ms_short(grid_root: Path):
    wave = read_audio(grid_root / "s1" / "bbaf5a.mpg")
    assert len(wave) / 16000 == pytest.approx(2.978, abs=0.001)
    assert len(match_length(wave, 75)) == 48000
