"""What kind of file it is: a picture, a video or sound, by its content."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from zoo.media.files import PICTURES, can_be_seen, is_cover, open_media, open_plain
from zoo.media.pictures.photo import photo_kind
from zoo.support.errors import MediaError


def media_kind(path: str | Path) -> Literal["picture", "video", "sound"]:
    """What a file is, by its content; the ending is asked only where the content says nothing.

    An animated GIF, PNG, WebP or AVIF is a video; a file whose only pictures are its cover is sound.

    Raises:
        MediaError: missing, empty, or nothing that can be read and not named as a picture either.
    """
    path = Path(path)
    with open_plain(path):
        pass
    kind = photo_kind(path)
    if kind is not None:
        return kind
    try:
        with open_media(path) as container:
            if any(can_be_seen(stream) and not is_cover(stream) for stream in container.streams.video):
                return "video"
            if container.streams.audio:
                return "sound"
        raise MediaError(f"{path}: neither pictures nor sound in this file")
    except MediaError:
        if path.suffix.lower() in PICTURES:
            return "picture"
        raise
