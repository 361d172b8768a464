"""One shard from the clips of a source, in a worker: each video is read as a stream and written as a stream."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from zoo.data.pieces import Found, Piece, find_pieces
from zoo.data.report import SetAside
from zoo.data.sources.base import Source, SourceItem
from zoo.data.store.shard import ShardWriter
from zoo.face.backends import Finders
from zoo.support.errors import DataError, MediaError, ZooError

_FINDING = 0.9  # share of the work that finding the faces is; the rest is cutting them out
_SAY_EVERY = 25  # frames from one word on the progress to the next


@dataclass(frozen=True)
class Job:
    """The videos of one shard."""

    shard: str
    items: tuple[SourceItem, ...]


@dataclass(frozen=True)
class Moved:
    """Part of a video is done.

    Attributes:
        item: its id.
        share: of its work, 0..1.
    """

    item: str
    share: float


@dataclass(frozen=True)
class ItemDone:
    """A video is done, or set aside.

    Attributes:
        item: its id.
        notes: what the user should know, by kind.
    """

    item: str
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ShardDone:
    """A shard is finished in the temporary folder."""

    shard: str
    clips: int
    set_aside: tuple[SetAside, ...]


def build_shard(
    source: Source, finders: Finders, folder: Path, job: Job
) -> Generator[Moved | ItemDone | ShardDone, None, None]:
    """Prepare the videos of a shard: all clips of a video, or none of them.

    Raises:
        DataError: the files cannot be written.
        ZooError: what every other video would meet as well.
    """
    aside: list[SetAside] = []
    try:
        with ShardWriter(folder, job.shard) as writer:
            for item in job.items:
                mark = writer.mark()
                try:
                    found = yield from _build_item(source, item, finders, writer)
                except Exception as error:
                    writer.rewind(mark)
                    found = Found(aside=[SetAside(item.id, item.path, _reason(error))])
                aside += found.aside
                yield ItemDone(item.id, tuple(found.notes))
            clips = writer.close()
        yield ShardDone(job.shard, clips, tuple(aside))
    except OSError as error:
        raise cannot_write(folder.parent.parent, error) from error


def without_culprit(job: Job, events: Sequence[object], reason: str) -> tuple[Job, SetAside] | None:
    """What is left of a job whose worker died, and the video that it died of.

    Args:
        job: that of the worker.
        events: what it told before.
        reason: how it died.

    Returns:
        The job without that video, and why it is set aside; ``None`` where the worker was at none.
    """
    done = sum(isinstance(event, ItemDone) for event in events)
    if done >= len(job.items):
        return None
    item = job.items[done]
    told = f"{reason} while it prepared this video; try again with --retry, and fewer --workers if memory ran out"
    left = tuple(other for other in job.items if other != item)
    return Job(job.shard, left), SetAside(item.id, item.path, told)


def _reason(error: Exception) -> str:
    """Why a video is set aside. Errors that the next one would meet as well go up."""
    if isinstance(error, MediaError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # torch's is a RuntimeError
        return "it needs more memory than there is"
    if isinstance(error, ZooError | ImportError | OSError):  # what is read does not raise OSError: see _build_item
        raise error
    return f"{type(error).__name__}: {error}"


def _build_item(
    source: Source, item: SourceItem, finders: Finders, writer: ShardWriter
) -> Generator[Moved, None, Found]:
    """All clips of one video into the shard: one pass finds them, the next cuts them out."""
    with _reading():
        clip = source.open(item)
    finding = find_pieces(clip, item, finders=finders, splitting=source.splitting)
    said = 0
    while True:
        try:
            with _reading():
                read = next(finding)
        except StopIteration as end:
            found: Found = end.value
            break
        if read >= said + _SAY_EVERY:
            said = read
            yield Moved(item.id, _FINDING * min(read / clip.expected, 1.0) if clip.expected else 0.0)
    for lane in _lanes(found.pieces):
        pictures: Iterator[tuple[int, Tensor | None]] = enumerate(clip.frames)
        for piece in lane:
            writer.add(piece.clip, item.path, _cut(pictures, piece))
            yield Moved(item.id, _FINDING)
    return found


def _lanes(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces in groups that can each be cut out in one pass: no two of a group at the same time."""
    lanes: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.first):
        lane = next((lane for lane in lanes if lane[-1].stop <= piece.first), None)
        if lane is None:
            lanes.append([piece])
        else:
            lane.append(piece)
    return lanes


def _cut(pictures: Iterator[tuple[int, Tensor | None]], piece: Piece) -> Iterator[Tensor]:
    """The pictures of a piece from those of the video, which go on after it."""
    while True:
        with _reading():
            number, picture = next(pictures, (piece.stop, None))
        if picture is None:
            return
        if number >= piece.first:
            yield piece.cut(picture)
        if number + 1 >= piece.stop:
            return


@contextmanager
def _reading() -> Iterator[None]:
    """What cannot be read concerns this video alone; what cannot be written concerns all."""
    try:
        yield
    except OSError as error:
        raise MediaError(f"{type(error).__name__}: {error}") from error


def cannot_write(out: Path, error: OSError) -> DataError:
    """What is said where a store's files cannot be written."""
    reason = error.strerror or str(error)
    return DataError(f"{out}: {reason}; finished shards are kept: mend this and run the same command again")
