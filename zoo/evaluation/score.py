"""Scoring folders of anybody's videos: pairs by name, faces found once, every metric on the same footage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from zoo import __version__
from zoo.data.sources.folder import Folder
from zoo.data.sources.grid import FILE_CODE, check_whole, decode_name, read_alignment
from zoo.evaluation.footage import Footage
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.metrics.pairs import PairMetric
from zoo.evaluation.metrics.sync import WINDOW
from zoo.evaluation.metrics.wer import ReadingMetric
from zoo.face.track import track_visible
from zoo.media.audio import match_length, num_samples, read_audio
from zoo.media.clip import FPS, Word
from zoo.media.files import open_media
from zoo.media.pictures.memory import free_memory
from zoo.media.transcript import check_end, read_transcript
from zoo.media.video import probe_video, read_video
from zoo.registry.spec import MetricSpec
from zoo.registry.spec import reason as one_line
from zoo.support.errors import FAILED, DataError, MediaError, ZooError
from zoo.support.progress import Progress

if TYPE_CHECKING:
    from zoo.evaluation.judges import Judges

SaidT = TypeVar("SaidT")

LOOK_EVERY = 3
"""Frames from one detection of the face to the next: a face that is gone for so many frames is always noticed."""

NO_SOUND = "no sound"
"""Why lips and sound cannot be compared in a film without a sound track."""

NO_MEMORY = "not enough memory for this pair; cut the videos into shorter parts or make them smaller"

_LOOKING = 0.9
"""Share of a pair's work that reading both videos and following their faces is; the rest are the metrics."""

_ASPECT = 0.01  # by how much two pictures' aspect ratios may differ and still count as one


@dataclass(frozen=True)
class Pair:
    """A generated video and the real one of the same name; the path that there is not is ``None``."""

    clip: str
    pred: Path | None
    real: Path | None


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
        return [Pair(pred.stem, pred, real)]
    made, true = _videos("--pred", pred), _videos("--real", real)
    partner = {name: name for name in made if name in true}
    stems = [_by_stem(name for name in side if name not in partner) for side in (made, true)]
    partner |= {stems[0][stem]: stems[1][stem] for stem in stems[0].keys() & stems[1].keys()}
    if not partner:
        names = f"{min(made)} and {min(true)}"
        raise DataError(f"no pair: not one video in {pred} has the name of one in {real} (such as {names})")
    pairs = [Pair(name, path, true[partner[name]] if name in partner else None) for name, path in made.items()]
    taken = set(partner.values())
    return sorted(
        [*pairs, *(Pair(name, None, path) for name, path in true.items() if name not in taken)],
        key=lambda pair: (pair.clip, pair.pred is None),
    )


