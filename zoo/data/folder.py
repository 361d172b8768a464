"""Anybody's own videos in a folder, however nested."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from zoo.audio import read_audio
from zoo.data.source import RawClip, Source, SourceItem
from zoo.errors import DataError
from zoo.face.precomputed import read_track
from zoo.transcript import read_transcript
from zoo.video import read_video

SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp"})


class Folder(Source):
    """Videos with sound, one speaker each.

    The id is the path below the root without its suffix; the speaker is the first folder's name, or the file's own
    where there is no folder. ``clip.txt`` beside ``clip.mp4`` gives the text, ``clip.landmarks.npy`` the landmarks
    (:func:`zoo.face.precomputed.read_track`, one row per picture at 25 fps); without it they are detected.
    """

    def items(self) -> Sequence[SourceItem]:
        """All videos in the order of their paths.

        Raises:
            DataError: no root, or no video in it.
        """
        if self.root is None:
            raise DataError("a folder of videos needs --root FOLDER")
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder; give the one that holds the videos with --root")
        root = self.root
        paths = [Path(top, name).relative_to(root) for top, _, names in os.walk(root) for name in names]
        paths = sorted(path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
        if not paths:
            raise DataError(f"{root}: no video in this folder or below (looked for {', '.join(sorted(SUFFIXES))})")
        stems = Counter(path.with_suffix("") for path in paths)
        # Two files that differ in their suffix alone keep it.
        unique = [path if stems[path.with_suffix("")] > 1 else path.with_suffix("") for path in paths]
        return [
            SourceItem(name.as_posix(), path.parts[0] if len(path.parts) > 1 else name.name, str(root / path))
            for name, path in zip(unique, paths, strict=True)
        ]

    def read(self, item: SourceItem) -> RawClip:
        """Decode one video, resampled to 25 fps and 16 kHz.

        Raises:
            MediaError: no pictures, no sound track, a text that is no Unicode, or landmarks that do not fit.
        """
        path = Path(item.path)
        frames = read_video(path).frames
        track = read_track(path, len(frames))
        text = path.with_suffix(".txt")
        return RawClip(
            frames=frames,
            wave=read_audio(path),
            text=read_transcript(text) if text.is_file() else "",
            landmarks=None if track is None else track.landmarks,
        )
