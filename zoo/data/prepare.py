"""From a source to a store: read, track the face, cut it out at native resolution, write; parallel and restartable."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path

import torch

from zoo.audio import match_length
from zoo.clip import Clip
from zoo.data.index import parse_row
from zoo.data.pool import run_jobs, usable_cores
from zoo.data.report import SetAside, append_report, read_report, report_path, write_report
from zoo.data.shard import SUFFIXES, ShardWriter, publish_shard, write_meta
from zoo.data.shard_files import open_files
from zoo.data.source import RawClip, Source, SourceItem
from zoo.data.store import read_meta
from zoo.data.walk import NotLookedAt
from zoo.errors import DataError, MediaError, ZooError
from zoo.face.crop import store_box
from zoo.face.track import track_face
from zoo.locks import locked
from zoo.names import storable
from zoo.progress import Progress

SHARDS = 32
"""A small corpus is cut into about this many shards, so that workers balance and a kill loses little."""

SHARD_CLIPS = (4, 256)
"""Least and most clips per shard; 256 face tracks of GRID are about 2 GB."""


@dataclass(frozen=True)
class PrepareReport:
    """What a run of :func:`prepare` did.

    Attributes:
        out: the store.
        prepared: clips written by this run.
        stored: clips now in the store.
        set_aside: clips of the source that could not be used, with reasons, from this run and earlier ones.
        seconds: time this run took.
        not_looked_at: what the source left out of its folder.
    """

    out: Path
    prepared: int
    stored: int
    set_aside: tuple[SetAside, ...]
    seconds: float
    not_looked_at: NotLookedAt = field(default_factory=NotLookedAt)

    @property
    def exit_code(self) -> int:
        """0 when every clip of the source is in the store and its folders could be read, else 1."""
        return 1 if self.set_aside or not self.stored or self.not_looked_at.unreadable else 0

    def __str__(self) -> str:
        line = f"prepared {self.prepared} clips in {self.seconds:.0f} s ({self.stored} in {self.out})"
        if self.set_aside:
            line += f", set aside {len(self.set_aside)} (reasons in {report_path(self.out)})"
        return "\n".join(filter(None, [storable(line), str(self.not_looked_at)]))


@dataclass(frozen=True)
class _Job:
    """The clips of one shard."""

    shard: str
    items: tuple[SourceItem, ...]


@dataclass(frozen=True)
class _ShardDone:
    """A worker finished a shard in the temporary folder."""

    shard: str
    clips: int
    set_aside: tuple[SetAside, ...]


def prepare(
    source: Source,
    out: str | Path,
    *,
    dataset: str,
    splits: Sequence[str] = ("by-speaker",),
    workers: int | None = None,
    detector: str = "dlib",
    shard_clips: int | None = None,
    retry: bool = False,
    progress: bool = True,
    licence: str = "",
    citation: str = "",
    wait: bool = False,
) -> PrepareReport:
    """Bring every clip of a source into a store.

    Killed at any moment and run again, it goes on where it was: a shard is in the store whole or not at all, and only
    this process, not its workers, puts it there. A clip that cannot be read or shows no face is set aside with its
    reason, and the rest goes on.

    Args:
        source: where the clips come from; picklable if there are several workers.
        out: folder of the store; may hold an unfinished store of the same source.
        dataset: name of the data set.
        splits: named ways to divide it (:mod:`zoo.data.splits`), the default first.
        workers: processes; ``None`` is one per core.
        detector: face detector (:func:`zoo.face.backends.make_detector`) for clips without landmarks.
        shard_clips: clips per shard; ``None`` chooses by the size of the source.
        retry: try clips again that were set aside before.
        progress: show progress on stderr.
        licence: of the clips, for ``store.json``.
        citation: whom to credit, for ``store.json``.
        wait: wait for another process that is writing to the store, and then do what it left.

    Raises:
        DataError: the source is empty, the folder holds the store of something else, another process is writing to it
            and ``wait`` is off, the disk is full, or a worker died. Finished shards stay valid in every case.
    """
    start = time.monotonic()
    out = Path(out)
    items = [replace(item, id=storable(item.id), speaker=storable(item.speaker)) for item in source.items()]
    if not items:
        raise DataError(f"{dataset}: the source holds no clip")
    doubles = [name for name, times in Counter(item.id for item in items).items() if times > 1]
    if doubles:
        raise DataError(f"{dataset}: two clips of the source have the id '{doubles[0]}'")
    meta: dict[str, object] = {
        "dataset": dataset,
        "splits": list(splits),
        "root": "" if source.root is None else storable(source.root.resolve()),
        "detector": detector,
        "settings": source.settings,
        "licence": licence,
        "citation": citation,
    }
    try:
        with _locked(out, wait):
            _check_same(out, meta)
            _clean(out)
            before = stored_ids(out)
            write_meta(out, meta | {"shards": shard_names(out)})
            jobs = _plan(out, items, before, retry, shard_clips)
            total = sum(len(job.items) for job in jobs)
            with Progress(f"preparing {dataset}", total, "clips", show=progress) as bar:
                _run(source, detector, out, jobs, min(workers or usable_cores(), max(len(jobs), 1)), bar)
            report = _finish(out, meta, items, before, start)
            return replace(report, not_looked_at=source.not_looked_at)
    except OSError as error:
        raise _cannot_write(out, error) from error


@contextmanager
def _locked(out: Path, wait: bool) -> Iterator[None]:
    """Keep a second ``prepare`` out; the system lets go of the lock when this process ends, however it ends."""
    (out / "shards").mkdir(parents=True, exist_ok=True)
    refusal = f"{out}: another process prepares this store; wait for it or choose another --out"
    waiting = f"waiting for another process that prepares {out}" if wait else ""
    with locked(out / ".lock", refusal, waiting=waiting):
        yield


def _check_same(out: Path, meta: dict[str, object]) -> None:
    """Refuse to mix data sets, roots or detectors in one store."""
    if not (out / "store.json").exists():
        return
    old = read_meta(open_files(out))
    for key in ("dataset", "root", "detector", "settings"):
        if key in old and old[key] != meta[key]:
            was = f"this store was prepared with {key} '{old[key]}', not '{meta[key]}'"
            raise DataError(f"{out}: {was}; choose another --out")


def _clean(out: Path) -> None:
    """Remove what a killed run left: temporary folders, and shards whose index never came."""
    for folder in (out / "shards").glob(".tmp*"):
        shutil.rmtree(folder)
    for file in (out / "shards").iterdir():
        if file.suffix in SUFFIXES and not file.with_suffix(".jsonl").exists():
            file.unlink()


def shard_names(out: Path) -> list[str]:
    """Names of the shards in a local store, in order."""
    return open_files(out).shards()


def stored_ids(out: Path) -> set[str]:
    """Ids of the clips in a local store.

    Raises:
        DataError: an index is damaged.
    """
    files = open_files(out)
    names = files.shards()
    texts = files.read_all([f"{name}.jsonl" for name in names])
    return {
        parse_row(line, name).info.id for name, text in zip(names, texts, strict=True) for line in text.splitlines()
    }


def _plan(out: Path, items: Sequence[SourceItem], stored: set[str], retry: bool, size: int | None) -> list[_Job]:
    """Cut what is left to do into shards with the lowest free numbers: after a kill they are the same shards."""
    skip = stored if retry else stored | set(read_report(out))
    left = [item for item in items if item.id not in skip]
    size = size or min(max(len(items) // SHARDS, SHARD_CLIPS[0]), SHARD_CLIPS[1])
    taken = set(shard_names(out))
    names = (name for name in map("{:05d}".format, count()) if name not in taken)
    return [_Job(next(names), tuple(left[first : first + size])) for first in range(0, len(left), size)]


def _run(source: Source, detector: str, out: Path, jobs: list[_Job], workers: int, bar: Progress) -> None:
    folder = out / "shards" / ".tmp"
    folder.mkdir()
    try:
        with closing(run_jobs(partial(_build_shard, source, detector, folder), jobs, workers=workers)) as events:
            for event in events:
                if not isinstance(event, _ShardDone):
                    bar.advance()
                    continue
                append_report(out, event.set_aside)
                if event.clips:
                    publish_shard(out, folder, event.shard)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _finish(
    out: Path, meta: dict[str, object], items: Sequence[SourceItem], before: set[str], start: float
) -> PrepareReport:
    """Note which shards there are, drop from the report what a retry has mended, and count."""
    stored = stored_ids(out)
    write_meta(out, meta | {"shards": shard_names(out)})
    aside = {key: value for key, value in read_report(out).items() if key not in stored}
    write_report(out, aside.values())
    known = {item.id for item in items}
    return PrepareReport(
        out=out,
        prepared=len(stored - before),
        stored=len(stored),
        set_aside=tuple(value for key, value in aside.items() if key in known),
        seconds=time.monotonic() - start,
    )


def _build_shard(source: Source, detector: str, folder: Path, job: _Job) -> Generator[str | _ShardDone, None, None]:
    """Prepare the clips of a shard; yields the id of each clip that is done and at last the result."""
    aside: list[SetAside] = []
    try:
        with ShardWriter(folder, job.shard) as writer:
            for item in job.items:
                clip = _try_clip(source, item, detector)
                if isinstance(clip, SetAside):
                    aside.append(clip)
                else:
                    writer.add(clip, item.path)
                yield item.id
            clips = writer.close()
        yield _ShardDone(job.shard, clips, tuple(aside))
    except OSError as error:
        raise _cannot_write(folder.parent.parent, error) from error


def _cannot_write(out: Path, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    return DataError(f"{out}: {reason}; finished shards are kept: mend this and run the same command again")


def _try_clip(source: Source, item: SourceItem, detector: str) -> Clip | SetAside:
    """One clip, or why there is none. Only errors that the next clip would meet as well go up."""
    try:
        return prepare_clip(source.read(item), item, detector=detector)
    except MediaError as error:
        return SetAside(item.id, item.path, str(error))
    except MemoryError:
        return SetAside(item.id, item.path, "it needs more memory than there is")
    except (ZooError, ImportError):
        raise
    except Exception as error:
        return SetAside(item.id, item.path, f"{type(error).__name__}: {error}")


def prepare_clip(raw: RawClip, item: SourceItem, *, detector: str = "dlib") -> Clip:
    """Cut the face track out of whole pictures at native resolution and bring the sound to their length.

    Args:
        raw: what the source read; without landmarks the face is tracked.
        item: id and speaker.
        detector: name of the face detector.

    Raises:
        NoFaceError: no face was found.
        MediaError: the sound is too short, or the landmarks do not fit the pictures.
    """
    frames = raw.frames
    landmarks = track_face(frames, detector=detector).landmarks if raw.landmarks is None else raw.landmarks
    if len(landmarks) != len(frames) or not torch.isfinite(landmarks).all():
        raise MediaError(f"{len(landmarks)} landmark sets for {len(frames)} frames, or some are not finite")
    x0, y0, x1, y1 = store_box(landmarks, *frames.shape[-2:])
    if x1 <= x0 or y1 <= y0:
        raise MediaError("the landmarks lie outside the picture")
    return Clip(
        id=item.id,
        speaker=item.speaker,
        text=raw.text,
        frames=frames[:, :, y0:y1, x0:x1],
        wave=match_length(raw.wave, len(frames)),
        landmarks=landmarks - landmarks.new_tensor([x0, y0]),
        words=raw.words,
    )
