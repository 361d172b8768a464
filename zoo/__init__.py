"""The talking-face zoo: train, compare and publish speech-driven talking-face methods."""

from zoo.support import old_names

__version__ = "0.1.0"

old_names.install()
