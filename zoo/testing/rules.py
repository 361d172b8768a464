"""What a check is: a rule with its words, a case it is held against, and how its outcome is kept."""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.registry.spec import Spec, reason
from zoo.testing.guards import no_network
from zoo.testing.report import Check, Status


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


class Undecided(Exception):
    """A rule of which nothing can be said, with the reason and what would decide it: it is neither kept nor broken."""


@dataclass(frozen=True)
class Rule:
    """One rule of the contract.

    Attributes:
        name: a few words, the same for every plugin.
        expected: what the contract asks for.
        mend: what an author may do who does not keep it.
        run: looks at a case; raises :class:`Broken`, :class:`NotHere` or :class:`Undecided`.
        slow: whether it starts further processes, or trains more than once.
        needs: rules without which this one would accuse a plugin of what it did not do: where one of them is not kept,
            this one is not asked.
        training: whether it is about training, so that it is not held against a checkpoint.
    """

    name: str
    expected: str
    mend: str
    run: Callable[[Any], None]
    slow: bool = False
    needs: tuple[Rule, ...] = ()
    training: bool = False


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
        outcomes: what came of the rules that it was held against, by their names.
        ckpt: a checkpoint whose weights are asked, for methods.
    """

    spec: Spec
    calls: list[str] = field(default_factory=list, kw_only=True)
    scratch: Scratch = field(default_factory=Scratch, kw_only=True)
    outcomes: dict[str, Check] = field(default_factory=dict, kw_only=True)
    ckpt: Path | None = field(default=None, kw_only=True)

    @property
    def asked(self) -> str:
        """Which weights were asked; empty where there are none."""
        return ""

    @property
    def folder(self) -> Path:
        """For files."""
        return self.scratch.path


Rules = list[Rule]


def rule(
    rules: Rules,
    name: str,
    expected: str,
    mend: str,
    *,
    slow: bool = False,
    needs: tuple[Rule, ...] = (),
    training: bool = False,
) -> Callable[[Callable[[Any], None]], Rule]:
    """Make a rule of a function, and add it to a list of rules (see :class:`Rule`)."""

    def add(run: Callable[[Any], None]) -> Rule:
        rules.append(Rule(name, expected, mend, run, slow, needs, training))
        return rules[-1]

    return add


def hold(case: Case, one: Rule) -> Check:
    """Hold a case against a rule, once, after the rules that it needs.

    Whatever the plugin raises, SystemExit included, is the rule's failure. While it runs, other machines cannot be
    reached, and what it prints goes to standard error.
    """
    if one.name not in case.outcomes:
        cause = _cause(case, one)
        case.outcomes[one.name] = Check(one.name, "not asked", got=cause) if cause else _ask(case, one)
    return case.outcomes[one.name]


def _cause(case: Case, one: Rule) -> str:
    """The first broken rule behind those that a rule needs; empty where they are kept."""
    for needed in one.needs:
        if needed.training and case.ckpt is not None:
            continue
        found = hold(case, needed)
        if found.status == "not asked":
            return found.got
        if found.status in ("failed", "undecided"):
            return f"'{needed.name}' {'is ' * (found.status == 'undecided')}{found.status}"
    return ""


def _ask(case: Case, one: Rule) -> Check:
    start = time.monotonic()

    def done(status: Status, got: str = "", mend: str = "") -> Check:
        told = (one.expected, " ".join(got.split()), mend) if status == "failed" else ("", " ".join(got.split()), "")
        return Check(one.name, status, *told, seconds=round(time.monotonic() - start, 3))

    try:
        with _quiet(), no_network(case.calls):
            one.run(case)
    except Broken as broken:
        return done("failed", broken.got, broken.mend or one.mend)
    except NotHere as why:
        return done("skipped", str(why))
    except Undecided as why:
        return done("undecided", str(why))
    except (Exception, SystemExit) as error:
        return done("failed", f"{reason(error)}{_place(error)}", one.mend)
    return done("passed")


def require_no_calls(case: Case, use: Callable[[], object]) -> None:
    """Use a plugin, and see that it asks nothing of other machines; whatever else goes wrong is other rules' matter.

    Raises:
        Broken: it asked.
    """
    with suppress(Exception, SystemExit):
        use()
    if case.calls:
        raise Broken(f"it asks for {', '.join(dict.fromkeys(case.calls))}")


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def _place(error: BaseException) -> str:
    """Where it was raised, for an author: the last line outside site-packages."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
