"""``zoo benchmark``: every method on the same clips with the same metrics, and the leaderboard of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli import publish
from zoo.support.printable import say

if TYPE_CHECKING:
    from zoo.benchmark.plan import Plan
    from zoo.benchmark.run import BenchmarkResult, Workers
    from zoo.benchmark.suite import NamedSuite, SuiteConfig
    from zoo.benchmark.suite_set import SuiteSet

HELP = "compare methods on the same clips with the same metrics"
DESCRIPTION = (
    "Compare methods: take their checkpoints or fit them by their recipes, generate every test clip, score it and "
    "rank them. Run again, it does what is missing. Settings are key=value over the suite: data.root=STORE "
    "test_clips=50 budget.max_steps=5000 seeds=[0,1,2]."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every method that is installed, or all that the suite names")
    which.add_argument(
        "--methods", metavar="A,B", help="these methods, or names in the suite (none: only the reference rows)"
    ).completer = _complete  # type: ignore[attr-defined]
    parser.add_argument(
        "--suite", default="synth", metavar="NAME|FILE",
        help="what is compared: a name of `zoo list suites` (default: synth; folder: own videos), or a YAML file",
    ).completer = _complete_suite  # type: ignore[attr-defined]  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of results (default: benchmark-SUITE)")
    parser.add_argument(
        "--ckpt", action="append", default=[], metavar="METHOD=PATH", help="weights of a method: file or run's folder"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    parser.add_argument("--devices", default="auto", metavar="N", help="processes (default: all GPUs, or all cores)")
    parser.add_argument(
        "--launcher", default="local", choices=("local", "submitit"), help="where the work is done (default: here)"
    )
    publish.configure(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="settings over the suite's")


def _complete(prefix: str = "", **_: Any) -> list[str]:
    """Names of methods, one more behind each comma."""
    from zoo.cli import complete

    before = prefix[: prefix.rfind(",") + 1]
    return [before + name for name in complete.names("methods")()]


def _complete_suite(prefix: str = "", **_: Any) -> list[str]:
    """Names of suites, and YAML files."""
    from argcomplete.completers import FilesCompleter

    from zoo.benchmark.suite import names

    return [*names(), *FilesCompleter(("yaml", "yml"))(prefix)]


def run(args: argparse.Namespace) -> int:
    """Plan, run, rank; 1 where something could not be done."""
    from zoo.benchmark import elastic
    from zoo.benchmark.run import choose_workers, serve
    from zoo.benchmark.suite import find_suite
    from zoo.support import torchrun

    suite = find_suite(args.suite, args.overrides)
    methods, given = choose_methods(suite.config, args.methods, every=args.all), checkpoints(suite.config, args.ckpt)
    workers = choose_workers(args.devices)
    with elastic.together():
        if torchrun.rank() == 0:
            return _lead(args, suite, methods, given, workers)
        serve(workers)
    return 0


def _lead(
    args: argparse.Namespace, suite: NamedSuite, methods: Sequence[str], given: Mapping[str, Path], workers: Workers
) -> int:
    """What the first process does, which under torchrun has others to help it."""
    from contextlib import nullcontext, redirect_stdout

    from zoo.benchmark.plan import make_plan
    from zoo.benchmark.run import execute, expected
    from zoo.benchmark.suite_set import SuiteSet

    out = args.out or Path(f"benchmark-{suite.name}")
    project = publish.chosen(args)
    with redirect_stdout(sys.stderr) if args.json else nullcontext():
        suite_set = SuiteSet(suite)
        plan = make_plan(suite_set, methods, out, given=given)
        idle = sorted(set(given) - {planned.cell.method for planned in plan.cells})
        if idle:
            from zoo.support.errors import ConfigError

            raise ConfigError(f"--ckpt {idle[0]}=...: {idle[0]} is not among the methods of this run")
        show_plan(plan, expected(plan, workers), workers.count)
        remark_on_data(suite_set)
        if args.dry_run:
            return 0
        if args.launcher == "submitit":
            from zoo.benchmark.cluster import run_jobs

            outcome = run_jobs(suite, plan, given, args.devices)
        else:
            outcome = execute(suite_set, plan, workers)
        outcome.problems += broken() if args.all else []
        finish(out, plan, outcome, project)
    if args.json:
        print_outcome(out, outcome)
    for line in outcome.problems[:20]:
        say(f"zoo benchmark: {line}", file=sys.stderr)
    if len(outcome.problems) > 20:
        say(f"zoo benchmark: {len(outcome.problems) - 20} more; see cell.json in {out}/cells", file=sys.stderr)
    return 1 if outcome.problems else 0


def choose_methods(config: SuiteConfig, given: str | None = None, *, every: bool = False) -> list[str]:
    """What ``--methods`` names, or all; a suite with configurations of its own needs neither option.

    Raises:
        ZooError: one that there is not; or nothing says which.
    """
    from zoo.benchmark.suite import entry_names, find_entry
    from zoo.support.errors import ConfigError

    if given is None:
        if not every and not config.configurations:
            raise ConfigError("which methods? give --all, or --methods A,B")
        return entry_names(config)
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if not names:
        raise ConfigError("--methods: names no method")
    if names == ["none"]:
        return []
    return [find_entry(config, name).name for name in names]


def broken() -> list[str]:
    """Methods that are installed and cannot be loaded, one line each."""
    from zoo import registry

    return [
        f"{record.entry.name} is left out: its plugin is broken: {record.error} (see `zoo doctor`)"
        for record in registry.records("zoo.methods")
        if record.spec is None
    ]


def checkpoints(config: SuiteConfig, given: list[str]) -> dict[str, Path]:
    """``METHOD=PATH`` items by name of method or configuration; a folder is that of a run.

    Raises:
        ConfigError: an item is of another form, there is nothing at its path, or a name has two paths.
    """
    from zoo.benchmark.suite import find_entry
    from zoo.support.errors import ConfigError

    found: dict[str, Path] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not text:
            raise ConfigError(f"--ckpt: '{item}' is not of the form METHOD=PATH")
        path = Path(text)
        if path.is_dir():
            from zoo.benchmark.checkpoints import weights_of

            path = weights_of(path)
        entry = find_entry(config, name).name
        if entry in found:
            raise ConfigError(
                f"--ckpt: {entry}={found[entry]} and {item}: one path for each name; to compare both, name two "
                "configurations in a suite of your own"
            )
        found[entry] = path
    return found


def show_plan(plan: Plan, expected: float, processes: int) -> None:
    """Print the cells: where weights come from, what is there, what will run, and the cost."""
    from zoo.cli.output import print_table

    rows = []
    for planned in plan.cells:
        cell, total = planned.cell, len(plan.suite.clips)
        stale = f"; {planned.stale} rows are stale and will be set aside" if planned.stale else ""
        if planned.damaged:
            stale += f"; {planned.damaged} lines of rows are damaged, and what they held is made again"
        if not cell.key:
            state = f"fit, then {total} clips"
        elif planned.tasks:
            state = f"{len(planned.tasks)} of {total} clips{stale}"
        else:
            state = f"complete{stale}"
        source = planned.weights.described() if planned.weights else cell.summary
        rows.append((cell.name, source, f"{planned.there}/{planned.due}", state))
    speakers = len(set(plan.suite.clips.values()))
    title = f"{plan.suite.title}: {len(plan.suite.clips)} clips of {speakers} speaker{'s' * (speakers != 1)}"
    print_table(("cell", "what", "rows there", "to do"), rows, title)
    for name in plan.outdated:
        say(f"{name}: made from other data, by other code or with other protocols; it goes to {plan.out}/stale")
    for name, reason in plan.suite.left_out.items():
        say(f"left out: {name}: {reason}")
    for remark in plan.suite.remarks:
        say(remark)
    if plan.tasks() or plan.fits():
        cost = f"about {_clock(expected)} with {processes} processes and {plan.disk() / 1e6:.0f} MB"
        large = plan.fits() and plan.suite.settings["data"]["name"] != "synthgrid"
        told = "an estimate for small networks: full-size ones take longer" if large else "an estimate"
        say(f"{len(plan.tasks())} clips to generate, {len(plan.fits())} fits: {cost} ({told})")


def remark_on_data(suite_set: SuiteSet) -> None:
    """Say on standard error that a store holds clips of another data set than the suite's, where it does."""
    there, wanted = suite_set.store.meta["dataset"], suite_set.suite.config.data.name
    if there != wanted:
        say(
            f"zoo benchmark: {suite_set.data.path} holds clips of {there}, and suite '{suite_set.suite.name}' with its "
            f"judges and its title is for {wanted}; `zoo list suites` names others",
            file=sys.stderr,
        )


