"""The folder of a run, ``runs/<method>/<dataset>/<id>/``: what lies in it and how it is found again."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo import __version__
from zoo.registry.config import Layer, RunConfig, read_layer, to_yaml
from zoo.support.errors import ConfigError, DataError
from zoo.support.files import remove_leftovers, write_text_aside, zip_damage
from zoo.support.locks import is_locked, locked
from zoo.support.printable import say

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
        write_text_aside(run / "config.yaml", to_yaml(config), durable=True)
        write_text_aside(run / "run.json", json.dumps(facts, indent=2) + "\n", durable=True)
    except OSError as error:
        raise DataError(f"{run}: the run's folder cannot be written ({error.strerror})") from error


def update(run: Path, **facts: Any) -> None:
    """Add facts to ``run.json``; one that is damaged is begun anew."""
    try:
        known = read_facts(run)
    except DataError as error:
        say(f"{error}; it is written anew", file=sys.stderr)
        known = {}
    write_text_aside(run / "run.json", json.dumps(known | facts, indent=2) + "\n", durable=True)


def read_facts(run: Path) -> dict[str, Any]:
    """What ``run.json`` says; nothing where there is none.

    Raises:
        DataError: it is damaged, or something in it is of another type than it should be.
    """
    path = run / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged, or something else ({type(error).__name__})") from error
    if not isinstance(facts, dict):
        raise DataError(f"{path}: holds a {type(facts).__name__}, not the facts of a run")
    for name, kinds in _FACTS.items():
        if name in facts and (not isinstance(facts[name], kinds) or isinstance(facts[name], bool)):
            raise DataError(f"{path}: {name} is a {type(facts[name]).__name__}")
    return facts


_FACTS: dict[str, tuple[type, ...]] = {
    "method": (str,),
    "dataset": (str,),
    "seed": (int,),
    "steps": (int,),
    "seconds": (int, float),
    "summary": (dict,),
    "diverged": (str,),
}
"""Types of what is read of a run again."""


def lock_file(run: Path) -> Path:
    """What whoever trains a run holds the lock of."""
    return run / ".lock"


@contextmanager
def owned(run: Path) -> Iterator[None]:
    """Keep others from going on with a run while this one trains; of several processes the first does it for all.

    Raises:
        DataError: another process trains it.
    """
    if not is_first_process():
        yield
        return
    with locked(lock_file(run), f"{run}: another process trains this run; wait for it, or start a run of its own"):
        remove_leftovers(run)
        yield


@contextmanager
def begun(run: Path) -> Iterator[None]:
    """Make the folder of a new run, and own it (:func:`owned`).

    Raises:
        DataError: it cannot be made.
    """
    with ExitStack() as stack:
        try:
            run.mkdir(parents=True, exist_ok=True)
            stack.enter_context(owned(run))
        except OSError as error:
            raise DataError(f"{run}: the run's folder cannot be written ({error.strerror})") from error
        yield


def remove_unbegun(folder: Path) -> None:
    """Remove runs that were killed while they made their folder: it says nothing of them, and nobody holds its lock.

    Of those that were killed before their first checkpoint, what they had written of it goes; the rest is their record.

    Args:
        folder: of runs; it need not be there.
    """
    for lock in folder.glob("*/.lock"):
        run = lock.parent
        if is_locked(lock) or list(run.glob("checkpoints/[!.]*")):
            continue
        if (run / "run.json").exists():
            remove_leftovers(run)
        else:
            shutil.rmtree(run, ignore_errors=True)


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
    """The checkpoint that ``--resume`` means: the newest that is whole, and a line about any that is not.

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
        found = checkpoints(path) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise DataError(f"{found[0] if found else path / 'checkpoints' / 'last.ckpt'}: no such checkpoint")
        return _first_whole(found) if path.is_dir() else path
    folder = Path(out) / method.rpartition(":")[2] / dataset
    runs = [known for run in folder.glob("*") if (known := checkpoints(run))]
    runs.sort(key=lambda known: max(path.stat().st_mtime for path in known), reverse=True)
    if not runs:
        raise DataError(f"{folder}: no run to resume; start one with `zoo fit {method} data={dataset}`")
    return _first_whole([path for known in runs for path in known])


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run that it can go on from, the one that goes on best first."""
    folder = run / "checkpoints"
    return [path for path in (folder / "last.ckpt", folder / "best.ckpt") if path.is_file()]


def _first_whole(found: Sequence[Path]) -> Path:
    """The first that is whole; of none that is, the first, whose reader will say what is wrong."""
    damaged: dict[Path, str] = {}
    for path in found:
        problem = zip_damage(path, "data.pkl")
        if not problem:
            if is_first_process():
                for other, why in damaged.items():
                    say(f"{other}: {why}; going on from {path}", file=sys.stderr)
            return path
        damaged[path] = problem
    return found[0]


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
