"""Colours: read by the file's tags or the players' rule, and written so that they come back."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.helpers.videos import encode_levels
from zoo.media.video import Colour, open_video, read_video, write_video

WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Red's and blue's share of luma by matrix (ITU-R BT.709, BT.601, BT.2020)."""

COLOURS = [(200, 60, 40), (40, 180, 90), (70, 80, 210), (128, 128, 128), (16, 16, 16), (235, 220, 190)]


def levels(rgb: tuple[int, int, int], matrix: int, full: bool, bits: int = 8) -> tuple[int, int, int]:
    """The numbers of a colour in a file, by the standards' formulas."""
    red, blue = WEIGHTS[matrix]
    r, g, b = (part / 255 for part in rgb)
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)
    deep = 2 ** (bits - 8)
    if full:
        top = 2**bits - 1
        return round(luma * top), *(round(c * top + 128 * deep) for c in chroma)
    return round((219 * luma + 16) * deep), *(round((224 * c + 128) * deep) for c in chroma)


def shown(numbers: tuple[int, int, int], matrix: int, full: bool, bits: int = 8) -> np.ndarray:
    """The RGB that a file's numbers mean."""
    red, blue = WEIGHTS[matrix]
    deep = 2 ** (bits - 8)
    top = 2**bits - 1
    y, u, v = (
        (numbers[0] / top, *((n - 128 * deep) / top for n in numbers[1:]))
        if full
        else ((numbers[0] / deep - 16) / 219, *((n / deep - 128) / 224 for n in numbers[1:]))
    )
    r, b = y + (2 - 2 * red) * v, y + (2 - 2 * blue) * u
    return 255 * np.clip([r, (y - red * r - blue * b) / (1 - red - blue), b], 0, 1)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("rgb", COLOURS)
def test_tagged_colours_are_read_by_their_tags(tmp_path: Path, rgb: tuple[int, int, int], matrix: int, full: bool):
    numbers = levels(rgb, matrix, full)
    tags = {"colorspace": matrix, "color_range": 2 if full else 1}
    video = read_video(encode_levels(tmp_path / "a.mp4", numbers, **tags))
    got = video.frames[1, :, 32, 32].numpy()
    assert np.abs(got - shown(numbers, matrix, full)).max() <= 1
    assert (video.colour.matrix, video.colour.full_range) == (matrix, full)


@pytest.mark.parametrize(("size", "matrix"), [(64, 6), (576, 6), (718, 6), (720, 1), (1080, 1)])
def test_untagged_colours_are_what_players_take_them_for(tmp_path: Path, size: int, matrix: int):
    numbers = levels((200, 60, 40), matrix, full=False)
    video = read_video(encode_levels(tmp_path / "a.mp4", numbers, size=size, count=1))
    assert np.abs(video.frames[0, :, 32, 32].numpy() - (200, 60, 40)).max() <= 2
    assert video.colour.matrix == matrix


def test_tags_that_are_unknown_count_as_none(tmp_path: Path):
    numbers = levels((200, 60, 40), 6, full=False)
    video = read_video(encode_levels(tmp_path / "a.mp4", numbers, colorspace=8, color_trc=3, color_primaries=3))
    assert video.colour.matrix == 6


@pytest.mark.parametrize("matrix", [1, 9])
def test_ten_bits(tmp_path: Path, matrix: int):
    numbers = levels((200, 60, 40), matrix, full=False, bits=10)
    path = encode_levels(tmp_path / "a.mkv", numbers, pixels="yuv420p10le", colorspace=matrix, color_range=1)
    video = read_video(path)
    assert np.abs(video.frames[1, :, 32, 32].numpy() - shown(numbers, matrix, False, bits=10)).max() <= 1
    write_video(tmp_path / "b.mp4", video.frames, colour=video.colour)
    assert (read_video(tmp_path / "b.mp4").frames.int() - video.frames.int()).abs().max() <= 1


@pytest.mark.parametrize("pixels", ["yuv422p", "yuv444p"])
def test_finer_chroma(tmp_path: Path, pixels: str):
    numbers = levels((200, 60, 40), 1, full=False)
    path = encode_levels(tmp_path / "a.mkv", numbers, pixels=pixels, colorspace=1, color_range=1)
    assert np.abs(read_video(path).frames[1, :, 32, 32].numpy() - (200, 60, 40)).max() <= 2


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_noted_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, transfer: int, name: str
):
    numbers = levels((200, 60, 40), 9, full=False, bits=10)
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    read_video(encode_levels(tmp_path / "a.mkv", numbers, pixels="yuv420p10le", **tags))
    (record,) = caplog.records
    assert name in record.getMessage()
    assert "a.mkv" in record.getMessage()
    assert "\n" not in record.getMessage()


