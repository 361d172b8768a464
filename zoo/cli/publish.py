"""The arguments ``--wandb`` and ``--wandb-project``, and what they do once the results are on disk."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.support.printable import say

if TYPE_CHECKING:
    from zoo.leaderboard.records import Leaderboard
    from zoo.leaderboard.table import Table


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--wandb", action="store_true", help="send the results to W&B, too (WANDB_MODE=offline keeps them on this disk)"
    )
    parser.add_argument(
        "--wandb-project", metavar="NAME", help="of W&B, with --wandb (default: talking-face-zoo)"
    )  # the default is zoo.leaderboard.publish.PROJECT


def chosen(args: argparse.Namespace) -> str | None:
    """Name of the W&B project; ``None`` where nothing is to be sent.

    Raises:
        ConfigError: a project without ``--wandb``.
        ZooError: there is no account to send it to.
    """
    from zoo.support.errors import ConfigError

    if not args.wandb:
        if args.wandb_project is not None:
            raise ConfigError("--wandb-project: say --wandb, too")
        return None
    from zoo.leaderboard.publish import PROJECT, check_account

    check_account()
    return args.wandb_project or PROJECT


def send(
    folder: Path,
    project: str,
    cells: Collection[str] | None = None,
    made: tuple[Leaderboard, Table] | None = None,
) -> None:
    """Publish a results folder, of which ``made`` is what was built, and say where.

    Raises:
        ZooError: it could not be sent; the folder is as it was.
    """
    from zoo.leaderboard.publish import publish
    from zoo.support.errors import ZooError

    try:
        sent = publish(folder, project, cells, made)
    except ZooError as error:
        again = f"zoo leaderboard {folder} --wandb"
        raise ZooError(f"{error}; the results are safe in {folder}; send them with `{again}`") from error
    if sent is not None:
        say(sent.text, file=sys.stderr)
