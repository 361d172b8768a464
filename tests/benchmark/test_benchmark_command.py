"""`zoo benchmark` as it is typed: plans, torchrun, fits, submitit, and questions that are wrong."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.benchmark.small import FEW, Run, rows_of, toy_weights
from zoo import registry
from zoo.benchmark import cluster
from zoo.benchmark.checkpoints import Fit, Weights, find_weights, plan_fit, trained_on
from zoo.benchmark.locks import locked
from zoo.benchmark.plan import make_plan
from zoo.benchmark.run import Workers, choose_workers
from zoo.benchmark.suite import entry_names, find_entry, find_suite, leaves
from zoo.benchmark.suite import names as suite_names
from zoo.benchmark.suite_set import SuiteSet
from zoo.cli import main
from zoo.cli.benchmark import broken
from zoo.data.pool import usable_cores
from zoo.evaluation.results import read_results, read_suite, write_cell, write_suite
from zoo.registry import config
from zoo.registry.config import DataConfig
from zoo.support.errors import ConfigError, DataError


def test_plan_alone_writes_nothing(store: Path, tmp_path: Path, capsys: Any):
    code = main.run(
        ["benchmark", "--methods", "toy", "--dry-run", "--out", str(tmp_path / "out"), f"data.root={store}", *FEW]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert "toy-seed0-cross" in printed
    assert "fit: 900 steps, 1200 s at the most" in printed
    assert "15 clips to generate, 1 fits: about" in printed
    assert "an estimate" in printed
    assert not (tmp_path / "out").exists()


def test_torchrun_gives_the_same_values_and_survives_a_crash(results: Path, store: Path, tmp_path: Path):
    deadly = toy_weights(tmp_path / "deadly.safetensors", fails="die")
    out = tmp_path / "out"
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "zoo", "benchmark"]
    done = subprocess.run(
        [sys.executable, *command, "--methods", "toy", "--ckpt", f"toy={deadly}", "--out", str(out), "--json",
         f"data.root={store}", *FEW, "references=[]", "tracks=[reconstruction]"],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "TOY_MARK": str(tmp_path / "mark")},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    (failure,) = cell["failures"]
    assert failure["reason"] == "its process died (SIGSEGV)"
    values = [
        {(row.clip, row.metric): row.value for row in read_results(folder).rows["toy-seed0-reconstruction"]}
        for folder in (results, out)
    ]
    assert len(values[1]) == 9
    assert {place for place, value in values[1].items() if value is None} == {
        place for place in values[1] if place[0] == failure["clip"]
    }
    assert all(values[0][place] == value for place, value in values[1].items() if value is not None)
    assert (out / "leaderboard.json").is_file()


def test_under_torchrun_a_wrong_setting_is_one_line(tmp_path: Path):
    """The first process lets the others go before it ends, and none is aborted."""
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "zoo", "benchmark"]
    done = subprocess.run(
        [sys.executable, *command, "--methods", "toy", f"data.root={tmp_path}/none"],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("zoo benchmark: ") == 1, done.stderr
    assert "local_rank: 0" in done.stderr
    assert not {"SIGABRT", "Connection"} & set(done.stderr.split()), done.stderr


@pytest.mark.usefixtures("beside_another_zoo")
def test_fits_under_the_budget_and_goes_on_when_one_fails(benchmark: Run, tmp_path: Path):
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr]", "test_clips=2"]
    few += ["budget.max_time=null", "budget.max_steps=2"]
    few += ["budget.settings.data.batch_size=2", "budget.settings.trainer.accelerator=cpu"]
    _, outcome = benchmark(tmp_path, *few, "seeds=[0,1]", ckpt=None)
    assert outcome.problems == []
    first, second = outcome.cells
    assert (first.source, first.training["steps"], first.training["budget"]) == (
        "fitted", 2, "2 steps; data.batch_size=2 trainer.accelerator=cpu",
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


@pytest.mark.usefixtures("beside_another_zoo")
def test_a_fit_that_diverged_is_none(benchmark: Run, store: Path, tmp_path: Path):
    """It is shown as failed, with the step; it is not tried twice in one go, and not taken for finished in the next."""
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr]", "test_clips=1", "budget.max_steps=2"]
    few += ["budget.max_time=null", "budget.settings.data.batch_size=2", "budget.settings.trainer.accelerator=cpu"]
    few += ["budget.settings.model.fails=diverge"]
    _, outcome = benchmark(tmp_path, *few, ckpt=None)
    (cell,) = outcome.cells
    assert (cell.status, len(outcome.problems)) == ("failed", 1)
    assert "its fit diverged: the loss is nan at step 1; see " in cell.reason
    (log,) = tmp_path.glob("fits/*/fit.log")
    assert log.read_text().count("the fit diverged") == 1
    plan = make_plan(SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, *few])), ["toy"], tmp_path)
    assert len(plan.fits()) == 1


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.usefixtures("beside_another_zoo")
def test_a_folder_with_a_malicious_checkpoint_is_gone_on_with_safely(benchmark: Run, store: Path, tmp_path: Path):
    """Somebody else's results, in which a fit was interrupted: nothing in its checkpoint is executed."""
    few = ["references=[]", "tracks=[reconstruction]", "metrics=[psnr]", "test_clips=1", "budget.max_steps=1"]
    few += ["budget.max_time=null", "budget.settings.data.batch_size=2", "budget.settings.trainer.accelerator=cpu"]
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, *few]))
    (weights,) = make_plan(suite_set, ["toy"], tmp_path).fits().values()
    assert weights.fit is not None
    run = weights.fit.folder / "toy" / "synthgrid" / "29990101-000000-abcd"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump(weights.fit.settings))
    (run / "checkpoints" / "last.ckpt").write_bytes(pickle.dumps(Malicious(tmp_path / "executed")))
    _, outcome = benchmark(tmp_path, *few, ckpt=None)
    assert not (tmp_path / "executed").exists()
    assert outcome.problems == []
    assert "a pickle of Python objects" in (weights.fit.folder / "fit.log").read_text()
    pickle.loads(pickle.dumps(Malicious(tmp_path / "executed")))
    assert (tmp_path / "executed").exists(), "the test is worth something only if the pickle does what it says"


