"""Test clips, whose sound goes with which face, metrics and experts: what scoring methods stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from jaxtyping import UInt8
from torch import Tensor

from zoo.data.module import TalkingFaceData
from zoo.data.store.index import ClipInfo
from zoo.evaluation.footage import Footage
from zoo.evaluation.judges import Judges
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.metrics.choose import Chosen, choose, split_options
from zoo.evaluation.metrics.judged import JudgedMetric
from zoo.evaluation.partners import Partners
from zoo.evaluation.results import Track
from zoo.evaluation.score import LOOK_EVERY
from zoo.evaluation.tracks import TRACKS
from zoo.face.backends import USUAL
from zoo.face.track import VisibleTrack, track_visible
from zoo.media import audio
from zoo.methods.corpora import corpus
from zoo.registry.config import DataConfig
from zoo.registry.spec import InputSpec
from zoo.support.errors import ConfigError
from zoo.synthesis.scene import Scene

TOGETHER = "is a number of all clips together, which rows of clips do not hold"
"""Why a metric is in no cell."""

_KEPT = ("points", "embeddings")
"""What is kept of a real clip from one cell to the next: small, and slow to find."""


class EvaluationSet:
    """Test clips, metrics and experts, in one process.

    Args:
        data: which clips.
        metrics: names of those that are scored.
        options: of metrics, ``NAME.KEY=VALUE``.
        experts: weights of the experts, by the names in :data:`.choose.JUDGES`; the zoo's own where not named.
        device: for the experts.
        test_clips: how many test clips are scored, evenly out of all; ``None``: all.
        train_clips: how many training clips the retrieval draws from.

    Attributes:
        data: the data module; its store holds the clips.
        judges: the models that look.
        metrics: by name, with their specs, named after their judges and without rows.

    Raises:
        ZooError: no store, no test clip, or a metric or judge that cannot be had.
    """

    judges: Judges
    metrics: Chosen

    def __init__(
        self,
        data: DataConfig,
        metrics: Sequence[str],
        *,
        options: Sequence[str] = (),
        experts: Mapping[str, str] | None = None,
        device: str = "cpu",
        test_clips: int | None = None,
        train_clips: int = 0,
    ) -> None:
        self.data = TalkingFaceData(data, InputSpec())
        self.test_clips, self.train_clips = test_clips, train_clips
        self.metrics, _, self.judges = choose(
            list(metrics), split_options(list(options))[0], dict(experts or {}), device=device
        )
        for name, (_, metric) in self.metrics.items():
            if not metric.of_single_clips:
                raise ConfigError(f"metrics: {name} {TOGETHER}")
            _name_judge(metric, self.judges)
        self.data.prepare_data()
        self.data.setup("test")
        self.store = self.data.store
        self._known: dict[int, dict[str, Tensor]] = {}
        self._infos: dict[int, ClipInfo] = {}
        self._partners = Partners({})

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of the clip store."""
        return self.store.fingerprint()

    @cached_property
    def test(self) -> list[int]:
        """Numbers of the test clips that are scored: evenly out of all."""
        every = self.data.clips["test"]
        count = min(self.test_clips or len(every), len(every))
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
        count = min(self.train_clips, len(every))
        return [every[k * len(every) // count] for k in range(count)]

    def cross_audio_clip(self, index: int) -> int:
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

    def audio_clip(self, index: int, *, foreign: bool) -> int:
        """The clip whose sound is heard with a face: its own, or a ``foreign`` one."""
        return self.cross_audio_clip(index) if foreign else index

    def scene(self, index: int, *, foreign: bool, track: str = "reconstruction") -> Scene:
        """A test clip with its own sound, or with a ``foreign`` one.

        Args:
            index: number of the clip.
            foreign: whether another clip's sound is heard, or its video seen.
            track: where the video drives, the foreign clip's does.
        """
        giver = self.audio_clip(index, foreign=foreign)
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
            track = follow(clip.frames, self.judges.landmarker)
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

    @property
    def drawn(self) -> bool:
        """Whether all faces are drawn, by the suite's data set and by that of the store."""
        names = (self.data.config.name, str(self.store.meta["dataset"]))
        return all(corpus(name).drawn for name in names)


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


def follow(frames: UInt8[Tensor, "T 3 H W"], landmarker: str = USUAL.landmarker) -> VisibleTrack:
    """The face in a video, looked for as ``zoo score`` does; a picture that stands still is looked at once."""
    if frames.stride(0) == 0 and len(frames) > 1:
        track = track_visible(frames[:1], landmarker=landmarker, every=LOOK_EVERY)
        parts = (part.expand(len(frames), *part.shape[1:]) for part in (track.boxes, track.landmarks, track.seen))
        return VisibleTrack(*parts)
    return track_visible(frames, landmarker=landmarker, every=LOOK_EVERY)
