"""Sends a finished results folder to W&B: a run for every cell and one with the whole leaderboard, in one group."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.evaluation.resampling import Resampling
from zoo.evaluation.results import Cell, video_name
from zoo.leaderboard.board import build, make_entry, make_score
from zoo.leaderboard.page import page
from zoo.leaderboard.records import Board, Column, Entry, Leaderboard, Score
from zoo.leaderboard.statistics import Sample
from zoo.leaderboard.table import NO_ROWS, Table
from zoo.leaderboard.text import count, csv_text, heading, json_text, markdown
from zoo.support.errors import ZooError
from zoo.support.inside import inside, read_inside
from zoo.training.runs import is_first_process

if TYPE_CHECKING:
    import wandb

PROJECT = "talking-face-zoo"
"""W&B project where none is named."""

VIDEOS = 4
"""So many sample videos of every cell, of the same clips in all of them."""

BINS = 32
"""At most so many bars of the distribution of a metric over clips."""

ABOUT = ("track", "method", "kind", "shown", "seeds", "parameters", "fps", "rtf", "training", "trained on", "status")
"""What stands before the metrics in the table ``leaderboard``."""

ACCOUNT = "no W&B account: run `wandb login`, or set WANDB_API_KEY, or WANDB_MODE=offline to keep it on this disk"


@dataclass(frozen=True)
class Published:
    """What was sent.

    Attributes:
        group: of all the runs.
        ids: of the runs, by the names of the cells, and of ``leaderboard``.
        where: to look, or how to send it later.
    """

    group: str
    ids: dict[str, str]
    where: str

    @property
    def text(self) -> str:
        """All of it in one line."""
        return f"W&B: {count(len(self.ids), 'run')} in group {self.group}: {self.where}"


def check_account() -> None:
    """See that W&B can be written to, or is offline, without asking anybody or anything.

    Raises:
        ZooError: there is no key, or W&B's own settings cannot be used.
    """
    with _one_line():
        import wandb

        settings = wandb.setup(settings=_settings()).settings
        online = settings.mode not in ("offline", "dryrun", "disabled")
        if online and not wandb.login(prompt=False, verify=False):
            raise ZooError(ACCOUNT)


def publish(
    folder: Path,
    project: str = PROJECT,
    cells: Collection[str] | None = None,
    made: tuple[Leaderboard, Table] | None = None,
) -> Published | None:
    """Send what lies in a results folder. The same cells go on in the same runs.

    A cell that was never given weights has no run; the notes of the leaderboard name it.

    Args:
        folder: what ``zoo benchmark`` wrote; nothing of it is changed.
        project: of W&B.
        cells: names of those whose runs are wanted; all where not given. The leaderboard always holds all.
        made: what :func:`~zoo.leaderboard.board.build` made of the folder, so that its rows are not read again.

    Returns:
        What was sent; ``None`` on all processes but the first.

    Raises:
        DataError: the folder cannot be read.
        ZooError: W&B could not be written to.
    """
    if not is_first_process():
        return None
    board, table = made or build(folder)
    check_account()
    group = group_of(folder)
    resampling = Resampling(table.speakers)
    ids = {}
    with _one_line():
        for cell in table.cells.values():
            if cell.key and (cells is None or cell.name in cells):
                with _run(folder, project, group, cell.name, cell.key) as run:
                    _send_cell(run, table, cell, resampling)
                ids[cell.name] = run.id
        with _run(folder, project, group, "leaderboard", "") as run:
            _send_leaderboard(run, board, table, group)
        ids["leaderboard"] = run.id
    return Published(group, ids, _where(run))


def _where(run: wandb.Run) -> str:
    if run.disabled:
        return "nothing was sent, W&B is disabled"
    if run.offline:
        return f"offline; send them with `wandb sync {Path(run.dir).parents[1]}/offline-run-*`"
    return str(run.project_url)


def group_of(folder: Path) -> str:
    """Name of the group: the folder's, and a digest of the suite as it was run."""
    digest = hashlib.sha256(read_inside(folder, folder / "suite.json")).hexdigest()[:8]
    return f"{folder.resolve().name[:100]}-{digest}"


def run_id(group: str, name: str, key: str) -> str:
    """Id of a run: the same whenever the same cell is sent again; other rows (:attr:`Cell.key`) are another run."""
    return hashlib.sha256("\n".join((group, name, key)).encode()).hexdigest()[:16]


