"""What is untrue is found out with one accusation, its cause; and nobody honest is accused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from untrue.spec import SPECS

from tests.helpers.paths import FOREIGN
from zoo import registry
from zoo.cli.main import run
from zoo.methods import trainable
from zoo.testing import Report, check, kit
from zoo.testing.generation import VISIBLE, seen


@pytest.fixture(autouse=True, scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The methods as if they were installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOREIGN))
        patch.setenv("ZOO_PLUGINS", ",".join(f"{name.lower()}=untrue.spec:{name}" for name in SPECS))
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        registry.refresh()
        yield
    registry.refresh()


def accusations(report: Report) -> list[tuple[str, str, str]]:
    """What is neither passed nor declared away, in order."""
    return [(c.status, c.name, c.got) for c in report.checks if c.status not in ("passed", "skipped")]


SEES = "sees no more than it declares"
FRAMES = "generate() gives frames in [0, 1]"
SOUND = "sound matters"
DECLARED = "all that it declares matters"

UNTRUE = [
    ("awake", SEES, "the rest of the true video is another after for_inference()"),
    ("lipreading", SEES, "the landmarks of what it is not shown are another"),
    ("prompted", SEES, "what is said is another"),
    ("nanframes", FRAMES, "not finite"),
    ("bytes", FRAMES, "torch.uint8"),
    ("signed", FRAMES, "values in [-"),
    ("nanweights", "weights are finite", "1 of 4 weights"),
    ("diverging", "training stays finite", "in step 4 of 12"),
    ("standing", SOUND, "the same frames for two sounds"),
    ("faint", SOUND, "where 0.0039 can be seen; what reconstruct() draws changes by"),
    (
        "boastful",
        "the card says what the spec says",
        "says `Conditioning: a still, sound.`, and the spec",
    ),
    ("remembering", "determinism under a seed", "a clip made at once again differs by up to"),
    ("mixing", "clips of a batch do not mix", "when another is made beside it"),
    ("blind", DECLARED, "mode 'all' makes the same frames whatever the driver is"),
    ("wordless", DECLARED, "mode 'all' makes the same frames whatever the words are"),
    ("moodless", DECLARED, "mode 'all' makes the same frames whatever the label 'emotion' is"),
    ("poseless", DECLARED, "mode 'all' makes the same frames whatever the array 'pose' is"),
    ("single", DECLARED, "mode 'all' makes the same frames whatever the stills beyond the first are"),
    ("untold", "spec is valid", "label_values: two values at least of the label 'emotion'"),
]


@pytest.mark.parametrize(("name", "title", "got"), UNTRUE, ids=[name for name, *_ in UNTRUE])
def test_the_untrue_is_found_out_with_one_accusation(name: str, title: str, got: str):
    report = check(name, quick=True)
    first, *rest = accusations(report)
    assert first[:2] == ("failed", title)
    assert got in first[2]
    assert {(status, why) for status, _, why in rest} <= {("not asked", f"'{title}' failed")}
    assert not report.ok


def test_what_would_repeat_it_in_other_words_is_not_asked():
    found = {c.name: c.status for c in check("nanframes", quick=True).checks}
    for title in ("determinism under a seed", "identity matters", SOUND, SEES, "memory of a long clip"):
        assert found[title] == "not asked", title
    assert found["every parameter gets a gradient"] == "passed", "training is another matter"


@pytest.mark.parametrize("name", ["album", "posing"])
def test_who_asks_for_more_is_given_no_more(name: str):
    """The zoo cuts by the spec: 75 stills, or a pose of one's own, are not to be had."""
    assert accusations(check(name, quick=True)) == []


@pytest.mark.parametrize("name", ["honest", "grainy", "upper", "attentive"])
def test_nobody_honest_is_accused(name: str):
    report = check(name, quick=True)
    assert accusations(report) == []
    assert report.ok


