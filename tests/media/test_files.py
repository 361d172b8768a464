"""Opening files: names that look like something else, playlists, choice of stream, and kinds by content."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.stream import Disposition
from PIL import Image

from tests.helpers.videos import corners, encode, numbered
from zoo.media.files import open_media, video_stream
from zoo.media.kind import media_kind
from zoo.media.video import probe_video, read_picture, read_video, write_video
from zoo.support.errors import MediaError

NAMES = [
    "12:30.mp4",
    "http:x.mp4",
    "concat:a.mp4",
    "pipe:0.mp4",
    "-.mp4",
    "-i.mp4",
    "%03d.mp4",
    "a*?[b].mp4",
    "a b\nc.mp4",
    "tee:x|y.mp4",
    "file:z.mp4",
    "~.mp4",
    "grüße 视频.mp4",
    os.fsdecode(b"caf\xe9.mp4"),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    write_video(name, torch.full((5, 3, 32, 32), 90, dtype=torch.uint8))
    assert os.listdir() == [name]
    assert read_video(name).frames.shape == (5, 3, 32, 32)
    assert probe_video(Path(name)).seconds == pytest.approx(0.2)
    assert media_kind(name) == "video"


@pytest.mark.parametrize("name", ["%d.png", "12:30.jpg", "-", "pipe:0", os.fsdecode(b"\xff.png")])
def test_every_name_is_the_name_of_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    with open(name, "wb") as file:
        Image.fromarray(corners()).save(file, "PNG")
    assert media_kind(name) == "picture"
    assert read_picture(name).shape == (3, 64, 96)
    assert len(read_video(name).frames) == 1


def test_a_series_is_not_read_for_one_of_its_names(tmp_path: Path):
    for k in range(3):
        Image.fromarray(corners()).save(tmp_path / f"{k}.png")
    with pytest.raises(MediaError, match="no such file"):
        read_video(tmp_path / "%d.png")


def test_messages_of_names_that_are_no_utf8_can_be_encoded(tmp_path: Path):
    name = os.fsdecode(b"caf\xe9.mp4")
    (tmp_path / name).write_bytes(b"nothing")
    for read in (read_video, read_picture, media_kind):
        with pytest.raises(MediaError) as error:
            read(tmp_path / name)
        str(error.value).encode()
        assert "caf" in str(error.value)


@pytest.mark.parametrize("kind", ["nothing", "folder", "empty", "pipe", "zero byte"])
def test_what_cannot_be_opened_is_named(tmp_path: Path, kind: str):
    path = tmp_path / "a.mp4"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero byte":
        path = tmp_path / "a\0.mp4"
    for read in (read_video, read_picture, media_kind, probe_video):
        with pytest.raises(MediaError, match="mp4"):
            read(path)


@pytest.mark.parametrize("ending", ["m3u8", "mp4", "ts", "jpg"])
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.ts\n",
        "ffconcat version 1.0\nfile 'http://127.0.0.1:9/a.ts'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    ],
)
def test_playlists_open_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, ending: str):
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "secret.ts", numbered(5), kind="mpegts", codec="libx264", pixels="yuv420p")
    (tmp_path / f"list.{ending}").write_text(text)
    with pytest.raises(MediaError, match="playlist") as error:
        read_video(f"list.{ending}")
    assert "\n" not in str(error.value)


def make_streams(path: Path, streams: list[tuple[int, Disposition]], *, sound: bool = False) -> Path:
    """A file of several video streams: one flat grey level each, with these flags."""
    with av.open(str(path), "w") as container:
        made = []
        for _, flags in streams:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
            stream.disposition = flags
            made.append(stream)
        if sound:
            heard = container.add_stream("aac", rate=48_000, layout="mono")
        for k in range(5):
            for stream, (level, _) in zip(made, streams, strict=True):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), level, np.uint8), format="rgb24")
                frame = frame.reformat(format="yuv420p")
                frame.pts, frame.time_base = k, Fraction(1, 25)
                container.mux(stream.encode(frame))
        if sound:
            for k in range(10):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48_000, 1024 * k
                container.mux(heard.encode(frame))
            container.mux(heard.encode(None))
        for stream in made:
            container.mux(stream.encode(None))
    return path


NONE, DEFAULT, COVER = Disposition(0), Disposition.default, Disposition.attached_pic


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ((NONE, DEFAULT), 1),
        ((DEFAULT, NONE), 0),
        ((NONE, NONE), 0),
        ((DEFAULT, DEFAULT), 0),
        ((NONE, NONE, DEFAULT), 2),
    ],
)
def test_the_default_stream_is_read(tmp_path: Path, flags: tuple[Disposition, ...], chosen: int):
    levels = [40, 120, 200]
    path = make_streams(tmp_path / "a.mkv", list(zip(levels, flags, strict=False)), sound=True)
    assert abs(int(read_video(path).frames[2].float().mean()) - levels[chosen]) <= 2


def add_cover(path: Path, out: Path) -> Path:
    """The streams of a file and a cover, which comes first; in Matroska it is attached."""
    Image.fromarray(corners()).save(out.parent / "cover.jpg")
    if out.suffix == ".mkv":
        return attach_cover(path, out)
    with av.open(str(path)) as given, av.open(str(out.parent / "cover.jpg")) as cover, av.open(str(out), "w") as made:
        picture = made.add_stream_from_template(cover.streams.video[0])
        picture.disposition = COVER
        kept = {stream.index: made.add_stream_from_template(stream) for stream in given.streams}
        packet = next(cover.demux(video=0))
        packet.stream, packet.pts, packet.dts = picture, 0, 0
        made.mux(packet)
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = kept[packet.stream.index]
                made.mux(packet)
    (out.parent / "cover.jpg").unlink()
    return out


def attach_cover(path: Path, out: Path) -> Path:
    with av.open(str(path)) as given, av.open(str(out), "w") as made:
        kept = {stream.index: made.add_stream_from_template(stream) for stream in given.streams}
        made.add_attachment("cover.jpg", "image/jpeg", (out.parent / "cover.jpg").read_bytes())
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = kept[packet.stream.index]
                made.mux(packet)
    return out


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_cover_is_no_video(tmp_path: Path, ending: str):
    video = make_streams(tmp_path / "v.mp4", [(120, DEFAULT)], sound=True)
    path = add_cover(video, tmp_path / f"a.{ending}")
    frames = read_video(path).frames
    assert frames.shape == (5, 3, 64, 64)
    assert media_kind(path) == "video"


@pytest.mark.parametrize("ending", ["mp4", "mp3", "flac", "mkv"])
def test_sound_with_a_cover_is_sound(tmp_path: Path, ending: str):
    codec = {"mp3": "libmp3lame", "flac": "flac"}.get(ending, "aac")
    with av.open(str(tmp_path / f"s.{ending}"), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    path = add_cover(tmp_path / f"s.{ending}", tmp_path / f"a.{ending}")
    assert media_kind(path) == "sound"
    with pytest.raises(MediaError, match="but a cover"):
        read_video(path)


def test_sound_alone_is_sound(tmp_path: Path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert media_kind(tmp_path / "a.mp4") == "sound"
    with open_media(tmp_path / "a.mp4") as opened, pytest.raises(MediaError, match="no pictures"):
        video_stream(opened, "a.mp4")


PHOTOS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif", "BMP": ".bmp", "AVIF": ".avif"}


@pytest.mark.parametrize("name", ["a", "a.mp4", "A.JFIF", "a.JPG", "a.wav", "a.mp4.avif"])
@pytest.mark.parametrize("kind", PHOTOS)
def test_a_photo_is_one_whatever_its_name(tmp_path: Path, kind: str, name: str):
    Image.fromarray(corners()).save(tmp_path / name, kind)
    assert media_kind(tmp_path / name) == "picture"
    assert (read_picture(tmp_path / name).permute(1, 2, 0).float() - torch.from_numpy(corners())).abs().mean() < 12
    video = read_video(tmp_path / name, fps=None)
    assert (video.fps, len(video.frames)) == (25, 1)


@pytest.mark.parametrize("name", ["a", "a.jpg", "a.PNG", "a.wav", "a.MP4", "a.xyz"])
def test_a_video_is_one_whatever_its_name(tmp_path: Path, name: str):
    made = encode(tmp_path / "v.mp4", numbered(10))
    made.rename(tmp_path / name)
    assert media_kind(tmp_path / name) == "video"
    assert len(read_video(tmp_path / name).frames) == 10


@pytest.mark.parametrize(("kind", "ending"), [("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp"), ("AVIF", "avif")])
def test_an_animation_is_a_video(tmp_path: Path, kind: str, ending: str):
    pictures = [Image.fromarray(np.full((32, 48, 3), 40 + 20 * k, np.uint8)) for k in range(8)]
    path = tmp_path / f"a.{ending}"
    pictures[0].save(path, kind, save_all=True, append_images=pictures[1:], duration=80, lossless=True)
    assert media_kind(path) == "video"
    video = read_video(path, fps=None)
    assert video.fps == 12.5
    assert [round(level) for level in video.frames.float().mean((1, 2, 3)).tolist()] == pytest.approx(
        [40 + 20 * k for k in range(8)], abs=2
    )
    assert len(read_video(path).frames) == 16


def test_pages_are_no_animation(tmp_path: Path):
    pages = [Image.fromarray(corners()), Image.fromarray(corners()[::-1].copy())]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert media_kind(tmp_path / "a.tif") == "picture"


def test_a_heic_photo_says_what_to_do(tmp_path: Path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert media_kind(tmp_path / "a.heic") == "picture"
    with pytest.raises(MediaError, match=r"HEIC.*convert it to JPEG"):
        read_picture(tmp_path / "a.heic")


def test_a_damaged_photo_is_one_by_its_name(tmp_path: Path):
    (tmp_path / "a.png").write_text("no picture")
    assert media_kind(tmp_path / "a.png") == "picture"
    (tmp_path / "a.mp4").write_text("no picture")
    with pytest.raises(MediaError, match=r"a\.mp4"):
        media_kind(tmp_path / "a.mp4")


def test_tags_that_are_no_utf8_do_not_cost_the_file(tmp_path: Path):
    encode(tmp_path / "a.mkv", numbered(3))
    with av.open(str(tmp_path / "a.mkv")) as given, av.open(str(tmp_path / "b.mkv"), "w") as made:
        made.metadata["title"] = "MARKMARK"
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    data = (tmp_path / "b.mkv").read_bytes()
    (tmp_path / "c.mkv").write_bytes(data.replace(b"MARKMARK", b"caf\xe9 \xff\xfe!"))
    assert len(read_video(tmp_path / "c.mkv").frames) == 3


@pytest.mark.parametrize("name", ["TALK.MP4", "Talk.Mov", "talk.m4v", "talk.MKV"])
def test_capital_endings_carry_the_tags(tmp_path: Path, name: str):
    write_video(tmp_path / name, torch.zeros(3, 3, 32, 32, dtype=torch.uint8), metadata={"synthetic": "by lipgan"})
    with av.open(str(tmp_path / name)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    assert tags["synthetic"] == "by lipgan"


HUNGRY = """
import resource, sys
from zoo.support.errors import MediaError
from zoo.media.video import read_video
import av, torch
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    print(read_video(sys.argv[1]).frames.shape)
except MediaError as error:
    print(error)
    sys.exit(3)
"""


def limited(path: Path, room: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HUNGRY, str(path), str(room)], capture_output=True, text=True, timeout=120, check=False
    )


def test_what_cannot_fit_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / "long.mp4"
    still = np.full((720, 1280, 3), 90, np.uint8)
    encode(path, [still] * 100, codec="libx264", pixels="yuv420p")  # 276 MB
    done = limited(path, 200 * 2**20)
    assert done.returncode == 3, done.stderr
    assert "1280x720" in done.stdout
    assert "0.276 GB" in done.stdout
    assert done.stdout.count("\n") == 1


PEAK = """
import resource, sys
from zoo.media.video import read_video
read_video(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
frames = read_video(sys.argv[1]).frames
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / frames.nbytes)
"""


def test_pictures_are_held_once(tmp_path: Path):
    picture = np.full((480, 640, 3), 90, np.uint8)
    short = encode(tmp_path / "short.mp4", [picture] * 10, codec="libx264", pixels="yuv420p")
    path = encode(tmp_path / "long.mp4", [picture] * 300, codec="libx264", pixels="yuv420p")  # 276 MB
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(short)], capture_output=True, text=True, timeout=120, check=True
    )
    assert float(done.stdout) < 1.2
