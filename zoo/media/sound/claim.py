"""How long a sound track is by what the file says, to notice one that is cut short."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.media.sound.decode import UNTIMED

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

UNKNOWN_SIZE = 2**31 - 2**16
"""Programs that write WAV as a stream put a size from here on into its header."""


def claimed_seconds(path: Path, container: InputContainer, stream: AudioStream, begin: float) -> float | None:
    """How long a track is, as the file itself says; ``None`` where it does not.

    Args:
        path: the file.
        container: the file, opened.
        stream: the track.
        begin: when its first sound is, in seconds on the file's clock.
    """
    kind = container.format.name
    # FFmpeg guesses from the size, unless LAME or Xing wrote it into MP3; then it knows too what their encoder added.
    if kind in UNTIMED and not (kind == "mp3" and stream.start_time):
        return None
    if stream.duration and stream.duration > 0 and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
        # Ogg counts from 0, wherever the sound begins; WAV's header knows more than FFmpeg tells.
        return seconds - max(begin, 0.0) if kind == "ogg" else seconds + _missing_in_wav(path, kind, stream)
    said = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska's tag
    if said:
        return int(said[1]) * 3600 + int(said[2]) * 60 + float(said[3]) - begin
    if len(container.streams) == 1 and container.duration and container.duration > 0:
        return container.duration / 1e6
    return None


def _missing_in_wav(path: Path, kind: str, stream: AudioStream) -> float:
    """Seconds that the header of a WAV file tells of and the file has not: FFmpeg goes by the size of the file."""
    if kind != "wav":
        return 0.0
    with path.open("rb") as file:
        mark, size = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
    missing = size + 8 - path.stat().st_size
    if mark != b"RIFF" or size >= UNKNOWN_SIZE or missing <= 0 or not stream.bit_rate:
        return 0.0
    return float(missing * 8 / stream.bit_rate)
