"""A small store, weights of a toy method, and one results folder that many tests read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from tests.benchmark.small import FEW, HERE, Few, Run, in_process, toy_weights
from tests.helpers.paths import FOREIGN
from zoo import registry
from zoo.benchmark.plan import Plan, make_plan
from zoo.benchmark.run import BenchmarkResult, Workers, execute
from zoo.benchmark.suite import find_suite
from zoo.benchmark.suite_set import SuiteSet
from zoo.data.prepare import prepare


@pytest.fixture(scope="session", autouse=True)
def toy_environment() -> Iterator[None]:
    """The toy method is registered, here and in every process that is started."""
    folder = str(FOREIGN)
    kept = {name: os.environ.get(name) for name in ("ZOO_PLUGINS", "PYTHONPATH", "WANDB_MODE")}
    os.environ["ZOO_PLUGINS"] = "toy=toy:SPEC"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, kept["PYTHONPATH"]]))
    os.environ["WANDB_MODE"] = "offline"
    sys.path.insert(0, folder)
    registry.refresh()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    sys.path.remove(folder)
    for name, value in kept.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value
    registry.refresh()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of :class:`Few`."""
    path = tmp_path_factory.mktemp("bench") / "store"
    prepare(Few(clips=40, speakers=20, frames=42), path, dataset="synthgrid", splits=("by-speaker",))
    return path


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the toy."""
    return toy_weights(tmp_path_factory.mktemp("weights") / "toy.safetensors")


@pytest.fixture(scope="session")
def benchmark(store: Path, weights: Path) -> Run:
    """Run a small benchmark in this process: ``benchmark(out, "test_clips=2", ckpt=PATH)``."""

    def run(
        out: Path,
        *settings: str,
        ckpt: Path | None = weights,
        methods: Sequence[str] = ("toy",),
        workers: Workers = HERE,
    ) -> tuple[Plan, BenchmarkResult]:
        suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, *settings]))
        given = {"toy": ckpt} if ckpt is not None and "toy" in methods else {}
        plan = make_plan(suite_set, methods, out, given=given)
        with pytest.MonkeyPatch.context() as patch:
            if workers is HERE:
                patch.setattr("zoo.benchmark.run.run_pool", in_process)
            return plan, execute(suite_set, plan, workers, show=False)

    return run


@pytest.fixture(scope="session")
def results(benchmark: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished results folder; nobody changes it."""
    out = tmp_path_factory.mktemp("results") / "benchmark-synth"
    _, outcome = benchmark(out)
    assert outcome.problems == []
    return out


@pytest.fixture
def beside_another_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder holds something else of our name, which no process may take for us."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "zoo.py").write_text("raise RuntimeError('the wrong zoo')\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
