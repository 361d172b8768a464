"""Fitting methods under the suite's budget: several at a time, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import yaml

from zoo.benchmark.checkpoints import Fit, Weights
from zoo.benchmark.child import COMMAND
from zoo.benchmark.idle import IDLE_S, wait_unless_idle
from zoo.benchmark.pool import KILL_S, child_environment, kill, last_words
from zoo.support.errors import ZooError
from zoo.support.files import write_text_aside
from zoo.support.locks import is_locked
from zoo.support.processes import death
from zoo.training import past_run, runs


class FitError(ZooError):
    """A fit that failed."""


def run_fits(
    fits: Mapping[str, Weights],
    at_once: int,
    devices: Sequence[str],
    *,
    ended: Callable[[str, str], None],
) -> None:
    """Fit what has no weights yet.

    A fit takes one thread and a number of steps, or what the suite's ``budget.settings.trainer`` says: then the weights
    do not depend on how many are fitted at a time.

    Args:
        fits: by subject.
        at_once: how many at a time.
        devices: by turns.
        ended: called with the subject and why it failed, or nothing.
    """
    running = _Running()
    with ThreadPoolExecutor(max(1, at_once)) as threads:
        tasks = {
            threads.submit(_fit, weights.fit, devices[number % len(devices)], running): name
            for number, (name, weights) in enumerate(fits.items())
            if weights.fit is not None
        }
        try:
            for task in as_completed(tasks):
                error = task.exception()
                if error is not None and not isinstance(error, FitError):
                    raise error
                ended(tasks[task], str(error or ""))
        except BaseException:
            running.stop()
            threads.shutdown(cancel_futures=True)
            raise


class _Running:
    """The processes that are at work, so that they can be ended."""

    def __init__(self) -> None:
        self.lock, self.processes, self.stopped = threading.Lock(), set[subprocess.Popen[str]](), False

    def start(self, command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
        with self.lock, log.open("a") as file:
            if self.stopped:
                raise FitError("stopped")
            popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # its end tells the process that we are gone
                stdout=file,
                stderr=file,
                text=True,
                env=environment,
                start_new_session=True,
            )
            self.processes.add(popen)
            return popen

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for popen in self.processes:
                kill(popen)


def _fit(fit: Fit, device: str, running: _Running) -> None:
    """Fit one; where an earlier attempt left a checkpoint it goes on from there."""
    fit.folder.mkdir(parents=True, exist_ok=True)
    write_text_aside(fit.folder.parent / ".gitignore", "*\n")
    write_text_aside(fit.folder / "fit.yaml", yaml.safe_dump(fit.settings, sort_keys=False))
    log = fit.folder / "fit.log"
    environment = child_environment()
    if device.startswith("cuda:"):
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        number = int(device.removeprefix("cuda:"))
        environment["CUDA_VISIBLE_DEVICES"] = visible[number] if visible != [""] else str(number)
    command = [*COMMAND, "fit", fit.method, "--config", str(fit.folder / "fit.yaml")]
    command += ["--with-requirements", "--requirements", str(fit.folder.parent)]
    interrupted = any(map(runs.checkpoints, fit.folder.glob("*/*/*")))
    for extra in [["--resume", "last"], []] if interrupted else [[]]:
        if not extra:  # what an attempt left that cannot be gone on from
            for run in fit.folder.glob("*/*/*"):
                _remove(run, fit.folder)
        popen = running.start([*command, *extra], log, environment)
        ended = wait_unless_idle(popen)
        if ended is None:
            kill(popen, wait=KILL_S)
            raise FitError(f"its fit used no processor for {IDLE_S:.0f} s and was ended; see {log}")
        code = ended
        if code == 0 and fit.weights() is not None:
            return
        if why := _divergence(fit.folder):  # the same steps would end the same way
            raise FitError(f"its fit diverged: {why}; see {log}")
    raise FitError(f"its fit failed ({death(code)}{last_words(log)}; see {log})")


def _divergence(folder: Path) -> str:
    """Why the last fit in a folder diverged; empty where it did not."""
    newest = sorted(folder.glob("*/*/*/run.json"))[-1:]
    return next((past_run.read_facts(path.parent).get("diverged") or "" for path in newest), "")


def _remove(run: Path, folder: Path) -> None:
    """Remove a run below a folder; not through a link, which a stranger's results may hold, and not under a process.

    Raises:
        FitError: it may not be removed.
    """
    if run.is_symlink() or run.resolve() != folder.resolve() / run.relative_to(folder):
        raise FitError(f"{run} is reached through a link, which is not followed; remove it")
    if is_locked(runs.lock_file(run)):
        raise FitError(f"{run}: another process trains this run")
    shutil.rmtree(run) if run.is_dir() else run.unlink()