def finish(out: Path, plan: Plan, outcome: BenchmarkResult, project: str | None) -> None:
    """Build the leaderboard, print it, send it to a project of W&B where one is named, and say how to go on."""
    from zoo.leaderboard.board import build
    from zoo.leaderboard.terminal import show
    from zoo.leaderboard.write import write_leaderboard

    made = build(out)
    if not made[1].values:
        say(f"no row was made; see {out}/cells")
        return
    write_leaderboard(out, made=made)
    show(made[0])
    say(f"results: {out}")
    if project is not None:
        from zoo.support.errors import ZooError

        try:
            publish.send(out, project, [cell.name for cell in outcome.cells], made)
        except ZooError as error:
            outcome.problems.append(str(error))
    config = plan.suite.settings
    if plan.suite.dataset == "synthgrid":
        say(
            "go further: more clips with test_clips=24; a longer training with "
            "budget.max_steps=5000; "
            "real faces with `zoo data prepare grid`, then `zoo benchmark --all --suite grid data.root=STORE`; "
            "your own videos with `folder` in place of `grid` in both"
        )
    elif len(config["seeds"]) < 3:
        say("go further: the spread over training seeds with seeds=[0,1,2]")


def print_outcome(out: Path, outcome: BenchmarkResult) -> None:
    """Print what came of every cell as JSON."""
    import dataclasses

    from zoo.cli.output import print_json

    cells = [
        {key: value for key, value in dataclasses.asdict(cell).items() if key not in ("made", "protocols")}
        for cell in outcome.cells
    ]
    print_json({"out": str(out), "cells": cells, "problems": outcome.problems})


def _clock(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{max(1, minutes)} min"
