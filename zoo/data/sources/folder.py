"""Anybody's own videos in a folder, however nested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo.data.sources.base import OpenClip, RawClip, Source, SourceItem, VideoFrames
from zoo.data.sources.beside import ARRAY, labels_path, read_arrays, read_labels
from zoo.data.sources.walk import walk
from zoo.data.splitting import Splitting
from zoo.face.precomputed import landmarks_path, read_landmarks, read_track
from zoo.media.audio import read_audio
from zoo.media.files import PICTURES
from zoo.media.kind import media_kind
from zoo.media.transcript import read_transcript
from zoo.support.errors import DataError, MediaError
from zoo.support.names import name_to_id

# fmt: off
SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx",
    ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".mpv", ".vob", ".ts", ".mts", ".m2ts", ".m2t", ".mod", ".tod",
    ".ogv", ".ogm", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".rm", ".rmvb", ".mxf", ".dv",
    ".amv", ".nut", ".ivf", ".y4m",
})
# fmt: on
"""Endings of videos, in lower case."""


# fmt: off
OTHERS = PICTURES | {
    ".txt", ".align", ".npy", ".npz", ".pt", ".pth", ".ckpt", ".safetensors", ".h5", ".mat", ".pkl", ".bin", ".zip",
    ".tar", ".gz", ".7z", ".rar", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".md", ".html",
    ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".srt", ".vtt", ".ass", ".lab", ".textgrid", ".nfo", ".log", ".py", ".sh",
    ".wav", ".mp3", ".flac", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff", ".db", ".ini", ".part", ".tmp",
}
# fmt: on
"""Endings of files that are no videos; a file with any other is opened to see what it is."""


class Folder(Source):
    """Videos with sound, one speaker each.

    A video is told by its ending, or by its content where that says nothing. The id is the path below the root without
    its suffix (:func:`zoo.support.names.name_to_id`); the speaker is the first folder's name, or the file's own where
    there is no folder. ``clip.txt`` beside ``clip.mp4`` gives the text, ``clip.landmarks.npy`` the landmarks
    (:func:`zoo.face.precomputed.read_landmarks`, one row per picture at 25 fps); without it they are detected.
    ``clip.labels.json`` gives labels (``{"emotion": "happy"}``), ``clip.NAME.array.npy`` the array ``NAME``, one row
    per picture at 25 fps (:mod:`zoo.data.sources.beside`).

    A video that is longer than :attr:`~zoo.data.splitting.Splitting.clip_seconds`, has cuts, or shows a face only at
    times becomes several clips, ``talk@00012.32`` from second 12.32 on (``talk@00012.32-2`` is another face at the same
    time). Who is seen longest in it is the speaker, anybody else ``talk+face2`` (``s1+talk.face2`` of ``s1/talk.mp4``):
    :mod:`zoo.data.splits` keeps them in one part of a split by speakers.
    """

    splitting = Splitting()

    def items(self) -> Sequence[SourceItem]:
        """All videos in the order of their paths; linked folders are followed.

        Raises:
            DataError: no root, or no video in it.
        """
        if self.root is None:
            raise DataError("a folder of videos needs --root FOLDER")
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder; give the one that holds the videos with --root")
        found = walk(self.root)
        paths = [path for path in found.files if _is_video(self.root / path)]
        known = set(paths) | {beside for path in paths for beside in _sidecars(path)}
        self.not_looked_at = found.without(known | _arrays(found.files, paths))
        if not paths:
            told = f"; {self.not_looked_at}" if str(self.not_looked_at) else ""
            raise DataError(f"{self.root}: no video in this folder or below{told}")
        return [
            SourceItem(name, name_to_id(path.parts[0]) if len(path.parts) > 1 else name, str(self.root / path))
            for name, path in zip(_unique_ids(paths), paths, strict=True)
        ]

    def open(self, item: SourceItem) -> OpenClip:
        """Open one video, resampled to 25 fps and 16 kHz.

        Raises:
            MediaError: no pictures, no sound track, a text that is no Unicode, or a file beside it that cannot be read.
        """
        path = Path(item.path)
        beside = path.with_suffix(".txt")
        text = read_transcript(beside) if beside.is_file() else ""
        return OpenClip(
            frames=VideoFrames(path, whole=bool(text)),
            wave=read_audio(path),
            text=text,
            landmarks=read_landmarks(path),
            labels=read_labels(path),
            arrays=read_arrays(path),
        )

    def read(self, item: SourceItem) -> RawClip:
        """Decode one video, resampled to 25 fps and 16 kHz.

        Raises:
            MediaError: as :meth:`open`, or the landmarks do not fit.
        """
        raw = self.open(item).read()
        read_track(item.path, len(raw.frames))  # a face must be there all the time
        return raw


def _is_video(path: Path) -> bool:
    """By its ending, or by its content where the ending says nothing.

    A pipe or a device is none; a link to nothing is one, to be set aside.
    """
    ending = path.suffix.lower()
    if path.name.startswith(".") or not (path.is_file() or path.is_symlink()):
        return False
    return ending in SUFFIXES or (ending not in OTHERS and _shows_pictures(path))


def _shows_pictures(path: Path) -> bool:
    try:
        return media_kind(path) == "video"
    except MediaError:
        return False


def _sidecars(video: Path) -> tuple[Path, ...]:
    """Files that belong to a video."""
    return video.with_suffix(".txt"), video.with_suffix(".align"), landmarks_path(video), labels_path(video)


def _arrays(files: Iterable[Path], videos: Iterable[Path]) -> set[Path]:
    """The files that hold an array of one of the videos."""
    stems = {video.with_suffix("") for video in videos}
    arrays = (path for path in files if path.name.endswith(ARRAY))
    return {path for path in arrays if path.with_name(path.name.removesuffix(ARRAY)).with_suffix("") in stems}


def _unique_ids(paths: Sequence[Path]) -> list[str]:
    """Ids without the suffix; two files that would get the same one keep it."""
    short = [name_to_id(path.with_suffix("").as_posix()) for path in paths]
    full = [name_to_id(path.as_posix()) for path in paths]
    ids = short
    while True:
        times = Counter(ids)
        longer = [whole if times[name] > 1 else name for name, whole in zip(ids, full, strict=True)]
        if longer == ids:
            return ids
        ids = longer
