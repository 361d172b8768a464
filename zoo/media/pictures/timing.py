"""Time of pictures: the rate of a file's timeline, one clock over joined parts, and a constant rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from zoo.media.clip import FPS
from zoo.support.errors import MediaError

T = TypeVar("T")

MAX_GAP_S = 10.0
"""A larger gap in a transport or program stream is a join of two recordings (FFmpeg's dts_delta_threshold)."""

MAX_HOLD_S = 60.0
"""In other files no picture stands longer than this; a larger gap is damage."""

_WHOLE = (5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)

RATES = sorted([12.5, *map(float, _WHOLE), *(1000 * rate / 1001 for rate in (15, 24, 30, 48, 60, 120))])
"""Rates that cameras and editors use."""


@dataclass(frozen=True)
class Shot(Generic[T]):
    """One picture of a file.

    Attributes:
        start: when it is first shown, in seconds.
        length: how long, in seconds, as the file says.
        picture: what is shown.
    """

    start: float
    length: float
    picture: T


def timeline_rate(starts: Sequence[float], *, tick: float, claims: Iterable[Fraction | None]) -> float:
    """The rate that an editor's timeline has: one over the commonest time between two pictures.

    A header's claim is believed where it agrees with the pictures (a variable rate's average does not, nor does the
    finest tick of its clock), and a rate within 1 % of a usual one is that one.

    Args:
        starts: times of the first pictures in seconds, in any order within a few pictures.
        tick: the file's unit of time in seconds; times are rounded to it.
        claims: rates of the header, the best first.

    Returns:
        Frames per second; 25 where there is no more than one picture.
    """
    steps = np.diff(np.asarray(starts, dtype=float))
    steps = steps[(steps > 1 / 480) & (steps < MAX_GAP_S)]
    if not len(steps):
        return FPS
    near = np.abs(steps[:, None] - steps) <= np.maximum(0.05 * steps, 1.01 * tick)
    usual_step = steps[near[np.argmax(near.sum(1))]].mean()
    # Jitter goes further than rounding, and its middle is the step; what was dropped makes steps twice as long.
    common = float(1 / steps[np.abs(steps - usual_step) < usual_step / 4].mean())
    believed = [float(rate) for rate in claims if rate and _apart(float(rate), common) < 0.03]
    for rate, slack in [*((rate, 1.5e-3) for rate in believed), (common, 0.01)]:
        usual = min(RATES, key=partial(_apart, rate))
        if _apart(usual, rate) < slack:
            return usual
    return believed[0] if believed else common


def _apart(one: float, other: float) -> float:
    """How far two rates are apart, as a share."""
    return abs(one / other - 1)


def one_clock(shots: Iterable[Shot[T]], *, joins: bool) -> Iterator[Shot[T]]:
    """Let time run on where it jumps: files joined with ``cat`` begin anew, a damaged header leaps ahead.

    Args:
        shots: pictures in the order of decoding.
        joins: the file's kind allows time to jump (transport and program streams).

    Raises:
        MediaError: a picture would stand for more than a minute.
    """
    offset = last = end = 0.0
    begun = False
    for shot in shots:
        length = shot.length if shot.length <= MAX_HOLD_S else 1 / FPS
        start = shot.start + offset
        # Damaged files may be out of order by a picture or two; that is no join.
        if begun and (start < last - 4 * length or (joins and start > last + MAX_GAP_S)):
            offset += end - start
            start = end
        if begun and start > last + MAX_HOLD_S:
            raise MediaError(f"the pictures stop for {start - last:.0f} s; cut the file there")
        last = max(start, last) if begun else start
        end, begun = last + length, True
        yield Shot(last, length, shot.picture)


def constant_rate(shots: Iterable[Shot[T]], fps: float) -> Iterator[T]:
    """Resample pictures in time: the nearest one to each tick of a clock that starts with the first picture."""
    first = end = before = 0.0
    held: T | None = None
    tick = 0
    for shot in shots:
        if held is None:
            first = before = shot.start
        middle = (before + shot.start) / 2
        while held is not None and first + tick / fps < middle - 1e-6:
            yield held
            tick += 1
        held, before, end = shot.picture, shot.start, max(end, shot.start + shot.length)
    total = max(1, round((end - first) * fps))
    while held is not None and tick < total:
        yield held
        tick += 1
