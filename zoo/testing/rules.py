"""What a check is: a rule with its words, a case it is held against, and how its outcome is kept."""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.spec import Spec, reason
from zoo.testing.guards import no_network
from zoo.testing.report import Check


class Broken(Exception):
    """A rule that is not kept.

    Args:
        got: what was found in place of what the rule expects.
        mend: what to do about it, where that is known better than the rule knows it.
    """

    def __init__(self, got: str, mend: str = "") -> None:
        super().__init__(got)
        self.got, self.mend = got, mend


class NotHere(Exception):
    """A rule that cannot be checked: the spec does not declare what it is about, or this machine lacks something."""


@dataclass(frozen=True)
class Rule:
    """One rule of the contract.

    Attributes:
        name: a few words, the same for every plugin.
        expected: what the contract asks for.
        mend: what an author may do who does not keep it.
        run: looks at a case; raises :class:`Broken` or :class:`NotHere`.
        slow: whether it starts further processes, or trains more than once.
    """

    name: str
    expected: str
    mend: str
    run: Callable[[Any], None]
    slow: bool = False


class Scratch:
    """A folder that goes when nobody holds it any more."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="zoo-testing-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)


@dataclass
class Case:
    """One plugin that is being checked, and what the checks have made of it so far.

    Attributes:
        spec: its light spec.
        calls: network addresses that it asked for.
        scratch: holds :attr:`folder`.
    """

    spec: Spec
    calls: list[str] = field(default_factory=list)
    scratch: Scratch = field(default_factory=Scratch)

    @property
    def folder(self) -> Path:
        """For files."""
        return self.scratch.path


Rules = list[Rule]


def rule(
    rules: Rules, name: str, expected: str, mend: str, *, slow: bool = False
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Add a function to a list of rules (see :class:`Rule`)."""

    def add(run: Callable[[Any], None]) -> Callable[[Any], None]:
        rules.append(Rule(name, expected, mend, run, slow))
        return run

    return add


def hold(case: Case, one: Rule) -> Check:
    """Hold a case against a rule. Whatever the plugin raises, SystemExit included, is the rule's failure.

    While it runs, other machines cannot be reached, and what it prints goes to standard error.
    """
    start = time.monotonic()

    def done(status: Any, got: str = "", mend: str = "") -> Check:
        told = (one.expected, " ".join(got.split()), mend) if status == "failed" else ("", " ".join(got.split()), "")
        return Check(one.name, status, *told, seconds=round(time.monotonic() - start, 3))

    try:
        with _quiet(), no_network(case.calls):
            one.run(case)
    except Broken as broken:
        return done("failed", broken.got, broken.mend or one.mend)
    except NotHere as why:
        return done("skipped", str(why))
    except (Exception, SystemExit) as error:
        return done("failed", f"{reason(error)}{_place(error)}", one.mend)
    return done("passed")


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def _place(error: BaseException) -> str:
    """Where it was raised, for an author: the last line outside site-packages."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
