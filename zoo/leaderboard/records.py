"""The records of a leaderboard: what every way of showing it shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo.evaluation.results import Kind, Reduce, Track
from zoo.leaderboard.reported import Reported
from zoo.registry.spec import Better


@dataclass
class Score:
    """One method (or reference) on one metric.

    Attributes:
        value: mean over seeds of the value over clips; ``None`` where there is none.
        low: lower end of the 95 % interval over clips (or speakers); ``None`` with fewer than two.
        high: upper end.
        cost: less is better (:meth:`zoo.leaderboard.statistics.Sample.cost`): what the order goes by.
        clips: clips that were scored by every seed.
        coverage: share of frames (windows, words) that were scored, 0..1; clips of which nothing could be counted, or
            that have no row, lower it.
        seeds: value of each seed, in the order of :attr:`Entry.seeds`; ``None`` where that seed has none, and counts
            for nothing but the coverage.
        spread: standard deviation over seeds (n - 1); ``None`` with one seed.
        state: ``best``, ``tie`` (not significantly worse than the best), ``worse``, ``apart`` (no clip, scored with
            the same sound, in common with the best), or empty: not ranked.
        p: of the comparison with the best, corrected after Holm.
        protocol: signature of its rows, where it is not that of the column: such a score is not ranked.
        reason: why clips were left out.
    """

    value: float | None
    low: float | None
    high: float | None
    cost: float | None
    clips: int
    coverage: float
    seeds: list[float | None]
    spread: float | None
    state: str = ""
    p: float | None = None
    protocol: str = ""
    reason: str = ""

    @property
    def counted(self) -> int:
        """How many seeds have a value."""
        return sum(value is not None for value in self.seeds)


@dataclass
class Entry:
    """A line of the leaderboard: a method with all its seeds, or a reference.

    Attributes:
        name: of the method or reference.
        kind: method, or reference (never ranked).
        cells: names of its cells, one for each seed.
        seeds: training seeds.
        status: ``done``, ``partial`` or ``failed``.
        reason: why it is not done.
        summary: one line that says what it is.
        dist: distribution that brought it.
        shown: what it is shown of the true video.
        trained_on: whether the test speakers were seen in training.
        training: budget and what came of it, as text.
        source: where the weights come from.
        parameters: trainable numbers that generate.
        device: what generated.
        fps: frames generated per second on that device; ``None`` where unknown.
        rtf: real-time factor, time taken over time shown: below 1 is faster than real time.
        scores: by metric.
    """

    name: str
    kind: Kind
    cells: list[str]
    seeds: list[int]
    status: str
    reason: str
    summary: str
    dist: str
    shown: str
    trained_on: str
    training: str
    source: str
    parameters: int
    device: str
    fps: float | None
    rtf: float | None
    scores: dict[str, Score] = field(default_factory=dict)


@dataclass
class Column:
    """A metric in one track, and the protocol that its ranked scores share."""

    metric: str
    summary: str
    unit: str
    better: Better
    reduce: Reduce
    protocol: str


@dataclass
class Board:
    """One track: its columns, and its lines from best to worst by the metric ``sort``; empty where none has values."""

    track: Track
    columns: list[Column]
    methods: list[Entry]
    references: list[Entry]
    sort: str


@dataclass
class Leaderboard:
    """All of it.

    Attributes:
        suite: name of the suite.
        title: for a heading.
        dataset: registered name.
        split: how it is divided.
        speaker_dependent: whether test speakers are in the training set.
        cross_speaker: whether every sound of the track ``cross`` is another speaker's.
        clips: test clips.
        speakers: test speakers.
        intervals: how they were made.
        tracks: one board each.
        notes: what a reader must know: failures, rows that do not count.
        reported: numbers that papers print; never ranked with ours.
    """

    suite: str
    title: str
    dataset: str
    split: str
    speaker_dependent: bool
    cross_speaker: bool
    clips: int
    speakers: int
    intervals: str
    tracks: list[Board]
    notes: list[str]
    reported: list[Reported]
