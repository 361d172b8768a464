"""Kills commands at random moments and damages files, and counts what is lost, doubled, half-written, or not foreseen.

    python -m benchmarks.faults.campaign --moments 100 --files 500 [--seed 0] [--lanes 2] [--only fit-7] [--keep DIR]

Ends with exit code 1 where anything was found. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.faults.found import FAULTS, Case, Fault
from benchmarks.faults.kills import KILLS, killed, moments
from benchmarks.faults.mutations import TARGETS, mutated
from benchmarks.faults.warm import Ended
from benchmarks.faults.world import World, make_world


def cases(kills: int, files: int, seed: int, undisturbed: dict[str, Ended]) -> Iterator[Case]:
    """All cases, the kinds by turns."""
    for place, kind in enumerate(KILLS):
        count = len(range(place, kills, len(KILLS)))
        for number, moment in enumerate(moments(kind, undisturbed[kind], count, seed)):
            yield Case(kind, number, moment)
    for number in range(files):
        yield Case(list(TARGETS)[number % len(TARGETS)], number // len(TARGETS))


def work(case: Case, world: World, seed: int, keep: Path | None) -> tuple[Case, list[Fault]]:
    """Do one case in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix=f"{case.name}-", dir=world.folder))
    try:
        found = killed(case, world, folder) if case.moment else mutated(case, world, folder, seed)
    except Exception:
        found = [Fault("lost", f"what is left cannot be compared: {traceback.format_exc()}")]
    if found and keep:
        with suppress(shutil.Error):  # it has copied what it could
            shutil.copytree(folder, keep / case.name, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return case, found


def main() -> int:
    """Run the campaign; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=100, help="kills, a third each of prepare, fit and benchmark")
    parser.add_argument("--files", type=int, default=500, help="files to damage")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other moments and damages")
    parser.add_argument("--lanes", type=int, default=2, help="cases at a time")
    parser.add_argument("--only", action="append", metavar="CASE", help="cases such as fit-7, and no others")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the folders of cases in which something is found"
    )
    args = parser.parse_args()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="zoo-faults-"))
    try:
        world, undisturbed = make_world(folder)
        every = list(cases(args.moments, args.files, args.seed, undisturbed))
        random.Random(args.seed).shuffle(every)  # what is found early is of all kinds
        chosen = [case for case in every if not args.only or case.name in args.only]
        found = campaign(chosen, world, args.seed, args.lanes, args.keep)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(chosen, found)
    print(f"seed {args.seed}, {time.monotonic() - started:.0f} s")
    return 1 if any(found.values()) else 0


def campaign(chosen: list[Case], world: World, seed: int, lanes: int, keep: Path | None) -> dict[Case, list[Fault]]:
    """Do the cases, some at a time, and tell what is found as it is found."""
    found: dict[Case, list[Fault]] = {}
    # Forked: the lanes, too, need not import anything again.
    with ProcessPoolExecutor(lanes, mp_context=get_context("fork")) as pool:
        running = [pool.submit(partial(work, world=world, seed=seed, keep=keep), case) for case in chosen]
        for number, done in enumerate(as_completed(running), 1):
            case, faults = done.result()
            found[case] = faults
            for fault in faults:
                print(f"{case.name}: {fault.kind}: {fault.what}", flush=True)
            if number % 50 == 0:
                print(f"{number}/{len(chosen)} cases", file=sys.stderr, flush=True)
    return found


def show(chosen: list[Case], found: dict[Case, list[Fault]]) -> None:
    """Print the table: cases in which a fault of each kind was found."""
    table = Table("what", "cases", *FAULTS)
    kinds = [*KILLS, *TARGETS]
    for kind in [*kinds, "all"]:
        mine = [case for case in chosen if kind in (case.kind, "all")]
        counts = Counter(fault for case in mine for fault in {fault.kind for fault in found[case]})
        said = {"all": "all"}.get(kind, f"{'killed' if kind in KILLS else 'damaged'}: {kind}")
        if mine:
            table.add_row(said, str(len(mine)), *(str(counts[fault]) for fault in FAULTS))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
