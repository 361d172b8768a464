"""The one place that decides whether a file of a results folder lies in it: somebody else may have made the folder."""

from __future__ import annotations

from pathlib import Path

from zoo.support.errors import DataError


def inside(folder: Path, path: Path) -> Path:
    """``path``, once it is sure that neither ``..`` nor a link leads from it out of ``folder``.

    Args:
        folder: of results; may itself be a link.
        path: below it; need not exist.

    Raises:
        DataError: it leads out of the folder, or is no path.
    """
    try:
        leads_out = not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a zero byte in a name
        raise DataError(f"{path}: no path to a file ({error})") from error
    if leads_out:
        raise DataError(f"{path}: leads out of {folder}, and nothing outside belongs to its results")
    return path


def read_inside(folder: Path, path: Path) -> bytes:
    """The content of a regular file of a results folder.

    Raises:
        DataError: see :func:`inside`; or it is no regular file, such as a pipe that never ends.
        OSError: it is not there or cannot be read.
    """
    if inside(folder, path).exists() and not path.is_file():
        raise DataError(f"{path}: is no regular file")
    return path.read_bytes()