def test_configurations_of_a_method_are_compared(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    """A suite names them, so that nothing else must; a run of the method counts where it had their settings."""
    monkeypatch.chdir(tmp_path)
    named = {f"gain-{gain}": {"method": "toy", "settings": {"model": {"gain": gain / 10}}} for gain in (8, 12)}
    suite = {
        "data": {"root": str(store)}, "configurations": named, "budget": {"max_steps": 1}, "test_clips": 1,
        "references": [], "tracks": ["reconstruction"], "metrics": ["psnr"],
    }  # fmt: skip
    Path("mine.yaml").write_text(yaml.safe_dump(suite))
    weights = toy_weights(tmp_path / "runs/toy/synthgrid/a/weights.safetensors", gain=1.2)
    (weights.parent / "config.yaml").write_text(
        yaml.safe_dump({"data": {"name": "synthgrid", "root": str(store)}, "model": {"gain": 1.2, "fails": ""}})
    )
    (weights.parent / "run.json").write_text(json.dumps({"seed": 0, "summary": {"split": "by-speaker"}}))
    assert main.run(["benchmark", "--suite", "mine.yaml", "--out", "out", "--devices", "1", "--json"]) == 0
    cells = {cell["method"]: cell for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert {name: (cell["base"], cell["source"]) for name, cell in cells.items()} == {
        "gain-8": ("toy", "fitted"), "gain-12": ("toy", "run"),
    }  # fmt: skip
    assert cells["gain-8"]["summary"] == "toy model.gain=0.8"
    (fitted,) = Path("out/fits").glob("gain-8-*/toy/synthgrid/*/config.yaml")
    assert yaml.safe_load(fitted.read_text())["model"]["gain"] == 0.8
    rows = read_results(Path("out")).rows
    dark, bright = (rows[f"gain-{gain}-seed0-reconstruction"] for gain in (8, 12))
    assert dark[0].method == "gain-8"
    assert dark[0].value != bright[0].value
    assert main.run(["leaderboard", "out"]) == 0
    assert "gain-12" in capsys.readouterr().out
    plan = make_plan(SuiteSet(find_suite("mine.yaml")), ["gain-12", "gain-8"], Path("out"))
    assert (plan.tasks(), plan.fits(), plan.outdated) == ([], {}, [])


def test_the_run_that_validated_best_is_taken(store: Path, weights: Path, tmp_path: Path):
    """Not the one that tested best, nor one of other clips or seed, or of fewer steps than everyone else takes."""
    other = tmp_path / "other"
    for copy in (other, tmp_path / "copy"):
        shutil.copytree(store, copy)
    next(other.glob("shards/*.sha256")).write_text("of other clips")
    for name, lmd, l1, seed, root, steps in (
        ("a", 1.0, 0.3, 0, store, 900), ("b", 2.0, 0.2, 0, tmp_path / "copy", 1000), ("c", 0.5, 0.1, 7, store, 900),
        ("d", 0.5, 0.1, 0, other, 900), ("e", 0.5, 0.1, 0, store, 899), ("f", 0.5, 0.1, 2, store, 4),
    ):  # fmt: skip
        run = tmp_path / "runs/toy/synthgrid" / name
        run.mkdir(parents=True)
        (run / "weights.safetensors").write_bytes(weights.read_bytes())
        (run / "config.yaml").write_text(yaml.safe_dump({"data": {"name": "synthgrid", "root": str(root)}}))
        (run / "metrics.csv").write_text(f"epoch,val/l1,step\n0,0.05,1\n0,,2\n1,{l1},3\n")
        facts = {"seed": seed, "steps": steps, "summary": {"split": "by-speaker", "lmd": lmd}}
        (run / "run.json").write_text(json.dumps(facts))
    few = [item for item in FEW if not item.startswith("runs=")]
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *few, f"runs={tmp_path}/runs"]))
    plan = make_plan(suite_set, ["toy"], tmp_path / "out")
    taken = [planned.weights for planned in plan.cells if planned.weights]
    assert {(w.source, w.path, w.trained_on) for w in taken} == {
        ("run", tmp_path / "runs/toy/synthgrid/b/weights.safetensors", "unseen speakers")
    }
    suite_set.suite.config.seeds = [2]
    (missing, *_) = make_plan(suite_set, ["toy"], tmp_path / "out").fits().values()
    assert missing.described().endswith("toy/synthgrid/f took fewer steps and is not taken")


