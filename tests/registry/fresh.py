"""Fresh environments with real packages in them, and command lines that run there one after another in one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DRIVER = """
import contextlib, glob, io, json, sys, traceback
from zoo.cli.main import run

def one(arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run([part for text in arguments for part in (glob.glob(text) if "*" in text else [text])])
        except SystemExit as stop:
            code = stop.code
        except Exception:
            traceback.print_exc()
            code = "raised"
    return {"code": code or 0, "out": out.getvalue(), "err": err.getvalue(), "modules": sorted(sys.modules)}

found = [one(arguments) for arguments in json.loads(sys.argv[1])]
print("\\n" + json.dumps(found))
"""


@dataclass(frozen=True)
class Done:
    """What came of one command line."""

    code: int | str
    out: str
    err: str
    modules: set[str]


def zoo_lines(
    lines: Sequence[Sequence[str]], environment: Mapping[str, str], python: str | Path = sys.executable, **where: Path
) -> list[Done]:
    """Run command lines of ``zoo`` in one process; ``*`` in an argument is spelled out as a shell would."""
    done = subprocess.run(
        [str(python), "-c", DRIVER, json.dumps([list(map(str, line)) for line in lines])],
        env=dict(environment), capture_output=True, text=True, timeout=600, check=False, **where,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return [Done(item["code"], item["out"], item["err"], set(item["modules"])) for item in found]


@dataclass(frozen=True)
class Fresh:
    """A virtual environment of its own that sees the packages of the one the tests run in."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def make(cls, folder: Path, environment: Mapping[str, str]) -> Fresh:
        """Make it; it has no pip of its own, which saves seconds."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        made = cls(folder, {**environment, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"})
        site = made.run("import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        seen = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (Path(site) / "the_tests_own.pth").write_text(seen)
        return made

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def run(self, script: str) -> str:
        """The output of a script."""
        return subprocess.run(
            [str(self.python), "-c", script], env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def pip_install(self, *what: str | Path, cwd: Path | None = None) -> None:
        """``pip install`` without looking for anything on the network."""
        flags = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
        command = [str(self.python), "-m", "pip", "install", *flags, *map(str, what)]
        done = subprocess.run(command, env=self.environment, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def zoo(self, *lines: Sequence[str], cwd: Path) -> list[Done]:
        """Command lines of ``zoo``, in one process."""
        return zoo_lines(lines, self.environment, self.python, cwd=cwd)