@contextmanager
def _one_line() -> Iterator[None]:
    """Whatever W&B raises is told in one line."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(f"W&B: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def _settings() -> wandb.Settings:
    """Nothing is printed, and W&B does not look at the machine and its files itself: the cells say what matters."""
    import wandb

    return wandb.Settings(
        silent=True, console="off", disable_code=True, disable_git=True, x_disable_meta=True, x_disable_stats=True
    )


@contextmanager
def _run(folder: Path, project: str, group: str, name: str, key: str) -> Iterator[wandb.Run]:
    import wandb

    run = wandb.init(
        project=project,
        group=group,
        name=name,
        id=run_id(group, name, key),
        job_type="benchmark" if key else "leaderboard",
        resume="allow",
        reinit="create_new",  # a run that the caller has open stays as it is
        dir=os.environ.get("WANDB_DIR") or inside(folder, folder / "wandb").parent,
        settings=_settings(),
    )
    try:
        yield run
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


def _send_cell(run: wandb.Run, table: Table, cell: Cell, resampling: Resampling) -> None:
    """One cell: what it is, its scores, the clips one by one, their distribution, and some of its videos."""
    import wandb

    line = make_entry(cell.name, [cell])
    run.config.update(_facts(table, cell), allow_val_change=True)  # type: ignore[no-untyped-call]
    summary: dict[str, Any] = {
        "status": cell.status,
        "reason": cell.reason,
        "failures": [f"{item.clip} {item.metric}: {item.reason}" for item in cell.failures],
        "fps": line.fps,
        "rtf": line.rtf,
    }
    logged: dict[str, Any] = {"clips": _clips(table, cell)}
    for metric in table.suite.metrics:
        values = table.values.get((cell.name, metric.name))
        if values is None:
            continue
        column = Column(metric.name, metric.summary, metric.unit, metric.better, metric.reduce, NO_ROWS)
        score = make_score(Sample(metric, [values]), table, [cell], column, resampling)
        summary |= {f"{metric.name}/{name}": value for name, value in _numbers(score).items()}
        summary[f"{metric.name}/protocol"] = score.protocol
        if score.value is not None:
            # In the history, too: W&B draws what stands there, cell beside cell.
            logged[f"{metric.name}/value"] = score.value
            seen = values.value[values.seen]
            logged[f"{metric.name}/clips"] = wandb.Histogram(seen.tolist(), num_bins=min(BINS, max(4, len(seen))))
    run.log(logged | _videos(table, cell))
    run.summary.update(summary)


def _facts(table: Table, cell: Cell) -> dict[str, Any]:
    """What a cell is, for W&B's filters."""
    suite = table.suite
    about = ("method", "kind", "track", "seed", "summary", "dist", "shown", "checkpoint", "source", "parameters",
             "training", "trained_on", "device", "made", "key")  # fmt: skip
    return {
        "suite": suite.name,
        "dataset": suite.dataset,
        "split": suite.split,
        "speaker_dependent": suite.speaker_dependent,
        "data": cell.data,
        **{name: getattr(cell, name) for name in about},
    }


def _numbers(score: Score) -> dict[str, float | None]:
    return {
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "n": score.clips,
        "coverage": score.coverage,
    }


def _clips(table: Table, cell: Cell) -> wandb.Table:
    """A line for every clip with its values, and why some are missing."""
    import wandb

    found = {
        metric.name: table.values[cell.name, metric.name]
        for metric in table.suite.metrics
        if (cell.name, metric.name) in table.values
    }
    lines = []
    for place, (clip, speaker) in enumerate(zip(table.clips, table.speakers, strict=True)):
        values = [float(item.value[place]) if item.seen[place] else None for item in found.values()]
        reasons = [f"{name}: {item.reasons[place]}" for name, item in found.items() if place in item.reasons]
        lines.append([clip, speaker, table.sounds[cell.name].get(place, ""), *values, "; ".join(reasons)])
    return wandb.Table(columns=["clip", "speaker", "sound", *found, "reason"], data=lines)


