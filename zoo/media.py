"""Opening media files with PyAV, with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer


@contextmanager
def open_media(path: str | Path) -> Iterator[InputContainer]:
    """Open a picture, video or sound file for reading.

    Raises:
        MediaError: the file is missing, empty or of no known kind; the message says which.
    """
    import av

    path = Path(path)
    if not path.exists():
        raise MediaError(f"{path}: no such file")
    if path.is_dir():
        raise MediaError(f"{path}: is a folder, not a file")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty")
    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        reason = f"not a picture, video or sound file that FFmpeg can read ({error.strerror})"
        raise MediaError(f"{path}: {reason}") from error
    with container:
        yield container


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
