"""By how many frames the lips run ahead of the sound, clip by clip (Chen et al., ECCV 2018, Sec. 3.2 and Fig. 4)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from zoo.data.store.store import Store
from zoo.evaluation.analyze import lips_from_sound
from zoo.evaluation.analyze.confidence import SURE, WIDER, Verdict, confidence, evidence, of_store, strengths
from zoo.evaluation.analyze.lips_from_sound import Operator
from zoo.face import crop
from zoo.media import audio
from zoo.media.clip import FPS
from zoo.methods.nn.flow import FlowEstimator, LucasKanade
from zoo.methods.nn.frontend import Mel
from zoo.support.errors import DataError
from zoo.support.files import write_aside, write_text_aside
from zoo.support.printable import csv_cell
from zoo.support.progress import Progress

Measure = Literal["predicted", "magnitude", "opening"]

MEASURES: dict[str, str] = {
    "predicted": "how the mouth moves against how it should by the sound (zoo.evaluation.analyze.lips_from_sound)",
    "magnitude": "mean length of the flow against mean absolute derivative of the log-mel (our reading of the paper)",
    "opening": "flow of the lower half less that of the upper half, downwards, against the signed derivative",
}
"""What of the lips is held against what of the sound. How sure an offset is, is known of ``predicted`` only."""

REACH = 15
"""Frames either way that are tried where nobody says which: 0.6 s, as in SyncNet's pipeline."""

MOUTH_SIZE = 64
"""Height and width in pixels of the mouths whose flow is measured (the paper's)."""

LEAST_PAIRS = 3
"""Pairs of values below which a correlation means nothing."""


@dataclass(frozen=True)
class ClipOffset:
    """The result of one clip.

    Attributes:
        clip: its id.
        speaker: who talks.
        correlations: Pearson's r at every offset of the study; not a number where nothing moves or sounds.
        best: offset with the largest r, in frames; positive: lips first. ``None`` where there is none. With the measure
            ``predicted`` r is weighed by how much of the clip it rests on.
        confidence: probability that ``best`` is right to one frame; ``None`` where the measure knows none.
        strength: how much every offset has for it (:func:`.confidence.strengths`); empty likewise.
    """

    clip: str
    speaker: str
    correlations: tuple[float, ...]
    best: int | None
    confidence: float | None = None
    strength: tuple[float, ...] = ()

    @property
    def answer(self) -> int | None:
        """The offset where it is sure enough to be told; ``None``: cannot tell."""
        return self.best if self.confidence is not None and self.confidence >= SURE else None


@dataclass(frozen=True)
class Study:
    """The result of a store.

    Attributes:
        offsets: that were tried, in frames of 40 ms.
        measure: a key of :data:`MEASURES`.
        clips: one result each.
        short: how many clips more were too short to be moved so far.
    """

    offsets: tuple[int, ...]
    measure: Measure
    clips: tuple[ClipOffset, ...]
    short: int = 0

    def verdict(self) -> Verdict | None:
        """One offset for all clips; ``None`` where the measure does not tell how sure it is."""
        used = [clip for clip in self.clips if clip.strength]
        if self.measure != "predicted" or not used:
            return None
        strength = np.array([clip.strength for clip in used])
        own = [clip.best or 0 for clip in used]
        return of_store(strength, self.offsets, own, [clip.confidence or 0.0 for clip in used])

    def counts(self, *, confident: bool = False) -> list[int]:
        """How many clips have each offset as their best (Fig. 4b), all of them or those that are sure."""
        best = [clip.answer if confident else clip.best for clip in self.clips]
        return [best.count(offset) for offset in self.offsets]

    def means(self) -> list[float]:
        """Mean r over clips at each offset."""
        used = [clip.correlations for clip in self.clips if clip.best is not None]
        return [sum(column) / len(used) for column in zip(*used, strict=True)] if used else []


def pearson(a: Float[Tensor, " n"], b: Float[Tensor, " n"]) -> float:
    """Pearson's correlation coefficient, -1 to 1; not a number where one of the two is constant.

    Example:
        >>> round(pearson(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 7.0])), 4)
        0.9934
    """
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale > 0 else math.nan


def correlations(sound: Float[Tensor, " n"], motion: Float[Tensor, " n"], offsets: Sequence[int]) -> tuple[float, ...]:
    """Pearson's r of two series when the motion is moved forward in time.

    Args:
        sound: one value per pair of frames.
        motion: the same.
        offsets: frames by which ``motion`` is moved; positive: what moves at ``t`` is heard at ``t + offset``.

    Raises:
        DataError: fewer than :data:`LEAST_PAIRS` values are left.

    Example:
        >>> sound = torch.tensor([0.0, 0, 1, 5, 2, 0])
        >>> [round(r, 2) for r in correlations(sound, sound.roll(-1), [0, 1])]
        [0.22, 1.0]
    """
    count = len(sound)
    if count - max(map(abs, offsets)) < LEAST_PAIRS:
        raise DataError(f"{count + 1} frames are too few to move by {max(map(abs, offsets))}")
    return tuple(
        pearson(sound[k:], motion[: count - k]) if k >= 0 else pearson(sound[:k], motion[-k:]) for k in offsets
    )


