"""Errors that a user can act on; the command line prints them as one line, never as a traceback."""

FAILED = "failed: "
"""How the reason of a score that there is not begins where the program is to blame and not the clip."""


class ZooError(Exception):
    """Something the user can mend: bad input, a missing file, a broken plugin. Exit code 1."""

    exit_code = 1


class ConfigError(ZooError):
    """A setting that does not exist, has the wrong type or cannot be read. Exit code 2."""

    exit_code = 2


class MediaError(ZooError):
    """A picture, video or sound file that cannot be used, with the reason and the way out."""


class NoFaceError(MediaError):
    """A picture or a video in which no face was found."""


class DataError(ZooError):
    """A data set or a store that is missing, damaged or empty."""


class UnknownNameError(ConfigError):
    """A method, data set or metric that no installed distribution offers."""


class BrokenPluginError(ZooError):
    """A plugin that is installed but cannot be used; the message names the distribution and the reason."""
