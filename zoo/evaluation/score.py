"""Scoring folders of anybody's videos: pairs by name, faces found once, every metric on the same footage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo import __version__
from zoo.data.sources.base import SourceItem
from zoo.data.sources.folder import Folder
from zoo.data.sources.grid import FILE_CODE, check_whole, decode_name, read_alignment
from zoo.evaluation.footage import Footage
from zoo.evaluation.metric_scorer import NO_MEMORY, MetricScorer
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.video_pair import VideoPair
from zoo.face.track import track_visible
from zoo.media.audio import match_length, num_samples, read_audio
from zoo.media.clip import FPS, Word
from zoo.media.files import open_media
from zoo.media.pictures.memory import free_memory
from zoo.media.transcript import check_end, read_transcript
from zoo.media.video import probe_video, read_video
from zoo.registry.spec import MetricSpec
from zoo.support.errors import DataError, MediaError
from zoo.support.progress import Progress

if TYPE_CHECKING:
    from zoo.evaluation.judges import Judges

SaidT = TypeVar("SaidT")

LOOK_EVERY = 3
"""Frames from one detection of the face to the next: a face that is gone for so many frames is always noticed."""

NO_SOUND = "no sound"
"""Why lips and sound cannot be compared in a film without a sound track."""

_LOOKING = 0.9
"""Share of a pair's work that reading both videos and following their faces is; the rest are the metrics."""


@dataclass(frozen=True)
class Pair:
    """A generated video and the real one of the same name.

    Attributes:
        clip: id of the real video, or of the generated one that has no partner.
        pred: the generated video; ``None``: there is none.
        real: the real one; likewise.
        speaker: who is seen.
    """

    clip: str
    pred: Path | None
    real: Path | None
    speaker: str = ""


def find_pairs(pred: Path, real: Path) -> list[Pair]:
    """Pair the videos of two folders, however nested: by path below the folder without suffix, or else by file name.

    Args:
        pred: folder of generated videos, or one video.
        real: folder of real videos, or one video.

    Returns:
        All videos of both, sorted; those without a partner have ``None`` for it.

    Raises:
        DataError: no such folder, no video in it, or not one pair.
    """
    if pred.is_file() and real.is_file():
        return [Pair(real.stem, pred, real, real.stem)]
    made, true = _videos("--pred", pred), _videos("--real", real)
    partner = {name: name for name in made if name in true}
    stems = [_by_stem(name for name in side if name not in partner) for side in (made, true)]
    partner |= {stems[0][stem]: stems[1][stem] for stem in stems[0].keys() & stems[1].keys()}
    if not partner:
        names = f"{min(made)} and {min(true)}"
        raise DataError(f"no pair: not one video in {pred} has the name of one in {real} (such as {names})")
    pairs = [
        Pair(other, Path(made[name].path), Path(true[other].path), true[other].speaker)
        for name, other in partner.items()
    ]
    pairs += [Pair(name, Path(item.path), None, item.speaker) for name, item in made.items() if name not in partner]
    taken = set(partner.values())
    alone = [Pair(name, None, Path(item.path), item.speaker) for name, item in true.items() if name not in taken]
    return sorted([*pairs, *alone], key=lambda pair: (pair.clip, pair.pred is None))


def _videos(option: str, folder: Path) -> dict[str, SourceItem]:
    if not folder.is_dir():
        raise DataError(f"{option}: {folder} is no folder")
    return {item.id: item for item in Folder(folder).items()}


def _by_stem(names: Any) -> dict[str, str]:
    """Names by their last part, where it is unique."""
    listed = list(names)
    times = Counter(Path(name).name for name in listed)
    return {Path(name).name: name for name in listed if times[Path(name).name] == 1}


