"""What a benchmark will do: its cells, what is there already, what will run, and what that may cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count, product
from pathlib import Path

from zoo import __version__, registry
from zoo.benchmark.checkpoints import Weights, file_name, find_weights
from zoo.benchmark.chosen import options_of
from zoo.benchmark.code import code_of
from zoo.benchmark.ledger import Ledger, Task
from zoo.benchmark.locks import is_locked
from zoo.benchmark.suite import WITHOUT_CROSS, Entry, find_entry
from zoo.benchmark.suite_set import SuiteSet
from zoo.evaluation.results import Cell, Suite, Track, read_cell
from zoo.evaluation.tracks import TRACKS
from zoo.registry.spec import DRIVERS, REFERENCES, Uses
from zoo.support.errors import ConfigError, DataError, ZooError
from zoo.support.inside import inside
from zoo.training import runs

CLIP_S = 2.2
"""Seconds that one clip of three seconds takes on one thread of an idle core, generation included (ten metrics)."""

VIDEO_BYTES = 90_000
"""A video of three seconds of SynthGRID; those of GRID are twice as large."""

ROW_BYTES = 450
"""A row in ``rows.jsonl``."""

FIT_BYTES = 20_000_000
"""What a fit of a small recipe leaves."""


@dataclass
class Planned:
    """One cell as it is planned.

    Attributes:
        cell: its facts; its key is empty as long as its weights must be fitted first.
        weights: of the method; ``None`` for a reference.
        tasks: clips that must be generated.
        there: rows that are there and count.
        due: rows that it is to have.
        stale: rows beside them that do not count and are to be set aside.
        back: whether rows that were set aside count again.
        damaged: lines of its rows that are damaged; what they held is made again.
        error: why it cannot run at all.
    """

    cell: Cell
    weights: Weights | None
    tasks: list[Task] = field(default_factory=list)
    there: int = 0
    due: int = 0
    stale: int = 0
    back: bool = False
    damaged: int = 0
    error: str = ""

    @property
    def subject(self) -> str:
        """Method and seed, or the reference: what cells on several tracks have in common."""
        return self.cell.name.removesuffix(f"-{self.cell.track}")


@dataclass
class Plan:
    """All cells.

    Attributes:
        out: folder of the results.
        suite: as it will be written there.
        cells: in the order in which they run.
        outdated: cells of the folder that are not planned and were made from other data, by other code or with other
            protocols.
    """

    out: Path
    suite: Suite
    cells: list[Planned]
    outdated: list[str]

    def fits(self) -> dict[str, Weights]:
        """What must be fitted first, by subject."""
        return {
            planned.subject: planned.weights
            for planned in self.cells
            if planned.weights is not None and planned.weights.path is None and not planned.error
        }

    def tasks(self) -> list[Task]:
        """All clips that must be generated, cell by cell."""
        return [task for planned in self.cells for task in planned.tasks]

    def expected(self, processes: int, room: int, clip_seconds: float) -> float:
        """Seconds that it will take, about, with so many processes, and cores or GPUs for fits."""
        fits = [weights.fit.expected() for weights in self.fits().values() if weights.fit]
        fitting = max([sum(fits) / room, *fits])
        return fitting + clip_seconds * len(self.tasks()) / processes

    def disk(self) -> int:
        """Bytes that it will need, about."""
        rows = ROW_BYTES * sum(len(task.metrics) for task in self.tasks())
        videos = VIDEO_BYTES * len(self.tasks()) if self.suite.settings["videos"] else 0
        return rows + videos + FIT_BYTES * len(self.fits())


def make_plan(
    suite_set: SuiteSet,
    methods: Sequence[str],
    out: Path,
    *,
    given: Mapping[str, Path] | None = None,
    references: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> Plan:
    """Look at what is there and plan the rest; nothing is written.

    Args:
        suite_set: clips, metrics and judges.
        methods: names of the suite's configurations or, as the registry knows them, of methods.
        out: folder of the results.
        given: checkpoints by those names.
        references: which; the suite's if not given.
        seeds: the same.

    Raises:
        ZooError: a method or option that there is not, or a given checkpoint that cannot be used.
    """
    config = suite_set.suite.config
    suite = suite_set.describe()
    if any(TRACKS[track].foreign for track in suite.tracks) or "wrong-sound" in config.references:
        suite_set.cross_audio_clip(suite_set.test[0])  # before any work is done
    cells: list[Planned] = []
    for name in config.references if references is None else references:
        cells += [
            _plan_cell(suite_set, out, _reference(suite_set, name, track), None)
            for track in suite.tracks
            if _has_reference(name, track)
        ]
    for name in methods:
        entry = find_entry(config, name)
        weights_by_seed: dict[int, Weights] = {}
        for seed in config.seeds if seeds is None else seeds:
            weights = find_weights(suite_set, entry, seed, given or {}, out / "fits")
            # One file is one training, however many seeds are asked for.
            weights_by_seed.setdefault(weights.seed, weights)
        modes = entry.spec.modes if config.modes == "all" else entry.spec.modes[:1]
        for (seed, weights), (mode, uses) in product(weights_by_seed.items(), modes):
            tracks = [track for track in suite.tracks if TRACKS[track].takes(uses)]
            if not tracks and TRACKS["video"].takes(uses):  # the one of modes that nobody speaks to
                tracks = ["video"]
            if not tracks:
                raise ConfigError(
                    f"{entry.name}: mode '{mode}' ({uses}) has no place on {', '.join(suite.tracks)}; name other "
                    "tracks, or leave it out with --methods"
                )
            cells += [
                _plan_cell(suite_set, out, _method(suite_set, entry, mode, seed, track), weights) for track in tracks
            ]
    return Plan(out, suite, cells, _outdated(out, suite, suite_set, cells))


def _has_reference(name: str, track: str) -> bool:
    """Whether a reference means something on a track: where nobody speaks, no sound is wrong, or to retrieve by."""
    if TRACKS[track].foreign and name in WITHOUT_CROSS:
        return False
    return TRACKS[track].sound != "none" or name in ("real", "still", "closed-still", "warp-true")


def _reference(suite_set: SuiteSet, name: str, track: Track) -> Cell:
    names = suite_set.names(name, track)
    return Cell(
        name=f"{name}-{track}",
        key="",
        suite=suite_set.suite.name,
        method=name,
        kind="reference",
        track=track,
        summary=REFERENCES[name],
        shown=DRIVERS["video"] if name in ("real", "wrong-sound") else str(Uses(sound=name == "retrieval")),
        protocols=suite_set.protocols(names),
        code=code_of(),
    )


def _method(suite_set: SuiteSet, entry: Entry, mode: str, seed: int, track: Track) -> Cell:
    spec, registered = entry.spec, registry.full_name(entry.spec)
    name = entry.name if mode == spec.default_mode else f"{entry.name}.{mode}"
    return Cell(
        name=f"{file_name(name)}-seed{seed}-{track}",
        key="",
        suite=suite_set.suite.name,
        method=name,
        mode=mode,
        options=options_of(suite_set.suite.config, entry),
        base="" if name == registered else registered,
        kind="method",
        track=track,
        seed=seed,
        summary=entry.summary,
        dist=spec.dist,
        shown=str(spec.uses(mode)),
        protocols=suite_set.protocols(suite_set.names(name, track)),
        code=code_of(spec.target),
    )


def _plan_cell(suite_set: SuiteSet, out: Path, cell: Cell, weights: Weights | None) -> Planned:
    planned = Planned(cell, weights)
    complete(suite_set, out, planned)
    return planned


def complete(suite_set: SuiteSet, out: Path, planned: Planned) -> None:
    """Fill in what follows from the weights, once they are there: key, what is missing, what is stale."""
    cell, weights = planned.cell, planned.weights
    if weights is not None:
        weights.learn(suite_set)
    digest = weights.digest() if weights is not None else ""
    cell.made, cell.data, cell.split = dict(made()), suite_set.fingerprint, suite_set.data.split
    if weights is not None:
        cell.checkpoint, cell.source = digest[:16], weights.source
        cell.training, cell.trained_on = weights.training, weights.trained_on
        if not suite_set.drawn and (known := weights.drawn_only()):
            cell.training = cell.training | {"drawn_only": known}
    cell.key = _key(suite_set, cell, digest) if weights is None or digest else ""
    clips = [suite_set.info(index).id for index in suite_set.test]
    ledger = Ledger(out, cell, clips)
    stock = ledger.stock()
    planned.due = len(clips) * len(cell.protocols)
    planned.there, planned.stale, planned.back = len(stock.rows), len(stock.stale), stock.back
    planned.damaged = stock.damaged
    planned.tasks = ledger.missing(stock, suite_set.suite.config.videos)


def _key(suite_set: SuiteSet, cell: Cell, digest: str) -> str:
    """Digest of all that decides the rows of a cell beside the protocols of the metrics, which each row carries."""
    facts = {
        "code": cell.code,
        "method": cell.method,
        "seed": cell.seed,
        "track": cell.track,
        "checkpoint": digest,
        "data": suite_set.fingerprint,
        "split": suite_set.data.split,
        "retrieval": suite_set.suite.config.retrieval_clips if cell.method == "retrieval" else 0,
    }
    facts |= {"options": cell.options} if cell.options else {}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@cache
def made() -> dict[str, object]:
    """What makes rows: versions and the commit."""
    import platform

    return {
        "zoo": __version__,
        "git": runs.git_revision(),
        "python": platform.python_version(),
        "packages": runs.versions(runs.REPORTED),
    }


def _outdated(out: Path, suite: Suite, suite_set: SuiteSet, planned: Sequence[Planned]) -> list[str]:
    """Cells that lie in the folder, are not planned and do not fit beside those that are."""
    names = {item.cell.name for item in planned}
    protocols = suite_set.protocols(list(suite_set.metrics))
    found = []
    for path in sorted((out / "cells").glob("*/cell.json")):
        if path.parent.name in names:
            continue
        try:
            cell = read_cell(inside(out, path))
        except DataError:
            found.append(path.parent.name)
            continue
        others = {name: text for name, text in cell.protocols.items() if protocols.get(name) not in (None, text)}
        if (cell.data, cell.split, cell.code) != (suite.data, suite.split, _code(cell)) or others:
            found.append(path.parent.name)
    return found


def _code(cell: Cell) -> str:
    """What the code of a cell would be now; that of a method which is gone cannot be told from what it was."""
    if cell.kind == "reference":
        return code_of()
    try:
        return code_of(registry.method(cell.base or cell.method).target)
    except ZooError:
        return "-".join([code_of(), *cell.code.split("-")[1:]])


def set_aside(plan: Plan) -> None:
    """Move outdated cells to ``stale``, where no leaderboard sees them; nothing that lies there is lost."""
    for name in plan.outdated:
        if is_locked(plan.out, name) or not (plan.out / "cells" / name).is_dir():
            continue
        aside = inside(plan.out, plan.out / "stale")
        aside.mkdir(exist_ok=True)
        free = (goal for number in count(2) if not (goal := aside / f"{name}-{number}").exists())
        (plan.out / "cells" / name).rename(next(free) if (aside / name).exists() else aside / name)


def clip_seconds(out: Path, plan: Plan, device: str) -> float:
    """Seconds per clip and process: what the rows took that are there, on the same device, or else :data:`CLIP_S`."""
    took = []
    for planned in plan.cells:
        times = Ledger(out, planned.cell, ()).times(planned.cell.key).values()
        took += [row["took"] for row in times if not row["first"] and row["device"] == device]
    return sum(took) / len(took) if took else CLIP_S
