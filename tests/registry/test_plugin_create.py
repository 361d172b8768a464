"""`zoo plugin new`: a whole package under another name, or one clear line and nothing written."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import indent

import pytest
from setuptools import Distribution

from tests.helpers.paths import ROOT
from zoo import registry
from zoo.cli.main import run
from zoo.registry import api
from zoo.registry.scaffold.create import KINDS, TEMPLATES, create

RUFF = Path(sys.executable).parent / "ruff"

PACKAGES = {
    "method": ("a-name-of-thirty-letters-first", "MIT"),
    "gan": ("sharp_lips", "MIT"),
    "dataset": ("my_faces", "Apache-2.0"),
    "metric": ("gap", "BSD-3-Clause"),
}
"""Name and licence of a package of each template."""


def write(template: str, name: str, out: Path, *more: str) -> Path:
    """The package of a template, which is a kind, or that of methods with a discriminator."""
    gan = template == "gan"
    return create(name, "method" if gan else template, out, *more, gan=gan)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One package of each template."""
    folder = tmp_path_factory.mktemp("new")
    return {
        template: write(template, name, folder / template, licence, "Ada O'Neill")
        for template, (name, licence) in PACKAGES.items()
    }


@pytest.mark.parametrize("kind", PACKAGES)
def test_nothing_of_the_template_is_left(made: dict[str, Path], kind: str):
    files = [path for path in made[kind].rglob("*") if path.is_file()]
    assert {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/test.yml", "tests"} <= {
        path.relative_to(made[kind]).as_posix() for path in [*files, *made[kind].iterdir()]
    }
    for path in files:
        text = path.read_text("utf-8")
        assert not re.search(r"(?i)new[-_]?(method|gan|dataset|metric)|AUTHOR NAME|dot-", text + path.name), path
        if path.suffix == ".py":
            ast.parse(text)


@pytest.mark.parametrize("kind", PACKAGES)
def test_project_file_licence_and_entry_point(made: dict[str, Path], kind: str):
    name, licence = PACKAGES[kind]
    project = tomllib.loads((made[kind] / "pyproject.toml").read_text())["project"]
    package = f"zoo_{name.replace('-', '_')}"
    assert project["name"] == f"zoo-{name.replace('_', '-')}"
    assert project["license"] == licence
    assert project["authors"] == [{"name": "Ada O'Neill"}]
    assert project["entry-points"]["zoo.methods" if kind == "gan" else KINDS[kind]] == {name: f"{package}.spec:SPEC"}
    assert "Ada O'Neill" in (made[kind] / "LICENSE").read_text()
    assert licence.split("-")[0] in (made[kind] / "LICENSE").read_text().replace("Apache License", "Apache")
    spec = (made[kind] / package / "spec.py").read_text()
    assert f"api_version={api.API_VERSION}," in spec, "templates are written for the contract as it is"
    assert f'licence="{licence}' in spec
    assert (made[kind] / "tests" / f"test_{package[4:]}.py").is_file()


def test_what_a_gan_adds_to_a_method(tmp_path: Path):
    """Project file, licence, workflow, network and tests are a method's; its own file holds what a paper would."""
    plain, gan = write("method", "tiny", tmp_path / "plain"), write("gan", "tiny", tmp_path / "gan")
    of_plain, of_gan = (
        {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
        for folder in (plain, gan)
    )
    own = {f"zoo_tiny/{name}" for name in ("spec.py", "method.py", "config.py", "README.md", "recipes/synthgrid.yaml")}
    added = {"zoo_tiny/discriminator.py", "tests/test_discriminator.py"}
    assert of_gan.keys() - of_plain.keys() == added
    assert {name for name in of_plain if of_gan[name] != of_plain[name]} == own
    method = of_gan["zoo_tiny/method.py"]
    (kind,) = (node for node in ast.parse(method).body if isinstance(node, ast.ClassDef))
    assert {node.name for node in kind.body if isinstance(node, ast.FunctionDef)} == {
        "build", "input_spec", "render", "generator_terms", "discriminator_terms",
    }  # fmt: skip
    assert len(method.splitlines()) < 55
    page = (ROOT / "docs" / "write-a-method.md").read_text()
    (shown,) = re.findall(r"^```python\n(def generator_terms.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    for function in shown.split("\n\n"):
        assert indent(function.strip(), "    ") in method, "what docs/write-a-method.md shows"


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
    for template in PACKAGES:
        write(template, name, tmp_path / template)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([RUFF, *command, "--no-cache", tmp_path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert run(["plugin", "new", "tiny"]) == 0
    assert "pip install -e zoo-tiny" in capsys.readouterr().out
    assert (tmp_path / "zoo-tiny" / "zoo_tiny" / "method.py").is_file()
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
        (["discriminator", "--gan"], "its class would be Discriminator"),
        (["tiny", "--gan", "--kind", "dataset"], "--gan: a dataset has no discriminator; leave out --kind dataset"),
        (["tiny", "--gan", "--kind", "metric"], "--gan: a metric has no discriminator"),
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
