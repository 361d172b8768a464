"""What is given beside a checkpoint may not say otherwise than it was made with: it would be ignored in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.tiny import TINY
from zoo import registry
from zoo.cli import main
from zoo.methods.checkpoint_settings import check_settings, given_layers
from zoo.registry.config import dotlist
from zoo.support.errors import ConfigError

Ask = Callable[..., tuple[int, str]]

WITHOUT = "after training only options.KEY=VALUE can be chosen"


@pytest.fixture
def last(tiny_run: Path) -> Path:
    """The last checkpoint of a tiny run of LipGAN, of width 0.06."""
    return tiny_run / "checkpoints" / "last.ckpt"


@pytest.fixture
def ask(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    one_thread: None,
) -> Ask:  # fmt: skip
    """A command line in this process: its exit code and what stands on stderr."""
    monkeypatch.setenv("ZOO_CACHE", environment["ZOO_CACHE"])
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str]:
        capfd.readouterr()
        return main.run([str(argument) for argument in arguments]), capfd.readouterr().err

    return run


@pytest.mark.parametrize("given", ["model.width=0.5", "width=0.5"])
def test_a_setting_of_the_network_is_refused(given: str, ask: Ask, last: Path):
    code, err = ask("test", "lipgan", "--ckpt", last, "trainer.accelerator=cpu", given)
    assert (code, err.splitlines()) == (
        2, [f"zoo test: model.width=0.5: {last} was made with model.width=0.06; {WITHOUT}"],
    )  # fmt: skip


@pytest.mark.parametrize("given", ["model.learning_rate=0.5", "seed=7"])
def test_so_is_what_only_training_asks_for(given: str, ask: Ask, last: Path):
    key = given.partition("=")[0]
    before = sorted(last.parents[1].rglob("*"))
    for command in (["test", "lipgan", "--ckpt", last], ["fit", "lipgan", "--resume", last]):
        code, err = ask(*command, given)
        assert code == 2
        assert f"{given}: {last} was made with {key}=" in err
        assert len(err.splitlines()) == 1
    assert sorted(last.parents[1].rglob("*")) == before


def test_a_file_of_settings_is_held_against_it_too(ask: Ask, last: Path, tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"model": {"width": 0.7}}))
    code, err = ask("test", "lipgan", "--ckpt", last, "--config", file)
    assert code == 2
    assert "model.width=0.7" in err


def test_equal_settings_and_those_of_the_data_are_fine(ask: Ask, last: Path, tmp_path: Path):
    """A recipe is no wish of the user's: that of the data set says another width."""
    file = tmp_path / "run.yaml"
    file.write_bytes((last.parents[1] / "config.yaml").read_bytes())
    code, err = ask("test", "lipgan", "--ckpt", last, "--config", file, *TINY, "data.batch_size=2", "--out", tmp_path)
    assert code == 0, err
    assert (tmp_path / "rows.jsonl").is_file()


def test_numbers_are_compared_not_their_spelling(last: Path):
    spec = registry.method("lipgan")
    check_settings(spec, last, given_layers(spec, ["width=6e-2", "trainer.max_epochs=9"], None))
    check_settings(spec, last, [])
    with pytest.raises(ConfigError, match=r"model.width=0.06000001"):
        check_settings(spec, last, [dotlist(["model.width=0.06000001"])])


def test_of_another_method_its_reader_says_so(last: Path):
    check_settings(registry.method("wav2lip"), last, [dotlist(["seed=9"])])


def test_a_configuration_of_a_suite_is_what_its_weights_are(ask: Ask, last: Path, tmp_path: Path):
    """Else its name would stand in the table beside a network of other settings."""
    suite = {
        "data": {"name": "synthgrid", "clips": 6}, "metrics": ["psnr"], "references": [], "tracks": ["reconstruction"],
        "configurations": {"wide": {"method": "lipgan", "settings": {"model": {"width": 0.5}}}},
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(suite))
    plan = ["benchmark", "--suite", "mine.yaml", "--dry-run", "--devices", "1", "--ckpt", f"wide={last}"]
    code, err = ask(*plan)
    assert code == 2, err
    assert f"model.width=0.5: {last} was made with model.width=0.06" in err
    suite["configurations"]["wide"]["settings"]["model"]["width"] = 0.06  # type: ignore[index]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(suite))
    code, err = ask(*plan)
    assert code == 0, err


@pytest.mark.parametrize(("settings", "key"), [({"model": {"width": 0.5}}, "model.width=0.5"), ({"seed": 7}, "seed=7")])
def test_so_is_what_the_budget_of_a_suite_says(
    settings: dict[str, Any], key: str, ask: Ask, last: Path, tmp_path: Path
):
    """Of the network and the seed: what else a budget says is about how long and on what a fit trains."""
    suite = {
        "data": {"name": "synthgrid", "clips": 6}, "metrics": ["psnr"], "references": [], "tracks": ["reconstruction"],
        "budget": {"settings": {"data": {"batch_size": 3}, **settings}},
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(suite))
    plan = ["benchmark", "--suite", "mine.yaml", "--dry-run", "--devices", "1", "--methods", "lipgan"]
    plan += ["--ckpt", f"lipgan={last}"]
    code, err = ask(*plan)
    assert code == 2, err
    assert f"{key}: {last} was made with {key.partition('=')[0]}=" in err
    assert len(err.splitlines()) == 1
    suite["budget"] = {"settings": {"data": {"batch_size": 3}, "model": {"width": 0.06}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(suite))
    code, err = ask(*plan)
    assert code == 0, err


def test_export_takes_no_settings(ask: Ask, last: Path):
    with pytest.raises(SystemExit):
        ask("export", "lipgan", "--ckpt", last, "--format", "onnx", "model.width=0.5")


def test_options_reach_the_method_in_a_test(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_store: Path
):
    """The same weights score otherwise in another mood."""
    from zoo.methods.trainable import build, save_weights

    monkeypatch.setenv("ZOO_PLUGINS", "moody=moody:SPEC")
    registry.refresh()
    spec = registry.method("moody")
    save_weights(build(spec, spec.settings()), tmp_path / "moody.safetensors")
    scores = {}
    for mood in ("calm", "wild"):
        out = tmp_path / mood
        code, err = ask(
            "test", "moody", "--ckpt", tmp_path / "moody.safetensors", f"data.root={tiny_store}", "--out", out,
            "trainer.accelerator=cpu", "trainer.limit_test_batches=1", f"options.mood={mood}",
        )  # fmt: skip
        assert code == 0, err
        scores[mood] = (out / "rows.jsonl").read_text()
    monkeypatch.undo()
    registry.refresh()
    assert scores["calm"] != scores["wild"]
