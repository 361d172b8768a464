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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo.errors import DataError
from zoo.files import write_text_aside
from zoo.spec import Better

SCHEMA = 1
"""Version of the rows and cells. It grows when an older zoo could not read them; older ones are read for ever."""

Kind = Literal["method", "reference"]

Track = Literal["reconstruction", "cross"]
"""``reconstruction``: the sound belongs to the face. ``cross``: the sound is that of another speaker's clip."""

Reduce = Literal["mean", "ratio"]
"""How the value over clips is made: the mean of the clips' values, or the ratio of the sums of their two statistics."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one metric says of one clip of one cell.

    Attributes:
        key: of the cell (:attr:`Cell.key`) it was made under.
        suite: name of the suite.
        method: name of the method or reference.
        seed: training seed.
        track: see :data:`Track`.
        checkpoint: first 16 digits of the SHA-256 of the weights; empty for a reference.
        clip: id of the clip that gives the face.
        speaker: who is seen.
        metric: registered name.
        protocol: the metric's signature.
        value: of this clip; ``None`` where it could not be scored.
        stats: sufficient statistics; of a metric with ``reduce="ratio"`` the numerator and the denominator.
        scored: frames, windows or words that were scored.
        total: how many there were to score.
        reason: why some or all could not be scored; empty where all were.
        sound: id of the clip that gives the sound; empty where it is the same.
    """

    key: str
    suite: str
    method: str
    seed: int
    track: Track
    checkpoint: str
    clip: str
    speaker: str
    metric: str
    protocol: str
    value: float | None
    stats: tuple[float, ...]
    scored: int
    total: int
    reason: str = ""
    sound: str = ""


@dataclass(frozen=True)
class Metric:
    """What a leaderboard must know of a metric (:class:`zoo.spec.MetricSpec`)."""

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


@dataclass
class Cell:
    """What the rows of one method, seed and track have in common.

    Attributes:
        name: of its folder, for example ``lipgan-seed0-reconstruction``.
        key: digest of all that decides its rows but the metrics, whose protocol each row carries: code, checkpoint,
            data, seed and track.
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
        shown: what the method is shown of the true video.
        checkpoint: digits of the weights' SHA-256 as in :class:`Row`; empty for a reference.
        source: where the weights come from: ``fitted``, ``given``, ``run``, ``shipped``, or empty.
        parameters: trainable numbers that generate; 0 for a reference.
        training: budget and what came of it: ``steps``, ``seconds``, ``budget`` (text), ``dataset``, ``split``,
            ``taught`` (text, where a judge had a part in it), ``remarks`` (what else the fit found out); empty for a
            reference.
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
    """

    name: str
    key: str
    suite: str
    method: str
    kind: Kind
    track: Track
    base: str = ""
    seed: int = 0
    status: Literal["done", "partial", "failed"] = "partial"
    reason: str = ""
    summary: str = ""
    dist: str = ""
    shown: str = ""
    checkpoint: str = ""
    source: str = ""
    parameters: int = 0
    training: dict[str, Any] = field(default_factory=dict)
    trained_on: str = ""
    device: str = ""
    frames: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    protocols: dict[str, str] = field(default_factory=dict)
    data: str = ""
    split: str = ""
    code: str = ""


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
        DataError: there is none, it cannot be read, or it was written by a newer zoo.
    """
    suite = read_suite(folder)
    cells = {cell.name: cell for cell in map(read_cell, sorted((folder / "cells").glob("*/cell.json")))}
    rows, stale = {}, {}
    for name, cell in cells.items():
        rows[name], stale[name] = read_rows(folder / "cells" / name, cell.key, cell.protocols)
    return Results(folder, suite, cells, rows, stale)


def read_suite(folder: Path) -> Suite:
    """Read ``suite.json``; see :func:`read_results`."""
    return _read(folder / "suite.json", Suite, "metrics", Metric)


def read_cell(path: Path) -> Cell:
    """Read ``cell.json``; see :func:`read_results`."""
    return _read(path, Cell, "failures", Failure)


def _read(path: Path, cls: Any, items: str, item_cls: Any) -> Any:
    """A record, one field of which is a list of other records."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["schema"] > SCHEMA:
            raise DataError(f"{path}: written by a newer zoo (schema {values['schema']}); update: pip install -U zoo")
        values[items] = [item_cls(**_known(item_cls, item)) for item in values[items]]
        return cls(**_known(cls, values))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not results of `zoo benchmark` ({type(error).__name__}: {error})") from error


