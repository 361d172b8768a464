"""Real plugins for tests: wheels written here and installed by pip, as a third party's would be."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plugin:
    """A distribution: what it is called, its entry points, its modules."""

    dist: str
    entry_points: str
    modules: dict[str, str] = field(default_factory=dict)

    def write_wheel(self, folder: Path) -> Path:
        """Write ``<dist>-1.0-py3-none-any.whl``. A wheel needs no build tools, so the tests need no network."""
        stem = f"{self.dist.replace('-', '_')}-1.0"
        info = f"{stem}.dist-info"
        files = {
            **{f"{name}.py": text for name, text in self.modules.items()},
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {self.dist}\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": self.entry_points,
        }
        wheel = folder / f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
            archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
        return wheel


def method(name: str, spec: str, dist: str | None = None, **modules: str) -> Plugin:
    """A distribution with one method, whose spec module holds ``spec`` (Python)."""
    dist = dist or f"zoo-{name}"
    module = dist.replace("-", "_")
    return Plugin(dist, f"[zoo.methods]\n{name} = {module}:SPEC\n", {module: spec, **modules})


def spec_text(name: str, **fields: object) -> str:
    """Source of a spec that keeps the contract, with LipGAN's class and settings but for ``fields``."""
    given = {
        "name": name,
        "summary": f"what {name} does",
        "target": "zoo_lipgan.method:LipGAN",
        "config": "zoo_lipgan.config:LipGANConfig",
        **fields,
    }
    arguments = ", ".join(f"{key}={value!r}" for key, value in given.items())
    return f"from zoo.registry.spec import MethodSpec\nSPEC = MethodSpec({arguments})\n"


def install(folder: Path, *plugins: Plugin) -> Path:
    """Install distributions with pip into ``folder/site``, to be put on the path."""
    wheels = [str(plugin.write_wheel(folder)) for plugin in plugins]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), *wheels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


BROKEN = {
    "no-module": (
        method("no-module", "import not_there_at_all\n"),
        "ModuleNotFoundError: No module named 'not_there_at_all'",
    ),
    "buggy": (method("buggy", "import os\nos.not_there\n"), "AttributeError: module 'os' has no attribute 'not_there'"),
    "quits": (method("quits", "import sys\nsys.exit(0)\n"), "SystemExit: 0"),
    "mapping": (method("mapping", "SPEC = {'name': 'mapping'}\n"), "is a dict, not a zoo.registry.spec.MethodSpec"),
    "newer": (
        method("newer", spec_text("newer", api_version=99)),
        "written for api_version 99, this zoo runs 1 to 2; upgrade talking-face-zoo",
    ),
    "older": (
        method("older", spec_text("older", api_version=0)),
        "written for api_version 0, this zoo runs 1 to 2; upgrade zoo-older",
    ),
    "worded": (
        method("worded", spec_text("worded") + "object.__setattr__(SPEC, 'api_version', '1')\n"),
        "its api_version is '1', not a whole number",
    ),
    "misnamed": (
        method("misnamed", spec_text("other")),
        "the entry point is called 'misnamed' but its spec 'other'",
    ),
    "odd": (
        method("odd", spec_text("odd") + "object.__setattr__(SPEC, 'shown', 'Still')\n"),
        "its shown is 'Still'; known: still, upper half, video",
    ),
    "gone": (Plugin("zoo-gone", "[zoo.methods]\ngone = zoo_gone:SPEC\n"), "No module named 'zoo_gone'"),
    "nameless": (method("nameless", "PSEC = 1\n"), "module 'zoo_nameless' has no 'SPEC'"),
    "listed": (
        method("listed", spec_text("listed") + "object.__setattr__(SPEC, 'capabilities', ['photo'])\n"),
        "its capabilities is a list, not a tuple",
    ),
}
"""Methods that cannot be used, each a distribution of its own, with the reason that the user must be told."""

NOISY = method("noisy", "print('NOISE')\n" + spec_text("noisy"))
HEAVY = method(
    "heavy", spec_text("heavy", target="zoo_heavy_net:Net"), zoo_heavy_net="print('NOISE')\nimport not_there\n"
)
DATASET = Plugin(
    "zoo-bad-data",
    "[zoo.datasets]\nbad-data = zoo_bad_data:SPEC\n[zoo.metrics]\nbad-metric = zoo_bad_data:SPEC\n",
    {"zoo_bad_data": "raise RuntimeError('two\\nlines')\n"},
)
RIVAL = method("lipgan", spec_text("lipgan", summary="another LipGAN"), dist="lipgan-remake")
