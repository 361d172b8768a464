"""Windows of clips: which ones are drawn, how they are cut, and how they become a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import cycle, islice
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset, Sampler

from zoo.data.batch import Batch
from zoo.data.request import Pictures, Request, later
from zoo.data.store.index import ClipInfo
from zoo.data.store.store import Store
from zoo.face import crop
from zoo.media import audio
from zoo.media.clip import Word
from zoo.registry.spec import InputSpec, Uses
from zoo.support.errors import DataError

CACHED_CLIPS = 4096
"""How many clips' crop maps and landmarks a loader process keeps (about 60 kB each)."""


class Draw(NamedTuple):
    """One window to be cut: a clip and the seed that decides where; without a seed the whole clip."""

    clip: int
    seed: tuple[int, ...] | None


class Track(NamedTuple):
    """What is needed to cut any frame of a clip: where the crop lies, and the landmarks in pixels of the crop."""

    crops: crop.Crops
    landmarks: Float32[Tensor, "T 68 2"]


class Window(NamedTuple):
    """One item before it is batched; fields as in :class:`Batch` and :class:`Request`, without the batch dimension."""

    clip: str
    first: int
    frames: UInt8[Tensor, "T 3 H W"]
    landmarks: Float32[Tensor, "T 68 2"]
    stills: UInt8[Tensor, "N 3 H W"]
    points: Float32[Tensor, "N 68 2"]
    sound: Float32[Tensor, " S"]
    start: int = 0
    words: tuple[Word, ...] = ()
    labels: Mapping[str, str] = {}
    arrays: Mapping[str, Float32[Tensor, "T ..."]] = {}


class Windows(Dataset[Window]):
    """Cuts windows out of a store as a method wants them. Stateless: a :class:`Draw` decides everything.

    Args:
        store: the clips.
        spec: how the method wants them cut.
        uses: what else it is given.
    """

    def __init__(self, store: Store, spec: InputSpec, uses: Uses | None = None) -> None:
        self.store = store
        self.spec = spec
        self.uses = uses or Uses()
        self.stills = max(self.uses.stills, spec.num_identity)
        self._track = lru_cache(maxsize=CACHED_CLIPS)(self._read_track)

    def __getstate__(self) -> dict[str, object]:
        return {"store": self.store, "spec": self.spec, "uses": self.uses}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def _read_track(self, clip: int) -> Track:
        landmarks = self.store.landmarks(clip)
        crops = crop.place_crops(landmarks, self.spec.crop, self.spec.size)
        return Track(crops, crop.map_points(landmarks, crops.matrices))

    def pictures(self, clip: int, which: Sequence[int]) -> UInt8[Tensor, "n 3 H W"]:
        """Some frames of a clip, cut and scaled to the method's input; 0..255 RGB."""
        return self._track(clip).crops.cut(self.store.frames(clip, which), which)

    def __getitem__(self, draw: Draw) -> Window:
        info = self.store.clips[draw.clip]
        if draw.seed is None:
            return self._whole(draw.clip, info)
        first, count, stills = place(info.num_frames, self.spec, self.stills, draw.seed)
        wanted = [*range(first, first + count), *stills]
        pictures = self.pictures(draw.clip, wanted) if self.spec.pictures else _without_pixels(len(wanted))
        landmarks, context = self._track(draw.clip).landmarks, self.spec.context
        begin, stop = audio.frame_window(first, count, context)
        return Window(
            clip=info.id,
            first=first,
            frames=pictures[:count],
            landmarks=landmarks[first : first + count],
            stills=pictures[count:],
            points=landmarks[stills],
            sound=self.store.wave(draw.clip, begin, stop),
            start=audio.num_samples(first) - begin,
            words=info.words,
            labels=self._labels(info),
            arrays=self._arrays(draw.clip, first, count),
        )

    def _whole(self, clip: int, info: ClipInfo) -> Window:
        """A test clip: its first frame is the first reference frame, the others are those of other clips."""
        count = info.num_frames
        frames, landmarks = self.pictures(clip, range(count)), self._track(clip).landmarks
        others = self._others(clip)[: self.stills - 1] or [clip]
        chosen = [clip, *islice(cycle(others), self.stills - 1)]
        return Window(
            clip=info.id,
            first=0,
            frames=frames,
            landmarks=landmarks,
            stills=torch.cat([frames[:1], *(self.pictures(other, [0]) for other in chosen[1:])]),
            points=torch.stack([self._track(other).landmarks[0] for other in chosen]),
            sound=self.store.wave(clip, 0, audio.num_samples(count)),
            words=info.words,
            labels=self._labels(info),
            arrays=self._arrays(clip, 0, count),
        )

    def _labels(self, info: ClipInfo) -> dict[str, str]:
        """The labels that are used; empty where a clip has none."""
        return {name: info.labels.get(name, "") for name in self.uses.labels}

    def _arrays(self, clip: int, first: int, count: int) -> dict[str, Float32[Tensor, "_ ..."]]:
        """The arrays that are used, of some frames."""
        return {name: self.store.array(clip, name, first, count) for name in self.uses.arrays}

    def check_arrays(self, clips: Iterable[int]) -> None:
        """Refuse clips that lack an array which is used, or have it in another shape than the first.

        Args:
            clips: numbers of those that are used.

        Raises:
            DataError: with the clip and the array.
        """
        if not self.uses.arrays:
            return
        first: dict[str, tuple[int, ...]] = {}
        for clip in clips:
            shapes, name = self.store.shapes(clip), self.store.clips[clip].id
            for array in self.uses.arrays:
                if array not in shapes:
                    raise DataError(
                        f"{self.store.path}: clip '{name}' has no array '{array}', which the method uses; prepare the "
                        f"clips with it (docs/contract.md)"
                    )
                if shapes[array] != first.setdefault(array, shapes[array]):
                    raise DataError(
                        f"{self.store.path}: the array '{array}' has {shapes[array]} numbers a frame in clip '{name}', "
                        f"{first[array]} in others"
                    )

    def _others(self, clip: int) -> list[int]:
        """The other clips of a clip's speaker, those that follow it in the store first."""
        if self.stills == 1:
            return []
        mine = self._speakers[self.store.clips[clip].speaker]
        at = mine.index(clip)
        return mine[at + 1 :] + mine[:at]

    @cached_property
    def _speakers(self) -> dict[str, list[int]]:
        """The clips of each speaker."""
        found: dict[str, list[int]] = defaultdict(list)
        for number, info in enumerate(self.store.clips):
            found[info.speaker].append(number)
        return found


