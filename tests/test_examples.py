"""Every example in a docstring of the zoo and of its methods gives what it says (that of LPIPS needs weights)."""

import doctest
from importlib import import_module

import pytest

from tests.helpers.paths import ROOT

MODULES = sorted(
    ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    for base, folder in ((ROOT, "zoo"), (ROOT / "plugins", "."))
    for path in (base / folder).rglob("*.py")
    if "templates" not in path.parts and ">>>" in path.read_text(encoding="utf-8")
)


def test_there_are_examples():
    assert len(MODULES) > 15


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str):
    module = import_module(name)
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0 or name.endswith("lpips")
    assert found.failed == 0
