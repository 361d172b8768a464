"""The registry: discovery imports nothing, whatever is wrong with a plugin becomes a reason, names are exact."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import wheels
from zoo import registry
from zoo.methods import trainable
from zoo.registry import config
from zoo.registry.spec import MethodSpec, load_object
from zoo.support.errors import BrokenPluginError, ConfigError, UnknownNameError

FACES = ("zoo.detectors", "zoo.landmarkers", "zoo.embedders")
"""Groups for others alone: the zoo's own backends are in zoo/face/backends.py."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    broken = [plugin for plugin, _ in wheels.BROKEN.values()]
    return wheels.install(tmp_path_factory.mktemp("plugins"), *broken, wheels.NOISY, wheels.HEAVY, wheels.DATASET)


@pytest.fixture(scope="module")
def rival_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.install(tmp_path_factory.mktemp("rivals"), wheels.RIVAL)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("ZOO_PLUGINS", "ZOO_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    registry.refresh()
    yield
    registry.refresh()


@pytest.fixture
def plugins(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))


@pytest.fixture
def rivals(rival_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(rival_site))


def record(name: str, group: str = "zoo.methods") -> registry.Record:
    (found,) = [record for record in registry.records(group) if record.entry.name == name]
    return found


def test_built_ins_are_found_as_plugins_and_load():
    assert {e.dist for e in registry.entries()} == {"talking-face-zoo"}
    for group in (*registry.GROUPS, *registry.RESOURCES):
        assert registry.records(group) or group in (*FACES, "zoo.recipes")
        assert [r.error for r in registry.records(group) if not r.ok] == []
    assert registry.method("lipgan").dist == "talking-face-zoo"
    assert registry.method("talking-face-zoo:lipgan") is registry.method("lipgan")


@pytest.mark.usefixtures("plugins")
def test_discovery_imports_no_plugin():
    own = {e.target.partition(".")[0] for e in registry.entries() if e.dist == "talking-face-zoo"}
    for name in [name for name in sys.modules if name.startswith("zoo_") and name.partition(".")[0] not in own]:
        del sys.modules[name]  # those of other plugins; what tests before this one hold of our own must stay the same
    names = {entry.name for entry in registry.entries()}
    assert names >= {*wheels.BROKEN, "noisy", "heavy", "lipgan"}
    assert "zoo_noisy" not in sys.modules
    assert record("noisy").ok
    assert "zoo_noisy" in sys.modules
    assert registry.method("heavy").summary == "what heavy does"
    assert "zoo_heavy_net" not in sys.modules


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", wheels.BROKEN)
def test_a_broken_plugin_is_a_record_with_its_reason(name: str, monkeypatch: pytest.MonkeyPatch):
    reason = wheels.BROKEN[name][1]
    found = record(name)
    assert not found.ok
    assert reason in found.error
    assert found.entry.dist == f"zoo-{name}"
    with pytest.raises(BrokenPluginError) as error:
        registry.method(name)
    assert reason in str(error.value)
    assert f"zoo-{name} 1.0" in str(error.value)
    assert registry.method("lipgan").name == "lipgan"

    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    registry.refresh()
    with pytest.raises(BrokenPluginError, match=f"zoo-{name} 1.0"):
        registry.method(name)
    with pytest.raises(BrokenPluginError):
        registry.records("zoo.methods")


@pytest.mark.usefixtures("plugins")
def test_other_groups_break_as_gently():
    for group, name in (("zoo.datasets", "bad-data"), ("zoo.metrics", "bad-metric")):
        assert record(name, group).error == "RuntimeError: two lines"
        assert "RuntimeError" in record(name, group).detail
    assert registry.dataset("grid").name == "grid"


@pytest.mark.usefixtures("plugins")
def test_unknown_broken_and_outdated_are_told_apart():
    messages = []
    for name, kind in (
        ("lipgn", UnknownNameError),
        ("nothing like it", UnknownNameError),
        ("no-module", BrokenPluginError),
        ("newer", BrokenPluginError),
    ):
        with pytest.raises(kind) as error:
            registry.method(name)
        messages.append(str(error.value))
    assert messages[0] == "no method is called 'lipgn'; did you mean lipgan?"
    assert messages[1].startswith("no method is called 'nothing like it'; known: at-a-glance, ")
    assert messages[2].startswith("'no-module' is installed (zoo-no-module 1.0) but broken: ModuleNotFoundError")
    assert "written for api_version 99" in messages[3]


@pytest.mark.usefixtures("plugins")
def test_printing_at_import_leaves_standard_output_alone(capsys: pytest.CaptureFixture[str]):
    sys.modules.pop("zoo_noisy", None)
    assert registry.method("noisy").name == "noisy"
    out, err = capsys.readouterr()
    assert (out, err) == ("", "NOISE\n")


