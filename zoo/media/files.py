"""Opening media files: by their content, as files and nothing else, with one choice of stream for all readers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from zoo.support.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

PICTURES = frozenset(
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".jfif",
        ".jpe",
        ".mpo",
        ".bmp",
        ".gif",
        ".webp",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
        ".jp2",
        ".ppm",
        ".pgm",
    }
)
"""File endings of photos; asked only where a file's content says nothing, as after damage (:func:`media_kind`)."""

PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"v=0", b"[playlist]", b"# VobSub")
"""How files begin that name others which FFmpeg would open."""

READ_AT_ONCE = 2**18
"""Bytes per read, so that the way through Python costs nothing that can be measured."""


@contextmanager
def open_media(path: str | Path, span: tuple[int, int] | None = None) -> Iterator[InputContainer]:
    """Open a picture, video or sound file for reading.

    The name is only ever the name of a file: FFmpeg sees none of it but the ending, so that ``12:30.mp4`` is no
    protocol, ``%d.png`` no series and a name need not be UTF-8. What a file names in turn (playlists) is not opened.

    Args:
        path: the file.
        span: the bytes of it that are read as if they were a file, first and behind the last; ``None`` is all.

    Raises:
        MediaError: the file is missing, empty, no plain file, a playlist, or of no known kind; the message says which.
    """
    import av

    path = Path(path)
    with open_plain(path) as file:
        _refuse_playlist(path, file)
        try:
            # Tags that are no UTF-8 must not cost the file; "none" is no protocol, so that nothing else can be opened.
            container = av.open(
                _Nameless(file, path) if span is None else _Part(file, path, span),
                "r",
                options={"protocol_whitelist": "none"},
                metadata_errors="replace",
                buffer_size=READ_AT_ONCE,
            )
        except (av.FFmpegError, MemoryError) as error:
            if isinstance(error, MemoryError):
                raise MediaError(f"{path}: not enough memory to open it") from error
            reason = f"not a picture, video or sound file that FFmpeg can read ({error.strerror})"
            raise MediaError(f"{path}: {reason}") from error
        with container:
            yield container


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a file's bytes.

    Raises:
        MediaError: missing, empty, a folder or a device, or not to be read.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f"{path}: is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{path}: a pipe or a device; give a file")
        if not status.st_size:
            raise MediaError(f"{path}: the file is empty")
        file = path.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MediaError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise MediaError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    with file:
        yield file


class _Nameless:
    """A file of which FFmpeg knows no more than the ending, which helps to tell some kinds apart."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        ending = path.suffix[1:].lower()
        self.name = f"media.{ending}" if ending.isascii() and ending.isalnum() else "media"
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


class _Part(_Nameless):
    """Some bytes of a file as if they were all."""

    def __init__(self, file: BinaryIO, path: Path, span: tuple[int, int]) -> None:
        super().__init__(file, path)
        self._file, (self._first, self._end) = file, span
        self.read, self.seek, self.tell = self._read, self._seek, self._tell
        file.seek(self._first)

    def _read(self, size: int = -1) -> bytes:
        left = max(self._end - self._file.tell(), 0)
        return self._file.read(left if size < 0 else min(size, left))

    def _seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: self._first, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._end}[whence]
        return self._file.seek(max(begin + offset, self._first)) - self._first

    def _tell(self) -> int:
        return self._file.tell() - self._first


def _refuse_playlist(path: Path, file: BinaryIO) -> None:
    start = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    file.seek(0)
    if start.startswith(PLAYLISTS) or b"<MPD" in start:
        raise MediaError(
            f"{path}: a playlist, which names other files, and these are not opened; give the video itself"
        )


def video_stream(container: InputContainer, path: str | Path) -> VideoStream:
    """The moving pictures of a file: of the video streams that are no cover the default one, else the first.

    Covers, thumbnails, subtitles and data do not count, nor does a stream for which there is no decoder.

    Raises:
        MediaError: there are none.
    """
    if not container.streams.video:
        raise MediaError(f"{path}: no pictures in this file; give a photo or a video")
    moving = [stream for stream in container.streams.video if not is_cover(stream)]
    if not moving:
        raise MediaError(f"{path}: no pictures in this file but a cover: it is sound; give a photo or a video")
    usable = [stream for stream in moving if can_be_seen(stream)]
    if not usable:
        raise MediaError(f"{path}: its pictures are coded in a way that FFmpeg cannot decode; convert it to H.264")
    return min(usable, key=_watching_order)


def _watching_order(stream: VideoStream) -> tuple[bool, int]:
    from av.stream import Disposition

    return not stream.disposition & Disposition.default, stream.index


def audio_stream(container: InputContainer, path: str | Path) -> AudioStream:
    """The sound track that a player would play: the default one, and never one for other listeners before it.

    Commentaries, descriptions for the blind, karaoke and tracks without speech come last, whatever their order; among
    equals the file's default flag decides, then its order.

    Raises:
        MediaError: no sound track, or none that FFmpeg can decode.
    """
    tracks = container.streams.audio
    if not tracks:
        raise MediaError(f"{path}: no sound track; give a file that has one")
    # PyAV gives no context where FFmpeg has no decoder; its types do not say so.
    known = [track for track in tracks if getattr(track, "codec_context", None) is not None]
    if not known:
        raise MediaError(f"{path}: the sound track is of a kind that FFmpeg cannot decode")
    return min(known, key=_hearing_order)


def _hearing_order(track: AudioStream) -> tuple[bool, bool, bool, int]:
    from av.stream import Disposition

    special = Disposition.comment | Disposition.lyrics | Disposition.karaoke | Disposition.clean_effects
    special |= Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.descriptions
    special |= Disposition.non_diegetic | Disposition.dependent
    default = bool(track.disposition & Disposition.default)
    title = track.metadata.get("title", "").lower()
    named = any(word in title for word in ("commentary", "description", "descriptive"))
    return bool(track.disposition & special), not default, named, track.index


def can_be_seen(stream: VideoStream) -> bool:
    """Whether FFmpeg has a decoder (PyAV gives no context else, which its types do not say) and knows the size."""
    context = getattr(stream, "codec_context", None)
    return context is not None and context.width > 0


def is_cover(stream: VideoStream) -> bool:
    """Whether a video stream is a picture about the file (a cover, thumbnails of chapters) and not its content."""
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))