def test_a_plan_says_who_teaches_and_how_long_a_fit_may_take(store: Path, tmp_path: Path):
    """An expert that judges, too, or one that knows other faces, is named before anybody trains for hours."""

    def planned(name: str, *more: str) -> Fit:
        suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, "judges.reader=null", *more]))
        suite_set.suite.config.data.name = suite_set.data.config.name = name
        fit = find_weights(suite_set, find_entry(suite_set.suite.config, "wav2lip"), 0, {}, tmp_path).fit
        assert fit is not None
        return fit

    assert planned("synthgrid").remark == "the loss asks the sync expert that judges here"
    assert planned("synthgrid", "judges.sync=null").remark == ""
    assert "knows drawn faces only" in planned("grid", "judges.sync=null").remark
    assert planned("synthgrid", "budget.max_steps=9000").expected() == pytest.approx(1230)
    assert planned("synthgrid", "budget.max_steps=9000", "budget.max_time=null").expected() == pytest.approx(1830)


def test_one_file_is_one_training(store: Path, weights: Path, tmp_path: Path):
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, "references=[]", "seeds=[3,4]"]))
    plan = make_plan(suite_set, ["toy"], tmp_path, given={"toy": weights})
    assert [planned.cell.name for planned in plan.cells] == ["toy-seed0-reconstruction", "toy-seed0-cross"]


def test_weights_do_not_depend_on_load(store: Path, tmp_path: Path):
    """Everyone trains as many steps, the suite's time is a guard, and no core is idle while the longest fit ends."""
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW]))
    trainer = plan_fit(suite_set, find_entry(suite_set.suite.config, "lipgan"), 0, tmp_path).settings["trainer"]
    assert (trainer["max_epochs"], trainer["max_steps"]) == (-1, 900)
    workers = choose_workers("64")
    assert (workers.count, workers.room) == (64, usable_cores())
    shapes = [("cpu",), ("cpu",), ("cuda:0", "cuda:1")]
    found = [Workers("processes", 4, shape, room).fits for shape, room in zip(shapes, (1, 2, 2), strict=True)]
    assert found == [1, 6, 2]
    run = tmp_path / "run"
    run.mkdir()
    for epochs, said in ((2, False), (3, True)):
        config = {"data": {"name": "synthgrid", "root": str(store)}, "trainer": {"max_epochs": epochs}}
        config["model"] = {"expert": "synthgrid" if said else "elsewhere"}
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        (run / "run.json").write_text(json.dumps({"summary": {"remarks": ["it hears well"]} if said else {}}))
        (run / "weights.safetensors").touch()
        (run / "metrics.csv").write_text("epoch,step\n0,1\n1,2\n")
        fitted = Weights("fitted", None, 0, Fit("toy", tmp_path, {}, "its recipe"))
        fitted.learn(suite_set)
        assert ("load had a say" in fitted.training["budget"]) == said
        assert ("taught" in fitted.training) == said
        assert fitted.training["remarks"] == (["it hears well"] if said else [])


