"""Pictures in and out: timing, odd kinds of files, and that nothing is left half-written."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from zoo.media.audio import read_audio
from zoo.media.video import read_picture, read_video, write_video
from zoo.support.errors import MediaError


def make_video(
    path: Path, times: list[float], *, rate: float = 30, size: tuple[int, int] = (32, 48), sound: bool = False
):
    """A lossless video whose k-th picture is grey level 3 * k, shown from ``times[k]`` on."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264rgb", rate=Fraction(rate).limit_denominator(1001), options={"qp": "0", "g": "10"}
        )
        stream.height, stream.width, stream.pix_fmt = *size, "rgb24"
        stream.codec_context.time_base = Fraction(1, 90000)
        for k, start in enumerate(times):
            picture = av.VideoFrame.from_ndarray(np.full((*size, 3), 3 * k, np.uint8), format="rgb24")
            picture.pts, picture.time_base = round(start * 90000), Fraction(1, 90000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def shown(path: Path, fps: float | None = 25.0) -> list[int]:
    return (read_video(path, fps=fps).frames.float().mean((1, 2, 3)) / 3).round().int().tolist()


@pytest.mark.parametrize("rate", [30, 30000 / 1001, 25, 24, 60])
def test_constant_rates_become_25_fps(tmp_path: Path, rate: float):
    make_video(tmp_path / "in.mkv", [k / rate for k in range(60)], rate=rate)
    got = shown(tmp_path / "in.mkv")
    assert abs(len(got) - 60 / rate * 25) <= 1
    for tick, picture in enumerate(got):
        assert abs(picture / rate - tick / 25) <= 0.5 / rate + 2e-3 or picture == 59


def test_variable_rate_keeps_its_timing(tmp_path: Path):
    times = [0, 0.04, 0.08, 0.5, 0.52, 0.54, 1.0, 1.04]
    make_video(tmp_path / "in.mkv", times)
    for tick, picture in enumerate(shown(tmp_path / "in.mkv")):
        assert abs(times[picture] - tick / 25) <= min(abs(t - tick / 25) for t in times) + 2e-3


def test_own_rate_keeps_every_picture(tmp_path: Path):
    make_video(tmp_path / "in.mp4", [k / 30 for k in range(40)])
    assert shown(tmp_path / "in.mp4", fps=None) == list(range(40))
    assert read_video(tmp_path / "in.mp4", fps=None).fps == pytest.approx(30, abs=0.1)


def test_phone_video_is_turned_upright(tmp_path: Path):
    frames = torch.zeros(5, 3, 32, 64, dtype=torch.uint8)
    frames[:, :, :16] = 200
    write_video(tmp_path / "flat.mp4", frames)
    data = bytearray((tmp_path / "flat.mp4").read_bytes())
    identity = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    quarter = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], ">i4").tobytes()  # show it turned clockwise
    track = data.index(identity, data.index(b"tkhd"))
    data[track : track + 36] = quarter
    (tmp_path / "turned.mp4").write_bytes(data)
    turned = read_video(tmp_path / "turned.mp4").frames.float()
    assert turned.shape == (5, 3, 64, 32)
    assert turned[..., 20:].mean() > 150 > 50 > turned[..., :12].mean()  # the upper half is on the right now


def test_truncated_video_keeps_what_decodes(tmp_path: Path):
    make_video(tmp_path / "whole.mkv", [k / 25 for k in range(80)], size=(64, 64))
    data = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    got = shown(tmp_path / "cut.mkv")
    assert 5 < len(got) < 75
    assert got == list(range(len(got)))