@pytest.mark.usefixtures("plugins")
def test_a_class_that_cannot_be_imported_names_its_distribution(capsys: pytest.CaptureFixture[str]):
    spec = registry.method("heavy")
    with pytest.raises(BrokenPluginError) as error:
        trainable.build(spec, spec.settings())
    assert str(error.value) == (
        "'heavy' (zoo-heavy) cannot be used: zoo_heavy_net:Net cannot be imported: "
        "ModuleNotFoundError: No module named 'not_there'"
    )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"config": "zoo.registry.spec:API_VERSION"}, "zoo.registry.spec:API_VERSION is not a dataclass"),
        ({"config": ""}, "'' is not of the form package.module:attribute"),
        (
            {"config": "zoo.registry.spec:InputSpec", "recipes": "not_there.recipes"},
            "its recipes in not_there.recipes cannot",
        ),
        ({"config": "zoo.registry.spec:Spec"}, "zoo.registry.spec:Spec has no default for every setting"),
        (
            {"target": "zoo.registry.spec:reason"},
            "zoo.registry.spec:reason is not a zoo.methods.method.TalkingFaceMethod",
        ),
    ],
)
def test_what_a_spec_points_at_must_keep_the_contract(fields: dict[str, str], reason: str):
    given = {"target": "zoo_lipgan.method:LipGAN", "config": "zoo_lipgan.config:LipGANConfig", **fields}
    spec = MethodSpec(name="mine", summary="", dist="my-dist", **given)
    with pytest.raises(BrokenPluginError) as error:
        trainable.build(spec, ValueError("what `reason` eats") if "target" in fields else config.resolve(spec).model)
    assert str(error.value).startswith("'mine' (my-dist) cannot be used: ")
    assert reason in str(error.value)


def test_a_method_needs_no_recipes():
    spec = MethodSpec(name="mine", summary="", target="", config="zoo_lipgan.config:LipGANConfig")
    assert config.recipes(spec) == {}
    assert config.resolve(spec).data.name == "synthgrid"


@pytest.mark.usefixtures("rivals")
def test_a_name_claimed_twice_is_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BrokenPluginError) as error:
        registry.method("lipgan")
    assert str(error.value) == (
        "'lipgan' is claimed by lipgan-remake and talking-face-zoo; say which: lipgan-remake:lipgan or "
        "talking-face-zoo:lipgan"
    )
    assert [r.ok for r in registry.records("zoo.methods") if r.entry.name == "lipgan"] == [False, False]
    assert registry.method("lipgan-remake:lipgan").summary == "another LipGAN"
    assert registry.method("talking-face-zoo:lipgan").summary != "another LipGAN"
    with pytest.raises(UnknownNameError):
        registry.method("no-such-dist:lipgan")
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    with pytest.raises(BrokenPluginError, match="claimed by"):
        registry.records("zoo.methods")


@pytest.mark.usefixtures("rivals")
@pytest.mark.parametrize("dist", ["lipgan-remake", "talking-face-zoo"])
def test_a_run_of_a_claimed_name_keeps_which_one_it_means(dist: str):
    spec = registry.method(f"{dist}:lipgan")
    resolved = config.resolve(spec)
    assert resolved.method == f"{dist}:lipgan"
    assert registry.method(resolved.method) is spec


def test_full_name_is_bare_where_nobody_else_claims_it():
    assert registry.full_name(registry.method("lipgan")) == "lipgan"


def test_environment_adds_a_method_without_packaging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "trial_of_mine.py").write_text(wheels.spec_text("mine"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    monkeypatch.setenv("ZOO_PLUGINS", " mine = trial_of_mine:SPEC , absent=not_there:SPEC,")
    assert registry.method("mine").dist == "ZOO_PLUGINS"
    assert "No module named 'not_there'" in record("absent").error


@pytest.mark.parametrize("text", ["mine", "mine=", "mine=module", "=module:SPEC", "mine=module:", "mine=:SPEC"])
def test_malformed_environment_is_one_clear_error(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZOO_PLUGINS", f"ok=os:path,{text}")
    with pytest.raises(ConfigError) as error:
        registry.entries()
    assert str(error.value) == f"ZOO_PLUGINS: '{text}' is not of the form name=module:SPEC"


def test_the_same_distribution_twice_on_the_path_is_no_collision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    info = tmp_path / "talking_face_zoo-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: talking-face-zoo\nVersion: 0.0.1\n")
    (info / "entry_points.txt").write_text("[zoo.methods]\nlipgan = stale:SPEC\nlong-gone = stale:SPEC\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert registry.method("lipgan").target == "zoo_lipgan.method:LipGAN"
    assert "long-gone" not in {entry.name for entry in registry.entries()}


def test_damaged_metadata_hides_no_other_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, text in (("torn", "[zoo.methods]\nthis line has no sign\n"), ("binary", "\x00zoo.\x01")):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(text)
    (tmp_path / "empty-1.0.dist-info").mkdir()
    nameless = tmp_path / "nameless-1.0.dist-info"
    nameless.mkdir()
    (nameless / "entry_points.txt").write_text("[zoo.methods]\nnameless = not_there:SPEC\n")
    latin = tmp_path / "latin-1.0.dist-info"
    latin.mkdir()
    (latin / "entry_points.txt").write_bytes(b"[zoo.methods]\n\xe9 = a:b\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.method("lipgan").name == "lipgan"
    reasons = {r.entry.dist: r.error for r in registry.records("zoo.methods") if not r.ok}
    assert "entry_points.txt" in reasons["torn"]
    assert "No module named 'not_there'" in reasons[str(nameless)], "its folder, for whoever deletes it"


def test_an_error_inside_a_module_is_not_a_missing_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "has_a_bug.py").write_text("class SPEC:\n    inner = 3\nSPEC.not_there\n")
    (tmp_path / "has_none.py").write_text("class SPEC:\n    inner = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(AttributeError, match="not_there"):
        load_object("has_a_bug:SPEC")
    with pytest.raises(ImportError, match="module 'has_none' has no 'other'"):
        load_object("has_none:other")
    assert load_object("has_none:SPEC.inner") == 3
