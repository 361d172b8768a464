"""Whether modules are light: each is imported in a process of its own, in which nothing heavy was imported before."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass

from zoo.registry import HEAVY
from zoo.registry.spec import load_object, reason

LONGEST_S = 0.5
"""Seconds of CPU time that importing a spec may take: `zoo list` imports those of all plugins."""


@dataclass(frozen=True)
class Import:
    """What importing one object did.

    Attributes:
        target: ``"package.module:attribute"``.
        heavy: packages of :data:`zoo.registry.HEAVY` that it imported.
        printed: the beginning of what it wrote.
        error: why it could not be imported; empty where it could.
        seconds: of CPU time.
    """

    target: str
    heavy: tuple[str, ...]
    printed: str
    error: str
    seconds: float


def look(targets: Sequence[str]) -> dict[str, Import]:
    """Import each target in a fresh process; one Python is started for all of them, and forks for each."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from zoo.testing.light import answer; answer()"],
        input=json.dumps(list(targets)), env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"specs cannot be looked at: {done.stderr.strip()[-500:]}")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["target"]: Import(**row | {"heavy": tuple(row["heavy"])}) for row in found}


def answer() -> None:
    """The other side of :func:`look`: targets from standard input as JSON, a line of JSON for each."""
    for target in json.load(sys.stdin):
        print(json.dumps(asdict(_in_a_fork(target))), flush=True)


def _in_a_fork(target: str) -> Import:
    results, results_in = os.pipe()
    child = os.fork()
    if not child:
        os.close(results)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # standard output is the answer's alone
        try:
            os.write(results_in, json.dumps(asdict(_import(target))).encode())
        finally:
            os._exit(0)
    os.close(results_in)
    with os.fdopen(results) as file:
        text = file.read()
    os.waitpid(child, 0)
    found = json.loads(text) if text else asdict(Import(target, (), "", "it ended the process", 0.0))
    return Import(**found | {"heavy": tuple(found["heavy"])})


def _import(target: str) -> Import:
    start, error, printed = time.process_time(), "", io.StringIO()
    with redirect_stderr(printed):  # which is where `load_object` sends what is printed
        try:
            load_object(target)
        except (Exception, SystemExit) as problem:
            error = reason(problem)
    heavy = tuple(name for name in HEAVY if name in sys.modules)
    return Import(target, heavy, printed.getvalue()[:200], error, round(time.process_time() - start, 3))