def test_what_cannot_be_told_is_neither_passed_nor_blamed_until_trained_weights_are_asked(tmp_path: Path):
    report = check("fainter", quick=True)
    (status, title, got), *_ = accusations(report)
    assert (status, title) == ("undecided", SOUND)
    assert "too little trained to tell; ask trained weights with --ckpt CHECKPOINT" in got
    assert not report.ok
    assert report.asked == "a trial, 12 steps on one batch; for sound a lesson of 96 steps more"
    weights = kept("fainter", tmp_path)
    (status, title, got), *_ = accusations(check("fainter", ckpt=weights))
    assert (status, title) == ("failed", SOUND)
    assert "where 0.0039 can be seen" in got


def test_a_driver_that_hardly_matters_is_undecided_until_trained_weights_are_asked(tmp_path: Path):
    (status, title, got), *rest = accusations(check("dimly", quick=True))
    assert (status, title, rest) == ("undecided", DECLARED, [])
    assert "mode 'all' makes frames that differ by" in got
    assert "whatever the driver is, where 0.0039 can be seen: too little trained to tell" in got
    weights = kept("dimly", tmp_path, gain=8.0)
    (accusation,) = accusations(check("dimly", ckpt=weights))
    assert accusation[:2] == ("failed", DECLARED)


def kept(name: str, folder: Path, gain: float = 1.0) -> Path:
    """Weights of a method that hears the sound so much."""
    spec = registry.method(name)
    module = trainable.build(spec, spec.settings(), seed=0)
    with torch.no_grad():
        module.brush.weight.mul_(gain)  # type: ignore[union-attr, operator]
    trainable.save_weights(module, folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


def test_a_checkpoint_is_held_to_the_rules_of_generation(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    weights = kept("honest", tmp_path, gain=8.0)
    assert run(["plugin", "check", "honest", "--ckpt", str(weights)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1] == f"weights: {weights}"
    assert "a few steps lower the loss" not in out
    deaf = kept("honest", tmp_path, gain=1e-3)
    assert run(["plugin", "check", "honest", "--ckpt", str(deaf)]) == 1
    assert "FAILED     sound matters" in capsys.readouterr().out


def test_a_checkpoint_that_diverged_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    weights = kept("honest", tmp_path, gain=float("nan"))
    assert run(["plugin", "check", "honest", "--ckpt", str(weights)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("honest.safetensors: brush.weight is no finite number: it is of a fit that diverged")


def test_a_checkpoint_of_another_or_for_no_method_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    weights = kept("honest", tmp_path)
    assert run(["plugin", "check", "grainy", "--ckpt", str(weights)]) == 1
    assert capsys.readouterr().err.strip().endswith("a checkpoint of honest, not of grainy")
    assert run(["plugin", "check", "lmd", "--ckpt", str(weights)]) == 2
    assert "'lmd' is no method: --ckpt is for what generates" in capsys.readouterr().err


def test_the_command_line_says_which_weights_and_fails(capsys: pytest.CaptureFixture[str]):
    assert run(["plugin", "check", "signed", "--quick"]) == 1
    out = capsys.readouterr().out
    assert "weights: a trial, 12 steps on one batch" in out
    assert "not asked  sound matters: 'generate() gives frames in [0, 1]' failed" in out


def test_one_pixel_is_no_mouth():
    still = torch.zeros(1, 1, 3, 100, 100)
    odd, mouth = still.clone(), still.clone()
    odd[..., 50, 50] = 0.3
    mouth[..., 60:75, 40:60] = 0.01
    assert float(seen(still, odd)) < VISIBLE < float(seen(still, mouth))


def test_the_lesson_tells_the_mouths_apart_by_the_sound_alone():
    from zoo.testing.lesson import TwoSounds

    with kit.usual_torch():
        case = kit.make_case(registry.method("honest"))
        data = TwoSounds(case.config.data, case.build().input_spec, 0, 1)
        data.setup("fit")
        soft, loud = data.pair()
    assert torch.equal(soft.stills, loud.stills)
    assert torch.equal(soft.frames[..., :8, :], loud.frames[..., :8, :])
    assert not torch.equal(soft.frames[..., 8:, :], loud.frames[..., 8:, :])
    assert float(soft.sound.abs().mean()) < float(loud.sound.abs().mean())
