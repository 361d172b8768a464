"""Who makes the videos of a cell: the references, and methods."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from zoo.data.request import Request
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.face import crop
from zoo.face.crop import fit_similarity, smoothed, upright
from zoo.face.mouth import lip_gap
from zoo.face.paste import blank_lower_face, lay_lower_face, paste, paste_back
from zoo.face.warp import FaceWarp
from zoo.media import audio
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.nn.frontend import Mel
from zoo.methods.trainable import load_checkpoint
from zoo.registry.config import Layer, merge
from zoo.support.errors import ConfigError
from zoo.synthesis.make import make
from zoo.synthesis.scene import Scene

_BANK_SIZE = 128
"""Side of the faces that the retrieval pastes."""

_COLUMNS = 16
"""Mel columns (237 ms) that the retrieval compares."""

TRACKER_SIGMA = 0.7
"""Smoothing of landmarks over time in frames, since a tracker's are whole pixels."""

OPEN = 0.05
"""Further apart than in the most closed frame, in distances of the eyes, the lips of an open mouth are (3 mm)."""


class Subject(ABC):
    """Makes the video of a scene.

    Attributes:
        seconds: what generating the last video took, without pasting.
        parameters: numbers that took part in it.
        over_still: whether the videos are laid over the first frame, so that the face lies where it lies there.
    """

    over_still = True
    seconds = 0.0
    parameters = 0

    @abstractmethod
    def make(self, scene: Scene) -> UInt8[Tensor, "T 3 H W"]:
        """The video: as many frames as the face's clip, of its size, RGB, 0..255."""

    def tags(self) -> dict[str, str]:
        """What a video file says of itself."""
        return {}


class Real(Subject):
    """The real video, whatever sound is put to it."""

    over_still = False

    def make(self, scene: Scene) -> UInt8[Tensor, "T 3 H W"]:
        """See :class:`Subject`."""
        return scene.clip.frames


class Still(Subject):
    """The first frame."""

    def make(self, scene: Scene) -> UInt8[Tensor, "T 3 H W"]:
        """See :class:`Subject`."""
        return scene.clip.frames[:1].expand_as(scene.clip.frames)


class ClosedStill(Subject):
    """The first frame with its mouth closed, where it is open: a harder reference than a mouth that gapes throughout.

    The lower face is that of the frame whose lips lie nearest to each other.
    """

    def make(self, scene: Scene) -> UInt8[Tensor, "T 3 H W"]:
        """See :class:`Subject`."""
        frames, landmarks = scene.clip.frames, scene.clip.landmarks
        closed = closed_frame(scene)
        if closed is None:
            return Still().make(scene)
        chosen = slice(closed, closed + 1)
        made = lay_lower_face(frames[:1], landmarks[:1], frames[chosen], landmarks[chosen])
        return made.expand_as(frames)


def closed_frame(scene: Scene) -> int | None:
    """Number of the frame whose mouth is closed most; ``None`` where that of the first is closed as well."""
    gap = lip_gap(scene.clip.landmarks)
    closed = int(gap.argmin())
    return closed if gap[0] - gap[closed] > OPEN else None


class WarpTrue(Subject):
    """The first frame moved by the true landmarks: as well as a method can do that thinks in landmarks.

    Ears, brows, eyes and nose stay as they are there, and so does the head.
    """

    def make(self, scene: Scene) -> UInt8[Tensor, "T 3 H W"]:
        """See :class:`Subject`."""
        frames, landmarks = scene.clip.frames, scene.clip.landmarks
        shapes = upright(smoothed(landmarks, TRACKER_SIGMA))
        moved = torch.einsum("ij,tpj->tpi", fit_similarity(landmarks[:1])[0, :, :2], shapes - shapes[:1])
        moved[:, [*range(3), *range(14, 48)]] = 0
        warp = FaceWarp(frames[0].float() / 255, landmarks[0])
        return (warp.render(landmarks[:1] + moved) * 255).round().to(torch.uint8)


class Retrieval(Subject):
    """For every frame the training frame whose sound is nearest, its lower face laid over the still.

    Args:
        store: of the clips.
        clips: numbers of the training clips that it draws from.
    """

    def __init__(self, store: Store, clips: list[int]) -> None:
        self.store = store
        self.front_end = Mel(_COLUMNS)
        self.sounds, self.frames = self._remember(clips)

    def _remember(self, clips: list[int]) -> tuple[Float32[Tensor, "N D"], list[tuple[int, int]]]:
        if not clips:
            raise ConfigError("the split has no training clip to retrieve from: leave retrieval out of references")
        sounds, frames = [], []
        for index in clips:
            count = self.store.clips[index].num_frames
            sounds.append(self._hear(self.store.wave(index), count))
            frames += [(index, frame) for frame in range(count)]
        return torch.cat(sounds), frames

    def _hear(self, wave: Float32[Tensor, " S"], count: int) -> Float32[Tensor, "T D"]:
        """Mel windows around every frame, in pairs of columns, without what the whole clip has in common."""
        context = self.front_end.samples
        windows = audio.per_frame(audio.widen(wave[None], count, context), count, context)[0]
        mels = self.front_end(windows)[:, 0].unflatten(-1, (-1, 2)).mean(-1)
        return (mels - mels.mean((0, 2), keepdim=True)).flatten(1)

    def make(self, scene: Scene) -> UInt8[Tensor, "T 3 H W"]:
        """See :class:`Subject`."""
        count = len(scene.clip.frames)
        nearest = torch.cdist(self._hear(scene.wave, count), self.sounds).argmin(1).tolist()
        faces = torch.stack([self._face(*self.frames[number]) for number in nearest])
        still = scene.clip.frames[:1].expand_as(scene.clip.frames)
        matrices = crop.place_crops(scene.still, "face", (_BANK_SIZE, _BANK_SIZE)).matrices
        return paste(still, faces.float() / 255, matrices, "lower")

    def _face(self, index: int, frame: int) -> UInt8[Tensor, "3 128 128"]:
        place = crop.place_crops(self.store.landmarks(index), "face", (_BANK_SIZE, _BANK_SIZE))
        return place.cut(self.store.frames(index, [frame]), [frame])[0]


