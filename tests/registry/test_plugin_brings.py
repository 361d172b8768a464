"""What a package may bring beside methods, data sets and metrics: face backends, suites, recipes, experts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.helpers import wheels
from tests.helpers.wheels import Plugin
from zoo import registry
from zoo.benchmark.suite import find_suite, names
from zoo.cli.main import run
from zoo.face.backends import make_detector, make_embedder, make_landmarker
from zoo.registry import config
from zoo.support.errors import BrokenPluginError, ConfigError

MODULE = """
from zoo.registry.spec import ExpertSpec, FaceSpec
CENTRE = FaceSpec(name="centre", summary="a face in the middle", target="zoo_lab_net:Centre")
WRONG = FaceSpec(name="wrong", summary="no embedder at all", target="zoo_lab_net:Centre")
DOTS = FaceSpec(name="dots", summary="68 times the middle", target="zoo_lab_net:Dots")
GREY = FaceSpec(name="grey", summary="mean colours", target="zoo_lab_net:Grey")
JUDGE = ExpertSpec(
    name="judge", summary="a judge", target="zoo.experts.sync_expert.module:SyncExpert",
    config="zoo.experts.sync_expert.config:SyncExpertConfig",
)
"""

NET = """
import torch
from zoo.face.base import Box
class Centre:
    def detect(self, picture, near=None):
        return [Box(8.0, 8.0, picture.shape[2] - 8.0, picture.shape[1] - 8.0)]
class Dots:
    def landmarks(self, picture, box):
        return torch.tensor([box.centre]).expand(68, 2).float()
class Grey:
    name, dim = "grey", 3
    def embed(self, faces, points):
        return faces.float().mean((2, 3))
"""

LAB = Plugin(
    "zoo-lab",
    """
[zoo.detectors]
centre = zoo_lab:CENTRE
[zoo.landmarkers]
dots = zoo_lab:DOTS
[zoo.embedders]
grey = zoo_lab:GREY
wrong = zoo_lab:WRONG
[zoo.experts]
judge = zoo_lab:JUDGE
[zoo.suites]
lab = zoo_lab_texts
missing = zoo_lab_texts
[zoo.recipes]
lipgan = zoo_lab_recipes
""",
    {"zoo_lab": MODULE, "zoo_lab_net": NET},
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = wheels.install(tmp_path_factory.mktemp("lab"), LAB)
    for package, files in {
        "zoo_lab_texts": {"lab.yaml": "title: of the lab\ntest_clips: 3\nmetrics: [lmd]\n"},
        "zoo_lab_recipes": {"faces.yaml": "model: {width: 0.5}\n", "synthgrid.yaml": "model: {width: 0.9}\n"},
    }.items():
        (site / package).mkdir()
        (site / package / "__init__.py").write_text("print('NOISE')\n")
        for name, text in files.items():
            (site / package / name).write_text(text)
    return site


@pytest.fixture(autouse=True)
def _installed(lab: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(lab))
    registry.refresh()
    yield
    monkeypatch.undo()
    registry.refresh()
    for name in [name for name in sys.modules if name.startswith("zoo_lab")]:
        del sys.modules[name]


def test_face_backends():
    picture = torch.zeros(3, 64, 48, dtype=torch.uint8)
    (box,) = make_detector("centre").detect(picture)
    assert box.centre == (24.0, 32.0)
    assert make_landmarker("dots").landmarks(picture, box).tolist() == [[24.0, 32.0]] * 68
    assert make_embedder("grey").embed(picture[None], torch.zeros(1, 68, 2)).shape == (1, 3)
    assert make_detector("centre") is make_detector("centre"), "made once per process"
    assert type(make_detector("dlib")).__module__.startswith("zoo."), "ours stay what they are"
    with pytest.raises(BrokenPluginError, match=r"'wrong' \(zoo-lab\) cannot be used: .* is no face embedder"):
        make_embedder("wrong")
    with pytest.raises(
        ConfigError, match=r"unknown face detector 'center' \(did you mean 'centre'\?\): .*centre, dlib"
    ):
        make_detector("center")


def test_a_suite(capsys: pytest.CaptureFixture[str]):
    assert "lab" not in sys.modules
    assert {"lab", "synth", "grid"} <= set(names())
    assert "zoo_lab_texts" not in sys.modules, "naming suites imports nothing"
    suite = find_suite("lab", ["test_clips=5"])
    assert (suite.name, suite.config.title, suite.config.test_clips) == ("lab", "of the lab", 5)
    assert find_suite("zoo-lab:lab").name == "lab"
    assert find_suite("talking-face-zoo:synth").config.title == find_suite("synth").config.title
    assert capsys.readouterr().out == "", "what it prints is kept from standard output"
    with pytest.raises(BrokenPluginError, match=r"'missing' is installed \(zoo-lab 1.0\) .* holds no missing.yaml"):
        find_suite("missing")
    with pytest.raises(ConfigError, match="no suite is called 'lob'; did you mean lab"):
        find_suite("lob")


def test_recipes_for_a_method_of_ours():
    spec = registry.method("lipgan")
    assert config.resolve(spec, ["data=faces"]).model.width == 0.5
    assert config.resolve(spec, ["data=synthgrid"]).model.width == 0.125, "the method's own recipe counts"
    assert config.resolve(registry.method("wav2lip"), ["data=faces"]).model.width == 1.0
    assert "faces" in config.recipes(spec)


def test_an_expert():
    assert registry.trainable("judge").dist == "zoo-lab"


def test_info_and_list_know_them(capsys: pytest.CaptureFixture[str]):
    assert run(["info", "centre"]) == 0
    assert "a face in the middle" in capsys.readouterr().out
    assert run(["plugin", "list"]) == 0
    out = capsys.readouterr().out
    for text in (
        "detector: centre",
        "landmarker: dots",
        "embedder: grey, wrong",
        "suite: lab, missing",
        "recipe: lipgan",
    ):
        assert text in out
