"""Settings are plain: nothing is looked up in them, they cannot grow, and whatever is wrong is one line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from zoo import registry
from zoo.benchmark import suite
from zoo.cli import main
from zoo.registry import config
from zoo.registry.spec import MethodSpec, setting
from zoo.support.errors import ConfigError
from zoo.support.plain import check_plain, parse_mapping

SECRET = "a secret of the environment"

LOOKUPS = [
    "${oc.env:ZOO_TEST_SECRET}",
    "s3://thief/${oc.env:ZOO_TEST_SECRET}",
    "${oc.decode:${oc.env:ZOO_TEST_SECRET}}",
    "${oc.create:{a: '${oc.env:ZOO_TEST_SECRET}'}}",
    "${oc.deprecated:seed}",
    "${oc.dict.values:model}",
    "${data.name}",
    "${data.${method}}",
    "${.name}",
    "\\${oc.env:ZOO_TEST_SECRET}",
    "${mine:x}",
]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_TEST_SECRET", SECRET)


def one_line(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The error of a command, which is one line and holds no secret."""
    assert main.run([str(part) for part in arguments]) == 2
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert len(err.splitlines()) == 1, err
    return err


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_nothing_is_looked_up_from_any_side(lookup: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    quoted = "'" + lookup.replace("'", "''") + "'"
    file = tmp_path / "mine.yaml"
    file.write_text(f"data: {{root: {quoted}}}\n")
    for arguments in (
        ("fit", "lipgan", "--print-config", f"data.root={quoted}"),
        ("fit", "lipgan", "--print-config", f"out={quoted}"),
        ("fit", "lipgan", "--print-config", "--config", file),
        ("test", "lipgan", "--ckpt", "x.ckpt", "--config", file),
        ("benchmark", "--dry-run", "--suite", file),
        ("benchmark", "--dry-run", f"data.root={quoted}"),
        ("benchmark", "--dry-run", f"judges.sync={quoted}"),
        ("benchmark", "--dry-run", f"budget.settings.data.root={quoted}"),
        ("benchmark", "--dry-run", f"options.cpbd.list=[{quoted}]"),
    ):
        assert "settings are plain, nothing is looked up in them" in one_line(capsys, *arguments), arguments


def test_what_yaml_writes_otherwise_is_the_same(tmp_path: Path):
    for text in (
        'data: {root: "\\x24{oc.env:ZOO_TEST_SECRET}"}',
        "data:\n  root: >-\n    ${oc.env:ZOO_TEST_SECRET}\n",
        "a: &a '${oc.env:ZOO_TEST_SECRET}'\ndata: {root: *a}",
        "data: {root: !!python/object/apply:pathlib.Path ['${oc.env:ZOO_TEST_SECRET}']}",
    ):
        with pytest.raises(ConfigError, match="settings are plain"):
            config.parse_layer(text, "x")


def test_a_layer_that_was_never_text_is_checked_as_well():
    """Settings out of a checkpoint or a run come as plain dicts."""
    spec = registry.method("lipgan")
    for values in ({"data": {"root": LOOKUPS[0]}}, {"model": {"expert": LOOKUPS[0]}}, {"out": ["a", LOOKUPS[0]]}):
        with pytest.raises(ConfigError, match=r"x: .*settings are plain"):
            config.merge(spec, [config.Layer("x", values)])
        with pytest.raises(ConfigError, match="settings are plain"):
            suite.resolve([config.Layer("x", values)])


@dataclass
class Nosy:
    """Settings of a method whose default looks into the environment."""

    key: str = setting("${oc.env:ZOO_TEST_SECRET}", "what", "ours")


def test_nor_do_defaults_look_anything_up():
    spec = MethodSpec(name="nosy", summary="", target="", config=f"{__name__}:Nosy")
    with pytest.raises(ConfigError, match=r"the defaults of nosy: model.key: .*settings are plain"):
        config.merge(spec, [])


def test_no_item_of_a_command_line_reaches_through_the_one_before():
    with pytest.raises(ConfigError, match="settings are plain"):
        config.dotlist(["data.root=${oc.env:ZOO_TEST_SECRET}", "data.root.x=1"])


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 12)
)

BAD = {
    BOMB: "its aliases written out",
    "a: &a [*a]": "*a stands inside itself",
    "a: &a {b: {c: *a}}": "*a stands inside itself",
    "a: *b": "*b stands inside itself, or for nothing",
    "[" * 50_000: "nesting depth",
    "{a: " * 50_000: "deeper or larger",
    "- " * 5_000: "nesting depth",
    "a: 1\n" * 300_000: "are no settings",
    "seed: " + "9" * 5000: "limit",
    "seed: " + "9" * 30: "seed: a number too large",
    "seed: -0x" + "f" * 30: "seed: a number too large",
    "5": "'key: value'",
    "[a]": "'key: value'",
    "!!python/object/apply:pathlib.Path [a]": "'key: value'",
    "a: b\n---\nc: d": "another document",
    "a: 1\na: 2": "duplicate key a",
    "\ta: 1": "cannot start any token",
    "1: 2": "names of settings are words",
    "true: 2": "names of settings are words",
    "a: {1.5: 2}": "names of settings are words",
    "null: 2": "key type",
    "? [a]\n: 1": "unhashable key",
    "a: !!set {a, b}": "set",
    "a: !!binary aGFsbG8=": "bytes is no setting",
    "a: '???'": "'???' stands for no value",
    'a: "x\\0y"': "NUL",
    "a: !!int x": "invalid literal",
    "a: !!python/object/apply:os.system [echo]": "could not determine a constructor",
    "<<: 5": "merging",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_bad_text_is_one_line(text: str):
    with pytest.raises(ConfigError) as error:
        parse_mapping(text, "mine.yaml")
    assert str(error.value).startswith("mine.yaml: ")
    assert BAD[text] in str(error.value)
    assert "\n" not in str(error.value)


def test_aliases_are_fine_where_they_stay_small():
    values = parse_mapping("a: &a {b: [1, 2]}\nc: *a\nd: {<<: *a, e: 1.5}\n", "x")
    assert values == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": {"b": [1, 2], "e": 1.5}}


def test_plain_dicts_that_hold_themselves():
    loop: dict[str, object] = {"a": 1}
    loop["self"] = loop
    with pytest.raises(ConfigError, match="not deep inside one another"):
        check_plain(loop, "x")
    wide: object = 1
    for _ in range(40):
        wide = [wide, wide]
    with pytest.raises(ConfigError, match="more than 100000 values"):
        check_plain({"a": wide}, "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metrics: [[lmd]]", "mine.yaml"),
        ("tracks: 5", "tracks"),
        ("seeds: [0, 99999999999999999999]", "too large"),
        ("configurations: {x: null}", "configurations.x"),
        ("configurations: {x: 5}", "configurations.x"),
        ("budget: {max_time: [1]}", "max_time"),
        ("budget: {settings: 5}", "budget.settings"),
        ("judges: [a]", "Merge error"),
        ("data: null", "data"),
        ("options: [a]", "incompatible"),
        ("submitit: {1: 2}", "words"),
    ],
)
def test_a_wrong_suite_is_one_line(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine.yaml").write_text(text)
    assert said in one_line(capsys, "benchmark", "--dry-run", "--suite", tmp_path / "mine.yaml")


@pytest.mark.parametrize("item", ["recipe=[a]", "recipe={a: b}", "data.name=[a]", "data={a: b}", "seed=" + "9" * 5000])
def test_a_wrong_item_is_one_line(item: str, capsys: pytest.CaptureFixture[str]):
    assert len(one_line(capsys, "fit", "lipgan", "--print-config", item)) < 400