def sound_change(wave: Float[Tensor, " S"], frames: int, measure: Measure) -> Float[Tensor, " n"]:
    """How the sound changes from frame to frame: the mean over bands of the derivative of its log-mel.

    Args:
        wave: the clip's sound in [-1, 1] at 16 kHz.
        frames: number of frames; each hears the 50 ms around its middle.
        measure: ``magnitude``: of absolute values; ``opening``: with their sign.

    Returns:
        One value per pair of frames.
    """
    mel = Mel(1)
    heard = audio.per_frame(audio.widen(wave[None], frames, mel.samples), frames, mel.samples)[0]
    bands = mel(heard)[:, 0, :, 0]
    change = bands[1:] - bands[:-1]
    return (change.abs() if measure == "magnitude" else change).mean(1)


def lip_motion(
    mouths: UInt8[Tensor, "T 3 H W"], measure: Measure, estimator: FlowEstimator | None = None
) -> Float[Tensor, " T-1"]:
    """How the mouth moves from frame to frame, in pixels of the crop.

    Args:
        mouths: RGB, 0..255.
        measure: ``magnitude``: mean length of the flow; ``opening``: how much faster the lower 3/8 of the picture
            moves down than the upper 3/8.
        estimator: Lucas-Kanade on half the size, if none is given.
    """
    estimator = estimator or LucasKanade(levels=2, iterations=2, shrink=2)
    frames = mouths.float() / 255
    with torch.inference_mode():
        parts = [
            estimator(*pair) for pair in zip(torch.split(frames[:-1], 64), torch.split(frames[1:], 64), strict=True)
        ]
    flow = torch.cat(parts)
    if measure == "magnitude":
        return flow.norm(dim=1).mean((1, 2))
    edge = 3 * flow.shape[2] // 8
    return flow[:, 1, -edge:].mean((1, 2)) - flow[:, 1, :edge].mean((1, 2))


