"""Two packages pinned to older contracts, in a zoo of the future: one keeps working, one is refused politely."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import wheels
from zoo import registry
from zoo.cli.main import run
from zoo.methods import trainable
from zoo.registry import api
from zoo.registry.api import Api
from zoo.support.errors import BrokenPluginError

FUTURE = {
    1: Api("0.1", "0.9", "return RGB, not BGR"),
    2: Api("0.9", "2.0", "take the pose as a keyword"),
    3: Api("1.0"),
}
"""A history as it may be in years: this zoo runs 2 and 3."""

KEPT = wheels.method("kept", wheels.spec_text("kept", api_version=2))
REFUSED = wheels.method("dropped", wheels.spec_text("dropped", api_version=1))


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.install(tmp_path_factory.mktemp("older"), KEPT, REFUSED)


@pytest.fixture(autouse=True)
def _future(older: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(older))
    monkeypatch.setattr(api, "APIS", FUTURE)
    monkeypatch.setattr(api, "OLDEST", 2)
    monkeypatch.setattr(api, "API_VERSION", 3)
    registry.refresh()
    yield
    monkeypatch.undo()
    registry.refresh()
    for name in ("zoo_kept", "zoo_dropped"):
        sys.modules.pop(name, None)


def test_one_keeps_working_and_says_so_once(capsys: pytest.CaptureFixture[str]):
    spec = registry.method("kept")
    config = spec.settings()
    config.width = 0.06
    assert trainable.build(spec, config).method_name == "kept"
    registry.method("kept")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "zoo: 'kept' is written for api_version 2, which talking-face-zoo 2.0 will not run; upgrade zoo-kept "
        "(for its authors: take the pose as a keyword)\n"
    )
    assert run(["info", "kept"]) == 0


def test_one_is_refused_with_the_releases_that_fit(capsys: pytest.CaptureFixture[str]):
    assert run(["info", "dropped"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "zoo info: 'dropped' is installed (zoo-dropped 1.0) but does not fit this zoo: written for api_version 1, "
        "this zoo runs 2 to 3; upgrade zoo-dropped, or install 'talking-face-zoo>=0.1,<0.9', which runs it "
        "(see `zoo doctor`)\n"
    )


def test_both_are_listed_with_what_became_of_them(capsys: pytest.CaptureFixture[str]):
    assert run(["plugin", "list", "--json"]) == 0
    found = {item["dist"]: item for item in json.loads(capsys.readouterr().out)}
    assert (found["zoo-kept"]["status"], found["zoo-kept"]["api_versions"]) == ("deprecated", [2])
    assert "will not run" in found["zoo-kept"]["parts"][0]["reason"]
    assert found["zoo-dropped"]["status"] == "refused"
    assert found["zoo-dropped"]["parts"][0]["reason"].startswith("written for api_version 1, this zoo runs 2 to 3")


def test_strict_mode_takes_a_refusal_for_an_error_and_a_notice_for_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    assert registry.method("kept").name == "kept"
    with pytest.raises(BrokenPluginError, match="does not fit this zoo"):
        registry.method("dropped")


def test_what_never_was_fits_no_release():
    assert api.refusal(0, "zoo-x") == "written for api_version 0, this zoo runs 2 to 3; upgrade zoo-x"
    assert "upgrade talking-face-zoo (this is " in api.refusal(4, "zoo-x")
    assert api.refusal(3, "zoo-x") == api.notice(3, "zoo-x") == ""


def test_the_history_as_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    assert list(api.APIS) == list(range(1, api.API_VERSION + 1))
    assert api.OLDEST in api.APIS
    for version, past in api.APIS.items():
        assert bool(past.change) == (version < api.API_VERSION), "who is behind must be told what to change"
        assert bool(past.end) or version >= api.OLDEST


def test_the_first_contract_still_runs_and_is_deprecated(
    older: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.undo()
    assert (api.OLDEST, api.API_VERSION) == (1, 2)
    monkeypatch.syspath_prepend(str(older))
    registry.refresh()
    assert registry.method("dropped").api_version == 1
    assert registry.method("kept").api_version == 2
    assert capsys.readouterr().err == (
        "zoo: 'dropped' is written for api_version 1, and there is a newer one; upgrade zoo-dropped "
        f"(for its authors: {api.APIS[1].change})\n"
    )
    assert run(["plugin", "list", "--json"]) == 0
    found = {item["dist"]: item for item in json.loads(capsys.readouterr().out)}
    assert (found["zoo-dropped"]["status"], found["zoo-dropped"]["api_versions"]) == ("deprecated", [1])
    assert (found["zoo-kept"]["status"], found["zoo-kept"]["api_versions"]) == ("ok", [2])
