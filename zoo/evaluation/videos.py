"""Scores of anybody's videos as a folder of results, so that they stand in a leaderboard beside those of methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo import __version__
from zoo.evaluation.metric_scorer import describe_metric, make_row
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.results import VIDEOS, Cell, Kind, Suite, write_cell, write_suite
from zoo.evaluation.rows import text_of
from zoo.evaluation.score import Pair, Scores
from zoo.registry.spec import REFERENCES
from zoo.support.files import write_text_aside
from zoo.support.names import id_to_name

VIDEOS_ONLY = "videos only"
"""Where the weights of a line come from that is made of videos: nobody here knows."""


def write_results(out: Path, name: str, scores: Scores, pairs: Sequence[Pair], remarks: Sequence[str] = ()) -> None:
    """Write ``suite.json`` and a cell of the videos, and one of the real videos where metrics tell something of them.

    Args:
        out: the folder.
        name: what a leaderboard calls whoever made the videos; a reference's name is marked.
        scores: of the pairs.
        pairs: that were scored.
        remarks: what must be known of the experts.
    """
    name = f"{name} (videos)" if name in REFERENCES else name
    speakers = {pair.clip: pair.speaker for pair in pairs}
    suite = Suite(
        name=VIDEOS,
        title=f"videos of {name}",
        dataset="videos",
        split="none",
        speaker_dependent=False,
        clips=dict(sorted(speakers.items())),
        tracks=["reconstruction"],
        metrics=[describe_metric(metric, column.spec, column.metric) for metric, column in scores.columns.items()],
        remarks=list(remarks),
    )
    write_suite(out, suite)
    _write(out, _cell(name, "method"), speakers, {key: column.metric for key, column in scores.columns.items()})
    own = {key: column.own for key, column in scores.columns.items() if column.own is not None}
    if own:
        _write(out, _cell("real", "reference"), speakers, own)


def _cell(name: str, kind: Kind) -> Cell:
    method = kind == "method"
    return Cell(
        name=f"{id_to_name(name)}-reconstruction",
        key=VIDEOS,
        suite=VIDEOS,
        method=name,
        kind=kind,
        track="reconstruction",
        status="done",
        summary="videos that were given" if method else "the real videos",
        shown="unknown: videos only" if method else "",
        source=VIDEOS_ONLY if method else "",
        made={"zoo": __version__},
    )


def _write(out: Path, cell: Cell, speakers: dict[str, str], metrics: dict[str, ClipMetric]) -> None:
    rows = [
        make_row(cell, name, metric, found, speakers[found.clip])
        for name, metric in metrics.items()
        for found in metric.rows()
    ]
    rows.sort(key=lambda row: (row.clip, row.metric))
    cell.protocols = {name: metric.signature for name, metric in metrics.items()}
    cell.rows = len(rows)
    write_text_aside(out / "cells" / cell.name / "rows.jsonl", text_of(rows))
    write_cell(out, cell)
