"""Start-up time of the `zoo` command against a bare interpreter and against importing Lightning, as peers do first.

    python benchmarks/perf/startup.py [--repeat 9] [--plugins 50] [--json out.json]

Every figure is the median wall time of a whole process with warm file caches; the commands take turns, so that other
work on the machine slows all of them alike. A command line built on Lightning's own cannot answer `--help` before
`import pytorch_lightning` is done. The last lines are taken with as many third-party packages installed, of which one
pulls in torch and one takes five seconds to import: whoever does not ask for them must not wait for them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

BARE, PEERS = "bare interpreter", "import pytorch_lightning"
BUDGET = 0.25
"""Seconds that each verb may take."""

CROWDED = 0.4
"""Seconds that a verb may take with many third-party packages installed."""

WORST = ("import torch\n", "import time\ntime.sleep(5)\n")
"""How the specs of the first two of those packages begin."""


def install(site: Path, count: int) -> None:
    """Lay out packages as pip does, each with a method, a metric and a module of its own for the specs."""
    for number in range(count):
        name = f"crowd{number:02d}"
        info = site / f"zoo_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: zoo-{name}\nVersion: 1.0\n")
        points = f"[zoo.methods]\n{name} = zoo_{name}:METHOD\n[zoo.metrics]\n{name} = zoo_{name}:METRIC\n"
        (info / "entry_points.txt").write_text(points)
        spec = f"name={name!r}, summary='one of many', target='zoo_{name}_net:Net'"
        imports = "from zoo.registry.spec import MethodSpec, MetricSpec"
        text = f"{imports}\nMETHOD = MethodSpec({spec})\nMETRIC = MetricSpec({spec})\n"
        (site / f"zoo_{name}.py").write_text((WORST[number] if number < len(WORST) else "") + text)


def commands(plugins: int) -> dict[str, list[str]]:
    """What is timed: the two to compare with, then the verbs, and some of them in a crowd of packages."""
    script = shutil.which("zoo", path=str(Path(sys.executable).parent)) or shutil.which("zoo")
    if script is None:
        raise SystemExit("no `zoo` command: pip install -e .")
    verbs = ("--help", "list", "info lipgan", "data list", "version")
    return {
        BARE: [sys.executable, "-c", "pass"],
        PEERS: [sys.executable, "-c", "import pytorch_lightning"],
        **{f"zoo {verb}": [script, *verb.split()] for verb in verbs},
        **{
            f"zoo {verb}, {plugins} packages": [script, *verb.split()]
            for verb in ("--help", "info lipgan", "data list")
            if plugins
        },
    }


def measure(repeat: int, plugins: int, site: Path) -> dict[str, float]:
    """Median wall seconds of each command."""
    install(site, plugins)
    crowd = {**os.environ, "PYTHONPATH": str(site)}
    times: dict[str, list[float]] = {name: [] for name in commands(plugins)}
    for turn in range(repeat + 1):
        for name, command in commands(plugins).items():
            environment = crowd if name.endswith("packages") else None
            start = time.perf_counter()
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if turn:  # the first turn fills the file caches
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    """Measure, print a table, and write it to a file with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=9, help="runs of each command, of which the median counts")
    parser.add_argument("--plugins", type=int, default=50, help="third-party packages in the crowd; 0: no crowd")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(args.repeat, args.plugins, Path(folder))
    table = Table(title=f"start-up, median of {args.repeat} whole processes")
    for heading in ("", "seconds", "x bare", "x faster than Lightning", f"within {BUDGET} s (crowd {CROWDED} s)"):
        table.add_column(heading, no_wrap=True)
    for name, value in seconds.items():
        budget = CROWDED if name.endswith("packages") else BUDGET
        within = "" if name in (BARE, PEERS) else "yes" if value <= budget else "NO"
        table.add_row(name, f"{value:.3f}", f"{value / seconds[BARE]:.1f}", f"{seconds[PEERS] / value:.1f}", within)
    Console(width=110).print(table)
    if args.json:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "plugins": args.plugins}
        args.json.write_text(
            json.dumps(
                {"seconds": seconds, "budget": BUDGET, "crowded": CROWDED, "repeat": args.repeat, **machine}, indent=1
            )
        )


if __name__ == "__main__":
    main()
