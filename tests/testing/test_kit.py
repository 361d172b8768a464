"""Each rule of methods fails for a method that is broken in exactly that way, and a sound one keeps them all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from broken_specs import SPECS

from tests.helpers.paths import FOREIGN
from zoo import registry
from zoo.registry import plugins
from zoo.support.errors import UnknownNameError
from zoo.testing import Check, Report, check, kit, processes, tests
from zoo.testing.guards import no_network
from zoo.testing.light import look
from zoo.testing.rules import hold

LOAD = torch.load


CARDLESS = "the card says what the spec says"
"""The tiny methods have no card, and say so."""


@pytest.fixture(autouse=True, scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tiny methods as if they were installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOREIGN))
        patch.setenv("ZOO_PLUGINS", ",".join(f"{name.lower()}=broken_specs:{name}" for name in SPECS))
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        registry.refresh()
        yield
    registry.refresh()


def outcome(name: str, title: str) -> Check:
    """What one rule says of one method."""
    spec = registry.method(name.lower())
    with kit.usual_torch():
        (rule,) = (rule for rule in kit.rules_of(spec) if rule.name == title)
        return hold(kit.make_case(spec), rule)


@pytest.mark.parametrize("name", ["streaming", "first"])
def test_a_sound_method_keeps_all_rules(name: str):
    """One written for this contract, and one for api_version 1."""
    report = check(name)
    assert [(c.name, c.got) for c in report.failed] == [(CARDLESS, "it has no card: no README.md in broken")]
    skipped = [c.name for c in report.checks if c.status == "skipped" and "accelerator" not in c.name]
    assert skipped == ["all that it declares matters"] * (name == "streaming"), "it is given a still and sound alone"
    assert len(report.checks) == 33
    assert report.checks[-1].name == "no network access"
    assert not report.ok


BROKEN = [
    ("Deaf", "sound matters", "same frames for two sounds"),
    ("HalfDeaf", "sound matters", "in the last half"),
    ("Faceless", "identity matters", "same frames for two speakers"),
    ("NaN", "generate() gives frames in [0, 1]", "not finite"),
    ("Signed", "generate() gives frames in [0, 1]", "values in [-"),
    ("Bytes", "generate() gives frames in [0, 1]", "torch.uint8"),
    ("Wide", "generate() gives frames in [0, 1]", "not (2, 8, 3, 16, 16)"),
    ("Windowed", "clips of 1, 16, 75 and 200 frames", "(1, 4, 3, 16, 16), not (1, 1, 3, 16, 16)"),
    ("Noisy", "determinism under a seed", "differs by up to 0.0"),
    ("Drawing", "generating changes nothing", "generate() changes torch's random state"),
    ("Counting", "generating changes nothing", "generate() changes calls"),
    ("Threads", "no global state", "default dtype, NumPy's random state, the environment"),
    ("Peeking", "sees no more than it declares", "given a still, sound, makes other frames"),
    ("Phoning", "no network access", "weights.example.org"),
    ("Calling", "no network access", "weights.example.org"),
    ("Curling", "no network access", "curl -s https://weights.example.org/w.bin"),
    ("LipReading", "sees no more than it declares", "the landmarks of what it is not shown"),
    ("Prompted", "sees no more than it declares", "what is said"),
    ("Fading", "what it generates comes back", "when read from the checkpoint"),
    ("Careless", "no global state", "training changes torch's matmul precision, the environment"),
    ("Patching", "no global state", "building changes torch.load"),
    ("Mixing", "clips of a batch do not mix", "when another is made beside it"),
    ("Backwards", "sound matters", "with another sound in the last third"),
    ("Shifted", "sound matters", "with another sound in the middle third"),
    ("Copying", "a video gets another mouth", "the mouth of the video itself"),
    ("Dubbed", "a video gets another mouth", "the same mouths for two sounds"),
    ("Choppy", "frames come while the sound comes", "frames from equal parts that differ"),
    ("Waiting", "frames come while the sound comes", "after all sound was asked for"),
    ("Dead", "every parameter gets a gradient", "no gradient: unused.bias, unused.weight"),
    ("Forgotten", "every parameter gets a gradient", "no optimiser: ear.bias, ear.weight"),
    ("Stuck", "a few steps lower the loss on one batch", "val/l1 was"),
    ("Unsure", "the seed decides the weights", "another ear.weight"),
    ("Forgetful", "a resumed run equals one go", "the weights differ, first in"),
    ("Odd", "a checkpoint comes back", "weights_only"),
    ("Hoarding", "memory of a long clip", "each further frame needs"),
    ("Leaving", "generate() gives frames in [0, 1]", "SystemExit: 3"),
    ("Bare", "settings come back from YAML", "no help for rate"),
    ("Turned", "settings come back from YAML", "model.rate: "),
    ("Nowhere", "its code can be imported", "has no 'Nowhere'"),
    ("Boastful", "spec is valid", "no such capability as 'telepathy'"),
    ("Nameless", "spec is valid", "its summary is empty"),
    ("Lost", "spec is valid", "broken_recipes"),
    ("Heavy", "spec is light", "broken:TinyConfig: it imports torch"),
]


@pytest.mark.parametrize(("name", "title", "got"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_a_broken_method_is_found_out(name: str, title: str, got: str, capsys: pytest.CaptureFixture[str]):
    found = outcome(name, title)
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    torch.load = LOAD
    os.environ.pop("BROKEN", None)
    assert found.status == "failed"
    assert got in found.got
    assert found.expected
    assert found.mend
    assert capsys.readouterr().out == ""


def test_two_processes_that_go_apart_and_an_import_that_changes_things():
    """Both in one launch, as the pytest kit does it."""
    names = ("apart", "scaling", "importing", "phoning")
    cases = [kit.make_case(registry.method(name), peers=names) for name in names]
    rules = {rule.name: rule for rule in kit.rules_of(cases[0].spec)}
    same, as_one = rules["two processes hold the same weights"], rules["two processes train as one"]
    untouched = rules["importing changes nothing"]
    with kit.usual_torch():
        assert hold(cases[0], same).got == "the two processes ended with different weights"
        assert [hold(case, same).status for case in cases[1:3]] == ["passed", "passed"]
        assert "from where one process takes it" in hold(cases[1], as_one).got
        assert hold(cases[2], as_one).status == "passed"
        changed = hold(cases[2], untouched).got
        assert hold(cases[3], untouched).status == "passed", "what building it asks for is another rule's matter"
    assert changed == "importing broken_import:Importing changes torch's number of threads"


def test_a_process_that_dies_is_told(tmp_path: Path):
    found = processes._launch(["nan-what"], tmp_path)["nan-what"]
    assert all("did not come to its end" in rank.error for rank in found)
    assert "no method is called 'nan-what'" in found[0].error


def test_what_is_not_declared_is_left_out():
    for title in (
        "memory of a long clip",
        "a photo talks",
        "a video gets another mouth",
        "frames come while the sound comes",
    ):
        found = outcome("Modest", title)
        assert found.status == "skipped"
        assert "does not declare the capability" in found.got


def test_light_tells_what_an_import_does():
    found = look(["broken_heavy:HEAVY", "broken_specs:SOUND", "broken_specs:NONE"])
    assert found["broken_heavy:HEAVY"].heavy[0] == "torch"
    assert found["broken_heavy:HEAVY"].printed == "hello\n"
    assert found["broken_specs:SOUND"].heavy == ()
    assert found["broken_specs:SOUND"].error == ""
    assert "has no 'NONE'" in found["broken_specs:NONE"].error


def test_which_plugin_is_meant():
    with pytest.raises(UnknownNameError, match="no plugin is called 'nothing-like-it'; known: "):
        check("nothing-like-it")
    with pytest.raises(UnknownNameError, match="no metric is called 'sound'"):
        check("sound", kind="metric")
    with pytest.raises(UnknownNameError, match="no kind of plugin is called 'film'; known: method"):
        check("sound", kind="film")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_PLUGINS", "lmd=broken_specs:SOUND,gone=no_such_module:SPEC")
        registry.refresh()
        with pytest.raises(UnknownNameError, match="'lmd' is a method and a metric; say which"):
            check("lmd")
        report = check("gone")
        assert not report.ok
        assert "no_such_module" in report.checks[0].got
    registry.refresh()


def test_a_claimed_name_is_checked_as_that_of_its_distribution():
    """Two distributions claim one name: checkpoints, trainings and the report are those of the one that is named."""
    entries = [
        registry.Entry("zoo.methods", "sound", f"broken_specs:{name}", f"zoo-{name.lower()}", version)
        for name, version in (("SOUND", "1.0"), ("ANOTHER", "2.0"))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "_environment_entries", lambda: iter(entries))
        registry.refresh()
        spec = registry.method("zoo-another:sound")
        rules = {rule.name: rule for rule in kit.rules_of(spec)}
        case = kit.make_case(spec)
        with kit.usual_torch():
            assert hold(case, rules["a checkpoint comes back"]).got == ""
            assert hold(case, rules["clips of a batch do not mix"]).status == "failed", "it is the one that mixes"
        assert not check("sound").ok
        assert check("sound").dist == ""
        with pytest.raises(UnknownNameError, match="no plugin is called 'zoo-third:sound'"):
            check("zoo-third:sound")
    registry.refresh()


def test_a_test_module_that_chooses_nothing_is_an_error():
    assert tests._require(None, "Talking.Face_Zoo") == tests._require(None, "talking-face-zoo")
    assert tests._require(["Talking_Face.Zoo:lmd"], None) == (("zoo.metrics", "lmd"),)
    with pytest.raises(pytest.UsageError, match=r"zoo_dist: zoo-nothing brings no plugin; plugins come with .*ZOO_"):
        tests._require(None, "zoo-nothing")
    with pytest.raises(pytest.UsageError, match="zoo_plugins: no plugin is called soundd; "):
        tests._require(["sound", "soundd"], None)
    with pytest.raises(pytest.UsageError, match="zoo_plugins names none"):
        tests._require([], None)


def test_only_what_goes_to_another_machine_is_kept_from_it():
    calls: list[str] = []
    with no_network(calls):
        subprocess.run([sys.executable, "-c", "'http://localhost:1/curl.py'"], check=True)
        assert os.system("true") == 0
        for command in ("curl -O x", "cd /tmp && wget x", [sys.executable, "-c", "'https://example.org'"]):
            with pytest.raises(OSError, match="nothing reach another machine"):
                subprocess.run(command, shell=isinstance(command, str), check=False)
    assert len(calls) == 3


def test_a_stream_of_the_default_is_the_whole_clip():
    with kit.usual_torch():
        case = kit.make_case(registry.method("waiting"))
        start, wave = case.request(10), case.wave(10)
        parts = (replace(start, num_frames=0, sound=sound) for sound in wave.split(1000, 1))
        made = torch.stack([*case.ready.stream(replace(start, num_frames=0, sound=None), parts)], 1)
    assert torch.equal(made, case.make(10))


def test_a_report_reads_well():
    checks = [
        Check("a", "passed", seconds=1.2),
        Check("b", "failed", "one", "two", "do it"),
        Check("c", "skipped", got="no GPU"),
    ]
    report = Report("x", "method", "zoo-x", "1.0", checks)
    assert report.text().splitlines() == [
        "method x (zoo-x 1.0)",
        "  ok         a (1.2 s)",
        "  FAILED     b (0.0 s)",
        "             expected  one",
        "             got       two",
        "             mend      do it",
        "  skipped    c: no GPU (0.0 s)",
        "1 passed, 1 failed, 1 skipped in 1 s",
    ]
    assert not report.ok
    assert not Report("x", "method").ok
    assert Report("x", "method", checks=[checks[0], checks[2]]).ok
    assert report.as_dict()["checks"][1]["mend"] == "do it"