def test_who_was_seen_in_training(store: Path):
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW]))

    def said(mine: str, trained: str, seed: int = 0) -> str:
        suite_set.suite.config.data.name = mine
        return trained_on(suite_set, DataConfig(trained, str(store), seed=seed), "by-speaker")

    assert said("synthgrid", "synthgrid") == said("synthgrid", "synthgrid", seed=1) == "unseen speakers"
    assert said("synthgrid", "folder") == said("grid", "synthgrid") == "unseen speakers"
    assert said("grid", "folder") == said("folder", "grid") == "unknown"


def test_the_suite_tells_what_is_left_out(store: Path, tmp_path: Path):
    suite_set = SuiteSet(find_suite("synth", [f"data.root={store}", *FEW, "metrics=[psnr,lse_d]", "judges.sync=null"]))
    plan = make_plan(suite_set, [], tmp_path)
    write_suite(tmp_path, plan.suite)
    assert read_suite(tmp_path).left_out == {"lse_d": "the suite has no judge for it: give judges.sync=PATH"}
    assert plan.suite.cross_speaker
    # With one test speaker the sound is another sentence of the same.
    first = suite_set.store.clips[suite_set.test[0]].speaker
    suite_set.data.clips["test"] = [
        i for i in suite_set.data.clips["test"] if suite_set.store.clips[i].speaker == first
    ]
    suite_set.__dict__.pop("test")
    assert not suite_set.describe().cross_speaker


