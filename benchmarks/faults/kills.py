"""Commands killed at random moments and run again: what is there in the end, beside what nobody has disturbed."""

from __future__ import annotations

import csv
import json
import random
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.found import Case, Fault
from benchmarks.faults.warm import Ended, Moment, call
from benchmarks.faults.world import World, alone

KILLS = ("prepare", "fit", "benchmark")
"""What is killed, a third of the moments each."""

COLD = 5
"""Every so many-th prepare and benchmark has worker processes of its own, which have to import everything."""

ATTEMPTS = 3
"""Runs after the kill; the first that succeeds is looked at."""

PASSING = (".lock", ".work", "samples", "wandb", "times")
"""Parts of names that two undisturbed runs need not have in common."""


TIMES = ("second", "time", "speed", "fps", "rtf")
"""Parts of names of values that two undisturbed runs need not have in common."""


def moments(kind: str, ended: Ended, count: int, seed: int) -> Iterator[Moment]:
    """A third at any time, the others between two changes of files: of a fit, half of these while it writes a
    checkpoint and half from the last checkpoint on, while it scores.
    """
    random_ = random.Random(f"{kind} {seed}")
    times = [time for time, _ in ended.changes]
    checkpoints = [n for n, (_, path) in enumerate(ended.changes) if ".ckpt" in path or path.endswith("checkpoints")]
    for number in range(count):
        if number % 3 == 0:
            yield Moment(random_.uniform(0, ended.seconds))
            continue
        among = range(len(times))
        if kind == "fit":
            among = checkpoints if number % 3 == 1 else range(checkpoints[-1], len(times))  # type: ignore[assignment]
        change = random_.choice(list(among))
        pause = (times[change + 1] if change + 1 < len(times) else ended.seconds) - times[change]
        yield Moment(random_.uniform(0, pause), change + 1)


def killed(case: Case, world: World, folder: Path) -> list[Fault]:
    """Kill one command at its moment, run it again until it is done, and compare."""
    cwd = folder / "case"
    cwd.mkdir()
    cold = case.number % COLD == COLD - 1
    arguments = world.prepare(workers=2 if cold else 1) if case.kind == "prepare" else getattr(world, case.kind)()
    how = alone if case.kind == "benchmark" and not cold else None
    first = call(arguments, cwd, moment=case.moment, prepare=how)
    ended = [first]
    for _ in range(ATTEMPTS):
        again = call(_resumed(case.kind, arguments, ended), cwd, prepare=how)
        ended.append(again)
        if again.code == 0:
            break
    faults = list(troubles(ended))
    if ended[-1].code != 0:
        return [*faults, Fault("lost", f"cannot be finished: {_last(ended[-1].err)}")]
    return faults + COMPARE[case.kind](cwd, world)


def _resumed(kind: str, arguments: Any, ended: list[Ended]) -> Any:
    """What a user types after a kill: the same again; a fit goes on, or begins anew where it says that it cannot."""
    if kind != "fit" or (len(ended) > 1 and ended[-1].code != 0):
        return arguments
    return (*arguments, "--resume", "last")


def troubles(ended: list[Ended]) -> Iterator[Fault]:
    """Tracebacks and hangs."""
    for one in ended:
        if one.code is None:
            yield Fault("hangs", f"more than {one.seconds:.0f} s")
        if one.traceback:
            yield Fault("tracebacks", _last(one.err or one.out))


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no word"


def _prepared(cwd: Path, world: World) -> list[Fault]:
    return same_bytes(world.prepared, cwd / "out")


def _fitted(cwd: Path, world: World) -> list[Fault]:
    """The run that was finished; one that was killed before its first checkpoint keeps its folder, which says so."""
    runs = sorted((cwd / "runs" / "lipgan" / "synthgrid").iterdir())
    done = [run for run in runs if (run / "weights.safetensors").is_file()]
    faults = [fault for run in runs for fault in broken(run)]
    for run in runs:
        missing = [name for name in ("config.yaml", "run.json", "metrics.csv") if not (run / name).is_file()]
        if missing:
            faults.append(Fault("half-written", f"a run without {', '.join(missing)}"))
    if len(done) != 1:
        return [*faults, Fault("lost" if not done else "doubled", f"{len(done)} finished runs")]
    run = done[0]
    skip = ("config.yaml", "run.json", "metrics.csv", ".ckpt", "samples")
    faults += same_bytes(world.run, run, skip=skip)
    return faults + same_table(world.run / "metrics.csv", run / "metrics.csv")


