"""Which way up and in which shape pictures are read: display matrices, Exif, pixels that are not square."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.helpers.videos import corners, encode
from zoo.media.pictures.orientation import square_pixels
from zoo.media.video import probe_video, read_picture, read_video

ONE = 1 << 16
LAST = 1 << 30
# The eight ways to show a picture as (a, b, c, d) of the display matrix, and what they do to an array.
SHOWN = {
    "as it is": ((1, 0, 0, 1), lambda p: p),
    "mirrored": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "half turn": ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda p: p[::-1]),
    "transposed": ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    "quarter turn clockwise": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "transposed and turned": ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
    "quarter turn counterclockwise": ((0, -1, 1, 0), lambda p: np.rot90(p)),
}


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("way", SHOWN)
def test_all_eight_display_matrices(tmp_path: Path, way: str, ending: str):
    (a, b, c, d), turn = SHOWN[way]
    matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, LAST]
    path = encode(tmp_path / f"a.{ending}", [corners()] * 3, matrix=matrix)
    got = read_video(path).frames[1].permute(1, 2, 0).numpy()
    want = turn(corners())
    assert got.shape == want.shape
    assert np.abs(got.astype(int) - want).max() <= 2
    facts = probe_video(path)
    assert (facts.height, facts.width) == want.shape[:2]


def test_an_angle_between_quarter_turns_is_the_nearest_of_them(tmp_path: Path):
    cos, sin = round(0.99 * ONE), round(0.14 * ONE)
    path = encode(tmp_path / "a.mp4", [corners()], matrix=[cos, sin, 0, -sin, cos, 0, 0, 0, LAST])
    assert np.abs(read_video(path).frames[0].permute(1, 2, 0).numpy().astype(int) - corners()).max() <= 2


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_all_eight_exif_orientations(tmp_path: Path, tag: int, ending: str):
    exif = Image.Exif()
    exif[0x0112] = tag
    stored = Image.fromarray(corners())
    path = tmp_path / f"a.{ending}"
    stored.save(path, exif=exif, quality=95)
    got = read_picture(path).permute(1, 2, 0).numpy().astype(int)
    # What Exif 2.32 says of each number: where the stored row 0 and column 0 are seen.
    turn = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
        8: lambda p: np.rot90(p),
    }[tag]
    want = turn(corners()).astype(int)
    assert got.shape == want.shape
    assert np.abs(got - want).mean() < 4
    assert ImageOps.exif_transpose(Image.open(path)).size == (want.shape[1], want.shape[0])


@pytest.mark.parametrize(
    ("stored", "aspect", "shown"),
    [
        ((576, 720), Fraction(64, 45), (576, 1024)),  # PAL 16:9
        ((576, 720), Fraction(16, 15), (576, 768)),  # PAL 4:3
        ((480, 720), Fraction(8, 9), (540, 720)),  # NTSC 4:3
        ((1080, 1440), Fraction(4, 3), (1080, 1920)),  # HDV
        ((288, 360), Fraction(1), (288, 360)),
        ((288, 360), None, (288, 360)),
        ((288, 360), Fraction(0), (288, 360)),
        ((288, 360), Fraction(1000), (288, 360)),
        ((288, 360), Fraction(1, 1000), (288, 360)),
        ((480, 854), Fraction(1280, 1281), (480, 854)),  # an encoder's rounding, not a shape
        ((33, 47), Fraction(1), (33, 47)),
    ],
)
def test_square_pixels(stored: tuple[int, int], aspect: Fraction | None, shown: tuple[int, int]):
    assert square_pixels(*stored, aspect) == shown


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mpg"])
@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(8, 9), Fraction(1)])
def test_the_shape_that_is_shown_is_read(tmp_path: Path, ending: str, aspect: Fraction):
    codec = {"codec": "mpeg2video", "pixels": "yuv420p", "tick": Fraction(1, 25)} if ending == "mpg" else {}
    # MPEG-2 knows shapes of the screen alone: 4:3 and 16:9.
    size = {Fraction(64, 45): (144, 180), Fraction(8, 9): (120, 180), Fraction(1): (120, 160)}[aspect]
    path = encode(tmp_path / f"a.{ending}", [corners(*size)] * 3, aspect=aspect, **codec)
    facts = probe_video(path)
    assert facts.width / facts.height == pytest.approx(float(size[1] * aspect / size[0]), rel=0.01)
    assert facts.height >= size[0]
    assert facts.width >= size[1]
    assert read_video(path).frames.shape[2:] == (facts.height, facts.width)


def test_pixels_are_made_square_before_the_picture_is_turned(tmp_path: Path):
    matrix = [0, ONE, 0, -ONE, 0, 0, 0, 0, LAST]
    path = encode(tmp_path / "a.mp4", [corners(96, 120)] * 3, aspect=Fraction(64, 45), matrix=matrix)
    assert read_video(path).frames.shape[2:] == (170, 96)
