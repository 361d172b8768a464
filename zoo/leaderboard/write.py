"""Makes the leaderboard's texts and writes its files."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from pathlib import Path

from zoo.leaderboard.board import build
from zoo.leaderboard.page import page
from zoo.leaderboard.records import Leaderboard
from zoo.leaderboard.table import Table
from zoo.leaderboard.terminal import show
from zoo.leaderboard.text import csv_text, json_text, markdown
from zoo.support.files import write_text_aside


def write_leaderboard(
    folder: Path, sort: str | None = None, made: tuple[Leaderboard, Table] | None = None
) -> list[Path]:
    """Write ``leaderboard.md``, ``leaderboard.json``, ``leaderboard.csv`` and ``index.html`` from the rows.

    The same rows give the same bytes.

    Args:
        folder: what ``zoo benchmark`` wrote.
        sort: metric that orders the lines.
        made: what :func:`~zoo.leaderboard.board.build` made of the folder, so that its rows are not read again.

    Returns:
        The files.

    Raises:
        DataError: the folder holds no results, or they cannot be read.
        UnknownNameError: the suite has no such metric.
    """
    board, table = made or build(folder, sort)
    texts = {
        "leaderboard.md": markdown(board),
        "leaderboard.json": json_text(board),
        "leaderboard.csv": csv_text(board),
        "index.html": page(board, table),
    }
    for name, text in texts.items():
        write_text_aside(folder / name, text)
    return [folder / name for name in texts]


def text(
    folder: Path,
    form: str,
    sort: str | None = None,
    out: Path | None = None,
    made: tuple[Leaderboard, Table] | None = None,
) -> str:
    """The leaderboard in one form: ``table``, ``markdown``, ``json``, ``csv`` or ``html``.

    Args:
        folder: what ``zoo benchmark`` wrote.
        form: which.
        sort: metric that orders the lines.
        out: where a page will lie, so that it finds the videos.
        made: as for :func:`write_leaderboard`.
    """
    board, table = made or build(folder, sort)
    if form == "html":
        near = folder.resolve() if out is None else out.resolve().parent
        return page(board, table, videos=Path(os.path.relpath(folder.resolve(), near)).as_posix())
    if form == "table":
        shown = io.StringIO()
        with redirect_stdout(shown):
            show(board)
        return shown.getvalue()
    return {"markdown": markdown, "json": json_text, "csv": csv_text}[form](board)
