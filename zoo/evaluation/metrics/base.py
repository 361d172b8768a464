"""What all metrics share: rows keyed by clip, gathered over processes and reduced once."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from zoo import __version__
from zoo.evaluation import resampling

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage


@dataclass(frozen=True)
class Row:
    """What one metric says of one clip.

    Attributes:
        clip: its id.
        stats: sufficient statistics from which values are computed (:meth:`ClipMetric.reduce`); empty where nothing
            could be scored.
        scored: how many frames, windows or words were scored.
        total: how many there were to score.
        reason: why some or all could not be scored; empty where all were.
    """

    clip: str
    stats: tuple[float, ...]
    scored: int
    total: int
    reason: str = ""


class Result(NamedTuple):
    """The value of a metric over all clips, with what a reader needs to believe it.

    Attributes:
        value: in the metric's unit; NaN where no clip was scored.
        low: lower end of the 95 % bootstrap interval over clips; NaN with fewer than two clips.
        high: upper end.
        clips: clips that were scored.
        total: clips that there were.
        coverage: share of frames (windows, words) that were scored, 0..1, clips that failed included.
        reason: why clips or frames were left out: the most frequent reasons with their counts.
        signature: the protocol (:attr:`ClipMetric.signature`).
    """

    value: float
    low: float
    high: float
    clips: int
    total: int
    coverage: float
    reason: str
    signature: str


class ClipMetric(Metric, ABC):
    """A torchmetrics ``Metric`` whose state is one :class:`Row` per clip.

    Rows travel between processes as they are and each clip counts once, so the value does not depend on the number of
    processes, on samplers that repeat clips, or on order. A subclass implements ``update(clip, ...)`` on plain tensors
    (computing a row and calling :meth:`add`) and :meth:`observe`, which takes those tensors from what the judges saw.

    Args:
        protocol: the settings that tell this metric from others of its name; they go into :attr:`signature`.
    """

    name: ClassVar[str]
    """The registered name."""

    pooled: ClassVar[bool] = False
    """Whether the value over clips is the ratio of totals (rates such as WER) and not the mean of the clips' values."""

    full_state_update = False
    is_differentiable = False
    packed: list[Tensor]

    def __init__(self, **protocol: str | float) -> None:
        super().__init__()
        self.protocol = protocol
        # Rows as lines of JSON in uint8 tensors, which torchmetrics can gather: floats survive exactly.
        self.add_state("packed", default=[], dist_reduce_fx="cat")

    @property
    def signature(self) -> str:
        """The protocol as one line, for example ``lmd|points:mouth20|align:mean|zoo:0.1.0``."""
        return "|".join([self.name, *(f"{key}:{value}" for key, value in self.protocol.items()), f"zoo:{__version__}"])

    @abstractmethod
    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add one clip as the judges saw it, generated and real."""

    def add(self, row: Row) -> None:
        """Keep the row of one clip; statistics that are NaN count as not scored."""
        if any(math.isnan(value) for value in row.stats):
            row = replace(row, stats=(), scored=0, reason=row.reason or "the result is not a number")
        # With its protocol: torchmetrics' MetricCollection takes metrics for one if their states begin alike.
        line = json.dumps(asdict(row) | {"of": self.signature}).encode() + b"\n"
        self.packed.append(torch.frombuffer(bytearray(line), dtype=torch.uint8).to(self.device))
        # Clips are also added from outside `update` (a failure is): what torchmetrics keeps must not outlive that.
        self._computed = None
        self._update_count = max(self._update_count, 1)

    def skip(self, clip: str, total: int, reason: str) -> None:
        """Keep that a clip could not be scored: it lowers coverage and never becomes a number."""
        self.add(Row(clip, (), 0, total, reason))

    def rows(self) -> list[Row]:
        """The rows, each clip once, sorted by id; after a synchronisation those of all processes."""
        packed = bytes(dim_zero_cat(self.packed).cpu().numpy()) if len(self.packed) else b""
        found: dict[str, Row] = {}
        for line in sorted(packed.splitlines()):  # sorted: with one clip twice, every process keeps the same row
            row = json.loads(line)
            del row["of"]
            found.setdefault(row["clip"], Row(**row | {"stats": tuple(row["stats"])}))
        return sorted(found.values(), key=lambda row: row.clip)

    def clip_value(self, row: Row) -> float:
        """The value of one clip; NaN where it was not scored."""
        return float(self.clip_values(np.array([row.stats]))[0]) if row.stats else float("nan")

    def clip_values(self, stats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of clips ``(n,)`` from their statistics ``(n, k)``; here the first divided by the second."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(stats[..., 0] / stats[..., 1])

    @property
    def of_single_clips(self) -> bool:
        """Whether single clips have values, which rows can hold; else it is a number of all clips together."""
        return not math.isnan(float(self.clip_values(np.ones((1, 8)))[0]))

    def reduce(self, stats: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value over clips from the statistics ``(..., n, k)`` of ``n`` clips; leading dimensions are samples."""
        return np.asarray(self.clip_values(stats.sum(-2)) if self.pooled else self.clip_values(stats).mean(-1))

    def _sums_of(self, stats: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """What the value over clips is a ratio of sums of; without denominators: their mean."""
        return (stats[:, 0], stats[:, 1]) if self.pooled else (self.clip_values(stats), None)

    def compute(self) -> Float[Tensor, ""]:
        """The value over all clips (float64); NaN where none was scored."""
        return torch.tensor(self.result_of(self.rows(), interval=False).value, dtype=torch.float64)

    def result(self) -> Result:
        """The value with interval, coverage, reasons and protocol, of the rows of all processes."""
        with self.sync_context(should_unsync=True):
            return self.result_of(self.rows())

    def result_of(self, rows: Sequence[Row], *, interval: bool = True) -> Result:
        """The value of given rows, which may come from a file."""
        scored = [row for row in rows if row.stats]
        total = sum(row.total for row in rows)
        coverage = sum(row.scored for row in rows) / total if total else 0.0
        reason = _reasons(rows) or ("" if scored else "no clip was given")
        value = low = high = float("nan")
        if scored:
            stats = np.array([row.stats for row in scored], dtype=np.float64)
            value = float(self.reduce(stats))
            if interval and len(scored) > 1:
                low, high = resampling.interval(*self._sums_of(stats))
        return Result(value, low, high, len(scored), len(rows), coverage, reason, self.signature)

    def _sync_dist(self, *arguments: Any, **named: Any) -> None:
        if not len(self.packed):  # torchmetrics would send an empty float tensor, which does not fit bytes
            self.packed = [torch.zeros(0, dtype=torch.uint8, device=self.device)]
        super()._sync_dist(*arguments, **named)


def _reasons(rows: Iterable[Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        if row.reason:
            counts[row.reason] = counts.get(row.reason, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = [f"{len(ordered) - 3} other reasons"] if len(ordered) > 3 else []
    return "; ".join([f"{reason} ({count} clips)" if count > 1 else reason for reason, count in ordered[:3]] + more)


def require_levels(pictures: Any, name: str) -> Tensor:
    """Pictures as a tensor after checking that their values are grey levels 0..255.

    Args:
        pictures: tensor or array; uint8, or floats 0..255.
        name: of the function, for the message.

    Raises:
        ValueError: values outside 0..255, NaN, or all of them in 0..1 (a picture that was divided by 255).
    """
    values = torch.as_tensor(pictures)
    if values.dtype == torch.uint8 or not values.numel():
        return values
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):
        raise ValueError(f"{name}: needs grey levels 0..255, got {low:g}..{high:g}")
    if 0 < high <= 1:
        raise ValueError(f"{name}: needs grey levels 0..255, got {low:g}..{high:g}: multiply by 255")
    return values