def test_a_broken_plugin_is_a_problem(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setenv("ZOO_PLUGINS", "toy=toy:SPEC,bad=toy:NOTHING")
        registry.refresh()
        (line,) = broken()
        assert line.startswith("bad is left out: its plugin is broken: ")
    registry.refresh()


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
    both = [f"{name}-{track}" for name in ("still", "retrieval") for track in ("reconstruction", "cross")]
    assert set(found.cells) == {"real-reconstruction", "wrong-sound-reconstruction", *both}
    real, wrong, still = (value[name, "reconstruction", "lse_d"] for name in ("real", "wrong-sound", "still"))
    assert real < 0.8 * wrong
    assert real < 0.8 * still
    assert ("wrong-sound", "reconstruction", "lmd") not in value
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
    few = ["references=[still]", "tracks=[reconstruction]", "test_clips=1", "submitit.cluster=local"]
    suite = find_suite("synth", [f"data.root={store}", *FEW, *few])
    # submitit's own five minutes would end every fit.
    for more, minutes in ([], 80), (["budget.max_time=null"], 1500), (["submitit.timeout_min=7"], 7):
        asked = cluster._executor(find_suite("synth", [*few, *more]), tmp_path / "jobs")
        assert asked._executor.parameters["timeout_min"] == minutes
    plan = make_plan(SuiteSet(suite), ["toy"], tmp_path, given={"toy": weights})
    # A job that outlived its command works at one cell: it is neither sent again nor written over.
    still = tmp_path / "cells/still-reconstruction/cell.json"
    write_cell(tmp_path, replace(plan.cells[0].cell, status="partial"))
    before = still.read_bytes()
    with locked(tmp_path, "still-reconstruction"):
        outcome = cluster.run_jobs(suite, plan, {"toy": weights}, "1", show=False)
    assert outcome.problems == ["still-reconstruction: a job is at work on it; run the same command again later"]
    assert still.read_bytes() == before
    assert [cell.status for cell in outcome.cells] == ["partial", "done"]
    lines = rows_of(tmp_path)["toy-seed0-reconstruction"].splitlines()
    assert len(lines) == 3
    assert set(lines) < set(rows_of(results)["toy-seed0-reconstruction"].splitlines())
    with locked(tmp_path), pytest.raises(DataError, match="another `zoo benchmark` is at work"):
        cluster.run_jobs(suite, plan, {"toy": weights}, "1", show=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which methods? give --all, or --methods A,B"),
        (["configurations.one.method=toi"], "no method is called 'toi'; did you mean toy?"),
        (["configurations.one.methods=toy"], "configurations.one.methods"),
        (["configurations.One={method: toy}"], "'One': a name is small letters, digits and single dashes"),
        (["configurations.one.settings.model.gain=2"], "configurations.one: names no method"),
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
        (["--methods", "toy", "--ckpt", "toy=a", "--ckpt", "toy=b"], "--ckpt: toy=a and toy=b: one path for each name"),
        (["--methods", "none", "--ckpt", "toy=WEIGHTS"], "--ckpt toy=...: toy is not among the methods of this run"),
        (["--methods", "toy", "--devices", "0"], "--devices 0: give a number of processes, or auto"),
        (["--methods", "toy", "--suite", "grid"], "data.root: say where the prepared clips are"),
        (["--methods", "toy", "data.root=nowhere"], "nowhere: no store here"),
        (["--all", "data=folder"], "suite 'synth' compares on synthgrid, not on folder; say --suite folder"),
        (["--all", "data.name=folder"], "suite 'synth' compares on synthgrid, not on folder"),
        (["--all", "data=foldr"], "no dataset is called 'foldr'; did you mean folder?"),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused_before_any_work(
    arguments: list[str], message: str, store: Path, weights: Path, tmp_path: Path, capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = [item.replace("WEIGHTS", str(weights)) for item in arguments]
    place = [] if "grid" in arguments or "data.root=nowhere" in arguments else [f"data.root={store}"]
    code = main.run(["benchmark", *given, *place])
    out, err = capsys.readouterr()
    assert code in (1, 2)
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_suite_of_ones_own_may_be_told_its_data(tmp_path: Path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("data: {name: synthgrid}\n")
    assert find_suite(str(mine), ["data=folder"]).config.data.name == "folder"


def test_settings_of_the_data_lie_over_a_suite():
    data = find_suite("synth", ["data.seed=1", "data.clips=60", "data.split=by-clip", "data=synthgrid"]).config.data
    assert (data.name, data.seed, data.clips, data.split) == ("synthgrid", 1, 60, "by-clip")


@pytest.mark.parametrize(("dataset", "suite"), [("synthgrid", "synth"), ("grid", "grid"), ("folder", "folder")])
def test_the_suite_for_a_data_set_is_named(dataset: str, suite: str):
    """That which compares everything, not one with configurations of a method."""
    other = "grid" if dataset != "grid" else "synth"
    with pytest.raises(ConfigError, match=f"not on {dataset}; say --suite {suite}, or"):
        find_suite(other, [f"data.name={dataset}"])


def test_own_videos_are_compared_without_judges_of_drawn_faces(store: Path, tmp_path: Path, capsys: Any):
    """A suite of its own for them; clips of another data set than the suite's are remarked upon."""
    few = [f"data.root={store}", "test_clips=2", "runs=null"]
    line = ["benchmark", "--methods", "toy", "--suite", "folder", "--dry-run", "--out", str(tmp_path / "out")]
    assert main.run([*line, *few]) == 0
    out, err = capsys.readouterr()
    assert "Own videos: 2 clips of 2 speakers" in out
    assert "left out: lse_d: the suite has no judge for it" in out
    assert "folder" in err
    assert f"{store} holds clips of synthgrid" in err


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_that_is_installed_can_be_planned(name: str):
    """All settings of its budget and its configurations are known to the methods they are for."""
    suite = find_suite(name).config
    for entry in (find_entry(suite, each) for each in entry_names(suite)):
        given = [*leaves(suite.budget.settings), *leaves(entry.settings)]
        found = config.resolve(entry.spec, [f"data={suite.data.name}", *(f"{key}={value}" for key, value in given)])
        for key, value in leaves(entry.settings):
            part, _, field = key.partition(".")
            assert getattr(getattr(found, part), field) == value
