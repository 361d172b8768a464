"""What every part of a benchmark stands on: the test clips, whose sound goes with which face, metrics and judges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo import audio, registry
from zoo.benchmark.partners import Partners
from zoo.benchmark.results import Metric, Suite, Track
from zoo.benchmark.suite import NamedSuite
from zoo.benchmark.tracks import TRACKS
from zoo.clip import FPS, Clip, Word
from zoo.config import DataConfig
from zoo.corpora import corpus
from zoo.data.index import ClipInfo
from zoo.data.module import TalkingFaceData
from zoo.data.splits import SPEAKER_DEPENDENT
from zoo.errors import ConfigError
from zoo.face.track import VisibleTrack, track_visible
from zoo.footage import Footage
from zoo.judges import Judges
from zoo.metrics.base import ClipMetric
from zoo.metrics.choose import JUDGES, Chosen, choose, split_options
from zoo.metrics.judged import JudgedMetric
from zoo.score import LOOK_EVERY
from zoo.spec import InputSpec, MetricSpec

_KEPT = ("points", "embeddings")
"""What is kept of a real clip from one cell to the next: small, and slow to find."""


@dataclass(frozen=True)
class Scene:
    """One test clip as it is asked for: a face, and the sound that it is to speak.

    Attributes:
        clip: the real video.
        index: its number in the store.
        sound: what is known of the clip that gives the sound.
        wave: that sound in [-1, 1] at 16 kHz, as long as the pictures.
        driver: number of the clip whose video drives the face; ``None``: its own.
    """

    clip: Clip
    index: int
    sound: ClipInfo
    wave: Float32[Tensor, " S"]
    driver: int | None = None

    @property
    def still(self) -> Float32[Tensor, "T 68 2"]:
        """The landmarks of the first frame, for every frame."""
        return self.clip.landmarks[:1].expand_as(self.clip.landmarks)

    @property
    def words(self) -> tuple[Word, ...]:
        """The words that are heard to their end, with their times: a longer clip's sound is cut to the pictures."""
        return tuple(word for word in self.sound.words if word.end_s <= len(self.clip.frames) / FPS)

    @property
    def text(self) -> str:
        """What is heard; empty where that is not known."""
        if self.sound.num_frames <= len(self.clip.frames):
            return self.sound.text
        return " ".join(word.text for word in self.words)

    @property
    def unheard(self) -> str:
        """Why it is not known what is heard; empty where it is, or where the text was not known to begin with."""
        if self.text or not self.sound.text:
            return ""
        return "the sound is cut to the pictures, and without word times nobody knows which words are left"

    @property
    def foreign(self) -> str:
        """Id of the clip that gives the sound, where it is another one."""
        return "" if self.sound.id == self.clip.id else self.sound.id


