"""Photos and animations, read with Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from zoo.media.clip import FPS
from zoo.media.files import open_plain
from zoo.media.pictures.timing import Shot
from zoo.support.errors import MediaError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ["JPEG", "MPO", "PNG", "WEBP", "TIFF", "GIF", "BMP", "DIB", "AVIF", "HEIF", "JPEG2000", "PPM", "ICO", "QOI"]
"""Pillow's kinds that are photos or animations; others run programs (EPS) or take any bytes for theirs (MPEG, TGA)."""

ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
"""Kinds whose further pictures follow in time; those of TIFF and MPO are pages and views."""

HEIC = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
"""Brands of photos of Apple's phones in the file's first box."""


def photo_kind(path: Path) -> Literal["picture", "video"] | None:
    """Whether a file is a photo, or an animation, by its content; ``None`` where it is neither."""
    with open_plain(path) as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:12] in HEIC:
        return "picture"
    try:
        with _open(path) as image:
            moving = image.format in ANIMATED and getattr(image, "n_frames", 1) > 1
    except MediaError:
        return None
    return "video" if moving else "picture"


@contextmanager
def _open(path: Path) -> Iterator[Image]:
    """A file as Pillow's picture; whatever goes wrong with it inside is a :class:`MediaError`."""
    from PIL import Image

    with open_plain(path) as file:
        try:
            with Image.open(file, formats=[name for name in FORMATS if name in _known()]) as image:
                yield image
        except MemoryError as error:
            raise MediaError(f"{path}: not enough memory to read this picture") from error
        # What Pillow raises for damaged files is not documented; these are seen.
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            raise MediaError(f"{path}: not a picture that can be read ({_reason(path, error)})") from error


def _known() -> list[str]:
    from PIL import Image

    Image.init()
    return Image.ID


def _reason(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:12] in HEIC:
        return "a HEIC photo, for which Pillow has no decoder here; convert it to JPEG"
    # Pillow names the object that it was given, which says nothing to anybody.
    return str(error).split(" <_io.")[0] if str(error) else type(error).__name__


def read_picture(path: str | Path) -> UInt8[Tensor, "3 H W"]:
    """Read a photo: grey, 16-bit, palette, CMYK or with alpha (laid over white), turned upright by its Exif tag.

    Returns:
        ``(3, H, W)`` uint8 RGB, 0..255.

    Raises:
        MediaError: no such file, or not a picture.
    """
    with _open(Path(path)) as image:
        return torch.from_numpy(_upright(image)).permute(2, 0, 1)


def _upright(image: Image) -> UInt8[np.ndarray, "H W 3"]:
    """RGB of what an image shows now."""
    from PIL import ImageOps

    return np.array(_eight_bit(ImageOps.exif_transpose(image)).convert("RGB"))


def _eight_bit(image: Image) -> Image:
    """Bring 16-bit grey to 8 bits and lay transparency over white; Pillow alone would clip and uncover."""
    from PIL import Image

    if image.mode.startswith("I"):
        deep = np.asarray(image, dtype=np.int64)
        scale = 257 if image.mode.startswith("I;16") or deep.max(initial=0) > 255 else 1
        return Image.fromarray((deep.clip(0, 65535) / scale).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    return image


class Animation:
    """The pictures of an animated GIF, PNG, WebP or AVIF with the times they are shown."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def shots(self) -> Iterator[Shot[UInt8[np.ndarray, "H W 3"]]]:
        """All pictures, upright and over white.

        Raises:
            MediaError: it is damaged.
        """
        from PIL import ImageSequence

        start = 0.0
        with _open(self.path) as image:
            for picture in ImageSequence.Iterator(image):
                rgb = _upright(picture)
                # Browsers show what claims less than 20 ms for 100 ms; so did whoever made it see it.
                length = float(picture.info.get("duration") or 0) / 1000
                length = length if length >= 0.02 else 0.1
                if getattr(image, "n_frames", 1) == 1:
                    length = 1 / FPS
                yield Shot(start, length, rgb)
                start += length
