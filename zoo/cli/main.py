# PYTHON_ARGCOMPLETE_OK
"""The entry point: parses the command line, runs the verb, turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import select
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from zoo import __version__
from zoo.support.errors import ZooError, one_line_warnings
from zoo.support.printable import printable, say

VERBS = (
    "list",
    "info",
    "fit",
    "test",
    "score",
    "benchmark",
    "leaderboard",
    "compare",
    "predict",
    "analyze",
    "data",
    "weights",
    "export",
    "plugin",
    "doctor",
    "version",
)
"""Each is a module of this package with ``HELP``, ``configure(parser)`` and ``run(args)``."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave; help that cannot be written is an error like any other output."""
        sys.stdout.flush()
        super().exit(status, message and printable(message, keep="\n"))

    def error(self, message: str) -> NoReturn:
        """Print one line and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def make_parser() -> Parser:
    """The whole command line."""
    parser = Parser(prog="zoo", description="Train, compare and publish speech-driven talking-face methods.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for name in VERBS:
        module = import_module(f"zoo.cli.{name}")
        verb = verbs.add_parser(name, help=module.HELP, description=getattr(module, "DESCRIPTION", module.HELP))
        module.configure(verb)
        verb.set_defaults(run=module.run)
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. ``key=value`` settings may stand anywhere after the verb."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)
    args, rest = parser.parse_known_args(arguments)
    unknown = [item for item in rest if item.startswith("-") or not hasattr(args, "overrides")]
    if unknown:
        parser.exit(2, f"zoo {args.verb}: unknown argument {unknown[0]} (see `zoo {args.verb} --help`)\n")
    if hasattr(args, "overrides"):
        args.overrides = [*args.overrides, *rest]
    return args


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``zoo``; never returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may hold what the terminal's encoding has not
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 it failed, 2 it was asked wrongly, 130 interrupted."""
    verb = ""
    try:
        args = parse(arguments)
        verb = f" {args.verb}"
        with one_line_warnings(f"zoo{verb}"):
            code = int(args.run(args) or 0)
        sys.stdout.flush()
    except ZooError as error:
        code = error.exit_code if _told_by_another(error) else _fail(verb, str(error), error.exit_code)
    except BrokenPipeError as error:
        # The reader of our output has gone (`zoo list | head`), or else a process of ours.
        gone = _reader_gone()
        _drop_output()
        code = 1 if gone else _fail(verb, str(error), 1)
    except OSError as error:
        _drop_output()
        known = f"{error.filename or 'the disk'}: {error.strerror}" if error.strerror else str(error)
        code = _fail(verb, known or type(error).__name__, 1)
    except KeyboardInterrupt:
        # Python remembers an interrupt inside code made from text (a dataclass, while a module is imported), and
        # `python -m zoo` would end by that signal, not by our exit code; running some more text makes it forget.
        exec("")
        code = _fail(verb, "interrupted", 130)
    except SystemExit as stop:
        if not verb:  # a wrong question, or --help
            raise
        gone = isinstance(stop.__context__, BrokenPipeError)  # so does rich when the reader of our output has gone
        last = traceback.extract_tb(stop.__traceback__)[-1]
        told = f"{last.filename}:{last.lineno} ended the program (SystemExit: {stop.code})"
        code = 1 if gone else _fail(verb, told, 1)
    return code


def _told_by_another(error: ZooError) -> bool:
    """Whether another process of the same run prints this error."""
    if not error.everywhere:
        return False
    from zoo.training.runs import is_first_process

    return not is_first_process()


def _reader_gone() -> bool:
    poll = select.poll()
    poll.register(1, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _drop_output() -> None:
    """Keep Python from complaining at exit about output that cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _fail(verb: str, message: str, code: int) -> int:
    say(f"zoo{verb}: {' '.join(message.split())}", file=sys.stderr)
    return code