class Bench:
    """The clips, metrics and judges of a suite, in one process.

    Args:
        suite: what is to be run.
        device: for the judges.

    Attributes:
        data: the data module; its store holds the clips.
        judges: the models that look.
        metrics: by name, with their specs, named after their judges and without rows.
        left_out: metrics of the suite that cannot be had, with the reason.

    Raises:
        ZooError: no store, no test clip, or a metric or judge that cannot be had.
    """

    judges: Judges
    metrics: Chosen
    left_out: dict[str, str]

    def __init__(self, suite: NamedSuite, device: str = "cpu") -> None:
        self.suite = suite
        config = suite.config
        clips = config.data
        given = DataConfig(clips.name, clips.root, clips.split, clips.clips, clips.seed)
        self.data = TalkingFaceData(given, InputSpec())
        self._choose_metrics(device)
        self.data.prepare_data()
        self.data.setup("test")
        self.store = self.data.store
        self._known: dict[int, dict[str, Tensor]] = {}
        self._infos: dict[int, ClipInfo] = {}
        self._partners = Partners({})

    def _choose_metrics(self, device: str) -> None:
        config = self.suite.config
        judging = {key: value for key in JUDGES if (value := getattr(config.judges, key)) is not None}
        self.left_out, names = {}, []
        for name in config.metrics:
            without = [
                key for key, need in JUDGES.items() if need in registry.metric(name).needs and key not in judging
            ]
            if without:
                self.left_out[name] = f"the suite has no judge for it: give judges.{without[0]}=PATH"
            else:
                names.append(name)
        options = split_options(
            [f"{name}.{key}={value}" for name, chosen in config.options.items() for key, value in dict(chosen).items()]
        )[0]
        if not names:
            raise ConfigError(f"metrics: none of {', '.join(config.metrics)} can be had without judges")
        self.metrics, _, self.judges = choose(names, options, judging, device=device)
        for name, (_, metric) in self.metrics.items():
            if math.isnan(float(metric.clip_values(np.ones((1, 8)))[0])):
                raise ConfigError(f"metrics: {name} is a number of all clips together, which rows of clips do not hold")
            _name_judge(metric, self.judges)

    @cached_property
    def fingerprint(self) -> str:
        """Of the store."""
        return self.store.fingerprint()

    @cached_property
    def test(self) -> list[int]:
        """Numbers of the test clips that are scored: evenly out of all."""
        every = self.data.clips["test"]
        count = min(self.suite.config.test_clips or len(every), len(every))
        return [every[k * len(every) // count] for k in range(count)]

    def info(self, index: int) -> ClipInfo:
        """What is known of a clip; the store reads it anew whenever it is asked."""
        if index not in self._infos:
            self._infos[index] = self.store.clips[index]
        return self._infos[index]

    @cached_property
    def train(self) -> list[int]:
        """Numbers of the training clips that the retrieval draws from: evenly out of all."""
        every = self.data.clips["train"]
        count = min(self.suite.config.retrieval_clips, len(every))
        return [every[k * len(every) // count] for k in range(count)]

    def partner(self, index: int) -> int:
        """The test clip whose sound a face speaks where it is not its own.

        Of another speaker where there is one, another sentence, as long as the face's clip where there is such a one;
        among those, chance decides that depends on the two ids alone.

        Raises:
            ConfigError: there is no other test clip.
        """
        found = self.partners.of(index, self.info(index))
        if found is None:
            raise ConfigError(
                "there is one test clip, and no other to lend it its sound: prepare more, or use "
                "tracks=[reconstruction] references=[real,still,retrieval]"
            )
        return found

    @property
    def partners(self) -> Partners:
        """Who may lend a face its sound: all clips of the test part, scored or not."""
        if list(self._partners.clips) != self.data.clips["test"]:
            self._partners = Partners({number: self.info(number) for number in self.data.clips["test"]})
        return self._partners

    def giver(self, index: int, *, foreign: bool) -> int:
        """The clip whose sound is heard with a face: its own, or a ``foreign`` one."""
        return self.partner(index) if foreign else index

    def scene(self, index: int, *, foreign: bool, track: str = "reconstruction") -> Scene:
        """A test clip with its own sound, or with a ``foreign`` one.

        Args:
            index: number of the clip.
            foreign: whether another clip's sound is heard, or its video seen.
            track: where the video drives, the foreign clip's does.
        """
        giver = self.giver(index, foreign=foreign)
        driver = giver if TRACKS[track].driver == "foreign" else None
        clip = self.store.clip(index)
        wave = audio.cut(self.store.wave(giver), 0, audio.num_samples(len(clip.frames)))
        return Scene(clip, index, self.store.clips[giver], wave, driver)

    def real(self, scene: Scene) -> Footage:
        """The real video of a scene as the judges see it; slow findings are kept from one call to the next.

        The face is looked for as in the generated video: landmarks of the store may have come from elsewhere (SynthGRID
        knows where it drew them) and would make every generated face another size.
        """
        clip = scene.clip
        if scene.index not in self._known:
            track = follow(clip.frames)
            self._known[scene.index] = {"landmarks": track.landmarks, "seen": track.seen}
        known = self._known[scene.index]
        footage = Footage(
            frames=clip.frames,
            wave=scene.wave,
            landmarks=known["landmarks"],
            seen=known["seen"],
            judges=self.judges,
            text=scene.text,
            words=scene.words,
        )
        footage.__dict__.update(known)  # where cached properties keep what they found
        return footage

    def keep(self, scene: Scene, footage: Footage) -> None:
        """Keep what was found in a real video."""
        found = {name: footage.__dict__[name] for name in _KEPT if name in footage.__dict__}
        self._known[scene.index].update(found)

    def names(self, subject: str, track: Track) -> list[str]:
        """Metrics that tell something of a subject: without a real partner, only those that need none."""
        alone = TRACKS[track].foreign or subject == "wrong-sound"
        return [name for name, (spec, _) in self.metrics.items() if spec.real_row or not alone]

    def frames(self) -> dict[str, int]:
        """How many frames each test clip has, by its id."""
        return {info.id: info.num_frames for info in map(self.info, self.test)}

    def protocols(self, names: list[str]) -> dict[str, str]:
        """Signatures of metrics."""
        return {name: self.metrics[name][1].signature for name in names}

    def describe(self) -> Suite:
        """The suite as it is written into a results folder."""
        import dataclasses

        config = self.suite.config
        infos, partners = [self.info(index) for index in self.test], self.partners
        cross = any(TRACKS[track].foreign for track in config.tracks)
        settings = dataclasses.asdict(config)
        return Suite(
            name=self.suite.name,
            title=config.title or self.suite.name,
            dataset=config.data.name,
            split=self.data.split,
            speaker_dependent=self.data.split in SPEAKER_DEPENDENT,
            clips={info.id: info.speaker for info in sorted(infos, key=lambda info: info.id)},
            tracks=[name for name in get_args(Track) if name in config.tracks],
            metrics=[_column(name, *pair) for name, pair in self.metrics.items()],
            settings=settings | {"data": settings["data"] | {"root": None}, "runs": None},
            data=self.fingerprint,
            left_out=self.left_out,
            cross_speaker=not cross or all(map(partners.has_another_speaker, infos)),
            remarks=[
                f"{', '.join(each.metrics)}: {each.name} knows drawn faces only ({each.corpora}) and judges real ones "
                f"here; {each.way_out('judges.')}"
                for each in ([] if self.drawn else self.judges.drawn_only(self.metrics))
            ],
        )

    @property
    def drawn(self) -> bool:
        """Whether all faces are drawn, by the suite's data set and by that of the store."""
        names = (self.suite.config.data.name, str(self.store.meta["dataset"]))
        return all(corpus(name).drawn for name in names)


def _column(name: str, spec: MetricSpec, metric: ClipMetric) -> Metric:
    return Metric(name, spec.summary, spec.unit, spec.better, "ratio" if metric.pooled else "mean")


def _name_judge(metric: ClipMetric, judges: Judges) -> None:
    """Put the judge's name into the protocol before the first clip does."""
    if not isinstance(metric, JudgedMetric):
        return
    match metric.role:
        case "expert":
            metric.judged_by(judges.sync[1])
        case "reader":
            metric.judged_by(judges.reader[1])
        case "embedder":
            metric.judged_by(judges.embedder.name)


def follow(frames: UInt8[Tensor, "T 3 H W"]) -> VisibleTrack:
    """The face in a video, looked for as ``zoo score`` does; a picture that stands still is looked at once."""
    if frames.stride(0) == 0 and len(frames) > 1:
        track = track_visible(frames[:1], every=LOOK_EVERY)
        parts = (part.expand(len(frames), *part.shape[1:]) for part in (track.boxes, track.landmarks, track.seen))
        return VisibleTrack(*parts)
    return track_visible(frames, every=LOOK_EVERY)
