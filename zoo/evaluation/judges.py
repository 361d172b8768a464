"""The judges: trained networks that look at footage, loaded when they are first needed and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor

from zoo import registry
from zoo.evaluation.footage import Experts, Footage, Reading, SyncFeatures
from zoo.face import crop
from zoo.face.backends import USUAL, make_embedder, make_landmarker
from zoo.face.base import Embedder
from zoo.methods.corpora import drawn_only
from zoo.methods.trainable import find_weights, load_checkpoint, read_checkpoint
from zoo.registry.spec import MetricSpec
from zoo.support.errors import ZooError

SHIPPED = "synthgrid"
"""The trained weights that come with the zoo: small judges of SynthGRID."""

TRAINED = {"sync": "sync-expert", "reader": "lip-reader"}
"""Judges that `zoo fit` trains: attribute of :class:`Judges` and registered name."""


class Expert(NamedTuple):
    """A trained network that judges.

    Attributes:
        module: the network, a :class:`zoo.methods.module.TrainableModule`.
        name: its name with the first 8 digits of its file's SHA-256, for protocol signatures.
        scores: its own on clips held out, as its run found them; empty where the file does not tell.
    """

    module: Any
    name: str
    scores: dict[str, Any]

    def quality(self) -> str:
        """How far to trust it, in a line."""
        try:
            told = self.module.quality(self.scores)
            split = f"{self.scores['dataset']}, split {self.scores['split']}, {self.scores['clips']} clips held out"
        except (KeyError, TypeError, ValueError):  # what a file says of itself may be anything
            return f"{self.name}: how good it is, its file does not tell (weights.safetensors of a run does)"
        return f"{self.name}: {' '.join(f'{told} ({split})'.split())}"

    @property
    def drawn_only(self) -> str:
        """The data sets it was trained on, where all its faces were drawn; empty else, or where nobody knows."""
        return drawn_only(self.module.corpora)


class DrawnJudge(NamedTuple):
    """A judge that knows drawn faces only.

    Attributes:
        name: with its hash.
        corpora: the data sets that it was trained on.
        metrics: what it judges.
        key: the setting that names another one.
        expert: what `zoo fit` calls it.
    """

    name: str
    corpora: str
    metrics: list[str]
    key: str
    expert: str

    def way_out(self, settings: str = "") -> str:
        """How to get one that knows real people.

        Args:
            settings: what the key stands below, such as ``judges.``.
        """
        made = f"zoo fit {self.expert} data=grid data.root=STORE"
        return f"for real video train one ({made}) and give {settings}{self.key}=WEIGHTS"


class Judges(Experts):
    """The networks that judge, each loaded when it is first asked.

    Args:
        sync: weights of the sync expert: a checkpoint of ``zoo fit sync-expert``, a safetensors file, or ``synthgrid``
            for the small one that comes with the zoo.
        reader: the same of the lip reader.
        embedder: who compares identities (:func:`zoo.face.backends.make_embedder`).
        landmarker: who finds the 68 points (:func:`zoo.face.backends.make_landmarker`).
        device: where the networks run.
    """

    def __init__(
        self,
        sync: str | Path = SHIPPED,
        reader: str | Path = SHIPPED,
        embedder: str = "dlib",
        landmarker: str = USUAL.landmarker,
        device: str = "cpu",
    ) -> None:
        self._sync, self._reader, self._embedder, self.device = sync, reader, embedder, torch.device(device)
        self.landmarker = landmarker

    def missing(self, need: str) -> str:
        """Why something that a metric needs cannot be had, with the way out; empty where it can.

        Args:
            need: one of :data:`zoo.registry.spec.Need`.
        """
        try:
            match need:
                case "embedder":
                    _ = self.embedder
                case "sync-expert":
                    _ = self.sync
                case "lip-reader":
                    _ = self.reader
                case "face":
                    if self.landmarker != USUAL.landmarker:  # that one comes with the zoo, and its file is large
                        make_landmarker(self.landmarker)
        except ZooError as error:
            return str(error)
        return ""

    def drawn_only(self, metrics: Mapping[str, tuple[MetricSpec, object]]) -> Iterator[DrawnJudge]:
        """Those of the trained networks behind some metrics that know drawn faces only."""
        for key, need in TRAINED.items():
            names = [name for name, (spec, _) in metrics.items() if need in spec.needs]
            if names and (known := getattr(self, key).drawn_only):
                yield DrawnJudge(getattr(self, key).name, known, names, key, need)

    @cached_property
    def embedder(self) -> Embedder:
        """Tells faces apart."""
        return make_embedder(self._embedder)

    @cached_property
    def sync(self) -> Expert:
        """The sync expert."""
        return load_expert("sync-expert", self._sync, self.device)

    @cached_property
    def reader(self) -> Expert:
        """The lip reader."""
        return load_expert("lip-reader", self._reader, self.device)

    @torch.inference_mode()
    def sync_features(self, footage: Footage) -> SyncFeatures:
        """Embeddings of every window of a clip and of its sound."""
        from zoo.experts.sync_expert.module import SIZE, speech_windows
        from zoo.experts.sync_expert.networks import FRAMES
        from zoo.experts.sync_expert.quality import THRESHOLD

        expert, name, _ = self.sync
        faces = _faces(footage, SIZE).to(self.device).float() / 255
        video, sound = (part.float().cpu() for part in expert.embed_clip(faces, footage.wave.to(self.device)))
        count = len(video)
        seen = footage.seen.unfold(0, FRAMES, 1).all(1) if count else footage.seen[:0]
        speech = speech_windows(footage.words, count) if footage.words else torch.ones(count, dtype=torch.bool)
        scores = (video * sound).sum(1).clamp(0, 1)
        return SyncFeatures(video, sound, scores, THRESHOLD, name, seen, speech)

    @torch.inference_mode()
    def read(self, footage: Footage) -> Reading:
        """Lip-read a clip: log-probabilities over characters."""
        reader, name, _ = self.reader
        faces = _faces(footage, reader.config.size).to(self.device).float() / 255
        return Reading(reader(faces[None])[0].float().cpu(), name)


def _faces(footage: Footage, size: int) -> UInt8[Tensor, "T 3 H W"]:
    """The face crop that experts are trained on, cut anew from the pictures: scaled once, as in training."""
    where = footage.landmarks if footage.place is None else footage.place
    return crop.place_crops(where, "face", (size, size)).cut(footage.frames, range(len(footage)))


def load_expert(name: str, which: str | Path = SHIPPED, device: torch.device | str = "cpu") -> Expert:
    """A trained expert, ready to be asked.

    Args:
        name: the registered expert.
        which: a checkpoint or safetensors file, or the name of weights that come with the expert.
        device: where it runs; whoever asks for the same weights on the same device shares one network.

    Raises:
        DataError: there is no such file, or it holds another network.
    """
    path = find_weights(registry.expert(name), which)
    return _load_expert(name, path, path.stat().st_mtime_ns, device)


@cache
def _load_expert(name: str, path: Path, modified: int, device: torch.device | str) -> Expert:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    scores = read_checkpoint(path)["zoo"].get("scores", {})
    return Expert(load_checkpoint(path, name).for_inference().to(device), f"{name}-{path.stem}-{digest}", scores)
