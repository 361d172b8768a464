"""A plugin that imports modules by the names they had finds them."""

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from zoo.support.old_names import OLD


@pytest.mark.parametrize("name", OLD)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_old_name_is_the_module_of_today(name: str):
    assert import_module(name) is import_module(OLD[name])


@pytest.mark.parametrize(
    "line",
    [
        "from zoo.metrics.base import ClipMetric as old; from zoo.evaluation.metrics.base import ClipMetric as new",
        "from zoo.metrics.ctc import ctc_decode as old; from zoo.experts.lip_reader.ctc import ctc_decode as new",
        "from zoo import audio as old; from zoo.media import audio as new",
        "import zoo.nn.blocks; old = zoo.nn.blocks; from zoo.methods.nn import blocks as new",
        "from zoo.data.store import Store as old; from zoo.data.store.store import Store as new",
        "from zoo import registry; old = registry.method; from zoo.registry.plugins import method as new",
        "from zoo.data.synthgrid.source import SynthGrid as old; from zoo.data.sources.synthgrid.source import *; "
        "new = SynthGrid",
    ],
)
def test_plugins_import_as_before_in_a_fresh_process(line: str):
    subprocess.run([sys.executable, "-c", f"{line}\nassert old is new"], check=True)


def test_the_old_name_says_what_it_is_now():
    done = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", "import zoo.spec"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "zoo.spec is now zoo.registry.spec" in done.stderr


def test_a_name_that_never_was_is_not_found():
    assert find_spec("zoo.never") is None
    with pytest.raises(ModuleNotFoundError, match=r"zoo\.evaluation\.metrics\.never"):
        import_module("zoo.metrics.never")
