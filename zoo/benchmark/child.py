"""Processes that must not outlive their parent: ``python -m zoo.benchmark.child work JOB``, or a ``zoo`` command.

Nothing heavy is imported before the watch stands, so that a parent that is killed at once leaves nobody behind.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading

COMMAND = (sys.executable, "-P", "-m", "zoo.benchmark.child")
"""How to start one: ``-P``, for a folder called ``zoo`` where the user stands is not this package."""


def follow_parent() -> None:
    """End this process as soon as the one that holds the other end of its standard input has ended."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Work through a job, or run a ``zoo`` command."""
    follow_parent()
    if sys.argv[1] == "work":
        from zoo.benchmark.worker import work

        work(sys.argv[2])
    else:
        runpy.run_module("zoo", run_name="__main__")


if __name__ == "__main__":
    main()
