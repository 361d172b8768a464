"""Fixtures that all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

import tests.helpers.shapes  # noqa: F401  first: it checks what is imported after it
from tests.helpers.paths import ROOT
from tests.helpers.tiny import TINY, Zoo
from tests.helpers.warm import WarmPython
from zoo import __version__


@pytest.fixture(scope="session")
def grid_root() -> Path:
    """Folder of real GRID clips: ``$ZOO_GRID_ROOT``, or ``../shared/data/grid`` beside the repository."""
    root = Path(os.environ.get("ZOO_GRID_ROOT", ROOT.parent / "shared" / "data" / "grid"))
    if not root.is_dir():
        message = f"no GRID clips in {root}: set ZOO_GRID_ROOT"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return root


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of commands: a cache of their own, no wandb traffic, one thread."""
    cache = tmp_path_factory.mktemp("cache")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "WANDB_", "PYTEST_"))}
    return {**kept, "ZOO_CACHE": str(cache), "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", "COLUMNS": "160"}


@pytest.fixture(scope="session")
def warm(environment: dict[str, str]) -> Iterator[WarmPython]:
    """A process from which commands are forked: importing torch and Lightning takes longer than most of them."""
    python = WarmPython(environment)
    yield python
    python.close()


@pytest.fixture(scope="session")
def zoo(environment: dict[str, str], warm: WarmPython) -> Zoo:
    """Run the real command line in a process of its own: ``zoo("fit", "lipgan", cwd=...)``."""

    def run(*arguments: str | Path, cwd: Path | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        given, variables = list(map(str, arguments)), {**environment, **extra}
        if warm.can(variables):
            return warm.run(given, cwd, variables, 600)
        command: Sequence[str] = [sys.executable, "-m", "zoo", *given]
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=600, check=False)

    return run


@pytest.fixture(scope="session")
def tiny_store(zoo: Zoo, environment: dict[str, str]) -> Path:
    """A store of six SynthGRID clips, where ``zoo fit`` with :data:`TINY` looks for it."""
    store = Path(environment["ZOO_CACHE"]) / f"synthgrid-{__version__}-6clips-seed0"
    done = zoo("data", "synth", "--clips", "6", "--out", store)
    assert done.returncode == 0, done.stderr
    return store


@pytest.fixture(scope="session")
def tiny_run(zoo: Zoo, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished tiny run of LipGAN: config.yaml, run.json, checkpoints, metrics.csv, samples."""
    folder = tmp_path_factory.mktemp("tiny")
    done = zoo("fit", "lipgan", *TINY, cwd=folder)
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs" / "lipgan" / "synthgrid").iterdir()
    return run


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Thin networks are faster on one thread, by far where other programs use the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """``zoo doctor`` finds room on the disk, whatever else fills the machine that runs the tests."""
    from zoo.cli import checks

    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * 2**30))
