"""`zoo plugin new`: a whole package under another name, or one clear line and nothing written."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from setuptools import Distribution

from zoo import registry
from zoo.cli.main import run
from zoo.registry import api
from zoo.registry.scaffold.create import KINDS, LICENCES, TEMPLATES, create

RUFF = Path(sys.executable).parent / "ruff"

NAMES = {"method": "a-name-of-thirty-letters-first", "dataset": "my_faces", "metric": "gap"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One package of each kind."""
    folder = tmp_path_factory.mktemp("new")
    return {
        kind: create(name, kind, folder / kind, licence, "Ada O'Neill")
        for (kind, name), licence in zip(NAMES.items(), LICENCES, strict=True)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_template_is_left(made: dict[str, Path], kind: str):
    files = [path for path in made[kind].rglob("*") if path.is_file()]
    assert {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/test.yml", "tests"} <= {
        path.relative_to(made[kind]).as_posix() for path in [*files, *made[kind].iterdir()]
    }
    for path in files:
        text = path.read_text("utf-8")
        assert not re.search(r"(?i)new[-_]?(method|dataset|metric)|AUTHOR NAME|dot-", text + path.name), path
        if path.suffix == ".py":
            ast.parse(text)


@pytest.mark.parametrize("kind", KINDS)
def test_project_file_licence_and_entry_point(made: dict[str, Path], kind: str):
    name, licence = NAMES[kind], dict(zip(KINDS, LICENCES, strict=True))[kind]
    project = tomllib.loads((made[kind] / "pyproject.toml").read_text())["project"]
    package = f"zoo_{name.replace('-', '_')}"
    assert project["name"] == f"zoo-{name.replace('_', '-')}"
    assert project["license"] == licence
    assert project["authors"] == [{"name": "Ada O'Neill"}]
    assert project["entry-points"][KINDS[kind]] == {name: f"{package}.spec:SPEC"}
    assert "Ada O'Neill" in (made[kind] / "LICENSE").read_text()
    assert licence.split("-")[0] in (made[kind] / "LICENSE").read_text().replace("Apache License", "Apache")
    spec = (made[kind] / package / "spec.py").read_text()
    assert f"api_version={api.API_VERSION}," in spec, "templates are written for the contract as it is"
    assert f'licence="{licence}' in spec
    assert (made[kind] / "tests" / f"test_{package[4:]}.py").is_file()


def test_weights_come_with_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As docs/publish.md says: files of a sub-package, which the wheel takes along with recipe and card."""
    package = create("tiny", out=tmp_path / "zoo-tiny") / "zoo_tiny"
    (package / "weights").mkdir()
    (package / "weights" / "synthgrid.safetensors").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path / "zoo-tiny")
    wheel = Distribution({"script_name": "setup.py"})
    wheel.parse_config_files()
    wheel.get_command_obj("build_py").build_lib = str(tmp_path / "built")
    wheel.run_command("build_py")
    for name in ("weights/synthgrid.safetensors", "recipes/synthgrid.yaml", "README.md", "spec.py"):
        assert (tmp_path / "built" / "zoo_tiny" / name).is_file(), name


@pytest.mark.parametrize("name", ["m", "abcdefghijklmnopqrstuvwxyz1234", "a-name-of-thirty-letters-first", "sample_x"])
def test_what_is_written_is_clean(tmp_path: Path, name: str):
    """However long the name is: the package's own CI begins with this."""
    for kind in KINDS:
        create(name, kind, tmp_path / kind)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([RUFF, *command, "--no-cache", tmp_path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert run(["plugin", "new", "tiny"]) == 0
    assert "pip install -e zoo-tiny" in capsys.readouterr().out
    assert (tmp_path / "zoo-tiny" / "zoo_tiny" / "module.py").is_file()
    assert "the authors of zoo-tiny" in (tmp_path / "zoo-tiny" / "LICENSE").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["zoo-tiny"], "nothing is left beside it"
    assert (tmp_path / "zoo-tiny").stat().st_mode & 0o700 == 0o700


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Tiny Talker"], "'Tiny Talker' is no name for a method: small letters, digits"),
        (["Tiny Talker"], "for example tiny-talker"),
        (["9lives"], "for example lives"),
        (["../etc"], "is no name"),
        (["a--b"], "for example a-b"),
        (["x" * 31], "30 at most"),
        (["zoo-tiny"], "leave out 'zoo-', the package is called so anyway: tiny"),
        (["lipgan"], "'lipgan' is taken: talking-face-zoo has the method"),
        (["sync-expert"], "'sync-expert' is taken: talking-face-zoo has the expert"),
        (["lmd", "--kind", "metric"], "'lmd' is taken: talking-face-zoo has the metric"),
        (["lipgan", "--kind", "dataset"], "the Python package zoo_lipgan is installed already"),
        (["none"], "its class would be None"),
        (["network"], "its class would be Network"),
        (["path", "--kind", "dataset"], "its class would be Path"),
        (["exception", "--kind", "metric"], "its class would be Exception"),
        (["still"], "'still' means something else to `zoo benchmark`"),
        (["tiny", "--author", 'A "B" C'], "--author: 'A \"B\" C' cannot stand in pyproject.toml"),
        (["tiny", "--author", " "], "--author: '' cannot stand"),
        (["tiny", "--out", "there"], "there: exists already; nothing is overwritten"),
    ],
)
def test_refusals(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("precious")
    assert run(["plugin", "new", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["there", "mine.txt"]


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="No space left"):
        create("tiny", out=tmp_path / "zoo-tiny")
    assert list(tmp_path.iterdir()) == []


def test_templates_hold_nothing_hidden():
    """Hidden files would be left out of wheels; caches of tools may lie there and are not copied."""
    hidden = [path for path in TEMPLATES.rglob(".*") if path.is_file() and not path.parent.name.startswith(".")]
    assert hidden == []


def test_every_kind_is_a_group():
    assert set(KINDS.values()) <= set(registry.GROUPS)
