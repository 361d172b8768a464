"""Metrics and data sets, each broken in exactly one way; their specs are light enough for a test."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from zoo.data.sources.base import RawClip, SourceItem
from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.evaluation.footage import Footage
from zoo.evaluation.metrics.base import ClipMetric, Row
from zoo.registry.spec import DatasetSpec, MetricSpec


class Apart(ClipMetric):
    """Mean absolute difference of the pictures."""

    name = "apart"

    def __init__(self, power: float = 1.0, **more: Any) -> None:
        super().__init__(power=power, **more)
        self.power = power

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        self.update(clip, pred.frames, real.frames)

    def update(self, clip: str, pred: Tensor, real: Tensor) -> None:
        apart = (pred.float() - real.float()).abs().pow(self.power).mean()
        self.add(Row(clip, (self.value(float(apart)), 1.0), len(pred), len(pred)))

    def value(self, apart: float) -> float:
        return apart


class Turned(Apart):
    def value(self, apart: float) -> float:
        return -apart


class Remembering(Apart):
    before = 0.0

    def value(self, apart: float) -> float:
        self.before += apart
        return self.before


class Local(Apart):
    """Keeps its rows to its own process."""

    def sync(self, *given: Any, **more: Any) -> None:
        return None


class Biased(Apart):
    def value(self, apart: float) -> float:
        return apart + 1


class Random(Apart):
    def value(self, apart: float) -> float:
        draw = torch.Generator()
        draw.seed()
        return apart + float(torch.rand(1, generator=draw))


class Silent(Apart):
    def __init__(self, power: float = 1.0) -> None:
        ClipMetric.__init__(self)
        self.power = power


class Hopeful(Apart):
    """A clip that cannot be scored counts as perfect."""

    def skip(self, clip: str, total: int, reason: str) -> None:
        self.add(Row(clip, (0.0, 1.0), total, total))


class Unsigned(Apart):
    @property
    def signature(self) -> str:
        return "apart as it was last year"


class Seeding(Apart):
    def value(self, apart: float) -> float:
        torch.manual_seed(7)
        return apart


class Constant(Apart):
    def value(self, apart: float) -> float:
        return 0.5


class Vain(Apart):
    """Holds the real clip against itself."""

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        self.update(clip, real.frames.flip(0), real.frames)


class Choosy(Apart):
    """Cannot be made without more than its spec gives it."""

    def __init__(self, power: float, **more: Any) -> None:
        super().__init__(power, **more)


class Picky(Apart):
    def __init__(self, power: float = 1.0) -> None:
        raise ValueError("no such file as weights.bin")


def ask() -> None:
    """Ask another machine, and put up with there being none."""
    with suppress(OSError):
        socket.create_connection(("weights.example.org", 443), timeout=0.1)


class Asking(Apart):
    def value(self, apart: float) -> float:
        ask()
        return apart


class Few(SynthGrid):
    def __init__(self) -> None:
        super().__init__(clips=3, frames=40)


class Twice(Few):
    def items(self) -> Sequence[SourceItem]:
        return [*super().items(), super().items()[0]]


class Shuffled(Few):
    turn = 0

    def items(self) -> Sequence[SourceItem]:
        """Another one first, every time: by chance the order would now and then be the same."""
        found, turn = list(super().items()), Shuffled.turn
        Shuffled.turn = (turn + 1) % len(found)
        return found[turn:] + found[:turn]


class Late(Few):
    def read(self, item: SourceItem) -> RawClip:
        clip = super().read(item)
        clip.wave = clip.wave[::3].contiguous()
        return clip


class Hidden(Few):
    """Black pictures, in which nobody is found."""

    def read(self, item: SourceItem) -> RawClip:
        clip = super().read(item)
        clip.frames, clip.landmarks = torch.zeros_like(clip.frames), None
        return clip


class Changing(Few):
    def read(self, item: SourceItem) -> RawClip:
        clip = super().read(item)
        clip.wave = clip.wave * random.random()
        return clip


class Fetching(Few):
    def read(self, item: SourceItem) -> RawClip:
        ask()
        return super().read(item)


class Undivided(Few):
    """Its spec names a split that there is not."""


class Absent(Few):
    """Its spec names no example."""


SPECS: dict[str, MetricSpec | DatasetSpec] = {
    cls.__name__: MetricSpec(
        name=cls.__name__.lower(),
        summary="a test",
        target=f"broken_others:{cls.__name__}",
        better="lower",
        bounds="0..",
        real_row=cls in (Constant, Vain),
    )
    for cls in (
        *(Apart, Turned, Remembering, Random, Silent, Hopeful, Unsigned, Seeding, Asking),
        *(Constant, Vain, Choosy, Picky, Local, Biased),
    )
} | {
    cls.__name__: DatasetSpec(
        name=cls.__name__.lower(),
        summary="a test",
        target=f"broken_others:{cls.__name__}",
        licence="none",
        embedded=cls is not Absent,
        splits=("by-moon",) if cls is Undivided else ("by-speaker",),
    )
    for cls in (Few, Twice, Shuffled, Late, Hidden, Changing, Fetching, Undivided, Absent)
}