def _known(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Without fields that a later zoo of the same schema added."""
    names = {item.name for item in dataclasses.fields(cls)}
    return {name: value for name, value in values.items() if name in names}


def write_suite(folder: Path, suite: Suite) -> None:
    """Write ``suite.json`` at once."""
    write_text_aside(folder / "suite.json", _text(suite))


def write_cell(folder: Path, cell: Cell) -> None:
    """Write ``cell.json`` of a results folder at once."""
    write_text_aside(folder / "cells" / cell.name / "cell.json", _text(cell))


def _text(record: Any) -> str:
    return json.dumps({"schema": SCHEMA} | dataclasses.asdict(record), indent=1) + "\n"


def line_of(row: Row) -> str:
    """A row as one line of ``rows.jsonl``, with its newline."""
    values = {name: getattr(row, name) for name in Row.__slots__}
    return json.dumps({"schema": SCHEMA} | values, separators=(",", ":")) + "\n"


def read_rows(folder: Path, key: str, protocols: Mapping[str, str] | None = None) -> tuple[list[Row], int]:
    """Rows of a cell's folder, those of unfinished processes included, and how many others are stale.

    Stale are rows of another key, or of another protocol than that of their metric in ``protocols``, here or set aside
    in the folder ``stale``. A last line that a killed process left half written is not a row.
    """
    found, stale = read_values(folder, key, protocols)
    return [row_of(values) for values in found], stale


def read_values(folder: Path, key: str, protocols: Mapping[str, str] | None = None) -> tuple[list[dict[str, Any]], int]:
    """As :func:`read_rows`, but the fields of :class:`Row` in plain dictionaries: a fraction of the time."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    expected = protocols or {}
    stale = count_aside(folder)
    for values in every_row(folder):
        if values["key"] == key and expected.get(values["metric"], values["protocol"]) == values["protocol"]:
            found.setdefault((values["clip"], values["metric"]), values)
        else:
            stale += 1
    return [found[place] for place in sorted(found)], stale


def count_aside(folder: Path) -> int:
    """How many rows of a cell's folder are set aside: they count nowhere unless what they were made of comes back."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("stale/rows*.jsonl"))


NEEDED = frozenset(("schema", "key", "clip", "metric", "protocol"))
"""What the fields of any row are, whatever its schema."""


def every_row(folder: Path) -> Iterator[dict[str, Any]]:
    """The fields of all rows of a folder, of whatever key; what a killed process left half written is none.

    Raises:
        DataError: they are no rows, or were written by a newer zoo.
    """
    for path in sorted(folder.glob("rows*.jsonl")):
        lines = path.read_bytes().decode("utf-8", "replace").split("\n")
        try:
            rows = json.loads(f"[{','.join(filter(None, lines))}]")
        except ValueError:
            rows = list(_whole(lines))
        for values in rows:
            if not isinstance(values, dict) or NEEDED - values.keys():
                raise DataError(f"{path}: not rows of `zoo benchmark`")
            if values["schema"] > SCHEMA:
                raise DataError(f"{path}: rows written by a newer zoo; update: pip install -U zoo")
            yield values


def row_of(values: Mapping[str, Any]) -> Row:
    """A row from its fields; those that a later zoo of the same schema added are left out.

    Raises:
        DataError: a field is missing.
    """
    try:
        known = {name: value for name, value in values.items() if name in Row.__slots__}
        return Row(**known | {"stats": tuple(values["stats"])})
    except (KeyError, TypeError) as error:
        raise DataError(f"a row of {values['metric']}, clip {values['clip']}, lacks fields ({error})") from error


def _whole(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The lines that are whole, one by one."""
    for line in lines:
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict):  # the rest of a torn line may be a number
            yield values
