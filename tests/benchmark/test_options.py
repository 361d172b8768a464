"""Options of a method in a suite: they reach what is generated, and a cell with others is another cell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from zoo import registry
from zoo.benchmark.checkpoints import digest_of, plan_fit
from zoo.benchmark.plan import make_plan
from zoo.benchmark.suite import find_entry, find_suite
from zoo.benchmark.suite_set import SuiteSet
from zoo.cli import main
from zoo.evaluation.results import Cell
from zoo.media.video import read_video
from zoo.methods.trainable import build, save_weights

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    one_thread: None,
) -> Iterator[Ask]:  # fmt: skip
    """`zoo benchmark` of a suite with configurations, with the same weights of `moody` for each; moody is installed."""
    monkeypatch.setenv("ZOO_CACHE", environment["ZOO_CACHE"])
    monkeypatch.setenv("ZOO_PLUGINS", "moody=moody:SPEC")
    monkeypatch.chdir(tmp_path)
    registry.refresh()
    spec = registry.method("moody")
    save_weights(build(spec, spec.settings()), tmp_path / "moody.safetensors")

    def run(configurations: dict[str, Any], *more: str, weights: Path = Path("moody.safetensors")) -> tuple[int, str]:
        write_suite(configurations, {})
        given = [word for name in configurations for word in ("--ckpt", f"{name}={weights}")]
        capfd.readouterr()
        code = main.run(["benchmark", "--suite", "mine.yaml", "--out", "results", "--devices", "1", *given, *more])
        return code, capfd.readouterr().err

    yield run
    monkeypatch.undo()
    registry.refresh()


def moody(**options: Any) -> dict[str, Any]:
    return {"method": "moody", "settings": {"options": options} if options else {}}


def write_suite(configurations: dict[str, Any], settings: dict[str, Any]) -> None:
    """One metric, one clip, and these configurations."""
    suite = {
        "data": {"name": "synthgrid", "clips": 6}, "test_clips": 1, "metrics": ["psnr"], "references": [],
        "tracks": ["reconstruction"], "configurations": configurations, **settings,
    }  # fmt: skip
    Path("mine.yaml").write_text(yaml.safe_dump(suite))


def plan(configurations: dict[str, Any], **settings: Any) -> dict[str, Cell]:
    """The cells of such a suite, by configuration, as they are planned."""
    write_suite(configurations, settings)
    suite_set = SuiteSet(find_suite("mine.yaml"))
    given = dict.fromkeys(configurations, Path("moody.safetensors"))
    found = make_plan(suite_set, list(configurations), Path("results"), given=given)
    return {planned.cell.method: planned.cell for planned in found.cells}


def test_each_configuration_generates_with_its_options(ask: Ask):
    code, err = ask({"bare": moody(), "wild": moody(mood="wild")})
    assert code == 0, err
    frames = {}
    for name, options in (("bare", {}), ("wild", {"mood": "wild"})):
        folder = Path(f"results/cells/{name}-seed0-reconstruction")
        assert json.loads((folder / "cell.json").read_text())["options"] == options
        (video,) = (folder / "videos").glob("*.mp4")
        frames[name] = read_video(video).frames
    assert not torch.equal(frames["bare"], frames["wild"])


def test_other_options_are_another_key_and_the_defaults_are_none(ask: Ask):
    cells = [plan({"one": settings})["one"] for settings in (moody(), moody(mood="calm"), moody(mood="wild"))]
    assert [cell.options for cell in cells] == [{}, {}, {"mood": "wild"}]
    assert cells[0].key == cells[1].key != cells[2].key


def test_the_key_of_a_cell_without_options_is_that_of_older_folders(ask: Ask):
    """Else all that is there would be made again."""
    cell = plan({"one": moody()})["one"]
    facts = {
        "code": cell.code, "method": "one", "seed": 0, "track": "reconstruction", "data": cell.data,
        "checkpoint": digest_of(Path("moody.safetensors")), "split": cell.split, "retrieval": 0,
    }  # fmt: skip
    assert cell.key == hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def test_those_of_the_budget_are_everybodys_and_a_configuration_has_its_own(ask: Ask):
    settings = {"budget": {"settings": {"options": {"mood": "wild"}}}}
    cells = plan({"one": moody(), "two": moody(mood="calm")}, **settings)
    assert {name: cell.options for name, cell in cells.items()} == {"one": {"mood": "wild"}, "two": {}}


def test_options_change_no_training(ask: Ask):
    """Nobody trains anew for another mood."""
    write_suite({"one": moody(mood="wild"), "bare": moody()}, {})
    suite_set = SuiteSet(find_suite("mine.yaml"))
    fits = [plan_fit(suite_set, find_entry(suite_set.suite.config, name), 0, Path("fits")) for name in ("one", "bare")]
    assert [fit.folder.name.rpartition("-")[2] for fit in fits] == [fits[0].folder.name.rpartition("-")[2]] * 2
    assert "options" not in fits[0].settings


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        (moody(mod="wild"), "one of the suite: unknown setting 'options.mod'; did you mean 'options.mood'?"),
        (moody(mood="sad"), "options.mood: "),
        ({"method": "lipgan", "settings": {"options": {"mood": "wild"}}}, "one of the suite: options: lipgan has none"),
    ],
)
def test_an_option_that_there_is_not_is_one_line(configuration: dict[str, Any], told: str, ask: Ask, tiny_run: Path):
    moody = configuration["method"] == "moody"
    weights = Path("moody.safetensors") if moody else tiny_run / "checkpoints" / "last.ckpt"
    code, err = ask({"one": configuration}, "--dry-run", weights=weights)
    assert code == 2
    assert told in err
    assert len(err.splitlines()) == 1
    assert not Path("results").exists()
