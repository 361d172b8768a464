"""What `zoo doctor` says where something around the zoo is wrong: each time with the mend."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers import wheels
from tests.helpers.wheels import Plugin
from zoo.cli import checks
from zoo.cli.checks import Finding


def only(check: str) -> Finding:
    (found,) = getattr(checks, check)()
    return found


@pytest.mark.usefixtures("roomy_disk")
def test_all_is_well_here():
    found = [only(check) for check in ("python", "lightning", "devices", "codecs")]
    assert [item for item in (*found, *checks.disk(), *checks.write_access()) if not item["ok"]] == []


def test_another_python(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 1))
    found = only("python")
    assert not found["ok"]
    assert "3.14.1 is not among 3.11 up to 3.14: make a virtual environment" in str(found["message"])


def test_both_of_lightnings_names_and_who_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, version, needs in (("lightning", "2.6.1", ""), ("zoo-wrong", "1.0", "Requires-Dist: lightning>=2\n")):
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = only("lightning")
    assert not found["ok"]
    assert "pip uninstall lightning, and ask the authors of zoo-wrong for `pytorch-lightning`" in str(found["message"])


def test_who_needs_the_other_name_is_told_before_it_is_installed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path_factory.mktemp("asks")
    site = wheels.install(folder, Plugin("zoo-asks", "", {"zoo_asks": ""}))
    metadata = next(site.glob("zoo_asks-*.dist-info")) / "METADATA"
    text = metadata.read_text()
    metadata.write_text(text + 'Requires-Dist: lightning-utilities\nRequires-Dist: lightning ; extra == "x"\n')
    monkeypatch.syspath_prepend(str(site))
    assert only("lightning")["ok"], "neither another package nor an extra"
    metadata.write_text(text + "Requires-Dist: Lightning[extra] (>=2)\n")
    assert "zoo-asks needs `lightning`" in str(only("lightning")["message"])


def test_a_malicious_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    info = tmp_path / "lightning-2.6.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lightning\nVersion: 2.6.3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "lightning 2.6.3 is a malicious release" in str(only("lightning")["message"])


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        (("2.11.0+cpu", "0.26.0+cpu", "2.11.0+cpu"), ""),
        (
            ("2.12.0", "0.26.0", "2.11.0"),
            "torch 2.12.0: not of the release set that works here; pip install 'torch==2.11.*'",
        ),
        (("2.11.0+cu130", "0.26.0+cpu", "2.11.0+cu130"), "builds are mixed"),
    ],
)
def test_releases_of_torch_and_its_companions(versions: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch):
    for (name, _), version in zip(checks.RELEASES, versions, strict=True):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__version__=version))
    found = only("releases")
    assert found["ok"] == (not told)
    assert told in str(found["message"])


def test_a_driver_that_torch_cannot_use(monkeypatch: pytest.MonkeyPatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(checks.shutil, "which", lambda name: f"/usr/bin/{name}")
    found = only("devices")
    assert not found["ok"]
    assert "there is an NVIDIA driver, but torch" in str(found["message"])
    assert "that fits the driver" in str(found["message"])


def test_a_codec_that_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checks, "CODECS", (("no_such_codec", "w"), ("aac", "r")))
    assert "FFmpeg has no no_such_codec (writing); pip install --force-reinstall av" in str(only("codecs")["message"])


def test_no_room_and_no_way_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "not" / "yet"))
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    first, second = checks.disk()
    assert "1.0 GiB free for" in str(first["message"])
    assert "set ZOO_CACHE to a larger disk" in str(first["message"])
    assert "say out=FOLDER" in str(second["message"])

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checks.tempfile, "TemporaryFile", refuse)
    told = [str(found["message"]) for found in checks.write_access()]
    assert [("is not writable (Permission denied)" in text) for text in told] == [True] * 3
    assert "set ZOO_CACHE to a folder of yours" in told[0]


def test_a_face_backend_that_does_not_work(monkeypatch: pytest.MonkeyPatch):
    from zoo.face import backends

    def broken(_: str) -> object:
        raise ImportError("no dlib")

    for name in ("make_detector", "make_landmarker", "make_embedder"):
        monkeypatch.setattr(backends, name, broken)
    found = list(checks.faces())
    assert [item["ok"] for item in found] == [False] * 4
    assert "does not work (ImportError: no dlib); pip install --force-reinstall dlib-bin" in str(found[0]["message"])


def test_a_check_that_fails_itself_stops_no_other(monkeypatch: pytest.MonkeyPatch):
    def fails() -> list[Finding]:
        raise RuntimeError("the doctor is ill")

    for name in ("imports", "faces", "codecs", "devices"):
        monkeypatch.setattr(checks, name, fails)
    found = checks.all_findings()
    assert sum("the doctor is ill" in str(item["message"]) for item in found) == 4
    assert {"python", "lightning", "disk", "cache"} <= {item["what"] for item in found}
