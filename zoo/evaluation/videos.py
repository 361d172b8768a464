"""Scores of anybody's videos as a folder of results, so that they stand in a leaderboard beside those of methods."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from zoo import __version__
from zoo.evaluation.evaluation_set import TOGETHER
from zoo.evaluation.metric_scorer import describe_metric, make_row
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.results import VIDEOS, Cell, Kind, Suite, read_suite, write_cell, write_suite
from zoo.evaluation.rows import text_of
from zoo.evaluation.score import Pair, Scores
from zoo.registry.spec import REFERENCES
from zoo.support.errors import ConfigError, DataError
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
    columns = {metric: column for metric, column in scores.columns.items() if column.metric.of_single_clips}
    speakers = {pair.clip: pair.speaker for pair in pairs}
    suite = Suite(
        name=VIDEOS,
        title=f"videos of {name}",
        dataset="videos",
        split="none",
        speaker_dependent=False,
        clips=dict(sorted(speakers.items())),
        tracks=["reconstruction"],
        metrics=[describe_metric(metric, column.spec, column.metric) for metric, column in columns.items()],
        left_out={metric: TOGETHER for metric in scores.columns if metric not in columns},
        remarks=list(remarks),
    )
    write_suite(out, suite)
    own = {key: column.own for key, column in columns.items() if column.own is not None}
    made = [_write(out, _cell(name, "method"), speakers, {key: column.metric for key, column in columns.items()})]
    made += [_write(out, _cell("real", "reference"), speakers, own)] if own else []
    for old in set((out / "cells").iterdir()) - set(made):  # of videos that were scored before
        shutil.rmtree(old)


def check_folder(out: Path) -> None:
    """See that a folder holds no results but those of videos, which are made anew.

    Raises:
        ConfigError: a benchmark's, or nobody knows whose.
    """
    if (out / "cells").exists() or (out / "suite.json").exists():
        try:
            mine = read_suite(out).name == VIDEOS
        except DataError:
            mine = False
        if not mine:
            raise ConfigError(f"--out {out}: holds results of a benchmark; name another folder")


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


def _write(out: Path, cell: Cell, speakers: dict[str, str], metrics: dict[str, ClipMetric]) -> Path:
    """Write one cell, and say where."""
    rows = [
        make_row(cell, name, metric, found, speakers[found.clip])
        for name, metric in metrics.items()
        for found in metric.rows()
    ]
    rows.sort(key=lambda row: (row.clip, row.metric))
    cell.protocols = {name: metric.signature for name, metric in metrics.items()}
    cell.rows = len(rows)
    folder = out / "cells" / cell.name
    write_text_aside(folder / "rows.jsonl", text_of(rows))
    write_cell(out, cell)
    return folder