class _PairProgress:
    """How much of a pair is read and followed, as parts of one step of a bar.

    Args:
        bar: over all pairs.
        pair: the one that is at work.
    """

    def __init__(self, bar: Progress, pair: Pair) -> None:
        self._bar, self._done, self._lock = bar, 0.0, Lock()
        frames = sum(_length(path) for path in (pair.pred, pair.real) if path is not None)
        self._share = _LOOKING / (2 * frames) if frames else 0.0  # each is read, and followed

    def __call__(self, frames: int) -> None:
        """So many frames more were read, or followed; both videos are read at a time."""
        with self._lock:
            share = min(frames * self._share, _LOOKING - self._done)
            self._done += share
            self._bar.advance(share)

    def close(self) -> None:
        """The pair is scored."""
        self._bar.advance(1 - self._done)


def load_pair(pair: Pair, judges: Judges, progress: Callable[[int], None] | None = None) -> VideoPair:
    """Read both videos at 25 fps and 16 kHz and find the face in them.

    The text comes from ``NAME.txt`` beside the real video, or from its name where that is one of GRID; the times of the
    words from ``NAME.align`` beside it, in GRID's format.

    Args:
        pair: both videos.
        judges: the models that look.
        progress: called with 1 for every frame that is read, and again when its face is followed.

    Raises:
        MediaError: one of them cannot be read; the message names it.
    """
    assert pair.pred is not None
    assert pair.real is not None
    _check_memory(pair.pred, pair.real)
    with ThreadPoolExecutor(2) as threads:
        (made, own), (true, heard) = threads.map(partial(_read, progress=progress), (pair.pred, pair.real))
    looked = partial(track_visible, landmarker=judges.landmarker, every=LOOK_EVERY, progress=progress)
    tracks = [looked(frames) for frames in (made, true)]
    # A silent film is heard with the real sound; sound that is there and cannot be read is a fault, and told.
    waves = [_sound(heard if isinstance(own, str) and own == NO_SOUND else own, len(made)), _sound(heard, len(true))]
    text, text_error = _said(_text, pair.real, len(true))
    words, words_error = _said(_words, pair.real, len(true))
    pred, real = (
        Footage(
            frames=frames,
            wave=wave,
            landmarks=track.landmarks,
            seen=track.seen,
            judges=judges,
            text=text or "",
            words=words or (),
        )
        for frames, track, (wave, _) in zip((made, true), tracks, waves, strict=True)
    )
    return VideoPair(pred, real, (waves[0][1], waves[1][1]), text_error, words_error)


def _check_memory(*paths: Path) -> None:
    """Both videos are held at once, and once more where they differ in size."""
    need, free = sum(probe_video(path).num_bytes(FPS) for path in paths), free_memory()
    if free is not None and need > free:
        raise MediaError(
            f"{paths[0]} and the real video need {need / 1e9:.3g} GB of memory, and there are {free / 1e9:.2g} GB; cut "
            "them into shorter parts or make them smaller"
        )


def _read(
    path: Path, progress: Callable[[int], None] | None = None
) -> tuple[UInt8[Tensor, "T 3 H W"], Float32[Tensor, " S"] | str]:
    """Pictures, and the sound or why there is none."""
    frames = read_video(path, progress=progress).frames
    try:
        return frames, read_audio(path)
    except MediaError as error:
        return frames, NO_SOUND if "no sound track" in str(error) else str(error)


def _sound(wave: Tensor | str, frames: int) -> tuple[Float32[Tensor, " S"], str]:
    """The sound as long as the pictures, or silence and why."""
    try:
        if isinstance(wave, Tensor):
            return match_length(wave, frames), ""
        reason = wave
    except MediaError as error:
        reason = str(error)
    return torch.zeros(num_samples(frames)), reason


def _said(read: Callable[..., SaidT], *given: object) -> tuple[SaidT | None, str]:
    """Text or word times, or why they cannot be used: only the metrics that need them go without."""
    try:
        return read(*given), ""
    except MediaError as error:
        return None, str(error)


def _text(real: Path, frames: int | None = None) -> str:
    beside = real.with_suffix(".txt")
    if beside.is_file():
        return read_transcript(beside)
    if not FILE_CODE.fullmatch(real.stem):
        return ""
    if frames is not None and real.suffix.lower() == ".mpg":  # as GRID publishes it
        check_whole(frames, real)
    return decode_name(real.stem)