class Method(Subject):
    """A method with its weights.

    Args:
        store: of the clips.
        name: of the method.
        checkpoint: its weights.
        device: where it runs.
        mode: of the method; empty: its default.
        options: of the method, as plain values; those that are missing are its defaults.

    Raises:
        ConfigError: no method, or one without these options.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        checkpoint: Path,
        device: torch.device,
        mode: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        module = load_checkpoint(checkpoint, name)
        if not isinstance(module, TalkingFaceMethod):
            raise ConfigError(f"{name} is an expert, which makes no faces")
        with torch.inference_mode(mode=False):  # generate() may need gradients through the weights
            self.module, self.checkpoint = module.to(device), checkpoint
        self.spec = self.module.input_spec
        self.windows = Windows(store, self.spec, self.module.uses)
        self.device, self.mode = device, mode
        self.options: Any = None  # their defaults
        if options:
            self.options = merge(self.module.spec, [Layer("the cell", {"options": dict(options)})]).options

    @property
    def over_still(self) -> bool:  # type: ignore[override]
        """Whether its user gives a still: one that is given the upper half of a video is laid over that video."""
        return self.module.spec.uses(self.mode).driver != "upper half"

    def make(self, scene: Scene) -> UInt8[Tensor, "T 3 H W"]:
        """The crops laid over the first frame, or over the video whose lower face was blanked: no true jaw shows."""
        crops = self.generate(scene)
        if self.over_still:
            still = scene.clip.frames[:1].expand_as(scene.clip.frames)
            return paste_back(still, crops, scene.still, self.spec)
        moving = blank_lower_face(scene.clip.frames, scene.clip.landmarks)
        return paste_back(moving, crops, scene.clip.landmarks, self.spec)

    def generate(self, scene: Scene) -> Float32[Tensor, "T 3 h w"]:
        """The crops, RGB in [0, 1]."""
        if not self.parameters:  # for inference layers may be joined: they are counted before
            with _Counting(self.module) as used:
                self._run(scene, self.spec.frames)
            self.parameters = used.parameters
            with torch.inference_mode(mode=False), torch.no_grad():
                self.module.for_inference()
        return self._run(scene, len(scene.clip.frames))

    def _run(self, scene: Scene, count: int | None) -> Float32[Tensor, "T 3 h w"]:
        """The first ``count`` frames as the method makes them; ``None``: all."""
        given = self._whole(scene.index)
        driver = given.driver if scene.driver is None else self._whole(scene.driver).driver
        assert driver is not None
        assert driver.frames is not None
        held = [min(t, driver.frames.shape[1] - 1) for t in range(given.num_frames)]  # the last, where it is too short
        given = replace(
            given, sound=scene.wave[None], driver=driver.chosen(held), words=(scene.words,), options=self.options
        )
        given = given.part(0, count or given.num_frames).to(self.device)
        started = time.perf_counter()
        crops = make(self.module, self.module.spec, given, self.mode)[0].float().cpu()
        self.seconds = time.perf_counter() - started
        return crops

    def _whole(self, index: int) -> Request:
        """All that is known of a clip."""
        return collate([self.windows[Draw(index, None)]]).unit().given

    def tags(self) -> dict[str, str]:
        """See :class:`Subject`."""
        from zoo.synthesis.provenance import provenance

        return provenance(self.module, self.checkpoint)


class _Counting:
    """Counts the parameters of the modules that are called: what generates, without discriminators and losses."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.called: set[nn.Module] = {module}  # `generate` is its own

    def __enter__(self) -> _Counting:
        self._handles = [
            part.register_forward_pre_hook(lambda part, _: self.called.add(part)) for part in self.module.modules()
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def parameters(self) -> int:
        """How many numbers, each once."""
        weights = {weight for part in self.called for weight in part.parameters(recurse=False)}
        return sum(weight.numel() for weight in weights)


def make_subject(
    store: Store,
    name: str,
    checkpoint: Path | None,
    device: torch.device,
    *,
    mode: str = "",
    options: Mapping[str, Any] | None = None,
    train: Sequence[int] = (),
) -> Subject:
    """A method by its checkpoint, in one of its modes and with its options, or else a reference by its name.

    Args:
        store: of the clips.
        name: of the method or reference.
        checkpoint: weights of a method; ``None``: a reference.
        device: where a method runs.
        mode: of a method; empty: its default.
        options: of a method, as plain values; those that are missing are its defaults.
        train: numbers of the training clips that the retrieval draws from.

    Raises:
        ConfigError: neither a method nor a reference.
    """
    if checkpoint is not None:
        return Method(store, name, checkpoint, device, mode, options)
    match name:
        case "still":
            return Still()
        case "closed-still":
            return ClosedStill()
        case "warp-true":
            return WarpTrue()
        case "retrieval":
            return Retrieval(store, list(train))
        case "real" | "wrong-sound":
            return Real()
    raise ConfigError(f"no reference is called '{name}'")
