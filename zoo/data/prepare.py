"""From a source to a store: read, track the face, cut it out at native resolution, write; parallel and restartable."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path

from zoo.data.build import ItemDone, Job, Moved, ShardDone, build_shard, cannot_write, without_culprit
from zoo.data.pieces import item_of
from zoo.data.pool import PATIENCE_S, run_jobs, usable_cores
from zoo.data.report import SetAside, append_report, read_report, report_path, write_report
from zoo.data.sources.base import Source, SourceItem
from zoo.data.sources.walk import NotLookedAt
from zoo.data.store.index import parse_row
from zoo.data.store.shard import SUFFIXES, publish_shard, write_meta
from zoo.data.store.shard_files import open_files
from zoo.data.store.store import read_meta
from zoo.face.backends import Finders
from zoo.support.errors import DataError
from zoo.support.locks import locked
from zoo.support.names import storable
from zoo.support.progress import Progress

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
        set_aside: clips of the source, or parts of its videos, that could not be used, with reasons, from this run and
            earlier ones.
        seconds: time this run took.
        not_looked_at: what the source left out of its folder.
        notes: what the user should know of single videos, one line each.
    """

    out: Path
    prepared: int
    stored: int
    set_aside: tuple[SetAside, ...]
    seconds: float
    not_looked_at: NotLookedAt = field(default_factory=NotLookedAt)
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when every clip of the source is in the store and its folders could be read, else 1."""
        return 1 if self.set_aside or not self.stored or self.not_looked_at.unreadable else 0

    def __str__(self) -> str:
        line = f"prepared {self.prepared} clips in {self.seconds:.0f} s ({self.stored} in {self.out})"
        if self.set_aside:
            line += f", set aside {len(self.set_aside)} (reasons in {report_path(self.out)})"
        return "\n".join(filter(None, [str(self.not_looked_at), storable(line)]))


def prepare(
    source: Source,
    out: str | Path,
    *,
    dataset: str,
    splits: Sequence[str] = ("by-speaker",),
    workers: int | None = None,
    detector: str = "dlib",
    landmarker: str = "dlib",
    shard_clips: int | None = None,
    retry: bool = False,
    progress: bool = True,
    licence: str = "",
    citation: str = "",
    wait: bool = False,
    apart: bool = False,
    patience_s: float = PATIENCE_S,
) -> PrepareReport:
    """Bring every clip of a source into a store.

    Killed at any moment and run again, it goes on where it was: a shard is in the store whole or not at all, and only
    this process, not its workers, puts it there. A clip that cannot be read or shows no face is set aside with its
    reason, and the rest goes on. Videos are read as streams: no more than about a second of one is in memory.

    Args:
        source: where the clips come from; picklable if there are several workers.
        out: folder of the store; may hold an unfinished store of the same source.
        dataset: name of the data set.
        splits: named ways to divide it (:mod:`zoo.data.splits`), the default first.
        workers: processes; ``None`` is one per core.
        detector: face detector (:func:`zoo.face.backends.make_detector`) for clips without landmarks.
        landmarker: who finds the 68 points in them (:func:`zoo.face.backends.make_landmarker`).
        shard_clips: clips per shard; ``None`` chooses by the size of the source.
        retry: try clips again that were set aside before.
        progress: show progress on stderr.
        licence: of the clips, for ``store.json``.
        citation: whom to credit, for ``store.json``.
        wait: wait for another process that is writing to the store, and then do what it left.
        apart: a process of its own for a single worker too: killed, as the system does where memory runs out, or
            hanging, it costs the video that it was at; it is replaced, and the rest goes on.
        patience_s: a worker with which nothing moves for so long hangs.

    Raises:
        DataError: the source is empty, the folder holds the store of something else, another process is writing to it
            and ``wait`` is off, or the disk is full. Finished shards stay valid in every case.
    """
    start = time.monotonic()
    out = Path(out)
    items = [replace(item, id=storable(item.id), speaker=storable(item.speaker)) for item in source.items()]
    if not items:
        raise DataError(f"{dataset}: the source holds no clip")
    doubles = [name for name, times in Counter(item.id for item in items).items() if times > 1]
    if doubles:
        raise DataError(f"{dataset}: two clips of the source have the id '{doubles[0]}'")
    _check_parts(dataset, source, items)
    meta: dict[str, object] = {
        "dataset": dataset,
        "splits": list(splits),
        "root": "" if source.root is None else storable(source.root.resolve()),
        "detector": detector,
        "landmarker": landmarker,
        "settings": {**source.settings, **(source.splitting.settings if source.splitting else {})},
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
                several = min(workers or usable_cores(), max(len(jobs), 1))
                notes = _run(
                    source, Finders(detector, landmarker), out, jobs, several, bar, apart=apart, patience_s=patience_s
                )
            report = _finish(out, meta, items, before, start, notes)
            return replace(report, not_looked_at=source.not_looked_at)
    except OSError as error:
        raise cannot_write(out, error) from error


@contextmanager
def _locked(out: Path, wait: bool) -> Iterator[None]:
    """Keep a second ``prepare`` out; the system lets go of the lock when this process ends, however it ends."""
    (out / "shards").mkdir(parents=True, exist_ok=True)
    refusal = f"{out}: another process prepares this store; wait for it or choose another --out"
    waiting = f"waiting for another process that prepares {out}" if wait else ""
    with locked(out / ".lock", refusal, waiting=waiting):
        yield


def _check_parts(dataset: str, source: Source, items: Sequence[SourceItem]) -> None:
    """Refuse an id that a part of another video might get: ``talk@00012.32`` beside ``talk``."""
    known = {item.id for item in items}
    for name in known if source.splitting else ():
        if re.search(r"@\d{5}\.\d\d(-\d+)?$", name) and item_of(name, known - {name}) in known:
            raise DataError(f"{dataset}: '{name}' is named like a part of '{item_of(name, known - {name})}'; rename it")


def _check_same(out: Path, meta: dict[str, object]) -> None:
    """Refuse to mix data sets, roots, detectors or landmarks in one store."""
    if not (out / "store.json").exists():
        return
    old = read_meta(open_files(out))
    for key in ("dataset", "root", "detector", "landmarker", "settings"):
        before = old.get(key, "dlib" if key == "landmarker" else meta[key])  # older stores do not say
        if before != meta[key]:
            was = f"this store was prepared with {key} '{before}', not '{meta[key]}'"
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


def _plan(out: Path, items: Sequence[SourceItem], stored: set[str], retry: bool, size: int | None) -> list[Job]:
    """Cut what is left to do into shards with the lowest free numbers: after a kill they are the same shards.

    A video of which a clip is stored is done: all its clips are in one shard. In the report stands its own id where
    nothing could be made of it; the ids of its parts, where something could.
    """
    known = {item.id for item in items}
    done = {item_of(name, known) for name in stored}
    skip = done if retry else done | set(read_report(out))
    left = [item for item in items if item.id not in skip]
    size = size or min(max(len(items) // SHARDS, SHARD_CLIPS[0]), SHARD_CLIPS[1])
    taken = set(shard_names(out))
    names = (name for name in map("{:05d}".format, count()) if name not in taken)
    return [Job(next(names), tuple(left[first : first + size])) for first in range(0, len(left), size)]


def _run(
    source: Source,
    finders: Finders,
    out: Path,
    jobs: list[Job],
    workers: int,
    bar: Progress,
    *,
    apart: bool,
    patience_s: float,
) -> list[str]:
    """Build the shards and put them into the store; returns what the user should know."""
    folder = out / "shards" / ".tmp"
    folder.mkdir()
    notes = _Notes(bar)
    moved: dict[str, float] = {}

    def mend(job: Job, events: list[Moved | ItemDone | ShardDone], reason: str) -> Job | None:
        found = without_culprit(job, events, reason)
        if found is None:
            return None
        left, aside = found
        append_report(out, [aside])  # now: whatever else happens, it is not met again
        bar.advance(1 - moved.pop(aside.id, 0.0) - sum(isinstance(event, ItemDone) for event in events))
        bar.say(f"set aside {aside.id}: {aside.reason}")
        return left

    work = partial(build_shard, source, finders, folder)
    running = run_jobs(work, jobs, workers=workers, apart=apart, mend=mend, patience_s=patience_s)
    try:
        with closing(running) as events:
            for event in events:
                if isinstance(event, ShardDone):
                    append_report(out, event.set_aside)
                    if event.clips:
                        publish_shard(out, folder, event.shard)
                    continue
                share = event.share if isinstance(event, Moved) else 1.0
                bar.advance(share - moved.get(event.item, 0.0))
                moved[event.item] = share
                if isinstance(event, ItemDone):
                    del moved[event.item]
                    notes.add(event.notes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return notes.said


class _Notes:
    """What the user should know of single videos; of what is the same for all only the first is named."""

    def __init__(self, bar: Progress) -> None:
        self.said: list[str] = []
        self._bar, self._once = bar, set[str]()

    def add(self, notes: Sequence[tuple[str, str]]) -> None:
        for kind, text in notes:
            if kind in self._once:
                continue
            if kind == "text":
                self._once.add(kind)
                text += "; this is so for every video that is cut into clips"
            self.said.append(text)
            self._bar.say(text)


def _finish(
    out: Path,
    meta: dict[str, object],
    items: Sequence[SourceItem],
    before: set[str],
    start: float,
    notes: Sequence[str],
) -> PrepareReport:
    """Note which shards there are, drop from the report what a retry has mended, and count."""
    stored = stored_ids(out)
    write_meta(out, meta | {"shards": shard_names(out)})
    known = {item.id for item in items}
    done = {item_of(name, known) for name in stored}
    aside = {key: value for key, value in read_report(out).items() if key not in done and key not in stored}
    write_report(out, aside.values())
    return PrepareReport(
        out=out,
        prepared=len(stored - before),
        stored=len(stored),
        set_aside=tuple(value for key, value in aside.items() if item_of(key, known) in known),
        seconds=time.monotonic() - start,
        notes=tuple(notes),
    )
