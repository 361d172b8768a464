"""Plugins that misbehave, really installed: whoever asks for something else never notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import wheels
from tests.helpers.inputs import drawn
from tests.helpers.tiny import TINY
from tests.registry import bad
from tests.registry.fresh import Done, zoo_lines
from zoo.media.video import write_video


@pytest.fixture(scope="module")
def bad_environment(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> dict[str, str]:
    """One installation of all of them."""
    site = wheels.install(tmp_path_factory.mktemp("bad"), *bad.ALL)
    return {**environment, "PYTHONPATH": str(site)}


QUIET = (
    "--help",
    "plugin --help",
    "version",
    "info lipgan",
    "info sync-expert",
    "data list",
    "info talking-face-zoo:temporal-gan-static",
    "info zoo-usurper:temporal-gan-static",
    "fit sync-expert --print-config",
    "fit wav2lip --print-config",
)
"""None of these needs any of the bad ones but the usurper, and that only where it is named."""


@pytest.fixture(scope="module")
def quiet(bad_environment: dict[str, str]) -> dict[str, Done]:
    return dict(zip(QUIET, zoo_lines([line.split() for line in QUIET], bad_environment), strict=True))


@pytest.fixture(scope="module")
def listed(bad_environment: dict[str, str]) -> list[Done]:
    lines = ("plugin list --json", "plugin list", "list --json", "fit temporal-gan-static --print-config")
    return zoo_lines([line.split() for line in lines], bad_environment)


def test_verbs_that_ask_for_others_import_none_of_them(quiet: dict[str, Done]):
    for line, done in quiet.items():
        assert done.code == 0, (line, done.err)
        assert "NOISE" not in done.out + done.err
        assert "Traceback" not in done.err
    assert not quiet["--help"].modules & (bad.MODULES | {"zoo_lipgan", "torch", "zoo.registry"})
    assert quiet["fit wav2lip --print-config"].modules & bad.MODULES == {"zoo_usurper"}, "asked for in the line before"
    assert "torch" not in quiet["fit wav2lip --print-config"].modules


def test_a_name_of_ours_that_another_claims_is_still_found(quiet: dict[str, Done], listed: list[Done]):
    assert "not the real one" not in quiet["info talking-face-zoo:temporal-gan-static"].out
    assert "not the real one" in quiet["info zoo-usurper:temporal-gan-static"].out
    assert "adversarial_weight" not in quiet["fit sync-expert --print-config"].out, (
        "the expert, not a method of its name"
    )
    assert listed[3].code == 1
    assert "claimed by talking-face-zoo and zoo-usurper; say which" in listed[3].err


def test_the_list_of_packages_tells_what_is_wrong_with_each(listed: list[Done]):
    assert [done.code for done in listed[:3]] == [0, 0, 0]
    found = {item["dist"]: item for item in json.loads(listed[0].out)}
    assert {name: item["status"] for name, item in found.items()} == {
        "talking-face-zoo": "claimed",
        "zoo-raises": "ok",
        "zoo-slow": "ok",
        "zoo-torchy": "ok",
        "zoo-noisy": "ok",
        "zoo-buggy": "broken",
        "zoo-quits": "broken",
        "zoo-newer": "refused",
        "zoo-voiced": "refused",
        "zoo-usurper": "broken",
        "zoo-exits": "ok",
        "zoo-scores": "ok",
    }
    reasons = {f"{part['kind']} {part['name']}": part["reason"] for item in found.values() for part in item["parts"]}
    assert reasons["method quits"] == "SystemExit: 0"
    assert reasons["method buggy"].startswith("AttributeError: module 'os' has no attribute")
    assert "upgrade talking-face-zoo (this is 0." in reasons["method newer"]
    assert reasons["method voiced"].startswith("its MethodSpec has the field 'voice', which this zoo (0.")
    assert "No module named 'zoo_usurper_gone'" in reasons["recipe lipgan"]
    assert "is a MethodSpec, not a zoo.registry.spec.FaceSpec" in reasons["detector dlib"]
    for part in ("suite synth", "dataset synthgrid", "metric psnr", "expert sync-expert"):
        assert "is claimed by talking-face-zoo and zoo-usurper" in reasons[part]
    assert found["zoo-usurper"]["adds"] == {
        "method": ["sync-expert", "temporal-gan-static"], "detector": ["dlib"], "suite": ["synth"],
        "recipe": ["lipgan"], "dataset": ["synthgrid"], "metric": ["psnr"], "expert": ["sync-expert"],
    }  # fmt: skip
    assert found["talking-face-zoo"]["adds"]["expert"]
    assert found["zoo-slow"]["api_versions"] == [2]
    assert "which slows every list" in reasons["method slow"]
    assert reasons["method torchy"].startswith("its spec imports torch")
    slowed = {name for name, reason in reasons.items() if reason and "slows" in reason}
    assert slowed == {"method slow", "method torchy"}
    for text in ("zoo-newer 1.0", "refused", "claimed", "SystemExit: 0"):
        assert text in listed[1].out
    assert "NOISE" not in listed[0].out + listed[1].out + listed[2].out
    assert "lipgan" in {item["name"] for item in json.loads(listed[2].out)["methods"] if item["ok"]}


def test_one_that_raises_in_training_harms_nobody_else(
    bad_environment: dict[str, str], tiny_store: Path, tmp_path: Path
):
    lines = [["fit", "raises", *TINY], ["fit", "exits", *TINY], ["plugin", "list", "--json"], ["info", "raises"]]
    fit, exits, listed, info = zoo_lines(lines, bad_environment, cwd=tmp_path)
    assert exits.code == 1
    assert "zoo_exits_net.py:5 ended the program (SystemExit: 0)" in exits.err
    assert fit.code == "raised"
    assert "no idea what a mouth is" in fit.err
    assert "zoo_raises_net.py" in fit.err, "the traceback shows whose code it is"
    assert (listed.code, info.code) == (0, 0)
    assert not list(tmp_path.glob("runs/*/*/*/summary.json")), "a run that failed has no scores"


def test_a_benchmark_goes_on_without_the_one_that_raises(
    bad_environment: dict[str, str], tiny_store: Path, tmp_path: Path
):
    few = ["test_clips=1", "metrics=[psnr]", "references=[still]", "tracks=[reconstruction]", "runs=null"]
    small = "budget.settings={data: {batch_size: 2}, model: {width: 0.06}, trainer: {accelerator: cpu}}"
    line = ["benchmark", "--methods", "raises,noisy", f"data.root={tiny_store}", *few, "budget.max_steps=1", small]
    (done,) = zoo_lines([[*line, "--json"]], bad_environment, cwd=tmp_path)
    assert done.code == 1
    assert done.out, done.err
    told = json.loads(done.out)
    assert {cell["method"]: cell["status"] for cell in told["cells"]} == {
        "still": "done", "noisy": "done", "raises": "failed",
    }  # fmt: skip
    (problem,) = told["problems"]
    assert "no idea what a mouth is" in problem


def test_metrics_that_raise_or_quit_leave_the_others(bad_environment: dict[str, str], tmp_path: Path):
    clip = drawn()
    for name, frames in (("real", clip.frames[:12]), ("made", clip.frames[3:15])):
        (tmp_path / name).mkdir()
        write_video(tmp_path / name / "one.mp4", frames, wave=clip.wave[:7680])
    score = ["score", "--pred", "made", "--real", "real", "--json"]
    lines = [
        [*score, "--metrics", "psnr,quitter"],
        [*score, "--metrics", "psnr,raiser"],
        [*score, "psnrr.foo=1"],
        score,
    ]
    quitter, raiser, typo, plain = zoo_lines(lines, bad_environment, cwd=tmp_path)
    assert "psnr" in quitter.out, quitter.err
    assert "SystemExit: 0" in quitter.out
    assert raiser.code == 1, "it was asked for"
    assert raiser.err.count("'raiser' (zoo-scores) cannot be used") == 1
    assert "did you mean" in typo.err or "known:" in typo.err
    assert "Traceback" not in raiser.err + typo.err + plain.err
    assert plain.out, plain.err
    assert "no level is high enough" in plain.out + plain.err
