"""The talking-face zoo: train, compare and publish speech-driven talking-face methods."""

__version__ = "0.1.0"
