"""`zoo predict` as a user meets it: right length, rate and sound, only the mouth changed, nothing of it leaked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.inputs import drawn, photograph, save_picture, save_sound, save_timed
from zoo.cli.main import run
from zoo.data.request import Request
from zoo.face.crop import place_crops
from zoo.media.audio import read_audio
from zoo.media.video import Colour, read_picture, read_video, write_video
from zoo.methods import trainable
from zoo.registry.spec import MethodSpec, Uses
from zoo.synthesis import predict

SHORT = 4_000
"""Samples of a sound of 0.25 s: seven frames at 25 fps, the last one cut short."""


@dataclass
class Written:
    """What `zoo predict` handed to the encoder."""

    frames: Tensor
    fps: float
    wave: Tensor
    sample_rate: int


Talk = Callable[..., Written]


@pytest.fixture(scope="module")
def checkpoint(tiny_run: Path) -> Path:
    return tiny_run / "checkpoints" / "last.ckpt"


@pytest.fixture
def talk(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Run the command without the codec, so that pixels can be compared bit for bit."""
    made: list[Written] = []

    def keep(path: Path, frames: Any, *, fps: float, wave: Tensor, sample_rate: int, **_: Any) -> None:
        made.append(Written(torch.stack(list(frames)), fps, wave, sample_rate))

    def run_it(face: Path, sound: Path, *more: str) -> Written:
        with monkeypatch.context() as patch:
            patch.setattr(predict, "write_video", keep)
            assert run(command(checkpoint, face, sound, tmp_path / "out.mp4", *more)) == 0
        return made.pop()

    return run_it


def command(checkpoint: Path, face: Path, sound: Path, out: Path, *more: str) -> list[str]:
    given = ["--ckpt", checkpoint, "--face", face, "--audio", sound, "--out", out, *more]
    return ["predict", "lipgan", *map(str, given)]


def speech(folder: Path, samples: int = SHORT, start: int = 16_000, number: int = 0) -> Path:
    """Sound from the middle of a clip, where somebody talks."""
    sound = drawn(number).wave.roll(-start).repeat(3)[:samples]
    return save_sound(folder / f"speech {number} {start} {samples}.wav", sound)


