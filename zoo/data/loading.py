"""Processes that load data: whether there is room for what they send, and their ends told in one line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from zoo.media.clip import NUM_LANDMARKS
from zoo.registry.spec import InputSpec
from zoo.support.errors import DataError

SHARED_MEMORY = "/dev/shm"
"""Where torch puts the batches that a loading process sends."""

IN_FLIGHT = 3
"""Batches per process that lie there at once: torch asks for two ahead, and one is being used."""

PATIENCE_S = 600
"""Seconds without a batch after which the loading processes count as hanging."""


def batch_bytes(spec: InputSpec, stills: int, batch_size: int, frames: int, samples: int, numbers: int = 0) -> int:
    """Size of a batch as it is sent between processes.

    Args:
        spec: how windows are cut.
        stills: reference frames of each window.
        batch_size: windows.
        frames: in each window.
        samples: of sound in each window.
        numbers: of each frame in further arrays.
    """
    height, width = spec.size if spec.pictures else (0, 0)
    frame = 3 * height * width + NUM_LANDMARKS * 2 * 4
    return batch_size * ((frames + stills) * frame + frames * numbers * 4 + samples * 4)


def share_by_name(_: int = 0) -> None:
    """In a loading process: pass batches on as names of files in the shared memory, not as open files.

    To get an open file the training process must ask the loading process for it, and where that was stopped or killed
    meanwhile it would wait for ever, whatever limit of time is set.
    """
    torch.multiprocessing.set_sharing_strategy("file_system")  # type: ignore[no-untyped-call]


def check_shared_memory(need: int, workers: int) -> None:
    """Refuse to start loading processes that would fill the shared memory: torch would wait for them for ever.

    Args:
        need: bytes that are to be there at once.
        workers: processes.

    Raises:
        DataError: there is less room; the message says what to do.
    """
    try:
        status = os.statvfs(SHARED_MEMORY)
    except OSError:  # not on this system
        return
    free = status.f_bavail * status.f_frsize
    if need > free:
        raise DataError(
            f"{SHARED_MEMORY} has {_size(free)} of shared memory left, {workers} loading processes need about "
            f"{_size(need)}: set data.num_workers=0, or a smaller data.batch_size, or give a container more "
            f"(docker run --shm-size={-(-2 * need >> 20)}m)"
        )


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MB" if count < 2**30 else f"{count / 2**30:.1f} GB"


@contextmanager
def loader_errors() -> Iterator[None]:
    """Tell in one line what ended a loading process; those that are left end too, or they would be waited for.

    Raises:
        DataError: a loading process was killed, does not answer any more, or met damaged data.
    """
    try:
        yield
    except (DataError, RuntimeError) as error:
        reason = _reason(error)
        if not reason:
            raise
        _end_processes()
        raise DataError(reason) from error


def _end_processes() -> None:
    """End what loading processes there are, stopped ones too, which no other signal reaches."""
    if threading.current_thread() is threading.main_thread():
        # torch's handler would raise once more for each of them, wherever the program is by then.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()
            process.join()


def _reason(error: Exception) -> str:
    """What happened in a loading process; empty where it happened elsewhere."""
    text = str(error)
    if isinstance(error, DataError):
        own = f"{DataError.__module__}.{DataError.__name__}: "
        return text.rpartition(own)[2].strip() if text.startswith("Caught ") and own in text else ""
    way_out = "set data.num_workers=0, or fewer"
    if "DataLoader timed out" in text:
        return f"no batch came from the loading processes for {PATIENCE_S} s, they hang; {way_out}"
    if "DataLoader worker" in text and ("killed by signal" in text or "exited unexpectedly" in text):
        memory = " (is the memory full, or /dev/shm?)"
        return f"a process that loads data was ended from outside{memory}; what was saved is kept; {way_out}"
    return ""
