"""The folder of a run, ``runs/<method>/<dataset>/<id>/``: what lies in it and how it is found again."""

from __future__ import annotations

import json
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo import __version__
from zoo.config import Layer, RunConfig, read_layer, to_yaml
from zoo.errors import ConfigError, DataError
from zoo.files import write_text_aside

REPORTED = ("torch", "torchvision", "torchaudio", "pytorch-lightning", "torchmetrics", "dlib-bin", "av", "numpy")
"""Packages whose versions are kept with a run."""


@contextmanager
def new_run(config: RunConfig) -> Iterator[Path]:
    """Choose the folder of a new run. Processes that Lightning starts meanwhile share the first one's choice."""
    chosen = os.environ.get("ZOO_RUN")
    if chosen is not None:
        yield Path(chosen)
        return
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    run = Path(config.out) / config.method.rpartition(":")[2] / config.data.name / name
    os.environ["ZOO_RUN"] = str(run)
    try:
        yield run
    finally:
        # The next run of this process is another one.
        os.environ.pop("ZOO_RUN", None)


def is_first_process() -> bool:
    """Whether this process writes the run's files (the one of rank 0), also before Lightning has started."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return next((os.environ[name] for name in names if name in os.environ), "0") == "0"


def describe(run: Path, config: RunConfig, command: Sequence[str], resumed: str | None) -> None:
    """Write ``config.yaml`` and ``run.json``.

    Raises:
        DataError: the folder cannot be written.
    """
    facts = {
        "method": config.method,
        "dataset": config.data.name,
        "seed": config.seed,
        "command": list(command),
        "resumed_from": resumed,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "zoo": __version__,
        "git": git_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions(REPORTED),
    }
    try:
        write_text_aside(run / "config.yaml", to_yaml(config))
        write_text_aside(run / "run.json", json.dumps(facts, indent=2) + "\n")
    except OSError as error:
        raise DataError(f"{run}: the run's folder cannot be written ({error.strerror})") from error


def update(run: Path, **facts: Any) -> None:
    """Add facts to ``run.json``."""
    path = run / "run.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    write_text_aside(path, json.dumps(known | facts, indent=2) + "\n")


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions; packages that are missing are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """The commit of the source tree the zoo runs from, with ``+`` where files were changed; ``None`` outside git."""
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def find_checkpoint(out: str, method: str, dataset: str, resume: str) -> Path:
    """The checkpoint that ``--resume`` means.

    Args:
        out: folder of runs.
        method: its name.
        dataset: its name.
        resume: ``last`` (the newest run of this method and data set), a run's folder, or a checkpoint.

    Raises:
        DataError: there is none.
    """
    if resume != "last":
        path = Path(resume)
        path = path / "checkpoints" / "last.ckpt" if path.is_dir() else path
        if not path.is_file():
            raise DataError(f"{path}: no such checkpoint")
        return path
    folder = Path(out) / method.rpartition(":")[2] / dataset
    found = sorted(folder.glob("*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise DataError(f"{folder}: no run to resume; start one with `zoo fit {method} data={dataset}`")
    return found[-1]


def saved_config(checkpoint: Path) -> tuple[Path, Layer]:
    """The run's folder that a checkpoint lies in, and the settings it was made with.

    Raises:
        ConfigError: there is no config.yaml beside it, or one that cannot be read.
    """
    run = checkpoint.resolve().parent.parent
    path = run / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{path}: not found; a run is resumed from its own folder")
    return run, read_layer(path)


def command_line() -> list[str]:
    """What was typed, with the program's bare name."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
