"""The conformance kit: what every plugin is held to, by ``zoo plugin check`` and by pytest (no torch here)."""

from zoo.testing.kit import check
from zoo.testing.report import Check, Report

__all__ = ["Check", "Report", "check"]
