"""Broken plugins, installed by pip: every verb survives them, and `zoo doctor` says what is wrong with which."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.helpers import wheels

Zoo = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    broken = [plugin for plugin, _ in wheels.BROKEN.values()]
    return str(wheels.install(tmp_path_factory.mktemp("plugins"), *broken, wheels.NOISY, wheels.HEAVY, wheels.DATASET))


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(wheels.install(tmp_path_factory.mktemp("rivals"), wheels.RIVAL))


def check_one_line(done: CompletedProcess[str], code: int, *parts: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("zoo")
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "version",
        "version --json",
        "list",
        "list methods",
        "info lipgan",
        "info noisy --json",
        "info heavy",
        "info grid",
        "data list",
        "data list --json",
        "fit lipgan --print-config",
        "fit noisy --print-config",
    ],
)
def test_every_verb_survives_broken_plugins(zoo: Zoo, site: str, line: str):
    done = zoo(*line.split(), PYTHONPATH=site)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert "NOISE" not in done.stdout
    if "--json" in line:
        json.loads(done.stdout)
    if line in ("list", "data list"):
        assert done.stderr.splitlines()[-1] == "some plugins cannot be used; `zoo doctor` tells why"


def test_list_gives_every_reason_as_json(zoo: Zoo, site: str):
    done = zoo("list", "--json", PYTHONPATH=site)
    assert done.returncode == 0
    assert done.stderr == "NOISE\n"
    found = {item["name"]: item for group in json.loads(done.stdout).values() for item in group}
    for name, (plugin, reason) in wheels.BROKEN.items():
        assert not found[name]["ok"]
        assert reason in found[name]["error"]
        assert (found[name]["dist"], found[name]["version"]) == (plugin.dist, "1.0")
    assert found["bad-data"]["error"] == found["bad-metric"]["error"] == "RuntimeError: two lines"
    for name in ("lipgan", "noisy", "heavy", "grid", "synthgrid", "folder", "lmd"):
        assert found[name]["ok"]
        assert found[name]["error"] is None


def test_doctor_names_distribution_and_reason(zoo: Zoo, site: str, rivals: str):
    done = zoo("doctor", "--verbose", PYTHONPATH=os.pathsep.join((site, rivals)))
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
    for name, (plugin, reason) in wheels.BROKEN.items():
        (line,) = [line for line in lines if f"method {name}:" in line]
        assert f"{plugin.dist} 1.0" in line
        assert reason in line
    assert sum("'lipgan' is claimed by lipgan-remake and talking-face-zoo" in line for line in lines) == 2
    assert sum("zoo-bad-data" in line for line in lines) == 2
    assert len(lines) == len(wheels.BROKEN) + 4, "nothing else is broken"
    assert "import not_there_at_all" in done.stderr, "--verbose shows where it broke"


def test_a_broken_method_is_one_line(zoo: Zoo, site: str):
    for name in ("no-module", "quits", "newer"):
        for line in (f"info {name}", f"fit {name}", f"predict {name} --ckpt c --face f --audio a --out o"):
            check_one_line(zoo(*line.split(), PYTHONPATH=site), 1, f"zoo-{name} 1.0", wheels.BROKEN[name][1])
    check_one_line(zoo("fit", "nosy", PYTHONPATH=site), 2, "no method is called 'nosy'; did you mean noisy?")


def test_a_class_that_cannot_be_imported_is_one_line(zoo: Zoo, site: str, tmp_path: Path):
    done = zoo("fit", "heavy", cwd=tmp_path, PYTHONPATH=site)
    assert done.stderr.splitlines()[0] == "NOISE"
    done.stderr = done.stderr.removeprefix("NOISE\n")
    check_one_line(done, 1, "'heavy' (zoo-heavy)", "zoo_heavy_net:Net", "No module named 'not_there'")


def test_strict_mode_fails_in_one_line(zoo: Zoo, site: str):
    strict = {"PYTHONPATH": site, "ZOO_STRICT_PLUGINS": "1"}
    done = zoo("list", "methods", **strict)
    check_one_line(done, 1, "'buggy' is installed (zoo-buggy 1.0) but broken")
    check_one_line(zoo("info", "quits", **strict), 1, "'quits' is installed (zoo-quits 1.0) but broken")
    assert zoo("info", "lipgan", **strict).returncode == 0


def test_a_claimed_name_needs_its_distribution(zoo: Zoo, rivals: str):
    both = ("lipgan-remake:lipgan", "talking-face-zoo:lipgan")
    check_one_line(zoo("fit", "lipgan", "--print-config", PYTHONPATH=rivals), 1, *both)
    for name in both:
        done = zoo("fit", name, "--print-config", PYTHONPATH=rivals)
        assert done.returncode == 0
        assert f"method: {name}\n" in done.stdout
    listed = json.loads(zoo("list", "methods", "--json", PYTHONPATH=rivals).stdout)["methods"]
    claimed = [(item["dist"], item["ok"]) for item in listed if item["name"] == "lipgan"]
    assert claimed == [("lipgan-remake", False), ("talking-face-zoo", False)]
    assert "another LipGAN" in zoo("info", both[0], PYTHONPATH=rivals).stdout


def test_a_method_from_the_working_folder(zoo: Zoo, tmp_path: Path):
    (tmp_path / "my_trial.py").write_text(wheels.spec_text("mine"))
    trial = {"cwd": tmp_path, "ZOO_PLUGINS": "mine=my_trial:SPEC", "PYTHONSAFEPATH": "1"}
    assert "what mine does" in zoo("list", **trial).stdout
    assert "method: mine\n" in zoo("fit", "mine", "--print-config", **trial).stdout
    check_one_line(zoo("list", ZOO_PLUGINS="mine"), 2, "ZOO_PLUGINS: 'mine' is not of the form name=module:SPEC")
