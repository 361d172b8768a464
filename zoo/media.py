"""Opening media files with PyAV, with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import MediaError

if TYPE_CHECKING:
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
