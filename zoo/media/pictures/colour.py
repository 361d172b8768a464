"""Colours: what the numbers of a video's pictures mean, and the way to RGB and back."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext

UNSPECIFIED = 2
"""A tag that says nothing (ITU-T H.273), in matrix, primaries and transfer alike."""

BT709, BT470BG, SMPTE170M, BT2020 = 1, 5, 6, 9
"""Matrices of ITU-T H.273; 5 and 6 are both BT.601."""

HD_LINES = 720
"""From so many lines on players take an untagged video for BT.709, below for BT.601."""

_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Matrix of H.273 to the one that swscale has for it; 10 (constant luminance) is as good as never used."""

_SCALE_NAMES = {1: "bt709", 4: "fcc", 5: "bt601", 7: "smpte240m", 9: "bt2020"}

_HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Colour:
    """What the numbers of a video's pictures mean, as tags of ITU-T H.273.

    Attributes:
        matrix: RGB to luma and chroma: 1 is BT.709, 5 and 6 are BT.601, 9 is BT.2020; never unspecified: where the file
            does not say, it is what players take.
        full_range: black is 0 and white 255; else 16 and 235.
        primaries: as the file says, 2 where it does not.
        transfer: as the file says, 2 where it does not.
    """

    matrix: int = BT709
    full_range: bool = False
    primaries: int = BT709
    transfer: int = BT709

    @classmethod
    def usual(cls, lines: int) -> Colour:
        """What players expect of a picture with so many lines whose colours are sRGB's."""
        return cls(matrix=BT709 if lines >= HD_LINES else SMPTE170M)

    @classmethod
    def of(cls, picture: VideoFrame) -> Colour:
        """What a decoded picture's tags say; by the players' rule where they say nothing."""
        if picture.format.is_rgb:
            return cls.usual(picture.height)
        usual = cls.usual(picture.height).matrix
        full = picture.color_range == 2 or picture.format.name.startswith("yuvj")
        matrix = picture.colorspace if picture.colorspace in _MATRICES else usual
        return cls(matrix, full, picture.color_primaries, picture.color_trc)

    def tag(self, target: VideoFrame | VideoCodecContext) -> None:
        """Say it on a picture, or on an encoder, which writes it into the file."""
        target.colorspace, target.color_range = self.matrix, 2 if self.full_range else 1
        target.color_primaries, target.color_trc = self.primaries, self.transfer

    @property
    def high_dynamic_range(self) -> str:
        """``PQ`` or ``HLG``; empty for what a usual screen shows as it is."""
        return _HDR.get(self.transfer, "")


def to_rgb(picture: VideoFrame, colour: Colour, size: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB of a decoded picture, 0..255, scaled to ``(height, width)``."""
    import av
    from av.video.reformatter import ColorRange

    if picture.format.is_rgb and any(part.is_alpha for part in picture.format.components):
        return _over_white(picture, size)
    converted = picture.reformat(
        width=size[1],
        height=size[0],
        format="rgb24",
        src_colorspace=None if picture.format.is_rgb else _MATRICES[colour.matrix],
        src_color_range=ColorRange.JPEG if colour.full_range or picture.format.is_rgb else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_exact(),
        threads=1,
    )
    assert isinstance(converted, av.VideoFrame)
    return converted.to_ndarray()


def _over_white(picture: VideoFrame, size: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    rgba = picture.reformat(
        width=size[1], height=size[0], format="rgba", interpolation=_exact(), threads=1
    ).to_ndarray()
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


class ToYuv:
    """Brings RGB pictures of one size to 4:2:0 with 8 bits, as H.264 wants it: chroma sited to the left of its pixels.

    Args:
        height: even.
        width: even.
        colour: what the numbers are to mean; the pictures are tagged so.
    """

    def __init__(self, height: int, width: int, colour: Colour) -> None:
        from av import VideoFormat
        from av.filter import Graph

        self.colour = colour
        self._graph = Graph()
        start = self._graph.add_buffer(
            width=width, height=height, format=VideoFormat("rgb24"), time_base=Fraction(1, 1000)
        )
        steps = [self._graph.add("scale", self._options()), self._graph.add("format", self._pixels())]
        for step in (*steps, self._graph.add("buffersink")):
            start.link_to(step)
            start = step
        self._graph.configure()

    def _options(self) -> str:
        matrix, scale = _SCALE_NAMES[_MATRICES[self.colour.matrix]], "pc" if self.colour.full_range else "tv"
        flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
        return f"out_color_matrix={matrix}:out_range={scale}:out_chroma_loc=left:flags={flags}"

    def _pixels(self) -> str:
        # In full range and 8 bits swscale cuts the chroma off instead of rounding it.
        return "yuv420p16le" if self.colour.full_range else "yuv420p"

    def __call__(self, rgb: UInt8[np.ndarray, "H W 3"]) -> VideoFrame:
        """One picture, 0..255."""
        import av

        given = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        given.pts, given.time_base = 0, Fraction(1, 1000)
        self._graph.push(given)
        picture = self._graph.pull()
        assert isinstance(picture, av.VideoFrame)
        if self.colour.full_range:
            picture = av.VideoFrame.from_ndarray(_rounded(picture), format="yuv420p")
        self.colour.tag(picture)
        return picture


def _rounded(picture: VideoFrame) -> UInt8[np.ndarray, "rows W"]:
    """Full range in 16 bits to 8: one level is 257, and the middle of chroma is 32768 where 128 belongs."""
    luma, *chroma = (
        np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)[:, : plane.width].astype(np.uint32)
        for plane in picture.planes
    )
    parts = [(luma + 128) // 257, *(((plane + 256) // 257).clip(0, 255) for plane in chroma)]
    return np.concatenate([part.ravel() for part in parts]).reshape(-1, picture.width).astype(np.uint8)


def _exact() -> int:
    """Exact rounding: the quick way darkens by 1 and is off by 3 of 255 on average."""
    from av.video.reformatter import Interpolation

    return Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
