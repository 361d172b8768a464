"""A folder of results: what a benchmark writes and a leaderboard reads. Nothing here imports torch.

::

    DIR/suite.json                        the suite as it was run, and what its metrics and clips are
    DIR/cells/NAME/cell.json              what the rows of one cell have in common (:class:`Cell`)
    DIR/cells/NAME/rows.jsonl             one row for every clip and metric (:class:`Row`), sorted
    DIR/cells/NAME/rows-R.jsonl           the same while process R is at work
    DIR/cells/NAME/videos/CLIP.mp4        what was scored, with sound ("/" in a clip's id becomes "-")

A cell is one method or reference row, one training seed and one track. Rows name everything that tells them from others
and carry the :attr:`Cell.key` they were made under: a row of another key is stale and never counted.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, GetPydanticSchema, with_config
from typing_extensions import TypedDict  # pydantic reads typing's from Python 3.12 on

from zoo.evaluation.rows import SCHEMA, read_rows
from zoo.evaluation.rows import Row as Row
from zoo.evaluation.rows import Track as Track
from zoo.evaluation.rows import every_row as every_row
from zoo.evaluation.rows import line_of as line_of
from zoo.evaluation.rows import row_of as row_of
from zoo.registry.spec import Better
from zoo.support.errors import DataError
from zoo.support.files import write_text_aside
from zoo.support.inside import inside, read_inside
from zoo.support.records import Count, FolderName, Seconds, parse_record

T = TypeVar("T")

Kind = Literal["method", "reference"]

VIDEOS = "videos"
"""The suite of what ``zoo score`` writes."""

Reduce = Literal["mean", "ratio"]
"""How the value over clips is made: the mean of the clips' values, or the ratio of the sums of their two statistics."""


@dataclass(frozen=True)
class Metric:
    """What a leaderboard must know of a metric (:class:`zoo.registry.spec.MetricSpec`)."""

    name: str
    summary: str
    unit: str
    better: Better
    reduce: Reduce


@dataclass(frozen=True)
class Failure:
    """Something that could not be done, and why; the rest went on."""

    clip: str
    metric: str
    reason: str


@with_config(ConfigDict(extra="allow"))
class Training(TypedDict, total=False):
    """What the leaderboard tells of a training; all of it may be missing."""

    steps: Count | None
    seconds: Seconds | None
    budget: str | None
    dataset: str | None
    split: str | None
    taught: str | None
    remarks: list[str]


@dataclass
class Cell:
    """What the rows of one method, seed and track have in common.

    Attributes:
        name: of its folder, for example ``lipgan-seed0-reconstruction``.
        key: digest of all that decides its rows but the metrics, whose protocol each row carries: code, checkpoint,
            data, seed, track and options.
        suite: name of the suite.
        method: name of the method, of a configuration of one, or of the reference.
        base: registered name of the method that a configuration is one of; empty else.
        kind: method, or reference.
        track: see :data:`Track`.
        seed: training seed.
        status: ``done``, ``partial`` (not all rows are there yet), ``failed`` (nothing could be generated).
        reason: why it failed; empty else.
        summary: one line that says what it is.
        dist: distribution that brought the method.
        shown: what the method is given.
        mode: of the method; empty for a reference and in folders that an older zoo wrote: the default.
        options: of the method, with which it generates; empty: their defaults.
        checkpoint: digits of the weights' SHA-256 as in :class:`Row`; empty for a reference.
        source: where the weights come from: ``fitted``, ``given``, ``run``, ``shipped``, or empty.
        parameters: trainable numbers that generate; 0 for a reference.
        training: budget and what came of it: ``steps``, ``seconds``, ``budget`` (text), ``dataset``, ``split``,
            ``taught`` (text, where a judge had a part in it), ``drawn_only`` (the data sets, where it knows drawn faces
            only and is tested on others), ``remarks`` (what else the fit found out); empty for a reference.
        trained_on: whether the test speakers were seen in training: ``unseen speakers``, ``same speakers``, ``unknown``
            or empty.
        device: what generated, for example ``CPU, 1 thread``.
        frames: generated frames that :attr:`seconds` counts.
        seconds: time of generation alone, summed over processes.
        failures: what could not be scored for a reason that is not the clip's.
        made: zoo version, git commit, Python, packages.
        protocols: signature of every metric.
        data: fingerprint of the store (:attr:`Suite.data`).
        split: how the clips are divided.
        code: digest of the source code that made it (:func:`zoo.benchmark.code.code_of`).
        rows: lines of ``rows.jsonl`` when the cell was finished, by which lost ones are found; 0 where an older zoo did
            not say.
    """

    name: FolderName
    key: str
    suite: str
    method: str
    kind: Kind
    track: Track
    base: str = ""
    seed: Count = 0
    status: Literal["done", "partial", "failed"] = "partial"
    reason: str = ""
    summary: str = ""
    dist: str = ""
    shown: str = ""
    mode: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    checkpoint: str = ""
    source: str = ""
    parameters: Count = 0
    training: Annotated[dict[str, Any], GetPydanticSchema(lambda _, handler: handler(Training))] = field(
        default_factory=dict
    )
    trained_on: str = ""
    device: str = ""
    frames: Count = 0
    seconds: Seconds = 0.0
    failures: list[Failure] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    protocols: dict[str, str] = field(default_factory=dict)
    data: str = ""
    split: str = ""
    code: str = ""
    rows: Count = 0


