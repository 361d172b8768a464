"""What `zoo predict` is given: kinds by content, memory beforehand, several faces, cuts, colours, and what it says."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.inputs import drawn, photograph, save_picture, save_sound, save_timed
from tests.helpers.tiny import Zoo
from zoo.cli.main import run
from zoo.registry.spec import InputSpec
from zoo.support.errors import MediaWarning, NoFaceError
from zoo.synthesis import portrait
from zoo.synthesis.portrait import read_face, sound_seconds


@pytest.fixture(scope="module")
def checkpoint(tiny_run: Path) -> Path:
    return tiny_run / "checkpoints" / "last.ckpt"


def command(checkpoint: Path, face: Path, sound: Path, out: Path, *more: str) -> list[str]:
    given = ["--ckpt", checkpoint, "--face", face, "--audio", sound, "--out", out, *more]
    return ["predict", "lipgan", *map(str, given)]


def speech(folder: Path, seconds: float = 0.2) -> Path:
    return save_sound(folder / "speech.wav", drawn().wave[16_000 : 16_000 + round(seconds * 16_000)])


def beside(left: Tensor, right: Tensor) -> Tensor:
    return torch.cat([left, right], dim=-1)


def test_drawn_faces_only_is_said_before_a_photo(checkpoint: Path, tmp_path: Path, zoo: Zoo):
    """And nothing else in the way of warnings, as the command prints them."""
    photo = save_picture(tmp_path / "a.png", photograph())
    done = zoo(*command(checkpoint, photo, speech(tmp_path), tmp_path / "o.mp4"))
    assert done.returncode == 0
    (said,) = [line for line in done.stderr.splitlines() if "warning" in line]
    assert said.startswith("zoo predict: warning: lipgan: its weights know drawn faces only (synthgrid)")


def test_weights_that_saw_others_say_nothing(checkpoint: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder):
    kept = torch.load(checkpoint, weights_only=True)
    kept["zoo"]["trained_on"] = [{"name": "grid", "drawn": False}]
    torch.save(kept, tmp_path / "grid.ckpt")
    photo = save_picture(tmp_path / "a.png", photograph())
    assert run(command(tmp_path / "grid.ckpt", photo, speech(tmp_path), tmp_path / "o.mp4")) == 0
    assert not [item for item in recwarn if issubclass(item.category, MediaWarning)]


@pytest.mark.parametrize(("name", "form"), [("a.jfif", "JPEG"), ("photo", "PNG"), ("a.mp4", "PNG"), ("a.AVIF", "AVIF")])
def test_a_photo_is_told_by_its_content(tmp_path: Path, name: str, form: str):
    Image.fromarray(photograph().permute(1, 2, 0).numpy()).save(tmp_path / name, form)
    face = read_face(tmp_path / name)
    assert face.frames.shape == (1, 3, 512, 512)


def test_a_video_named_as_a_photo_is_a_video(tmp_path: Path):
    save_timed(tmp_path / "a.mkv", drawn().frames[:10], [k / 25 for k in range(10)])
    (tmp_path / "a.mkv").rename(tmp_path / "a.png")
    assert len(read_face(tmp_path / "a.png").frames) == 10


def test_sound_is_no_face(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sound = speech(tmp_path)
    assert run(command(checkpoint, sound, sound, tmp_path / "o.mp4")) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert "no pictures, it is sound; give a photo or a video" in line


def with_cover(path: Path, sound: Tensor, cover: Tensor) -> Path:
    """An MP4 of sound with a picture about it."""
    from av.stream import Disposition

    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mjpeg", rate=1)
        pictures.height, pictures.width, pictures.pix_fmt = *cover.shape[1:], "yuvj420p"
        pictures.disposition = Disposition.attached_pic
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(cover.permute(1, 2, 0).numpy()), format="rgb24")
        container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        heard = av.AudioFrame.from_ndarray(sound[None].numpy(), format="fltp", layout="mono")
        heard.sample_rate = 16_000
        container.mux(stream.encode(heard))
        container.mux(stream.encode(None))
    return path


def test_sound_with_a_cover_is_sound(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    song = with_cover(tmp_path / "song.m4a.mp4", drawn().wave[16_000:20_000], photograph())
    photo = save_picture(tmp_path / "a.png", photograph())
    assert run(command(checkpoint, photo, song, tmp_path / "o.mp4")) == 0
    assert run(command(checkpoint, song, song, tmp_path / "p.mp4")) == 1
    assert "no pictures, it is sound" in capsys.readouterr().err


def test_several_faces_in_view_are_told_of(tmp_path: Path, recwarn: pytest.WarningsRecorder):
    one = photograph()[:, :300, 80:380]
    two = save_picture(tmp_path / "two.png", beside(one, one))
    with pytest.warns(MediaWarning, match="2 faces in view; the largest is made to talk; --face-index 1"):
        read_face(two)
    frames = beside(drawn().frames[:8], drawn(1).frames[:8])
    clip = save_timed(tmp_path / "two.mkv", frames, [k / 25 for k in range(8)])
    with pytest.warns(MediaWarning, match="2 faces in view"):
        read_face(clip)
    recwarn.clear()
    read_face(two, face_index=1)
    read_face(save_picture(tmp_path / "one.png", one))
    assert not [item for item in recwarn if issubclass(item.category, MediaWarning)]


def test_a_cut_is_told_of(tmp_path: Path, recwarn: pytest.WarningsRecorder):
    frames = torch.cat([drawn().frames[:20], 255 - drawn(1).frames[:20]])
    frames[20:] = drawn(1).frames[:20].flip(1)
    clip = save_timed(tmp_path / "cut.mkv", frames, [k / 25 for k in range(40)])
    with suppress(NoFaceError):  # somebody else, elsewhere
        read_face(clip)
    assert any("a cut at 0.8 s: the mouth of the first face" in str(item.message) for item in recwarn)


def test_limits_are_seconds_at_any_rate(tmp_path: Path):
    """A face that is hidden for 0.2 s is bridged at 60 fps as it is at 25."""
    frames = drawn().frames[:30].repeat_interleave(2, 0)
    frames[24:36] = 127
    clip = save_timed(tmp_path / "hidden.mkv", frames, [k / 60 for k in range(60)], 60)
    assert len(read_face(clip).landmarks) == 60


def test_what_cannot_fit_is_refused_before_it_is_read(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    clip = save_timed(tmp_path / "face.mkv", drawn().frames, [k / 25 for k in range(75)])
    sound = save_sound(tmp_path / "long.wav", torch.rand(16_000 * 60) * 0.1)
    monkeypatch.setattr(portrait, "free_memory", lambda: 600_000_000)
    monkeypatch.setattr(portrait, "read_video", lambda *_, **__: pytest.fail("it was read"))
    assert run(command(checkpoint, clip, sound, tmp_path / "o.mp4")) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert "60 s of sound with" in line
    assert "GB of memory, and there are 0.6 GB; cut the sound into shorter parts, or make the video smaller" in line
    monkeypatch.setattr(portrait, "free_memory", lambda: None)
    assert portrait.check_memory(clip, 60.0, InputSpec()) > 600_000_000
    assert portrait.check_memory(clip, None, InputSpec()) == 0


def test_a_driver_that_cannot_fit_is_refused_before_it_is_read(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    clip = save_timed(tmp_path / "driver.mkv", drawn().frames, [k / 25 for k in range(75)])
    photo, sound = save_picture(tmp_path / "photo.png", photograph()), speech(tmp_path, 1.0)
    needs = [portrait.memory_needed(path, 1.0, InputSpec()) for path in (photo, clip)]
    monkeypatch.setattr(portrait, "free_memory", lambda: sum(needs) // 2)
    monkeypatch.setattr(portrait, "read_video", lambda *_, **__: pytest.fail("it was read"))
    assert run(command(checkpoint, photo, sound, tmp_path / "o.mp4", "--driver", str(clip))) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert f"1 s of sound with {clip} need about" in line


def test_a_header_that_lies_is_not_believed(tmp_path: Path):
    sound = speech(tmp_path)
    assert sound_seconds(sound) == pytest.approx(0.2, abs=0.01)
    raw = bytearray(sound.read_bytes())
    raw[4:8] = raw[40:44] = (0xFFFFFF00).to_bytes(4, "little")
    sound.write_bytes(raw)
    found = sound_seconds(sound)
    assert found is None or found < 70


def test_bars_while_a_video_is_read_and_looked_at(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("zoo.support.progress.LINE_EVERY_S", 0.0)
    clip = save_timed(tmp_path / "face.mkv", drawn().frames[:10], [k / 25 for k in range(10)])
    assert run(command(checkpoint, clip, speech(tmp_path), tmp_path / "TALK.MP4")) == 0
    said = capsys.readouterr().err
    assert "reading the video: 7/8 frames" in said
    assert "finding the face: 7/8 frames" in said
    with av.open(str(tmp_path / "TALK.MP4")) as container:  # the ending in capitals, the same tags
        assert container.metadata["synthetic"] == "true"
        assert container.metadata["generator"].endswith("lipgan")
        assert container.metadata["checkpoint"].startswith("last.ckpt sha256:")


def save_coloured(path: Path, frames: Tensor, matrix: int, full: bool, tagged: bool) -> Path:
    """H.264 in 4:2:0 with the matrix and range given, said in tags or not."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[2:], "yuv420p"
        if tagged:
            stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        for number, frame in enumerate(frames):
            array = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            picture = av.VideoFrame.from_ndarray(array, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=matrix, dst_color_range=2 if full else 1
            )
            if not tagged:
                picture.colorspace, picture.color_range = 2, 0
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def planes(path: Path) -> tuple[np.ndarray, Any]:
    """Luma of every picture as it is in the file, and matrix and range by its tags."""
    with av.open(str(path)) as container:
        found = list(container.decode(video=0))
        luma = np.stack([frame.to_ndarray()[: frame.height].astype(int) for frame in found])
        chroma = np.stack([frame.to_ndarray()[frame.height :].astype(int) for frame in found])
        return np.concatenate([luma, chroma], 1), (int(found[0].colorspace), int(found[0].color_range))