def study(
    store: Store, *, offsets: Sequence[int] = range(8), measure: Measure = "magnitude", clips: int | None = None,
    show: bool = True,
) -> Study:  # fmt: skip
    """Find the best offset of every clip of a store.

    Args:
        store: the clips.
        offsets: frames by which lips may be ahead; the paper's are 0 to 7.
        measure: a key of :data:`MEASURES`.
        clips: how many, evenly out of all; ``None``: all.
        show: a progress bar.

    Raises:
        DataError: not one clip is long enough.
    """
    count = len(store) if clips is None else min(clips, len(store))
    chosen = [number * len(store) // count for number in range(count)]
    found = []
    with Progress("audio-video offset", len(chosen), "clips", show=show) as bar:
        for index in chosen:
            result = _study_clip(store, index, offsets, measure)
            if result is not None:
                found.append(result)
            bar.advance()
    if not found:
        raise DataError(f"no clip is long enough to be moved by {max(map(abs, offsets))} frames")
    return Study(tuple(offsets), measure, tuple(found), count - len(found))


def _study_clip(store: Store, index: int, offsets: Sequence[int], measure: Measure) -> ClipOffset | None:
    info, landmarks = store.clips[index], store.landmarks(index)
    if info.num_frames - 1 - max(map(abs, offsets)) < LEAST_PAIRS:
        return None
    place = crop.place_crops(landmarks, "mouth", (MOUTH_SIZE, MOUTH_SIZE))
    mouths = place.cut(store.frames(index), range(info.num_frames))
    wave = store.wave(index)
    if measure == "predicted":
        heard = lips_from_sound.sound_series(wave, info.num_frames)
        return _predicted(info.id, info.speaker, lips_from_sound.lip_series(landmarks, mouths), heard, offsets)
    sound = sound_change(wave, info.num_frames, measure)
    found = correlations(sound, lip_motion(mouths, measure), offsets)
    numbers = [(r, offset) for r, offset in zip(found, offsets, strict=True) if not math.isnan(r)]
    best = max(numbers, key=lambda pair: pair[0])[1] if numbers else None
    return ClipOffset(info.id, info.speaker, found, best)


def _predicted(
    clip: str, speaker: str, lips: Float64[Tensor, "T 5"], heard: Float64[Tensor, "T 16"], offsets: Sequence[int]
) -> ClipOffset:
    """The result of one clip by the measure ``predicted``."""
    operator = lips_from_sound.shipped()
    strength, tried = offset_strength(lips, heard, offsets, operator)
    inside = [tried.index(offset) for offset in offsets]
    r = tuple(float(value) for value in strength.correlations[inside])
    if not strength.values.any():  # nothing moves, or nothing sounds
        return ClipOffset(clip, speaker, (math.nan,) * len(r), None, 0.0)
    sure = confidence(evidence(strength.values, tried), operator.calibration, offsets)
    own = strength.values[inside]
    return ClipOffset(clip, speaker, r, offsets[int(own.argmax())], sure, tuple(own.tolist()))


def _mean_correlation(told: Float64[np.ndarray, "T n"], seen: Float64[np.ndarray, "T n"], offset: int) -> float:
    """Mean over columns of Pearson's r, where what is seen at ``t`` is told at ``t + offset``; constants give 0."""
    count = len(told) - abs(offset)
    a, b = told[max(offset, 0) :][:count], seen[max(-offset, 0) :][:count]
    a, b = a - a.mean(0), b - b.mean(0)
    scale = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    return float(np.divide((a * b).sum(0), scale, out=np.zeros_like(scale), where=scale > 1e-9).mean())


class OffsetStrength(NamedTuple):
    """What every offset has for it: mean r over the series, and :func:`zoo.evaluation.analyze.confidence.strengths`."""

    correlations: Float64[np.ndarray, " offsets"]
    values: Float64[np.ndarray, " offsets"]


def offset_strength(
    lips: Float64[Tensor, "T 5"], heard: Float64[Tensor, "T 16"], offsets: Sequence[int], operator: Operator
) -> tuple[OffsetStrength, list[int]]:
    """Hold a clip's lips against those that its sound predicts.

    Args:
        lips: :func:`zoo.evaluation.analyze.lips_from_sound.lip_series`.
        heard: :func:`zoo.evaluation.analyze.lips_from_sound.sound_series`.
        offsets: that are asked for, in frames.
        operator: what predicts.

    Returns:
        What each offset has for it, and the offsets: those asked for and a few beyond, as the clip's length allows.
    """
    seen, told = lips_from_sound.lips_of(lips), lips_from_sound.predict(heard, operator)
    room = len(seen) - LEAST_PAIRS
    tried = [k for k in range(min(offsets) - WIDER, max(offsets) + WIDER + 1) if abs(k) <= room]
    mean = np.array([_mean_correlation(told.numpy(), seen.numpy(), offset) for offset in tried])
    return OffsetStrength(mean, strengths(mean, tried, len(seen))), tried


def write_csv(result: Study, path: Path) -> None:
    """One line per clip: its best offset in frames and in seconds, how sure it is, and r at every offset.

    ``offset`` is the best one again, or ``cannot tell``; both are empty with a measure that knows no confidence.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["clip", "speaker", "best_offset", "best_offset_s", "confidence", "offset"]
    writer.writerow([*head, *(f"r_{k}" for k in result.offsets)])
    for clip in result.clips:
        best, seconds = ("", "") if clip.best is None else (str(clip.best), f"{clip.best / FPS:.2f}")
        sure = ("", "")
        if clip.confidence is not None:
            sure = (f"{clip.confidence:.3f}", "cannot tell" if clip.answer is None else str(clip.answer))
        values = ["" if math.isnan(r) else f"{r:.4f}" for r in clip.correlations]
        writer.writerow([csv_cell(clip.clip), csv_cell(clip.speaker), best, seconds, *sure, *values])
    write_text_aside(path, text.getvalue())


def write_plot(result: Study, path: Path, title: str) -> None:
    """Draw Fig. 4: r over the offset for four clips and their mean, and how many clips prefer each offset.

    Raises:
        DataError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("no plot: it needs matplotlib; pip install 'talking-face-zoo[plots]'") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    used = [clip for clip in result.clips if clip.best is not None]
    step = max(1, len(used) // 4)
    for clip in used[::step][:4]:
        left.plot(result.offsets, clip.correlations, marker="o", markersize=3, alpha=0.7, label=clip.clip)
    left.plot(result.offsets, result.means(), color="black", linewidth=2.5, label=f"mean of {len(used)}")
    left.set(xlabel="offset in frames (positive: lips first)", ylabel="Pearson's r of sound and flow")
    left.legend(fontsize="small")
    left.grid(alpha=0.3)
    bars = right.bar(result.offsets, result.counts(), color="tab:blue")
    right.bar_label(bars)
    right.set(xlabel="best offset in frames", ylabel="clips")
    right.set_xticks(result.offsets)
    figure.suptitle(title)
    with write_aside(path) as aside:
        figure.savefig(aside, dpi=110, metadata={"Software": "talking-face zoo"})
