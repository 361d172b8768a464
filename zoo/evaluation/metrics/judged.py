"""Metrics that rest on a trained judge, whose name stands in their signature."""

from __future__ import annotations

from typing import ClassVar

from zoo.evaluation.metrics.base import ClipMetric

UNNAMED = "unnamed"
"""Stands in the signature as long as nobody said who judged."""


class JudgedMetric(ClipMetric):
    """A metric on what a trained network saw: the protocol says which network.

    Args:
        judge: its name and hash. Left at ``unnamed``, the name that comes with the first observed clip is taken.
        protocol: the other settings.
    """

    role: ClassVar[str]
    """What the judge is: ``expert`` or ``reader``, the key in the signature."""

    def __init__(self, judge: str = UNNAMED, **protocol: str | int | float) -> None:
        super().__init__(**{key: str(value) for key, value in protocol.items()}, **{self.role: judge})

    def judged_by(self, judge: str) -> None:
        """Say who judged the clip that is added now.

        Raises:
            ValueError: clips before it were judged by another one, so that their values must not be averaged.
        """
        known = self.protocol[self.role]
        if known not in (UNNAMED, judge):
            raise ValueError(
                f"{self.name}: the {self.role} is {known}, but a clip was judged by {judge}: use one for all"
            )
        self.protocol[self.role] = judge
