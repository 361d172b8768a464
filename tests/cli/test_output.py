"""What the light verbs print: JSON that a machine reads, and settings with help and source."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo_lipgan.config import LipGANConfig

from zoo import __version__, registry
from zoo.benchmark.suite import find_suite
from zoo.cli import main


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    monkeypatch.setenv("ZOO_CACHE", environment["ZOO_CACHE"])


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert main.run(arguments) == code
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_list(capsys: pytest.CaptureFixture[str]):
    listed = printed(capsys, "list", "--json")
    assert list(listed) == ["methods", "experts", "datasets", "metrics", "suites"]
    (lipgan,) = [item for item in listed["methods"] if item["name"] == "lipgan"]
    assert lipgan == {
        "group": "zoo.methods",
        "name": "lipgan",
        "target": "zoo_lipgan.spec:SPEC",
        "dist": "talking-face-zoo",
        "version": __version__,
        "ok": True,
        "error": None,
        "summary": registry.method("lipgan").summary,
        "api_version": 2,
    }
    assert {item["name"] for item in listed["datasets"]} >= {"synthgrid", "grid", "folder"}
    assert list(printed(capsys, "list", "metrics", "--json")) == ["metrics"]


@pytest.fixture
def lab_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Suites of another package, whose titles are written in other ways."""
    texts = {
        "quoted": "title: \"a: 'b' # c\"\n",
        "long": "title: in two\n  lines\nmetrics: [lmd]\n",
        "remarked": "metrics: [lmd]\ntitle: faces # of the lab",
        "untitled": "metrics: [lmd]\n",
        "unsound": "metrics: [lmd\n",
    }
    (tmp_path / "lab_texts").mkdir()
    for name, text in texts.items():
        (tmp_path / "lab_texts" / f"{name}.yaml").write_text(text)
    points = "".join(f"{name} = lab_texts\n" for name in [*texts, "missing"])
    facts = tmp_path / "lab-2.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 2.0\n")
    (facts / "entry_points.txt").write_text(f"[zoo.suites]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.refresh()
    yield
    monkeypatch.undo()
    registry.refresh()


@pytest.mark.usefixtures("lab_suites")
def test_list_of_suites(capsys: pytest.CaptureFixture[str]):
    assert main.run(["list", "suites", "--json"]) == 0
    (suites,) = json.loads(capsys.readouterr().out).values()
    listed = {item["name"]: item for item in suites}
    assert {"synth", "grid", "folder"} <= set(listed)
    assert (listed["quoted"]["dist"], listed["quoted"]["version"], listed["quoted"]["ok"]) == ("lab", "2.0", True)
    assert "holds no missing.yaml" in listed.pop("missing")["error"]
    assert "not valid YAML" in listed.pop("unsound")["error"]
    titles = {name: item["summary"] for name, item in listed.items()}
    assert titles == {name: find_suite(name).config.title for name in titles}
    assert [titles[name] for name in ("quoted", "long", "untitled")] == ["a: 'b' # c", "in two lines", ""]
    assert titles["remarked"] == "faces"
    assert main.run(["list", "suites"]) == 0
    shown = capsys.readouterr().out
    assert "SynthGRID, speakers never trained on" in shown
    assert "broken: suite unsound: not valid YAML" in shown


def test_info_of_a_method(capsys: pytest.CaptureFixture[str]):
    facts = printed(capsys, "info", "lipgan", "--json")
    assert facts["name"] == "lipgan"
    assert facts["dist"] == "talking-face-zoo"
    assert facts["paper"]["year"] == 2019
    assert "synthgrid" in facts["recipes"]
    assert [item["name"] for item in facts["settings"]] == [field.name for field in dataclasses.fields(LipGANConfig)]
    for item in facts["settings"]:
        assert item["help"], item
        assert item["source"], item
        assert item["default"] == getattr(LipGANConfig(), item["name"])
    (frontend,) = [item for item in facts["settings"] if item["name"] == "frontend"]
    assert frontend["choices"] == ["mel", "mfcc"]


def test_info_of_a_metric_lists_its_variants(capsys: pytest.CaptureFixture[str]):
    variants = printed(capsys, "info", "cpbd", "--json")["variants"]
    assert ["cpbd.variant", "matlab", "matlab, python, at-a-glance"] in variants
    assert main.run(["info", "lmd"]) == 0
    shown = capsys.readouterr().out
    assert "lmd.norm" in shown
    assert "mouth_width" in shown


def test_info_knows_everything_that_is_listed(capsys: pytest.CaptureFixture[str]):
    assert main.run(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    del listed["suites"]  # of which there is no more to tell than what `zoo benchmark --dry-run` plans
    names = {item["name"] for items in listed.values() for item in items}
    assert {"lipgan", "synthgrid", "motion_outside", "sync-expert"} <= names
    for name in names:
        assert main.run(["info", name]) == 0
        assert name in capsys.readouterr().out


def test_info_for_people_shows_help_and_source(capsys: pytest.CaptureFixture[str]):
    assert main.run(["info", "lipgan"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(LipGANConfig):
        assert f"model.{field.name} " in out
        for text in (field.metadata["help"], field.metadata["source"]):
            assert text.split()[0] in out
    assert "Towards Automatic Face-to-Face Translation" in out
    assert "dist talking-face-zoo" in out


@pytest.mark.parametrize("name", ["synthgrid", "grid", "folder", "lmd", "motion_outside"])
def test_info_of_the_others(capsys: pytest.CaptureFixture[str], name: str):
    facts = printed(capsys, "info", name, "--json")
    assert (facts["name"], facts["settings"], facts["recipes"]) == (name, [], [])


def test_data_list(capsys: pytest.CaptureFixture[str]):
    listed = {item["name"]: item for item in printed(capsys, "data", "list", "--json")}
    assert listed["grid"]["licence"].startswith("CC BY 4.0")
    assert listed["grid"]["splits"][0] == "grid-unseen"
    assert listed["synthgrid"]["embedded"]


def test_version(capsys: pytest.CaptureFixture[str]):
    found = printed(capsys, "version", "--json")
    assert found["talking-face-zoo"] == __version__
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__.partition("+")[0]


@pytest.mark.usefixtures("roomy_disk")
def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    findings = printed(capsys, "doctor", "--json")
    assert all(set(finding) >= {"what", "ok", "message"} for finding in findings)
    assert [finding for finding in findings if not finding["ok"]] == []
    assert {finding["what"] for finding in findings} >= {"method lipgan", "dataset grid", "metric lmd", "torch", "disk"}

    monkeypatch.setitem(sys.modules, "kornia", None)
    findings = printed(capsys, "doctor", "--json", code=1)
    (kornia,) = [finding for finding in findings if not finding["ok"]]
    assert kornia["what"] == "kornia"
    assert "pip install kornia" in kornia["message"]