def _words(real: Path, frames: int) -> tuple[Word, ...]:
    beside = real.with_suffix(".align")
    words = read_alignment(beside) if beside.is_file() else ()
    check_end(words, frames / FPS, real)
    return words


@dataclass
class Scores:
    """Metric values and failures of a set of video pairs.

    Attributes:
        columns: the metrics with their rows, by name.
        pairs: how many there were to score, those without a partner included.
        failed: pairs that could not be scored at all, with the reason.
    """

    columns: dict[str, MetricScorer]
    pairs: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Values with interval, coverage, reasons and protocol; numbers that there are not are ``None``."""
        return {
            "zoo": __version__,
            "pairs": self.pairs,
            "failed": self.failed,
            "metrics": {name: _facts(column) for name, column in self.columns.items()},
        }

    def table(self) -> list[dict[str, Any]]:
        """A line for every metric and clip: value, that of the real video, coverage and reason."""
        return [row for name, column in self.columns.items() for row in _lines(name, column)]


def _facts(column: MetricScorer) -> dict[str, Any]:
    result = column.metric.result()
    return {
        "value": _number(result.value),
        "low": _number(result.low),
        "high": _number(result.high),
        "real": None if column.own is None else _number(float(column.own.compute())),
        "unit": column.spec.unit,
        "better": column.spec.better,
        "clips": result.clips,
        "total": result.total,
        "coverage": result.coverage,
        "reason": result.reason,
        "signature": result.signature,
    }


def _lines(name: str, column: MetricScorer) -> list[dict[str, Any]]:
    own = {row.clip: row for row in column.own.rows()} if column.own is not None else {}
    return [
        {
            "metric": name,
            "clip": row.clip,
            "value": _number(column.metric.clip_value(row)),
            "real": _number(column.own.clip_value(own[row.clip])) if column.own is not None else None,
            "scored": row.scored,
            "total": row.total,
            "reason": row.reason,
        }
        for row in column.metric.rows()
    ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def score(
    pairs: Sequence[Pair],
    metrics: Mapping[str, tuple[MetricSpec, ClipMetric]],
    judges: Judges,
    *,
    progress: bool = True,
) -> Scores:
    """Score pairs of videos, one after the other; a pair that cannot be scored does not stop the others.

    Args:
        pairs: from :func:`find_pairs`.
        metrics: by name, with their specs, without rows.
        judges: the models that look.
        progress: show a bar on stderr.

    Raises:
        ZooError: a judge or a metric's weights are missing, which would meet every pair.
    """
    columns = {
        name: MetricScorer(spec, metric, deepcopy(metric) if spec.real_row else None)
        for name, (spec, metric) in metrics.items()
    }
    scores = Scores(columns, len(pairs))
    with Progress("scoring", len(pairs), "pairs", show=progress) as bar:
        for pair in pairs:
            part = _PairProgress(bar, pair)
            reason = _score_pair(pair, columns, judges, part)
            if reason:
                scores.failed[pair.clip] = reason
            part.close()
    return scores


def _score_pair(
    pair: Pair, columns: Mapping[str, MetricScorer], judges: Judges, progress: Callable[[int], None] | None = None
) -> str:
    """Add a row to every column; why the pair could not be scored at all, or nothing."""
    missing = "no real video has this name" if pair.real is None else ""
    missing = "no generated video has this name" if pair.pred is None else missing
    try:
        if missing:
            raise MediaError(missing)
        seen = load_pair(pair, judges, progress)
    except (MediaError, MemoryError) as error:
        reason = str(error) if isinstance(error, MediaError) else NO_MEMORY
        known = pair.real or pair.pred
        assert known is not None
        for column in columns.values():
            column.fail(pair.clip, _length(known), _said(_text, known)[0] or "", reason)
        return reason
    for column in columns.values():
        column.add(pair.clip, seen)
    return ""


def _length(path: Path) -> int:
    """About how many frames at 25 fps a video has, by its header; 0 where that cannot be read."""
    with suppress(MediaError), open_media(path) as container:
        return round((container.duration or 0) / 1_000_000 * FPS)
    return 0