def _videos(table: Table, cell: Cell) -> dict[str, wandb.Video]:
    """Sample videos as they lie on disk, with their sound."""
    import wandb

    found = {}
    places = np.unique(np.linspace(0, len(table.clips) - 1, VIDEOS).round().astype(int))
    for place in places[: len(table.clips)].tolist():
        name = video_name(table.clips[place])
        path = inside(table.folder, table.folder / "cells" / cell.name / "videos" / name)
        if path.is_file():
            sound = table.sounds[cell.name].get(place)
            caption = f"{cell.name}: {table.clips[place]}" + (f" with the sound of {sound}" if sound else "")
            found[f"sample/{path.stem}"] = wandb.Video(str(path), caption=caption, format="mp4")
    return found


def _send_leaderboard(run: wandb.Run, board: Leaderboard, table: Table, group: str) -> None:
    """The whole table, a plot of all methods for every metric, and the page."""
    import wandb

    suite = table.suite
    facts = {
        name: getattr(board, name)
        for name in ("suite", "title", "dataset", "split", "clips", "speakers", "cross_speaker")
    }
    facts |= {"speaker_dependent": suite.speaker_dependent, "data": suite.data, "settings": suite.settings}
    facts |= {"intervals": board.intervals}
    run.config.update(facts, allow_val_change=True)  # type: ignore[no-untyped-call]
    html = page(board, table)
    logged: dict[str, Any] = {
        "leaderboard": _wide(board),
        "scores": _long(board),
        "page": wandb.Html(io.StringIO(html), inject=False),
    }
    for track in board.tracks:
        logged |= _plots(track)
    run.log(logged)
    run.summary.update({"notes": board.notes})
    artifact = wandb.Artifact(re.sub(r"[^\w.-]", "-", f"leaderboard-{group}"), type="leaderboard")
    texts = {"md": markdown(board), "json": json_text(board), "csv": csv_text(board)}
    for name, text in {"index.html": html, **{f"leaderboard.{kind}": text for kind, text in texts.items()}}.items():
        with artifact.new_file(name, encoding="utf-8") as file:
            file.write(text)
    sent = run.log_artifact(artifact)
    if not run.offline:
        sent.wait()  # an upload that fails is told here and nowhere else


def _wide(board: Leaderboard) -> wandb.Table:
    """A line for every method and reference; of each metric the value, its interval and its place."""
    import wandb

    metrics = list(dict.fromkeys(column.metric for track in board.tracks for column in track.columns))
    columns: list[str | int] = [*ABOUT]
    for metric in metrics:
        columns += [metric, f"{metric} low", f"{metric} high", f"{metric} place"]
    lines = []
    for track, entry in _lines(board):
        about = [track.track, entry.name, entry.kind, entry.shown, len(entry.seeds), entry.parameters, entry.fps]
        about += [entry.rtf, entry.training, entry.trained_on, entry.status]
        for metric in metrics:
            score = entry.scores.get(metric)
            about += [None, None, None, ""] if score is None else [score.value, score.low, score.high, score.state]
        lines.append(about)
    return wandb.Table(columns=columns, data=lines)


def _long(board: Leaderboard) -> wandb.Table:
    """A line for every score, with all that is known of it."""
    import wandb

    names = ["value", "low", "high", "n", "coverage"]
    columns = ["track", "method", "kind", "metric", "better", "unit", *names, "spread", "place", "p", "protocol"]
    lines = []
    for track, entry in _lines(board):
        for column in track.columns:
            if (score := entry.scores.get(column.metric)) is not None:
                about = [track.track, entry.name, entry.kind, column.metric, column.better, column.unit]
                rest = [score.spread, score.state, score.p, score.protocol or column.protocol, score.reason]
                lines.append([*about, *_numbers(score).values(), *rest])
    return wandb.Table(columns=[*columns, "reason"], data=lines)


def _lines(board: Leaderboard) -> Iterator[tuple[Board, Entry]]:
    for track in board.tracks:
        for entry in [*track.methods, *track.references]:
            yield track, entry


def _plots(track: Board) -> dict[str, Any]:
    """For every metric the values of all methods and references as bars."""
    import wandb

    found = {}
    for column in track.columns:
        lines = [
            [entry.name, score.value, score.low, score.high]
            for entry in [*track.methods, *track.references]
            if (score := entry.scores.get(column.metric)) is not None and score.value is not None
        ]
        if lines:
            table = wandb.Table(columns=["method", column.metric, "low", "high"], data=lines)
            title = f"{heading(column)}, {track.track}"
            found[f"{track.track}/{column.metric}"] = wandb.plot.bar(table, "method", column.metric, title)
    return found
