"""Runs ``zoo`` commands in forked copies of a process that has imported everything, and kills them when told."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEMORY = 24 * 2**30
"""Bytes of address space of a command: what asks for more must not take the machine along."""

UNWANTED = ("wandb", "tensorboard", "selenium", "benchmarks", "__m")
"""Modules that are not imported beforehand: they start threads, or are not the command's."""


@dataclass(frozen=True)
class Moment:
    """When to kill: ``delay`` seconds after the start, or after the ``change``-th change of the file system (1 is the
    first).
    """

    delay: float
    change: int = 0


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: exit code, minus the number of a signal, or ``None`` where it took too long.
        out: standard output.
        err: standard error.
        seconds: how long it took.
        changes: every change of the file system below its folder: seconds since the start, and the path.
        modules: what it had imported.
    """

    code: int | None
    out: str
    err: str
    seconds: float
    changes: list[tuple[float, str]] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)

    @property
    def traceback(self) -> bool:
        """Whether it died of something that nobody has foreseen."""
        crashed = self.code is not None and self.code < 0 and self.code != -signal.SIGKILL
        return crashed or "Traceback (most recent call last)" in self.err + self.out


def call(
    arguments: Sequence[str | Path],
    cwd: Path,
    *,
    moment: Moment | None = None,
    limit: float = 120.0,
    prepare: Callable[[], None] | None = None,
) -> Ended:
    """Run ``zoo ARGUMENTS`` in a group of processes of its own.

    Args:
        arguments: of the command.
        cwd: its folder, in which it changes files.
        moment: when to kill the group; ``None``: never.
        limit: seconds after which it counts as hanging.
        prepare: called in the copy before the command.
    """
    logs = cwd.parent / f"{cwd.name}.log"
    logs.mkdir(exist_ok=True)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _child([str(item) for item in arguments], cwd, logs, moment, prepare)
    code = _wait(child, started, limit, moment)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # workers that outlive a kill are the campaign's to end
    facts = logs / "facts.json"
    known = json.loads(facts.read_text()) if facts.is_file() else {}
    facts.unlink(missing_ok=True)
    out, err = ((logs / name).read_text(errors="replace") for name in ("out", "err"))
    return Ended(code, out, err, time.monotonic() - started, **known)


def preload(modules: Sequence[str]) -> None:
    """Import what commands were seen to import, so that copies need not."""
    import torch

    torch.set_num_threads(1)
    for name in modules:
        if not name.startswith(UNWANTED):
            with suppress(Exception):
                importlib.import_module(name)


def _wait(child: int, started: float, limit: float, moment: Moment | None) -> int | None:
    """Wait for the copy, kill it at its moment; the exit code as in :attr:`Ended.code`."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        passed = time.monotonic() - started
        due = moment is not None and not moment.change and passed >= moment.delay
        if due or passed > limit:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGKILL if due else None
        time.sleep(0.002)


def _child(
    arguments: list[str], cwd: Path, logs: Path, moment: Moment | None, prepare: Callable[[], None] | None
) -> None:
    """What the copy does; it never returns."""
    code = 70
    try:
        os.setsid()
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(logs / name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644), number)
        os.chdir(cwd)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        sys.argv = ["zoo", *arguments]
        sys.modules["__main__"] = types.ModuleType("__main__")  # workers must not import the campaign
        multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
        changes = _watch(cwd, moment if moment and moment.change else None)
        if prepare:
            prepare()
        from zoo.cli import main

        code = main.run(arguments)
        if moment is None:
            (logs / "facts.json").write_text(json.dumps({"changes": changes, "modules": sorted(sys.modules)}))
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _watch(cwd: Path, moment: Moment | None) -> list[tuple[float, str]]:
    """Note every change of files below a folder from now on, and kill the group at the moment."""
    changes: list[tuple[float, str]] = []
    started, below = time.monotonic(), str(cwd)

    def kill() -> None:
        time.sleep(moment.delay if moment else 0)
        os.killpg(0, signal.SIGKILL)

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            writes = given[2] & (os.O_WRONLY | os.O_RDWR) if isinstance(given[2], int) else 0
        else:
            writes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
        if not writes or not isinstance(given[0], (str, bytes, Path)):
            return
        path = os.path.join(os.getcwd(), os.fsdecode(given[0]))
        if path.startswith(below):
            changes.append((time.monotonic() - started, path[len(below) + 1 :]))
            if moment and len(changes) == moment.change:
                threading.Thread(target=kill, daemon=True).start()

    sys.addaudithook(hook)
    return changes
