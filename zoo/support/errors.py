"""Errors that a user can act on; the command line prints them as one line, never as a traceback."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.support.printable import printable

FAILED = "failed: "
"""How the reason of a score that there is not begins where the program is to blame and not the clip."""


class ZooError(Exception):
    """Something the user can mend: bad input, a missing file, a broken plugin. Exit code 1."""

    exit_code = 1

    everywhere = False
    """Whether each process of a run raises it, so that one of them is enough to print it."""

    def __str__(self) -> str:
        """The message, which can be printed and written whatever is in the names that it tells."""
        return printable(super().__str__(), keep="\n\t")


class ConfigError(ZooError):
    """A setting that does not exist, has the wrong type or cannot be read. Exit code 2."""

    exit_code = 2


class MediaError(ZooError):
    """A picture, video or sound file that cannot be used, with the reason and the way out."""


class MediaWarning(UserWarning):
    """A file that can be used, but not as it should be: sound that is lost, channels that cancel each other."""


class NoFaceError(MediaError):
    """A picture or a video in which no face was found."""


class DataError(ZooError):
    """A data set or a store that is missing, damaged or empty."""


class DivergedError(ZooError):
    """A fit whose losses or weights are no finite numbers any more."""

    everywhere = True


class UnknownNameError(ConfigError):
    """A method, data set or metric that no installed distribution offers."""


class BrokenPluginError(ZooError):
    """A plugin that is installed but cannot be used; the message names the distribution and the reason."""


class GenerationError(ZooError):
    """A method that gave back something else than a clip: the message names it and what came."""


@contextmanager
def one_line_warnings(prefix: str = "zoo") -> Iterator[None]:
    """Print every :class:`MediaWarning` as one line, ``prefix: warning: text``, without the place in the program."""
    usual = warnings.formatwarning

    def line(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if issubclass(category, MediaWarning):
            return f"{prefix}: warning: {printable(' '.join(str(message).split()))}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = line
    try:
        yield
    finally:
        warnings.formatwarning = usual
