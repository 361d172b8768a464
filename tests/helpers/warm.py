"""Commands in processes of their own that need not import torch and Lightning anew: forked from one that has.

What is imported beforehand is other people's; the zoo itself every command imports for itself, as users' do.

    python -m tests.helpers.warm

reads a line of JSON for every command from standard input and writes its exit code to standard output.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.helpers.paths import ROOT

IMPORTED = ("torch", "torchvision", "torchaudio", "torchmetrics", "pytorch_lightning", "torch._dynamo", "scipy.signal")

KEPT = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "ATEN_", "ONEDNN_", "LD_", "CUDA_", "TORCH", "PATH")
"""Beginnings of variables that libraries read when they are loaded, so that they cannot change any more."""


class WarmPython:
    """A process that runs commands of the zoo one by one.

    Args:
        environment: of the process; commands may change what is not in :data:`KEPT`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.warm"],
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def can(self, environment: Mapping[str, str]) -> bool:
        """Whether a command with these variables may be forked."""
        changed = dict(environment).items() ^ self.environment.items()
        return not any(name.startswith(KEPT) for name, _ in changed)

    def run(
        self, arguments: Sequence[str], cwd: Path | None, environment: Mapping[str, str], timeout_s: int
    ) -> subprocess.CompletedProcess[str]:
        """``python -m zoo ARGUMENTS``.

        Raises:
            TimeoutExpired: it took too long.
        """
        with TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            job = {"arguments": list(arguments), "cwd": str(cwd or Path.cwd()), "environment": dict(environment)}
            job |= {"out": str(out), "err": str(err), "timeout_s": timeout_s}
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            code = json.loads(self.process.stdout.readline())
            command = ["python", "-m", "zoo", *arguments]
            if code is None:
                raise subprocess.TimeoutExpired(command, timeout_s, out.read_text(), err.read_text())
            return subprocess.CompletedProcess(command, code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve() -> dict[str, Any] | None:
    """Fork for every line; returns a job in the process that is to do it, and nothing where there is no more."""
    for line in sys.stdin:
        job: dict[str, Any] = json.loads(line)
        child = os.fork()
        if not child:
            return job
        print(json.dumps(wait(child, job["timeout_s"])), flush=True)
    return None


def wait(child: int, timeout_s: int) -> int | None:
    """The exit code, negative for a signal; ``None``: it took too long and was ended."""
    late: list[bool] = []

    def end(*_: object) -> None:
        os.killpg(child, signal.SIGKILL)
        late.append(True)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(timeout_s)
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    return None if late else os.waitstatus_to_exitcode(status)


def become(job: dict[str, Any]) -> None:
    """Be ``python -m zoo`` with these arguments."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["environment"])
    written = os.O_WRONLY | os.O_CREAT
    for number, (path, flags) in enumerate(((os.devnull, os.O_RDONLY), (job["out"], written), (job["err"], written))):
        file = os.open(path, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.path[0] = job["cwd"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.argv = ["zoo", *job["arguments"]]
    code: Any = 0
    try:
        runpy.run_module("zoo", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of libraries that were not forked could not be joined


def main() -> None:
    """See the module's docstring."""
    for name in IMPORTED:
        __import__(name)
    job = serve()
    if job is not None:
        become(job)


if __name__ == "__main__":
    main()
