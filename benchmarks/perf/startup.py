"""Start-up time of the `zoo` command against a bare interpreter and against importing Lightning, as peers do first.

    python benchmarks/perf/startup.py [--repeat 9] [--json out.json]

Every figure is the median wall time of a whole process with warm file caches; the commands take turns, so that other
work on the machine slows all of them alike. A command line built on Lightning's own cannot answer `--help` before
`import pytorch_lightning` is done.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

BARE, PEERS = "bare interpreter", "import pytorch_lightning"
BUDGET = 0.25
"""Seconds that each verb may take."""


def commands() -> dict[str, list[str]]:
    """What is timed: the two to compare with, then the verbs."""
    script = shutil.which("zoo", path=str(Path(sys.executable).parent)) or shutil.which("zoo")
    if script is None:
        raise SystemExit("no `zoo` command: pip install -e .")
    verbs = ("--help", "list", "info lipgan", "data list", "version")
    return {
        BARE: [sys.executable, "-c", "pass"],
        PEERS: [sys.executable, "-c", "import pytorch_lightning"],
        **{f"zoo {verb}": [script, *verb.split()] for verb in verbs},
    }


def measure(repeat: int) -> dict[str, float]:
    """Median wall seconds of each command."""
    times: dict[str, list[float]] = {name: [] for name in commands()}
    for turn in range(repeat + 1):
        for name, command in commands().items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if turn:  # the first turn fills the file caches
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    """Measure, print a table, and write it to a file with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=9, help="runs of each command, of which the median counts")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    args = parser.parse_args()
    seconds = measure(args.repeat)
    table = Table(title=f"start-up, median of {args.repeat} whole processes")
    for heading in ("", "seconds", "x bare", "x faster than Lightning", f"within {BUDGET} s"):
        table.add_column(heading, no_wrap=True)
    for name, value in seconds.items():
        within = "" if name in (BARE, PEERS) else "yes" if value <= BUDGET else "NO"
        table.add_row(name, f"{value:.3f}", f"{value / seconds[BARE]:.1f}", f"{seconds[PEERS] / value:.1f}", within)
    Console(width=110).print(table)
    if args.json:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "repeat": args.repeat}
        args.json.write_text(json.dumps({"seconds": seconds, "budget": BUDGET, **machine}, indent=1))


if __name__ == "__main__":
    main()
