"""What a plugin must leave alone, watched from outside: other machines, and the state that all code shares."""

from __future__ import annotations

import builtins
import locale
import os
import random
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import PurePath
from typing import Any

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_LOCAL = ("localhost", "", "0.0.0.0", "::", "::1", "ip6-localhost")

_STARTS = {"subprocess.Popen": 1, "os.posix_spawn": 1, "os.exec": 1, "os.system": 0}
"""Events of other programs, with the place of the command line among their arguments."""

_FETCHERS = ("curl", "wget", "aria2c", "ssh", "scp", "sftp", "rsync")
_ADDRESS = re.compile(r"(https?|ftp|s3|gs|ssh|git)://(?!localhost|127\.)|git@")

_watching: list[list[str]] = []


@contextmanager
def no_network(calls: list[str]) -> Iterator[None]:
    """Let nothing reach another machine; whoever tries, or starts a program that would, gets an ``OSError``.

    Args:
        calls: the addresses that were asked for are added to it.
    """
    _install()
    _watching.append(calls)
    try:
        yield
    finally:
        _watching.remove(calls) if calls in _watching else None


@cache
def _install() -> None:
    """Once and for all: Python cannot take an audit hook away again."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    asked = _command(arguments[_STARTS[event]]) if event in _STARTS else _address(event, arguments)
    if asked:
        _watching[-1].append(asked)
        raise OSError(f"zoo.testing lets nothing reach another machine ({asked} was asked for)")


def _address(event: str, arguments: tuple[Any, ...]) -> str:
    """The machine that is asked for; empty for this one."""
    if event in _LOOKUPS:
        host: Any = arguments[0]
    elif event in _CONNECTS:
        host = arguments[1][0] if isinstance(arguments[1], tuple) and arguments[1] else ""  # a path: no network
    else:
        return ""
    host = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
    return "" if host in _LOCAL or host.startswith("127.") or host == _own_name() else host


def _command(line: Any) -> str:
    """A command line that fetches or sends something, or names an address elsewhere; empty for every other."""
    parts = [line] if isinstance(line, (str, bytes, os.PathLike)) else list(line)
    text = " ".join(os.fsdecode(part) for part in parts)
    programs = {PurePath(word.strip("'\"();&|`$")).name for word in text.split()}
    return text[:100] if programs & {*_FETCHERS} or _ADDRESS.search(text) else ""


@cache
def _own_name() -> str:
    return os.uname().nodename


@contextmanager
def watch_state(*, drawing: bool = True) -> Iterator[list[str]]:
    """Tell what the block changes of the state that all code of this process shares.

    Numbers are drawn first, for whoever seeds a generator twice alike leaves it twice alike.

    Args:
        drawing: watch torch's random numbers, too, which building a network uses up and generating must not.

    Yields:
        What was changed, in words; complete when the block has ended.
    """
    import numpy as np
    import torch

    random.random(), np.random.random(), torch.rand(1)
    before, changed = _shared_state(), list[str]()
    yield changed
    after = _shared_state()
    passed = () if drawing else ("torch's random state",)
    changed += [name for name, value in before.items() if after[name] != value and name not in passed]


def _shared_state() -> dict[str, Any]:
    import numpy as np
    import torch

    state = {
        "torch's default dtype": torch.get_default_dtype(),
        "torch's default device": str(torch.get_default_device()),
        "torch's grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "torch's anomaly mode": torch.is_anomaly_enabled(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's deterministic algorithms": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "torch's matmul precision": torch.get_float32_matmul_precision(),
        "torch.backends.cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "Python's random state": random.getstate(),
        "NumPy's random state": _numpy_state(),
        "NumPy's error handling": tuple(sorted(np.geterr().items())),
        "the working folder": os.getcwd(),
        "the environment": dict(os.environ),
        "sys.path": list(sys.path),
        "the recursion limit": sys.getrecursionlimit(),
        "what becomes of uncaught errors": sys.excepthook,
        "print": builtins.print,
        "torch.load": torch.load,
        "torch.save": torch.save,
        "the filters of warnings": tuple(warnings.filters),
        "the locale": locale.setlocale(locale.LC_ALL),
        "torch's random state": torch.get_rng_state().numpy().tobytes(),
        "signal handlers": tuple(signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)),
    }
    if "beartype" in sys.modules:  # which draws from it to decide what of a container it looks at
        del state["Python's random state"]
    return state


def _numpy_state() -> bytes:
    import pickle

    import numpy as np

    return pickle.dumps(np.random.get_state())
