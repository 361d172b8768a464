"""NewDataset as its owner lays it out; finding the faces is the work of `zoo data prepare`."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.data.sources.base import RawClip, Source, SourceItem
from zoo.media.audio import read_audio
from zoo.media.transcript import plain_text, read_text
from zoo.media.video import read_video
from zoo.support.errors import DataError, MediaError

TABLE = "transcripts.tsv"

EXPECTED = f"ROOT/{TABLE} (columns speaker, take, text) and ROOT/videos/SPEAKER/TAKE.mp4"


class NewDataset(Source):
    """Videos of any size, rate and sound; ``transcripts.tsv`` names them, with who speaks and what is said.

    The id of a clip is ``SPEAKER/TAKE``.
    """

    def items(self) -> Sequence[SourceItem]:
        """All clips in the order of their ids, without reading a video.

        Raises:
            DataError: no root, no table in it, or a table with nothing in it.
        """
        if self.root is None or not (self.root / TABLE).is_file():
            where = self.root or "new-dataset"
            raise DataError(f"{where}: no {TABLE} here; NewDataset is expected as {EXPECTED}")
        found = sorted({(row["speaker"], row["take"]) for row in self._table()})
        if not found:
            raise DataError(f"{self.root / TABLE}: names no clip; expected {EXPECTED}")
        return [SourceItem(f"{who}/{take}", who, str(self._video(who, take))) for who, take in found]

    def read(self, item: SourceItem) -> RawClip:
        """Decode one clip; `read_video` and `read_audio` bring it to 25 fps and mono 16 kHz.

        Raises:
            MediaError: the video is missing or cannot be used: it is set aside with this reason, the rest goes on.
        """
        path = Path(item.path)
        if not path.is_file():
            raise MediaError(f"{path}: not there, though {TABLE} names it")
        said = {f"{row['speaker']}/{row['take']}": row["text"] for row in self._table()}
        return RawClip(
            frames=read_video(path).frames,
            wave=read_audio(path),
            text=plain_text(said[item.id]),
        )

    def _video(self, speaker: str, take: str) -> Path:
        assert self.root is not None
        return self.root / "videos" / speaker / f"{take}.mp4"

    def _table(self) -> Iterator[dict[str, str]]:
        assert self.root is not None
        rows = csv.DictReader(io.StringIO(read_text(self.root / TABLE), newline=""), delimiter="\t")
        if not {"speaker", "take", "text"} <= set(rows.fieldnames or ()):
            raise DataError(f"{self.root / TABLE}: needs columns speaker, take and text; expected {EXPECTED}")
        yield from rows