TAGGED = [
    Colour(1, False, 1, 1),
    Colour(1, True, 1, 13),
    Colour(5, False, 5, 6),
    Colour(6, False, 6, 6),
    Colour(6, True, 2, 2),
    Colour(9, False, 9, 14),
    Colour(9, True, 9, 1),
]


def patches(height: int = 96, width: int = 128) -> torch.Tensor:
    """Eight pictures of 16x16 squares of every kind of colour."""
    draw = np.random.default_rng(0).integers(0, 256, (8, 3, height // 16, width // 16), dtype=np.uint8)
    return torch.from_numpy(draw.repeat(16, 2).repeat(16, 3))


@pytest.mark.parametrize("ending", ["mp4", "MP4", "mov", "mkv"])
@pytest.mark.parametrize("colour", TAGGED)
def test_what_is_written_says_what_it_means(tmp_path: Path, colour: Colour, ending: str):
    write_video(tmp_path / f"a.{ending}", patches(), colour=colour)
    with open_video(tmp_path / f"a.{ending}") as reader:
        assert reader.colour == colour


@pytest.mark.parametrize("colour", TAGGED)
def test_flat_colours_come_back_to_one_level(tmp_path: Path, colour: Colour):
    flat = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (40, 3, 1, 1), dtype=np.uint8))
    write_video(tmp_path / "source.mp4", flat.expand(-1, -1, 64, 96), colour=colour, crf=0)
    source = read_video(tmp_path / "source.mp4")
    write_video(tmp_path / "again.mp4", source.frames, colour=source.colour)
    again = read_video(tmp_path / "again.mp4")
    assert (again.frames.int() - source.frames.int()).abs().max() <= 1
    assert again.colour == source.colour


@pytest.mark.parametrize("colour", TAGGED)
def test_pictures_come_back_to_one_level_on_average(tmp_path: Path, colour: Colour):
    from skimage.data import astronaut

    photo = torch.from_numpy(astronaut()[:256, 64:320]).permute(2, 0, 1)
    moving = torch.stack([photo.roll(k, 2) for k in range(12)])
    write_video(tmp_path / "source.mp4", moving, colour=colour, crf=0)
    source = read_video(tmp_path / "source.mp4")
    write_video(tmp_path / "again.mp4", source.frames, colour=source.colour)
    off = read_video(tmp_path / "again.mp4").frames.float() - source.frames.float()
    assert off.abs().mean() < 1
    assert off.mean((0, 2, 3)).abs().max() < 0.35  # neither another hue nor darker


def test_chroma_stays_where_it_is(tmp_path: Path):
    """A red square must not move against its own brightness: half a pixel, eight times over, would be seen."""
    frames = torch.full((3, 3, 64, 64), 90, dtype=torch.uint8)
    frames[:, 0, 20:44, 20:44] = 210
    write_video(tmp_path / "0.mp4", frames, crf=0)
    for k in range(8):
        write_video(tmp_path / f"{k + 1}.mp4", read_video(tmp_path / f"{k}.mp4").frames, crf=0)
    first, last = (read_video(tmp_path / f"{k}.mp4").frames[1].float() for k in (0, 8))
    for side in (0, 1):
        assert abs(middle(first, side) - middle(last, side)) < 0.1


def middle(picture: torch.Tensor, side: int) -> float:
    """Centre of what is red, in pixels along one side."""
    red = (picture[0] - picture[1]).sum(side)
    return float((red * torch.arange(len(red))).sum() / red.sum())


@pytest.mark.parametrize(("height", "matrix"), [(64, 6), (720, 1)])
def test_without_a_source_it_is_what_players_expect(tmp_path: Path, height: int, matrix: int):
    frames = torch.tensor([200, 60, 40], dtype=torch.uint8)[None, :, None, None].expand(2, 3, height, 64)
    write_video(tmp_path / "a.mp4", frames)
    with av.open(str(tmp_path / "a.mp4")) as container:
        picture = next(container.decode(video=0))
        assert (picture.colorspace, picture.color_range) == (matrix, 1)
        numbers = tuple(int(np.frombuffer(plane, np.uint8)[0]) for plane in picture.planes)
    assert np.abs(shown(numbers, matrix, False) - (200, 60, 40)).max() < 2