@dataclass
class Suite:
    """The suite as it was run (``suite.json``).

    Attributes:
        name: of the suite.
        title: for a heading.
        dataset: registered name.
        split: how it is divided.
        speaker_dependent: whether test speakers are in the training set.
        clips: ids of the test clips with their speakers.
        tracks: those that are run.
        metrics: in the order of the columns.
        settings: the suite file, resolved.
        data: fingerprint of the store.
        left_out: why metrics of the suite file are not among :attr:`metrics`, and what to do about it.
        cross_speaker: whether every sound of the track ``cross`` is another speaker's; ``False`` where some are
            other clips' of the same speaker, as all are with one test speaker.
        remarks: what must be known of its judges beside the numbers.
    """

    name: str
    title: str
    dataset: str
    split: str
    speaker_dependent: bool
    clips: dict[str, str]
    tracks: list[Track]
    metrics: list[Metric]
    settings: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    cross_speaker: bool = True
    remarks: list[str] = field(default_factory=list)


@dataclass
class Results:
    """Everything in a results folder.

    Attributes:
        folder: where it lies.
        suite: what was run.
        cells: by name.
        rows: those that count, by cell, each clip and metric once, sorted.
        stale: how many rows of each cell were made under another key and are not counted.
    """

    folder: Path
    suite: Suite
    cells: dict[str, Cell]
    rows: dict[str, list[Row]]
    stale: dict[str, int]


def video_name(clip: str) -> str:
    """File name of a clip's video."""
    return clip.replace("/", "-") + ".mp4"


def read_results(folder: Path) -> Results:
    """Read a folder of results.

    Raises:
        DataError: there is none, it cannot be read, it leads out of itself, or it was written by a newer zoo.
    """
    suite, cells = read_suite(folder), read_cells(folder)
    rows, stale = {}, {}
    for name, cell in cells.items():
        rows[name], stale[name] = read_rows(folder / "cells" / name, cell.key, cell.protocols)
    return Results(folder, suite, cells, rows, stale)


def read_suite(folder: Path) -> Suite:
    """Read ``suite.json``; see :func:`read_results`."""
    return _read(folder, folder / "suite.json", Suite)


def read_cells(folder: Path) -> dict[str, Cell]:
    """Every ``cell.json`` of a results folder, by name, in the order of the names; see :func:`read_results`."""
    found = {}
    for path in sorted((folder / "cells").glob("*/cell.json")):
        cell = read_cell(inside(folder, inside(folder, path.parent) / path.name))
        if cell.name != path.parent.name:  # its rows and videos would be looked for in another folder
            raise DataError(f"{path}: says that it lies in cells/{cell.name}")
        found[cell.name] = cell
    return found


def read_cell(path: Path) -> Cell:
    """Read ``cell.json``; see :func:`read_results`."""
    return _read(path.parent, path, Cell)


@dataclass
class _Version:
    schema: Count


def _read(folder: Path, path: Path, kind: type[T]) -> T:
    """A record from a file that lies in a folder."""
    where = f"{path}: not results of `zoo benchmark`"
    try:
        text = read_inside(folder, path)
        version = parse_record(text, _Version, where).schema
        if version > SCHEMA:
            raise DataError(f"{path}: written by a newer zoo (schema {version}); update: pip install -U zoo")
        return parse_record(text, kind, where)
    except OSError as error:
        raise DataError(f"{path}: not results of `zoo benchmark` ({error.strerror})") from error


def write_suite(folder: Path, suite: Suite) -> None:
    """Write ``suite.json`` at once."""
    write_text_aside(folder / "suite.json", _text(suite))


def write_cell(folder: Path, cell: Cell) -> None:
    """Write ``cell.json`` of a results folder at once."""
    write_text_aside(folder / "cells" / cell.name / "cell.json", _text(cell))


def _text(record: Any) -> str:
    return json.dumps({"schema": SCHEMA} | dataclasses.asdict(record), indent=1) + "\n"
