"""Networks that know drawn faces only say so where a suite's faces are real, on the plan and beside the numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmark.small import FEW, Run
from zoo import registry
from zoo.benchmark.plan import make_plan
from zoo.benchmark.suite import find_suite
from zoo.benchmark.suite_set import SuiteSet
from zoo.leaderboard.board import build
from zoo.methods.corpora import Corpus
from zoo.methods.trainable import build as build_module
from zoo.methods.trainable import save_weights

JUDGED = ["metrics=[psnr,sync_acc,cer]"]


@pytest.fixture
def drawn_weights(tmp_path: Path) -> Path:
    """The toy, as it would be after a fit on drawn faces that somebody else published."""
    spec = registry.method("toy")
    module = build_module(spec, spec.settings())
    module.corpora = (Corpus("cartoon", True),)
    save_weights(module, tmp_path / "toy.safetensors")
    return tmp_path / "toy.safetensors"


@pytest.fixture
def filmed(store: Path, tmp_path: Path) -> Path:
    """The small store under the name of a data set of real people."""
    copy = tmp_path / "filmed"
    copy.mkdir()
    (copy / "shards").symlink_to(store / "shards")
    meta = json.loads((store / "store.json").read_text())
    (copy / "store.json").write_text(json.dumps(meta | {"dataset": "grid"}))
    return copy


def test_judges_and_methods_before_real_faces(filmed: Path, drawn_weights: Path, tmp_path: Path):
    suite_set = SuiteSet(find_suite("synth", [f"data.root={filmed}", *FEW, *JUDGED]))
    plan = make_plan(suite_set, ["toy"], tmp_path / "out", given={"toy": drawn_weights})
    sync, reader = plan.suite.remarks
    assert sync.startswith("sync_acc: sync-expert-synthgrid-")
    assert "knows drawn faces only (synthgrid)" in sync
    assert "judges.sync=WEIGHTS" in sync
    assert reader.startswith("cer: lip-reader-synthgrid-")
    (known,) = {planned.cell.training.get("drawn_only") for planned in plan.cells if planned.cell.kind == "method"}
    assert known == "cartoon"


def test_they_say_nothing_before_drawn_ones(store: Path, drawn_weights: Path, tmp_path: Path):
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, *JUDGED]))
    plan = make_plan(suite_set, ["toy"], tmp_path / "out", given={"toy": drawn_weights})
    assert plan.suite.remarks == []
    assert not any("drawn_only" in planned.cell.training for planned in plan.cells)


def test_it_stands_beside_the_numbers(benchmark: Run, filmed: Path, drawn_weights: Path, tmp_path: Path):
    out = tmp_path / "out"
    _, outcome = benchmark(out, f"data.root={filmed}", "metrics=[psnr]", "references=[]", ckpt=drawn_weights)
    assert outcome.problems == []
    assert "toy: its weights know drawn faces only (cartoon); these are not drawn" in build(out)[0].notes