def test_nothing_decodes(tmp_path: Path):
    write_video(tmp_path / "whole.mp4", torch.zeros(10, 3, 64, 64, dtype=torch.uint8))
    data = bytearray((tmp_path / "whole.mp4").read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    (tmp_path / "zeros.mp4").write_bytes(data)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video at all\n" * 100)
    for name in ("zeros.mp4", "empty.mp4", "text.mp4", "missing.mp4"):
        with pytest.raises(MediaError) as error:
            read_video(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)


def test_sound_file_has_no_pictures(tmp_path: Path):
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
    with pytest.raises(MediaError, match="no pictures"):
        read_video(tmp_path / "a.wav")


GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_kinds_of_pictures(tmp_path: Path):
    grey = Image.fromarray(GRADIENT)
    grey.save(tmp_path / "grey.png")
    Image.fromarray(GRADIENT.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("grey.png", "deep.png"):
        picture = read_picture(tmp_path / name)
        assert picture.dtype == torch.uint8
        assert torch.equal(picture, torch.from_numpy(GRADIENT)[None].expand(3, -1, -1))
    colours = Image.fromarray(np.stack([GRADIENT, GRADIENT[::-1], GRADIENT.T], -1))
    colours.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    assert (read_picture(tmp_path / "palette.png").float() - read_of(colours)).abs().mean() < 3
    colours.convert("CMYK").save(tmp_path / "cmyk.tif")
    assert (read_picture(tmp_path / "cmyk.tif").float() - read_of(colours)).abs().mean() < 3


def read_of(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()


def test_alpha_is_laid_over_white(tmp_path: Path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture[:, :2].max() == 0
    assert picture[:, 2:].min() == 255


def test_exif_orientation(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    array = np.zeros((8, 16, 3), np.uint8)
    array[:4] = 255
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    picture = read_picture(tmp_path / "a.png")
    assert picture.shape == (3, 16, 8)
    assert picture[..., 4:].min() == 255
    assert picture[..., :4].max() == 0


@pytest.mark.parametrize("name", ["missing.png", "text.png", "cut.png"])
def test_no_picture(tmp_path: Path, name: str):
    (tmp_path / "text.png").write_text("no picture")
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:1000])
    with pytest.raises(MediaError, match=name):
        read_picture(tmp_path / name)


def smooth(frames: int, height: int, width: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    t = torch.linspace(0, 1, frames)[:, None, None]
    return (torch.stack([x + 0 * t, y + 0 * t, (x + t) / 2], 1) * 255).byte()


@pytest.mark.parametrize("size", [(64, 96), (65, 96), (64, 97), (65, 97)])
def test_written_video_comes_back(tmp_path: Path, size: tuple[int, int]):
    path = tmp_path / "sub dir.x" / "a b.c.mp4"
    frames = smooth(30, *size)
    wave = torch.sin(torch.arange(19000) / 16000 * 440 * 6.283) * 0.5
    write_video(path, iter(frames), wave=wave, metadata={"synthetic": "made by lipgan abc123", "title": "x"})
    back = read_video(path)
    assert back.frames.shape == (30, 3, *(side + side % 2 for side in size))
    off = back.frames[:, :, : size[0], : size[1]].float() - frames.float()
    assert off.abs().mean() < 1.5
    assert off.mean().abs() < 0.7  # neither darker nor brighter
    with av.open(str(path)) as container:
        assert container.metadata["synthetic"] == "made by lipgan abc123"
        assert container.metadata["title"] == "x"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert container.duration / 1e6 == pytest.approx(30 / 25, abs=1 / 25)
    assert [entry.name for entry in path.parent.iterdir()] == ["a b.c.mp4"]


def test_sound_stays_in_step(tmp_path: Path):
    wave = torch.zeros(32000)
    wave[16000:16160] = 0.9
    write_video(tmp_path / "a.mp4", torch.zeros(50, 3, 32, 32, dtype=torch.uint8), wave=wave)
    back = read_audio(tmp_path / "a.mp4")
    assert abs(int(back.abs().argmax()) - 16080) < 160
    write_video(tmp_path / "b.mp4", torch.zeros(100, 3, 32, 32, dtype=torch.uint8), wave=wave)
    with av.open(str(tmp_path / "b.mp4")) as container:  # too short a sound is filled with silence
        assert container.duration / 1e6 == pytest.approx(4, abs=1 / 25)


def test_rate_of_the_source_is_kept(tmp_path: Path):
    write_video(tmp_path / "a.mp4", smooth(60, 32, 32), fps=30000 / 1001)
    video = read_video(tmp_path / "a.mp4", fps=None)
    assert video.fps == pytest.approx(29.97, abs=0.01)
    assert len(video.frames) == 60


def fail_after(frames: int, error: BaseException):
    yield from smooth(frames, 32, 32)
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("boom")])
def test_nothing_half_written(tmp_path: Path, error: BaseException):
    (tmp_path / "a.mp4").write_bytes(b"older file")
    with pytest.raises(type(error)):
        write_video(tmp_path / "a.mp4", fail_after(20, error))
    assert (tmp_path / "a.mp4").read_bytes() == b"older file"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("a.mp4", torch.zeros(0, 3, 32, 32, dtype=torch.uint8)),
        ("a.nonsense", torch.zeros(2, 3, 32, 32, dtype=torch.uint8)),
    ],
)
def test_cannot_be_written(tmp_path: Path, name: str, frames: torch.Tensor):
    with pytest.raises(MediaError, match=name):
        write_video(tmp_path / name, frames)
    assert not list(tmp_path.iterdir())


FULL_DISK = """
import resource, sys, torch
from zoo.support.errors import MediaError
from zoo.media.video import write_video
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
frames = (torch.randint(0, 256, (3, 256, 256), dtype=torch.uint8) for _ in range(60))
try:
    write_video(sys.argv[1], frames, wave=torch.zeros(40000))
except MediaError as error:
    print(error)
    sys.exit(3)
"""


def test_full_disk(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.mp4")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout.count("\n") == 1
    assert "cannot be written" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.grid
def test_grid_clips_have_75_or_74_frames(grid_root: Path):
    video = read_video(grid_root / "s1" / "bbaf5a.mpg")
    assert video.frames.shape == (75, 3, 288, 360)
    assert len(read_video(grid_root / "s1" / "sbbbzp.mpg").frames) == 74