def _benchmarked(cwd: Path, world: World) -> list[Fault]:
    skip = ("cell.json", "leaderboard", "index.html", "suite.json", ".mp4")
    faults = same_bytes(world.results, cwd / "out", skip=skip)
    shown = [json.loads((path / "leaderboard.json").read_text()) for path in (world.results, cwd / "out")]
    if values(shown[0]) != values(shown[1]):
        faults.append(Fault("lost", "another leaderboard"))
    return faults + broken(cwd / "out")


def values(board: Any) -> Any:
    """A leaderboard without times, dates and names of files."""
    if isinstance(board, dict):
        return {k: values(v) for k, v in board.items() if not any(part in k for part in TIMES)}
    return [values(item) for item in board] if isinstance(board, list) else board


COMPARE: dict[str, Callable[[Path, World], list[Fault]]] = {
    "prepare": _prepared,
    "fit": _fitted,
    "benchmark": _benchmarked,
}


def same_bytes(want: Path, found: Path, skip: tuple[str, ...] = ()) -> list[Fault]:
    """Compare two folders, file by file; of those to skip only whether they are there."""
    names = [
        {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()} for top in (want, found)
    ]
    ours, theirs = ({n: p for n, p in one.items() if not any(part in n for part in PASSING)} for one in names)
    faults = [Fault("lost", f"{name} is missing") for name in sorted(ours.keys() - theirs.keys())]
    faults += [Fault("half-written", f"{name} is left over") for name in sorted(theirs.keys() - ours.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        if any(part in name for part in skip) or content(ours[name]) == content(theirs[name]):
            continue
        lines = Counter(theirs[name].read_bytes().splitlines())
        doubled = name.endswith(".jsonl") and max(lines.values(), default=1) > 1
        faults.append(Fault("doubled" if doubled else "lost", f"{name} differs"))
    return faults


def content(path: Path) -> Any:
    """The bytes of a file; of weights what its header says, whose order is that of chance, and the numbers."""
    whole = path.read_bytes()
    if path.suffix != ".safetensors":
        return whole
    size = int.from_bytes(whole[:8], "little")
    return json.loads(whole[8 : 8 + size]), whole[8 + size :]


def same_table(want: Path, found: Path) -> list[Fault]:
    """Compare two ``metrics.csv``: the same rows, once each."""
    with want.open(newline="") as one, found.open(newline="") as other:
        rows, theirs = (list(csv.DictReader(file)) for file in (one, other))
    keys, wanted = (
        Counter((row["epoch"], row["step"], *(k for k, v in row.items() if v)) for row in one) for one in (theirs, rows)
    )
    faults = [Fault("doubled", f"metrics.csv: epoch {key[0]} step {key[1]}") for key in keys - wanted]
    if not faults and [{k: v for k, v in row.items() if v} for row in rows] != [
        {k: v for k, v in r.items() if v} for r in theirs
    ]:
        faults.append(Fault("lost", f"metrics.csv: {len(theirs)} rows, not the same {len(rows)}"))
    return faults


def broken(folder: Path) -> list[Fault]:
    """Files that are not whole."""
    faults = []
    for path in sorted(folder.rglob("*")):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                [json.loads(line) for line in path.read_text().splitlines()]
            elif path.suffix in (".zip", ".ckpt"):
                with zipfile.ZipFile(path) as archive:
                    assert archive.testzip() is None
        except Exception as error:
            faults.append(Fault("half-written", f"{path.relative_to(folder)}: {error}"))
    return faults


def clean(folder: Path) -> None:
    """Remove what a case left."""
    shutil.rmtree(folder, ignore_errors=True)