@pytest.mark.parametrize(
    ("matrix", "full", "tagged"),
    [(1, False, True), (5, False, True), (1, True, True), (5, True, True), (5, False, False)],
)
def test_outside_the_mouth_the_file_says_the_same(
    checkpoint: Path, tmp_path: Path, matrix: int, full: bool, tagged: bool
):
    """Decoded by FFmpeg alone, without our reader: numbers in the file, not colours."""
    frames = F.pad(drawn().frames[:8], (64, 64, 0, 0), value=0)
    frames[..., :32] = torch.tensor([200, 60, 40])[:, None, None]
    frames[..., 32:64] = torch.tensor([70, 80, 210])[:, None, None]
    clip = save_coloured(tmp_path / "face.mp4", frames, matrix, full, tagged)
    assert run(command(checkpoint, clip, speech(tmp_path, 0.3), tmp_path / "o.mp4")) == 0
    before, said = planes(clip)
    after, kept = planes(tmp_path / "o.mp4")
    difference = np.abs(before - after)
    flat = difference[:, :256, 4:60]
    assert np.delete(flat, range(24, 32), axis=2).max() <= 1
    assert difference[:, :256, 64:110].mean() < 1
    assert abs((after - before)[:, 256:].mean()) < 1  # chroma, the mouth's included
    if tagged:
        assert kept == said


def test_json_of_a_run_tells_what_was_seen(tiny_run: Path):
    from zoo.methods.trainable import read_checkpoint

    for path in (tiny_run / "checkpoints" / "last.ckpt", tiny_run / "weights.safetensors"):
        assert read_checkpoint(path)["zoo"]["trained_on"] == [{"name": "synthgrid", "drawn": True}]
    assert json.loads((tiny_run / "run.json").read_text())["summary"]["dataset"] == "synthgrid"