def crop_box(face: predict.Face, frame: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the picture that LipGAN's crop covers."""
    boxes = place_crops(face.landmarks, "face", (96, 96)).boxes
    assert boxes is not None
    x0, y0, x1, y1 = boxes[frame].clamp(min=0).tolist()
    return slice(y0, y1), slice(x0, x1)


def generate(module: Any, face: predict.Face, wave: Tensor, count: int) -> Tensor:
    """The crops of a face that says what is in ``wave``; its own frames are the driver."""
    request = replace(predict.make_request(module, face, face, count), sound=wave[None])
    return predict.generate(module, request)


def outside(frame: Tensor, box: tuple[slice, slice]) -> Tensor:
    hidden = frame.clone()
    hidden[:, box[0], box[1]] = 0
    return hidden


def test_photo_to_file(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    photo = save_picture(tmp_path / "a photo.v1.png", photograph())
    sound = speech(tmp_path, 25_700)
    out = tmp_path / "new folder" / "of v1.2" / "my film.final.mp4"
    assert run(command(checkpoint, photo, sound, out)) == 0
    said = capsys.readouterr()
    assert str(out) in said.out
    assert "41 frames at 25 fps" in said.out
    assert "generating with lipgan: 41/41 frames" in said.err
    assert [entry.name for entry in out.parent.iterdir()] == [out.name]
    with av.open(str(out)) as container:
        assert container.duration / 1e6 == pytest.approx(25_700 / 16_000, abs=1 / 25)
        tags = container.metadata
        assert tags["synthetic"] == "true"
        assert "Synthetic" in tags["comment"]
        assert "lipgan" in tags["generator"]
        assert tags["checkpoint"].startswith("last.ckpt sha256:")
    back = read_video(out, fps=None)
    assert back.fps == 25
    assert back.frames.shape == (41, 3, 512, 512)
    # The sound is the one that was given.
    heard, given = read_audio(out), read_audio(sound)
    assert len(heard) / 16_000 == pytest.approx(41 / 25, abs=0.07)  # AAC ends on whole blocks
    assert torch.corrcoef(torch.stack([heard[:25_000], given[:25_000]]))[0, 1] > 0.98
    # Far from the face the picture is what encoding makes of the photo.
    write_video(tmp_path / "still.mp4", photograph().expand(41, -1, -1, -1))
    still = read_video(tmp_path / "still.mp4").frames
    away = (back.frames[:, :, 300:].float() - still[:, :, 300:].float()).abs()
    assert away.mean() < 1.5


def test_only_the_crop_changes(talk: Talk, tmp_path: Path):
    photo = save_picture(tmp_path / "a.png", photograph())
    made = talk(photo, speech(tmp_path))
    assert made.frames.shape == (7, 3, 512, 512)
    box = crop_box(predict.read_face(photo))
    assert box[0].stop - box[0].start < 200
    for frame in made.frames:
        assert torch.equal(outside(frame, box), outside(photograph(), box))
        assert not torch.equal(frame, photograph())


def test_lips_follow_the_sound(checkpoint: Path, tmp_path: Path):
    """An untrained network moves by less than a grey level, so the numbers before rounding are compared.

    In double precision: normalisation enlarges rounding, by as much as the processor's order of sums has it.
    """
    module = trainable.load_checkpoint(checkpoint)
    face = predict.read_face(save_picture(tmp_path / "a.png", photograph()))
    spoken = [drawn(number).wave[16_000:24_000] for number in (0, 0, 1)]
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0  # its statistics are those of the next batch, so that sound has a visible effect
    module.generator.double().register_forward_pre_hook(lambda _, given: tuple(x.double() for x in given))
    generate(module.train(), face, spoken[0], 13)
    module.eval()
    one, same, other = (generate(module, face, wave, 13) for wave in spoken)
    silent = generate(module, face, torch.zeros(8_000), 13)
    assert torch.equal(one, same)
    noise = silent.diff(dim=0).abs().max()
    assert noise < 1e-6, "rounding to single precision in the end"
    assert one.diff(dim=0).abs().max() > max(1000 * noise, 1e-6)
    assert (one - other).abs().max() > max(1000 * noise, 1e-6)
    assert (one - silent).abs().max() > max(1000 * noise, 1e-6)


@pytest.mark.parametrize(
    ("kind", "rate", "samples"),
    [
        ("30 fps, sound shorter", 30, 8_000),
        ("29.97 fps, sound longer", 30_000 / 1001, 36_000),
        ("12.5 fps, sound longer", 12.5, 36_000),
        ("variable rate", 0, 20_000),
    ],
)
def test_video_keeps_its_own_rate(talk: Talk, tmp_path: Path, kind: str, rate: float, samples: int):
    frames = drawn().frames[:24]
    times = [k / rate for k in range(24)] if rate else [k / 30 + (0.4 if k > 11 else 0) for k in range(24)]
    clip = save_timed(tmp_path / "face.mkv", frames, times, rate or 30)
    own = read_video(clip, fps=None)
    assert own.fps == pytest.approx(rate or own.fps, rel=1e-3)
    sound = speech(tmp_path, samples)
    made = talk(clip, sound)
    assert made.fps == own.fps
    assert abs(len(made.frames) / own.fps - samples / 16_000) < 1 / own.fps
    count = len(own.frames)
    forth_and_back = [*range(count), *range(count - 2, 0, -1)]
    face = predict.read_face(clip)
    for t, frame in enumerate(made.frames):
        source = forth_and_back[t % len(forth_and_back)]
        box = crop_box(face, source)
        assert torch.equal(outside(frame, box), outside(own.frames[source], box)), t
    assert len({int(frame[:, 100:].sum()) for frame in made.frames}) > count / 2


def test_no_more_of_a_video_is_read_than_the_sound_needs(tmp_path: Path):
    clip = save_timed(tmp_path / "face.mkv", drawn().frames, [k / 25 for k in range(75)])
    assert 25 <= len(predict.read_face(clip, seconds=1.0).frames) <= 28
    assert len(predict.read_face(clip, seconds=10.0).frames) == 75


def test_frame_hears_its_own_time_at_any_rate(checkpoint: Path, tmp_path: Path):
    """At 50 fps every generated picture is shown twice, at 12.5 fps every second one is shown: none is late."""
    module = trainable.load_checkpoint(checkpoint)
    marks = torch.arange(25).view(25, 1, 1, 1).expand(-1, 3, 96, 96) / 25
    face = predict.Face(drawn().frames[:1], drawn().landmarks[:1], 25.0)  # type: ignore[arg-type]
    rows, columns = crop_box(face)
    row, column = (rows.start + 3 * rows.stop) // 4, (columns.start + columns.stop) // 2
    for fps, step in ((50.0, 0.5), (25.0, 1), (12.5, 2)):
        with predict.Progress("", 1, "", show=False) as bar:
            shown = list(predict.composed(module, replace(face, fps=fps), marks, int(fps), bar))
        got = [int(frame[0, row, column] / 255 * 25 + 0.5) for frame in shown]
        assert got == [int((t + 0.5) * step) for t in range(int(fps))]


@pytest.mark.parametrize("index", [0, 1])
def test_face_index(talk: Talk, tmp_path: Path, index: int):
    left = photograph()[:, :300, 80:380]
    right = F.interpolate(left[None].float(), scale_factor=0.7, mode="bilinear", antialias=True)[0].round().byte()
    both = torch.full((3, 300, 520), 90, dtype=torch.uint8)
    both[:, :, :300] = left
    both[:, :210, 310:520] = right
    made = talk(save_picture(tmp_path / "two.png", both), speech(tmp_path), "--face-index", str(index))
    changed = (made.frames != both).any(0).any(0).any(0)
    assert changed[:300].any() == (index == 0)
    assert changed[300:].any() == (index == 1)


def test_sound_keeps_its_rate_and_channels(checkpoint: Path, talk: Talk, tmp_path: Path):
    photo = save_picture(tmp_path / "a.png", photograph()[:, :300, 80:380])
    time = torch.arange(22_050) / 44_100
    tones = torch.stack([torch.sin(time * 6.2832 * 9_000), torch.sin(time * 6.2832 * 300)]) * 0.5
    sound = save_sound(tmp_path / "cd.wav", tones, 44_100)
    made = talk(photo, sound)
    assert (made.sample_rate, len(made.frames)) == (44_100, 13)
    assert torch.allclose(made.wave, tones, atol=1e-3)
    assert run(command(checkpoint, photo, sound, tmp_path / "out.mp4")) == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (44_100, 2)
    telephone = talk(photo, save_sound(tmp_path / "8k.wav", torch.rand(2_000) - 0.5, 8_000))
    assert (telephone.sample_rate, len(telephone.frames)) == (8_000, 7)
    studio = talk(photo, save_sound(tmp_path / "96k.wav", torch.rand(24_000) - 0.5, 96_000))
    assert (studio.sample_rate, len(studio.frames)) == (48_000, 7)


def turned(path: Path, picture: Image.Image) -> None:
    """As a phone held upright stores it: lying, with a tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)


PHOTOS: dict[str, Callable[[Path, Image.Image], None]] = {
    "grey.png": lambda path, picture: picture.convert("L").save(path),
    "alpha.png": lambda path, picture: picture.convert("RGBA").save(path),
    "deep.png": lambda path, picture: _deep(picture).save(path),
    "palette.gif": lambda path, picture: picture.convert("P", palette=Image.Palette.ADAPTIVE).save(path),
    "phone.JPG": turned,
    "odd.webp": lambda path, picture: picture.crop((0, 0, 299, 301)).save(path),
}


def _deep(picture: Image.Image) -> Image.Image:
    """16-bit grey."""
    import numpy as np

    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


@pytest.mark.parametrize("name", PHOTOS)
def test_kinds_of_photos(talk: Talk, tmp_path: Path, name: str):
    picture = Image.fromarray(photograph()[:, :302, 80:380].permute(1, 2, 0).numpy())
    PHOTOS[name](tmp_path / name, picture)
    made = talk(tmp_path / name, speech(tmp_path, 640))
    assert made.frames.shape == (1, 3, *((301, 299) if name == "odd.webp" else (302, 300)))
    original = read_picture(tmp_path / name)
    changed = (made.frames[0] != original).any(0).nonzero()
    assert len(changed)
    # The face is upright: the chin of the crop lies below the middle of the face, wherever the file says up is.
    assert 100 < changed[:, 0].float().mean() < 200
    assert 90 < changed[:, 1].float().mean() < 210


def test_odd_sizes_to_file(checkpoint: Path, tmp_path: Path):
    frames = drawn().frames[:8, :, :251, :253]
    clip = save_timed(tmp_path / "odd.mkv", frames, [k / 30 for k in range(8)], 30)
    out = tmp_path / "out.mov"
    assert run(command(checkpoint, clip, speech(tmp_path), out)) == 0
    back = read_video(out, fps=None)
    assert back.frames.shape == (8, 3, 252, 254)  # 4:2:0 has no odd sizes: one row and one column are repeated
    assert back.fps == pytest.approx(30)


COLOURS = {
    "BT.601": Colour(6, False, 6, 6),
    "BT.709": Colour(1, False, 1, 1),
    "BT.2020": Colour(9, False, 9, 14),
    "full range": Colour(5, True, 5, 6),
}


@pytest.mark.parametrize("name", COLOURS)
def test_colours_around_the_mouth_stay_in_the_file(checkpoint: Path, tmp_path: Path, name: str):
    """Decoded from the file that was written, everything but the crop is off by less than one level of 255."""
    frames = drawn().frames[:4].clone()
    frames[..., :48, :] = torch.tensor([200, 60, 40], dtype=torch.uint8)[:, None, None]
    write_video(tmp_path / "face.mp4", frames, colour=COLOURS[name], crf=0)
    assert run(command(checkpoint, tmp_path / "face.mp4", speech(tmp_path, 2560), tmp_path / "out.mp4")) == 0
    given, back = (read_video(tmp_path / file, fps=None) for file in ("face.mp4", "out.mp4"))
    assert back.colour == given.colour == COLOURS[name]
    off = (back.frames.float() - given.frames.float()).abs()
    assert off[..., :32, :].max() <= 1  # a flat colour, away from its edge
    assert off[..., :32].mean() < 1  # beside the crop, which begins at column 49


def test_true_mouth_is_never_seen(checkpoint: Path):
    """A video's first picture says who talks; after it nothing of the true mouth may reach the generator."""
    module = trainable.load_checkpoint(checkpoint)
    clip = drawn()
    assert clip.landmarks is not None
    face = predict.Face(clip.frames[:20], clip.landmarks[:20], 25.0)
    painted = face.frames.clone()
    for t in range(1, 20):
        rows, columns = crop_box(face, t)
        painted[t, :, (rows.start + rows.stop + 1) // 2 : rows.stop, columns] = 128
    moved = painted.clone()
    moved[1:, :, :100] = 0
    real, grey, dark = (
        generate(module, replace(face, frames=frames), clip.wave[:12_800], 20)
        for frames in (face.frames, painted, moved)
    )
    assert torch.allclose(real, grey, atol=1e-5)
    assert not torch.allclose(real[1:], dark[1:], atol=1e-3)  # what is shown does reach it


@pytest.mark.parametrize("driver", ["", "upper half", "video"])
def test_a_video_is_given_as_it_is_in_a_test_and_a_photo_not_at_all(driver: Any, checkpoint: Path):
    module: Any = trainable.load_checkpoint(checkpoint)
    module.spec = MethodSpec(name="m", summary="", target="", modes=(("only", Uses(driver=driver)),))
    seen: list[Request] = []

    def keep(request: Request) -> Tensor:
        seen.append(request)
        return request.stills[:, :1].expand(-1, request.num_frames, -1, -1, -1)

    module.generate = keep
    clip = drawn()
    assert clip.landmarks is not None
    for frames in (5, 1):
        generate(module, predict.Face(clip.frames[:frames], clip.landmarks[:frames], 25.0), clip.wave[:3200], 5)
    video, photo = (None if request.driver is None else request.driver.frames for request in seen)
    assert photo is None
    if not driver:
        assert video is None
        return
    assert video is not None
    half = video.shape[-2] // 2
    assert video[..., :half, :].any()
    assert bool(video[..., half:, :].any()) == (driver == "video")


@pytest.mark.grid
def test_grid_clip(checkpoint: Path, grid_root: Path, tmp_path: Path):
    clip = grid_root / "s2" / "swwp2s.mpg"
    out = tmp_path / "grid.mp4"
    assert run(command(checkpoint, clip, clip, out)) == 0
    back, given = read_video(out, fps=None), read_video(clip, fps=None)
    assert back.fps == given.fps == 25
    assert back.frames.shape == given.frames.shape == (75, 3, 288, 360)
    difference = (back.frames.float() - given.frames.float()).abs()
    assert difference[..., :40].mean() < 2
    heard, said = read_audio(out), read_audio(clip)
    assert torch.corrcoef(torch.stack([heard[:47_000], said[:47_000]]))[0, 1] > 0.98
    longer = save_sound(tmp_path / "longer.wav", said.repeat(2)[:70_000])
    assert run(command(checkpoint, clip, longer, out)) == 0
    assert len(read_video(out, fps=None).frames) == 110  # 4.375 s: back and forth, to one frame