def place(length: int, spec: InputSpec, stills: int, seed: tuple[int, ...]) -> tuple[int, int, list[int]]:
    """Choose a training window and its reference frames in a clip.

    Args:
        length: frames of the clip.
        spec: how the method wants its windows cut.
        stills: how many reference frames.
        seed: decides where they lie.

    Returns:
        First frame, number of frames and reference frames. With ``identity="still"`` the latter lie at least
        ``identity_gap`` frames outside the window where the clip has such frames, else as far away as it allows.
    """
    random = Random(repr(seed))  # a tenth of the price of a NumPy generator, which would be a fifth of a window
    count = length if spec.frames is None else min(spec.frames, length)
    first = random.randrange(length - count + 1)
    if spec.identity == "first":
        return first, count, [0] * stills
    last = first + count - 1
    gap = min(spec.identity_gap, max(first, length - 1 - last))
    if gap == 0:
        return first, count, [random.randrange(length) for _ in range(stills)]
    # Frames 0 to first - gap and last + gap to the end, numbered through.
    before, after = max(0, first - gap + 1), max(0, length - last - gap)
    picked = [random.randrange(before + after) for _ in range(stills)]
    return first, count, [k if k < before else k - before + last + gap for k in picked]


def collate(windows: Sequence[Window]) -> Batch:
    """Stack windows; shorter ones are padded at the end with their last picture, their last entries and silence."""
    frames = max(len(window.frames) for window in windows)
    samples = max(window.sound.shape[-1] for window in windows)
    given = Request(
        num_frames=frames,
        identity=Pictures(
            frames=torch.stack([window.stills for window in windows]),
            points=torch.stack([window.points for window in windows]),
        ),
        sound=torch.stack([F.pad(window.sound, (0, samples - window.sound.shape[-1])) for window in windows]),
        start=windows[0].start,
        words=tuple(later(window.words, window.first) for window in windows),
        labels={name: tuple(window.labels[name] for window in windows) for name in windows[0].labels},
        arrays={
            name: torch.stack([_repeat_last(window.arrays[name], frames) for window in windows])
            for name in windows[0].arrays
        },
    )
    return Batch(
        given=given,
        clip=[window.clip for window in windows],
        first=torch.tensor([window.first for window in windows]),
        frames=torch.stack([_repeat_last(window.frames, frames) for window in windows]),
        landmarks=torch.stack([_repeat_last(window.landmarks, frames) for window in windows]),
        length=torch.tensor([len(window.frames) for window in windows]),
    )


def _repeat_last(values: Tensor, count: int) -> Tensor:
    missing = count - len(values)
    return values if missing == 0 else torch.cat([values, values[-1:].expand(missing, *values.shape[1:])])


def _without_pixels(count: int) -> UInt8[Tensor, "n 3 0 0"]:
    return torch.zeros(count, 3, 0, 0, dtype=torch.uint8)


class RandomWindows(Sampler[Draw]):
    """The windows of one epoch on one process: clips in random order, all processes equally many, none left out.

    Everything follows from seed and epoch, so a resumed run draws what the uninterrupted one would have drawn.

    Args:
        clips: indices into the store.
        per_clip: windows per clip and epoch.
        seed: seed of the run.
        rank: this process.
        world: number of processes.
    """

    def __init__(self, clips: Sequence[int], per_clip: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.clips, self.per_clip, self.seed, self.rank, self.world = list(clips), per_clip, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.clips) * self.per_clip // self.world)

    def __iter__(self) -> Iterator[Draw]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.clips) * self.per_clip)
        # `resize` starts over, so that the last processes get as many windows as the first.
        for number in np.resize(order, len(self) * self.world)[self.rank :: self.world]:
            yield Draw(self.clips[number % len(self.clips)], (self.seed, self.epoch, int(number)))


class EveryClip(Sampler[Draw]):
    """Each clip exactly once over all processes, for evaluation.

    A process without a clip gets one that another process has too, since Lightning refuses an empty loader; results are
    keyed by clip, so it counts once.

    Args:
        clips: indices into the store.
        seed: ``None`` for whole clips, else the seed of fixed windows.
        rank: this process.
        world: number of processes.
    """

    def __init__(self, clips: Sequence[int], seed: int | None = None, rank: int = 0, world: int = 1) -> None:
        mine = list(clips)[rank::world] or list(clips)[:1]
        self.draws = [Draw(clip, None if seed is None else (seed, clip)) for clip in mine]

    def __len__(self) -> int:
        return len(self.draws)

    def __iter__(self) -> Iterator[Draw]:
        return iter(self.draws)