def _videos(option: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{option}: {folder} is no folder")
    return {item.id: Path(item.path) for item in Folder(folder).items()}


def _by_stem(names: Any) -> dict[str, str]:
    """Names by their last part, where it is unique."""
    listed = list(names)
    times = Counter(Path(name).name for name in listed)
    return {Path(name).name: name for name in listed if times[Path(name).name] == 1}


@dataclass
class Look:
    """One pair as the judges see it.

    Two views are made of the generated video, because two kinds of question are asked. Judges look for its own face:
    :attr:`pred`. Metrics that compare pixel by pixel must look at the same place in both videos: :attr:`pixels`.

    Attributes:
        pred: the generated video, cropped around its own face, with its own sound (or the real one's if it has none).
        real: the real video.
        silence: why lips and sound cannot be compared, in the generated and in the real video; empty where they can.
        text_error: why the text beside the real video cannot be used; empty where it can, or where there is none.
        words_error: the same of its word times.
        place: landmarks that say where the generated crops lie for pixel metrics, where not at the real face's.
    """

    pred: Footage
    real: Footage
    silence: tuple[str, str] = ("", "")
    text_error: str = ""
    words_error: str = ""
    place: Float32[Tensor, "T 68 2"] | None = None

    @property
    def mismatch(self) -> str:
        """Why the pictures cannot be compared pixel by pixel; empty where they can."""
        (h, w), (height, width) = self.pred.frames.shape[2:], self.real.frames.shape[2:]
        if abs(w * height / (h * width) - 1) < _ASPECT or (h - height in (0, 1) and w - width in (0, 1)):
            return ""
        return f"pictures of {w}x{h} have another shape than the real ones of {width}x{height}"

    @cached_property
    def pixels(self) -> tuple[Footage, Footage]:
        """Generated and real video with crops in the same place: that of the real face, or at :attr:`place`.

        A generated video of another size is scaled to the real one's; the row or column that video encoders add to
        odd sizes is cut off.
        """
        pred, real = self.pred, self.real
        if self.place is not None:
            return replace(pred, place=self.place), real
        place = real.landmarks
        missing = len(pred) - len(real)
        if missing > 0:  # longer: both are cropped by one path, held at its end
            place = torch.cat([place, place[-1:].expand(missing, -1, -1)])
            real = replace(real, place=place)
        return replace(pred, frames=_sized(pred.frames, real.frames.shape[2:]), place=place), real


def _sized(frames: UInt8[Tensor, "T 3 H W"], size: Sequence[int]) -> UInt8[Tensor, "T 3 h w"]:
    height, width = size
    if frames.shape[2] - height in (0, 1) and frames.shape[3] - width in (0, 1):
        return frames[:, :, :height, :width]
    return F.interpolate(frames, (height, width), mode="bilinear", antialias=True, align_corners=False)


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


def look(pair: Pair, judges: Judges, progress: Callable[[int], None] | None = None) -> Look:
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
    tracks = [track_visible(frames, every=LOOK_EVERY, progress=progress) for frames in (made, true)]
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
    return Look(pred, real, (waves[0][1], waves[1][1]), text_error, words_error)


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
class Column:
    """One metric, on the generated videos and, where that tells something, on the real ones themselves."""

    spec: MetricSpec
    metric: ClipMetric
    own: ClipMetric | None = None

    def add(self, clip: str, seen: Look) -> None:
        """Score one pair; what cannot be scored becomes a row with the reason."""
        pred, real = seen.pred, seen.real
        reason = self._blocked(seen, pred, seen.silence[0])
        sides = seen.pixels if isinstance(self.metric, PairMetric) and not reason else (pred, real)
        self._observe(self.metric, clip, *sides, reason)
        if self.own is not None:
            self._observe(self.own, clip, real, real, self._blocked(seen, real, seen.silence[1]))

    def fail(self, clip: str, frames: int, text: str, reason: str) -> None:
        """Keep that a pair could not be scored at all."""
        for metric in filter(None, (self.metric, self.own)):
            metric.skip(clip, self._due(metric, frames, text), reason)

    def _observe(self, metric: ClipMetric, clip: str, pred: Footage, real: Footage, reason: str) -> None:
        due = self._due(metric, max(len(pred), len(real)), real.text)
        if reason:
            return metric.skip(clip, due, reason)
        try:
            with torch.inference_mode():
                metric.observe(clip, pred, real)
        except MediaError as error:
            metric.skip(clip, due, str(error))
        except MemoryError:
            metric.skip(clip, due, NO_MEMORY)
        except (ZooError, ImportError):
            raise
        except (Exception, SystemExit) as error:
            metric.skip(clip, due, f"{FAILED}{one_line(error)}")

    def _blocked(self, seen: Look, judged: Footage, silence: str) -> str:
        """Why a video cannot be judged; empty where it can."""
        needs, real = self.spec.needs, seen.real
        if isinstance(self.metric, PairMetric) and seen.mismatch:
            return seen.mismatch
        if "text" in needs and not real.text:
            return seen.text_error or "no text: put what is said into NAME.txt beside the real video"
        if getattr(self.metric, "windows", "all") == "speech" and not real.words:
            return seen.words_error or "no word times: put them into NAME.align beside the real video"
        if "face" in needs and not judged.seen.any():
            return f"no face found in the {'real' if judged is real else 'generated'} video"
        if not self.spec.real_row and not real.seen.any():
            return "no face found in the real video"
        return silence if "sync-expert" in needs else ""

    def _due(self, metric: ClipMetric, frames: int, text: str) -> int:
        """How many frames, windows or words there were to score."""
        if "sync-expert" in self.spec.needs:
            return max(frames - WINDOW + 1, 0)
        if isinstance(metric, ReadingMetric):
            return metric.edits(text, "")[1] if text else 0
        return frames


@dataclass
class Scores:
    """What came of scoring.

    Attributes:
        columns: the metrics with their rows, by name.
        pairs: how many there were to score, those without a partner included.
        failed: pairs that could not be scored at all, with the reason.
    """

    columns: dict[str, Column]
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

    def rows(self) -> list[dict[str, Any]]:
        """One row for every metric and clip: value, that of the real video, coverage, reason and statistics."""
        return [row for name, column in self.columns.items() for row in _rows(name, column)]


def _facts(column: Column) -> dict[str, Any]:
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


def _rows(name: str, column: Column) -> list[dict[str, Any]]:
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
            "stats": list(row.stats),
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
        name: Column(spec, metric, deepcopy(metric) if spec.real_row else None)
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
    pair: Pair, columns: Mapping[str, Column], judges: Judges, progress: Callable[[int], None] | None = None
) -> str:
    """Add a row to every column; why the pair could not be scored at all, or nothing."""
    missing = "no real video has this name" if pair.real is None else ""
    missing = "no generated video has this name" if pair.pred is None else missing
    try:
        if missing:
            raise MediaError(missing)
        seen = look(pair, judges, progress)
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
