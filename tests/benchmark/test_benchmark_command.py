"""`zoo benchmark` as it is typed: plans, torchrun, fits, submitit, and questions that are wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small import FEW, Run, rows_of

from zoo.benchmark import cluster
from zoo.benchmark.bench import Bench
from zoo.benchmark.plan import make_plan
from zoo.benchmark.results import read_results
from zoo.benchmark.run import Workers
from zoo.benchmark.suite import find_suite
from zoo.cli import main


def test_plan_alone_writes_nothing(store: Path, tmp_path: Path, capsys: Any):
    code = main.run(
        ["benchmark", "--methods", "toy", "--dry-run", "--out", str(tmp_path / "out"), f"data.root={store}", *FEW]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert "toy-seed0-cross" in printed
    assert "fit: 100 s" in printed
    assert "15 clips to generate, 1 fits: about" in printed
    assert "an estimate" in printed
    assert not (tmp_path / "out").exists()


def test_torchrun_gives_the_same_rows(results: Path, store: Path, weights: Path, tmp_path: Path):
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "zoo", "benchmark"]
    done = subprocess.run(
        [sys.executable, *command, "--methods", "toy", "--ckpt", f"toy={weights}", "--out", str(tmp_path), "--json",
         f"data.root={store}", *FEW, "references=[still]"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert {cell["status"] for cell in cells} == {"done"}
    assert rows_of(tmp_path) == {name: text for name, text in rows_of(results).items() if "real" not in name}
    assert (tmp_path / "leaderboard.json").is_file()


def test_fits_under_the_budget_and_goes_on_when_one_fails(benchmark: Run, tmp_path: Path):
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr]", "test_clips=2"]
    few += ["budget.max_time=null", "budget.max_steps=2"]
    few += ["budget.settings.data.batch_size=2", "budget.settings.trainer.accelerator=cpu"]
    _, outcome = benchmark(tmp_path, *few, "seeds=[0,1]", ckpt=None, workers=Workers("here", 2, ("cpu",)))
    assert outcome.problems == []
    first, second = outcome.cells
    assert (first.source, first.training["steps"], first.training["budget"]) == (
        "fitted", 2, "2 optimiser steps; data.batch_size=2 trainer.accelerator=cpu",
    )  # fmt: skip
    assert first.trained_on == "unseen speakers"
    assert first.checkpoint != second.checkpoint
    before = rows_of(tmp_path)
    plan, outcome = benchmark(tmp_path, *few, "seeds=[0,1]", ckpt=None)
    assert (plan.tasks(), plan.fits(), outcome.problems) == ([], {}, [])
    failing = "budget.settings.model.fails=fit"
    _, outcome = benchmark(tmp_path, *few, failing, "references=[still]", ckpt=None)
    assert [(cell.method, cell.status) for cell in outcome.cells] == [("still", "done"), ("toy", "failed")]
    assert "this toy learns nothing" in outcome.problems[0]
    assert read_results(tmp_path).rows["toy-seed0-reconstruction"] == []
    # With the old budget again, nothing is fitted or scored anew.
    plan, outcome = benchmark(tmp_path, *few, "seeds=[0,1]", ckpt=None)
    assert (plan.tasks(), plan.fits(), outcome.problems) == ([], {}, [])
    assert {name: text for name, text in rows_of(tmp_path).items() if "toy" in name} == before


def test_best_run_is_taken(store: Path, weights: Path, tmp_path: Path):
    import yaml

    for name, lmd, seed in (("a", 3.0, 0), ("b", 2.0, 0), ("c", 1.0, 7)):
        run = tmp_path / "runs/toy/synthgrid" / name
        run.mkdir(parents=True)
        (run / "weights.safetensors").write_bytes(weights.read_bytes())
        (run / "config.yaml").write_text(yaml.safe_dump({"data": {"name": "synthgrid", "root": str(store)}}))
        facts = {"seed": seed, "steps": 5, "summary": {"split": "by-speaker", "lmd": lmd}}
        (run / "run.json").write_text(json.dumps(facts))
    few = [item for item in FEW if not item.startswith("runs=")]
    bench = Bench(find_suite("synth", [f"data.root={store}", *few, f"runs={tmp_path}/runs"]))
    plan = make_plan(bench, ["toy"], tmp_path / "out")
    taken = [planned.weights for planned in plan.cells if planned.weights]
    assert {(w.source, w.path, w.trained_on) for w in taken} == {
        ("run", tmp_path / "runs/toy/synthgrid/b/weights.safetensors", "unseen speakers")
    }


def test_references_and_zoo_score_agree(benchmark: Run, store: Path, tmp_path: Path, capsys: Any):
    out = tmp_path / "out"
    benchmark(
        out, "references=[real,still,wrong-sound,retrieval]", "metrics=[lmd,motion,lse_d,wer]", "test_clips=2",
        methods=[],
    )  # fmt: skip
    found = read_results(out)
    value = {
        (row.method, row.track, row.metric): row.value for rows in found.rows.values() for row in rows
        if row.clip == min(found.suite.clips)
    }  # fmt: skip
    both = [
        f"{name}-{track}" for name in ("still", "wrong-sound", "retrieval") for track in ("reconstruction", "cross")
    ]
    assert set(found.cells) == {"real-reconstruction", *both}
    real, wrong, still = (value[name, "reconstruction", "lse_d"] for name in ("real", "wrong-sound", "still"))
    assert real < 0.8 * wrong
    assert real < 0.8 * still
    assert ("wrong-sound", "reconstruction", "lmd") not in value
    assert value["wrong-sound", "cross", "lse_d"] == wrong
    assert value["retrieval", "reconstruction", "motion"] > 0.3
    assert value["still", "reconstruction", "motion"] < 1e-9
    assert value["retrieval", "cross", "lse_d"] < still
    # What zoo score finds in the videos is what the benchmark found before they were compressed.
    videos = out / "cells/{}-reconstruction/videos"
    sides = ["--pred", str(videos).format("retrieval"), "--real", str(videos).format("real")]
    assert main.run(["score", *sides, "--metrics", "lmd,motion,lse_d", "--json", "--out", str(tmp_path / "s")]) == 0
    scored = json.loads(capsys.readouterr().out)["metrics"]
    for name, tolerance in (("lmd", 0.25), ("motion", 0.15), ("lse_d", 0.05)):
        mine = [row.value for row in found.rows["retrieval-reconstruction"] if row.metric == name]
        assert scored[name]["value"] == pytest.approx(sum(mine) / len(mine), rel=tolerance), name


def test_what_is_judged_is_laid_over_the_still(benchmark: Run, store: Path, weights: Path, tmp_path: Path):
    """Were the crops laid over the true video, the face of a method that draws nothing new would move."""
    benchmark(tmp_path, "references=[still]", "tracks=[reconstruction]", "metrics=[motion_outside]", "test_clips=1")
    values = {row.method: row.value for rows in read_results(tmp_path).rows.values() for row in rows}
    assert values["still"] < 1e-9
    assert values["toy"] < 0.3


def test_submitit_runs_every_subject_as_a_job(results: Path, store: Path, weights: Path, tmp_path: Path):
    pytest.importorskip("submitit")
    out = tmp_path / "out"
    suite = find_suite("synth", [f"data.root={store}", *FEW, "references=[still]", "submitit.cluster=local"])
    plan = make_plan(Bench(suite), ["toy"], out, given={"toy": weights})
    outcome = cluster.run_jobs(suite, plan, {"toy": weights}, "1", show=False)
    assert outcome.problems == []
    assert [cell.status for cell in outcome.cells] == ["done"] * 4
    assert rows_of(out) == {name: text for name, text in rows_of(results).items() if "real" not in name}
    again = make_plan(Bench(suite), ["toy"], out, given={"toy": weights})
    assert cluster.run_jobs(suite, again, {"toy": weights}, "1", show=False).problems == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the arguments --all --methods is required"),
        (["--methods", "toi"], "no method is called 'toi'; did you mean toy?"),
        (["--methods", ","], "--methods: names no method"),
        (["--methods", "toy", "--suite", "sinth"], "no suite is called 'sinth'; did you mean synth?"),
        (["--methods", "toy", "--suite", "mine.yaml"], "mine.yaml: cannot be read"),
        (["--methods", "toy", "budget.max_step=3"], "'budget.max_step'; did you mean 'budget.max_steps'?"),
        (["--methods", "toy", "budget.max_time=5"], "budget.max_time: '5' is not of the form DD:HH:MM:SS"),
        (["--methods", "toy", "tracks=[cros]"], "tracks: 'cros' is none of reconstruction, cross"),
        (["--methods", "toy", "seeds=[1,1]"], "seeds: name at least one, and each once"),
        (["--methods", "toy", "metrics=[lmdd]"], "no metric is called 'lmdd'; did you mean lmd?"),
        (["--methods", "toy", "options.lmd.point=all68"], "lmd.point: lmd has no such option"),
        (["--methods", "toy", "--ckpt", "toy"], "--ckpt: 'toy' is not of the form METHOD=PATH"),
        (["--methods", "toy", "--ckpt", "toy=nowhere.ckpt"], "nowhere.ckpt: no weights of toy"),
        (["--methods", "none", "--ckpt", "toy=WEIGHTS"], "--ckpt toy=...: toy is not among the methods of this run"),
        (["--methods", "toy", "--devices", "0"], "--devices 0: give a number of processes, or auto"),
        (["--methods", "toy", "--suite", "grid"], "data.root: say where the prepared clips are"),
        (["--methods", "toy", "data.root=nowhere"], "nowhere: no store here"),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused_before_any_work(
    arguments: list[str], message: str, store: Path, weights: Path, tmp_path: Path, capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = [item.replace("WEIGHTS", str(weights)) for item in arguments]
    place = [] if "grid" in arguments or "data.root=nowhere" in arguments else [f"data.root={store}"]
    code = main.run(["benchmark", *given, *place]) if arguments else 2
    if not arguments:
        with pytest.raises(SystemExit):
            main.run(["benchmark"])
    out, err = capsys.readouterr()
    assert code in (1, 2)
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
