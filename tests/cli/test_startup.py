"""What is light stays light: no torch, no Lightning before a verb needs them, and no torch in any spec."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "pytorch_lightning", "lightning_fabric", "torchvision", "torchaudio", "torchmetrics", "wandb")
HEAVY = (*HEAVY, "kornia", "numpy", "av", "dlib", "facenet_pytorch", "tensorboard", "jaxtyping")

PROBE = """
import json, sys
from zoo.cli.main import run
try:
    code = run(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print("\\n" + json.dumps([code, sorted(name for name in sys.modules if "." not in name)]))
"""

SPECS = """
from zoo import registry
records = [record for group in registry.GROUPS for record in registry.records(group)]
assert len(records) >= 5 and all(record.ok for record in records), records
print()
"""


def modules(*arguments: str, environment: dict[str, str]) -> set[str]:
    """The modules imported after one command line that must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert not code, done.stderr
    return set(names)


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "list",
        "list --json",
        "benchmark --help",
        "info lipgan",
        "info grid",
        "data list",
        "version",
        "fit --help",
        "score --help",
        "data --help",
    ],
)
def test_light_verbs_import_nothing_heavy(line: str, environment: dict[str, str]):
    assert not modules(*line.split(), environment=environment) & {*HEAVY, "omegaconf", "yaml"}


def test_settings_are_printed_without_torch(environment: dict[str, str]):
    assert not modules("fit", "lipgan", "--print-config", environment=environment) & set(HEAVY)


def test_help_and_version_import_no_plugin_and_no_tables(environment: dict[str, str]):
    for line in ("--help", "version"):
        assert not modules(line, environment=environment) & {"zoo_lipgan", "rich"}


def test_specs_of_all_plugins_import_nothing_heavy(environment: dict[str, str]):
    script = SPECS + f"import sys; assert not set(sys.modules) & set({HEAVY!r}), sorted(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
