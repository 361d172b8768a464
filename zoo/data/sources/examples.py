"""A few raw clips as their owners lay them out, with drawn faces: what :mod:`zoo.testing` prepares."""

from __future__ import annotations

from pathlib import Path

from zoo.data.sources.base import RawClip
from zoo.data.sources.grid import TICKS_PER_S
from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.media.video import write_video

CLIPS = 3
"""Of three speakers."""


def _drawn(frames: int = 40) -> list[tuple[str, RawClip]]:
    """Clips with the names that GRID gives to their sentences."""
    source = SynthGrid(clips=CLIPS, frames=frames)
    return [(item.id.partition("/")[2].partition("-")[0], source.read(item)) for item in source.items()]


def folder(root: Path) -> None:
    """Videos, one of them with its text and with a folder for its speaker."""
    for name, clip in _drawn():
        write_video(root / f"{name}.mp4", clip.frames, wave=clip.wave)
    (root / "anna").mkdir()
    (root / f"{name}.mp4").rename(root / "anna" / f"{name}.mp4")
    (root / "anna" / f"{name}.txt").write_text(f"{clip.text}\n", encoding="utf-8")


def grid(root: Path) -> None:
    """GRID's folders and names (the videos inside are H.264, not MPEG-1), with the alignment of each clip."""
    for number, (name, clip) in enumerate(_drawn(75), start=1):
        speaker = f"s{number}"
        video = root / speaker / f"{name}.mpg"
        write_video(video.with_suffix(".mp4"), clip.frames, wave=clip.wave)
        video.with_suffix(".mp4").rename(video)
        lines = [f"{round(w.start_s * TICKS_PER_S)} {round(w.end_s * TICKS_PER_S)} {w.text}" for w in clip.words]
        align = root / "alignments" / speaker / f"{name}.align"
        align.parent.mkdir(parents=True)
        align.write_text("\n".join(["0 1000 sil", *lines, ""]), encoding="utf-8")
