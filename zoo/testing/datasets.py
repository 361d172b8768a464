"""Rules of data sets: from the items that a source lists to a store that is clean, at the zoo's rates, and divided."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from zoo.data.prepare import prepare
from zoo.data.sources.base import RawClip, Source, SourceItem
from zoo.data.splits import split_clips
from zoo.data.store.index import ClipInfo
from zoo.data.store.store import Store
from zoo.data.store.verify import verify
from zoo.media.clip import FPS, NUM_LANDMARKS, SAMPLE_RATE
from zoo.registry.spec import DatasetSpec
from zoo.testing.rules import Broken, Case, NotHere, Rules, require_no_calls, rule
from zoo.testing.specs import importable

RULES: Rules = []

FEW = 3
"""Clips that are read and prepared."""

LONGEST_GAP_S = 0.2
"""By how much sound and pictures of a raw clip may differ in length (:data:`zoo.media.audio.MAX_MISSING_S`)."""


class _First(Source):
    """The first items of a source."""

    def __init__(self, source: Source, count: int) -> None:
        super().__init__(source.root)
        self.source, self.count, self.settings = source, count, source.settings

    def items(self) -> list[SourceItem]:
        """Some of them."""
        return list(self.source.items())[: self.count]

    def read(self, item: SourceItem) -> RawClip:
        """As the source does."""
        return self.source.read(item)


@dataclass
class DatasetCase(Case):
    """A data set and some of its raw clips.

    Attributes:
        spec: its spec.
        root: a folder of raw clips; ``None``: the spec's own :attr:`.DatasetSpec.example`, if it has one.
    """

    spec: DatasetSpec
    root: Path | None = None

    def source(self) -> Source:
        """The source, made anew.

        Raises:
            NotHere: there are no raw clips.
        """
        made = self.spec.load()() if self.spec.embedded else self.spec.load()(self.raw)
        if not isinstance(made, Source):
            raise Broken(f"{self.spec.target} makes a {type(made).__name__}, not a zoo.data.sources.base.Source")
        return made

    @property
    def empty_handed(self) -> bool:
        """Whether there are no raw clips."""
        return not (self.spec.embedded or self.root or self.spec.example)

    @cached_property
    def raw(self) -> Path:
        """The folder of raw clips."""
        if self.root is not None:
            return self.root
        if self.empty_handed:
            raise NotHere("its spec names no `example`, and no folder of raw clips was given")
        folder = self.folder / "raw"
        folder.mkdir()
        self.spec.load_part(self.spec.example)(folder)
        return folder

    @cached_property
    def clips(self) -> list[RawClip]:
        """The first raw clips."""
        source = self.source()
        return [source.read(item) for item in list(source.items())[:FEW]]

    @cached_property
    def store(self) -> Path:
        """A store of the first clips."""
        path = self.folder / "store"
        done = prepare(
            _First(self.source(), FEW), path, dataset=self.spec.name, splits=self.spec.splits, workers=1, progress=False
        )
        if done.set_aside:
            aside = done.set_aside[0]
            raise Broken(f"{len(done.set_aside)} of {FEW} clips were set aside, {aside.id}: {aside.reason}")
        return path


@rule(
    RULES,
    "items are unique and stable",
    "two sources list the same items in the same order, each id once, with a speaker, and without a path's tricks",
    "sort what the file system gives, and make ids from paths below the root",
    needs=(importable,),
)
def lists(case: DatasetCase) -> None:
    """List them twice."""
    if case.empty_handed:
        raise Broken(
            "no raw clips to hold it against: its spec names no `example`, and no folder was given",
            f"name an `example` in the spec, or run `zoo plugin check {case.spec.name} --root FOLDER`",
        )
    one, two = list(case.source().items()), list(case.source().items())
    if not one:
        raise Broken("no item")
    if one != two:
        raise Broken("two sources list other items, or in another order")
    ids = [item.id for item in one]
    if len(set(ids)) != len(ids):
        raise Broken(f"the id '{next(name for name in ids if ids.count(name) > 1)}' twice")
    odd = [item for item in one if not item.id or not item.speaker or item.id.startswith("/") or ".." in item.id]
    if odd:
        raise Broken(f"the item {odd[0]}")


@rule(
    RULES,
    "raw clips are as declared",
    f"uint8 RGB pictures at {FPS:g} fps, as long a sound as float32 mono in [-1, 1] at {SAMPLE_RATE} Hz",
    "read with zoo.media.video.read_video and zoo.media.audio.read_audio, which bring clips to these rates",
    needs=(lists,),
)
def reads(case: DatasetCase) -> None:
    """Read some."""
    for clip in case.clips:
        frames, wave = clip.frames, clip.wave
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3 or not len(frames):
            raise Broken(f"pictures {frames.dtype} {tuple(frames.shape)}")
        if wave.dtype != torch.float32 or wave.ndim != 1 or not bool(wave.isfinite().all()):
            raise Broken(f"sound {wave.dtype} {tuple(wave.shape)}")
        if float(wave.abs().max()) > 1:
            raise Broken(f"sound up to {float(wave.abs().max()):.3g}")
        seconds = len(frames) / FPS, len(wave) / SAMPLE_RATE
        if abs(seconds[0] - seconds[1]) > LONGEST_GAP_S:
            raise Broken(f"{seconds[0]:.2f} s of pictures and {seconds[1]:.2f} s of sound")
        if clip.text != clip.text.lower():
            raise Broken(f"the text '{clip.text}'")
        if clip.landmarks is not None and tuple(clip.landmarks.shape) != (len(frames), NUM_LANDMARKS, 2):
            raise Broken(f"landmarks {tuple(clip.landmarks.shape)} of {len(frames)} frames")
        if any(not 0 <= word.start_s <= word.end_s <= seconds[0] + LONGEST_GAP_S for word in clip.words):
            raise Broken("words that lie outside the clip")


@rule(
    RULES,
    "reading is deterministic",
    "a clip read twice, by two sources, is the same to the bit",
    "seed what is drawn from the item's id",
    needs=(reads,),
)
def _same(case: DatasetCase) -> None:
    source = case.source()
    item = next(iter(source.items()))
    one, two = case.clips[0], source.read(item)
    if not (torch.equal(one.frames, two.frames) and torch.equal(one.wave, two.wave) and one.text == two.text):
        raise Broken(f"{item.id} is another clip when it is read again")


@rule(
    RULES,
    "raw clips become a store",
    "the first clips are prepared, none is set aside, and `zoo data verify` finds nothing wrong",
    "run `zoo data prepare` on a few clips and read why they are set aside",
    needs=(reads,),
)
def _store(case: DatasetCase) -> None:
    report = verify(case.store, progress=False)
    if report.findings:
        raise Broken("; ".join(report.findings[:3]))
    wanted = {item.id for item in list(case.source().items())[:FEW]}
    clips = Store(case.store).clips
    if {clip.id for clip in clips} != wanted:
        raise Broken("the store holds other clips than the source lists")
    for clip in clips:
        if (clip.fps, clip.sample_rate) != (FPS, SAMPLE_RATE) or clip.num_samples != round(
            clip.num_frames * SAMPLE_RATE / FPS
        ):
            raise Broken(f"{clip.id}: {clip.num_frames} frames at {clip.fps} fps, {clip.num_samples} samples")


@rule(
    RULES,
    "splits are disjoint",
    "each split that the spec names puts each clip into exactly one of train, val and test, the same way every time",
    "name splits of zoo.data.splits in the spec",
    needs=(lists,),
)
def _splits(case: DatasetCase) -> None:
    infos = [ClipInfo(item.id, item.speaker, "", (), 1, 1, 1, 640) for item in case.source().items()]
    for name in case.spec.splits:
        divided = split_clips(infos, name)
        numbers = sorted(number for part in divided.values() for number in part)
        if numbers != list(range(len(infos))):
            raise Broken(f"split '{name}' does not put each clip into exactly one part")
        if split_clips(infos, name) != divided:
            raise Broken(f"split '{name}' divides the same clips in two ways")
        if name == "by-speaker":
            speakers = [{infos[number].speaker for number in divided[part]} for part in ("train", "val", "test")]
            if sum(map(len, speakers)) != len(set.union(*speakers)):
                raise Broken("split 'by-speaker' has a speaker in two parts")


@rule(
    RULES,
    "no network access",
    "nothing is asked of another machine while items are listed and clips are read",
    "let users download what its owner publishes, and tell in `url` where",
    needs=(lists,),
)
def _network(case: DatasetCase) -> None:
    require_no_calls(case, lambda: case.clips)
