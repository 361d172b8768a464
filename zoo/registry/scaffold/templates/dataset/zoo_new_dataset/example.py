"""A few clips laid out as NewDataset is, for tests: drawn faces that come with the zoo."""

from pathlib import Path

from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.media.video import write_video

from zoo_new_dataset.source import TABLE


def write(root: Path) -> None:
    """Write three clips of three speakers below ``root``."""
    source = SynthGrid(clips=3, frames=40)
    lines = ["speaker\ttake\ttext"]
    for number, item in enumerate(source.items()):
        clip = source.read(item)
        path = root / "videos" / item.speaker / f"take{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, clip.frames, wave=clip.wave)
        lines.append(f"{item.speaker}\ttake{number}\t{clip.text}")
    (root / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
