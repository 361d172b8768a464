"""Request: all that a method may know of the clip that it is to generate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Float32, Shaped
from torch import Tensor

from zoo.media import audio
from zoo.media.clip import FPS, MOUTH, Word
from zoo.registry.spec import Uses
from zoo.support.errors import ConfigError

JAW = slice(0, 17)
"""The 17 points of the jaw among the 68."""

Tensors = TypeVar("Tensors")


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Frames of a speaker with their landmarks.

    Attributes:
        frames: ``(B, T, 3, H, W)`` RGB in [0, 1], cut as the method's
            :class:`zoo.registry.spec.InputSpec` says; ``None`` where only landmarks are given.
        points: ``(B, T, 68, 2)`` float32, x and y in pixels of ``frames``; NaN where not given.
    """

    frames: Shaped[Tensor, "B T 3 H W"] | None
    points: Float32[Tensor, "B T 68 2"]

    def chosen(self, which: Sequence[int]) -> Pictures:
        """These frames, by their numbers."""
        index = list(which)
        return Pictures(frames=None if self.frames is None else self.frames[:, index], points=self.points[:, index])

    def part(self, first: int, count: int) -> Pictures:
        """``count`` frames from frame ``first`` on."""
        chosen = slice(first, first + count)
        return Pictures(frames=None if self.frames is None else self.frames[:, chosen], points=self.points[:, chosen])

    def without_mouth(self) -> Pictures:
        """Landmarks alone, and of these none of mouth and jaw."""
        points = self.points.clone()
        points[..., MOUTH, :] = points[..., JAW, :] = torch.nan
        return Pictures(frames=None, points=points)

    def upper_half(self) -> Pictures:
        """The frames with their lower half black, and the landmarks that lie in the upper one."""
        if self.frames is None:
            return self.without_mouth()
        frames, edge = self.frames.clone(), self.frames.shape[-2] // 2
        frames[..., edge:, :] = 0
        points = self.without_mouth().points
        return Pictures(frames=frames, points=points.where(points[..., 1:] < edge, torch.nan))


@dataclass(frozen=True, kw_only=True)
class Request:
    """All that a method may know of ``B`` clips that it is to generate.

    Attributes:
        num_frames: frames ``T`` to generate, 25 for a second.
        identity: the reference frames: ``N`` of each clip's speaker.
        mode: name of the mode, one of :attr:`zoo.registry.spec.MethodSpec.modes`.
        sound: ``(B, S)`` float32 in [-1, 1], 16 kHz; ``None`` where the mode uses none. Read it with
            :meth:`audio_windows`.
        start: the sample of ``sound`` at which the first frame comes on screen.
        driver: of a driving video what the mode uses, one frame for each to be generated; ``None`` where it uses none,
            and of a photo.
        words: per clip the words that are spoken, with their times in seconds from the request's first frame on (before
            it they are negative); empty where unknown.
        labels: name to one value per clip; empty where unknown.
        arrays: name to ``(B, T, ...)``, one entry per frame.
        options: an instance of the dataclass that :attr:`zoo.registry.spec.MethodSpec.options` names;
            ``None`` where there is none.
    """

    num_frames: int
    identity: Pictures
    mode: str = ""
    sound: Float32[Tensor, "B S"] | None = None
    start: int = 0
    driver: Pictures | None = None
    words: tuple[tuple[Word, ...], ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arrays: Mapping[str, Shaped[Tensor, "B T *rest"]] = field(default_factory=dict)
    options: Any = None

    def __len__(self) -> int:
        """Number of clips ``B``."""
        return len(self.identity.points)

    @property
    def stills(self) -> Shaped[Tensor, "B N 3 H W"]:
        """The reference frames, RGB in [0, 1]."""
        assert self.identity.frames is not None
        return self.identity.frames

    def audio_around(self, context: int) -> Float32[Tensor, "B samples"]:
        """The sound of all frames in one piece: from the first frame's audio window to the last one's.

        Args:
            context: samples around the centre of each frame.

        Returns:
            ``(B, 640 (T - 1) + context)`` in [-1, 1], 16 kHz, with silence where there is no sound.

        Raises:
            ConfigError: the mode uses no sound.
        """
        if self.sound is None:
            raise ConfigError(f"mode '{self.mode}' is given no sound: its spec has to say Uses(sound=True)")
        first, stop = audio.frame_window(0, self.num_frames, context)
        return audio.cut(self.sound, self.start + first, self.start + stop)

    def audio_windows(self, context: int) -> Float32[Tensor, "B T context"]:
        """The audio window of each frame, centred on it (:func:`zoo.media.audio.frame_centre`).

        The only way to sound, the same in training and in generation.

        Args:
            context: samples per window.

        Returns:
            ``(B, T, context)`` in [-1, 1], 16 kHz, with silence where there is no sound.

        Raises:
            ConfigError: the mode uses no sound.
        """
        return audio.per_frame(self.audio_around(context), self.num_frames, context)

    def part(self, first: int, count: int) -> Request:
        """The request for ``count`` frames from frame ``first`` on; reference frames and labels stay.

        Args:
            first: index of the first frame.
            count: number of frames, at least 1; may reach beyond the end, where there is silence and no driver.
        """
        return replace(
            self,
            num_frames=count,
            start=self.start + audio.num_samples(first),
            driver=None if self.driver is None else self.driver.part(first, count),
            words=tuple(later(words, first) for words in self.words),
            arrays={name: values[:, first : first + count] for name, values in self.arrays.items()},
        )

    def parts(self, count: int) -> Iterable[Request]:
        """The request in parts of at most ``count`` frames, so that memory does not grow with a clip's length."""
        return (self.part(first, min(count, self.num_frames - first)) for first in range(0, self.num_frames, count))

    def joined(self, parts: Iterable[Request]) -> Request:
        """The request for a clip that came in parts (:meth:`zoo.methods.method.TalkingFaceMethod.stream`).

        Its length is that of the sound, or else the number of frames of the parts.
        """
        every = list(parts)
        sounds = [part.sound for part in every if part.sound is not None]
        drivers = [part.driver for part in every if part.driver is not None]
        sound = torch.cat(sounds, 1) if sounds else self.sound
        return replace(
            self,
            num_frames=sum(part.num_frames for part in every) if sound is None else audio.num_frames(sound.shape[1]),
            sound=sound,
            driver=_joined(drivers) if drivers else self.driver,
            arrays={name: torch.cat([part.arrays[name] for part in every], 1) for name in every[0].arrays}
            if every
            else {},
        )

    def only(self, mode: str, uses: Uses) -> Request:
        """The same request without anything that a mode does not use: the one place that hides.

        Args:
            mode: its name.
            uses: what it is given.
        """
        driver = self.driver
        if driver is not None:
            match uses.driver:
                case "":
                    driver = None
                case "points":
                    driver = driver.without_mouth()
                case "upper half":
                    driver = driver.upper_half()
        return replace(
            self,
            mode=mode,
            identity=self.identity.part(0, uses.stills),
            sound=self.sound if uses.sound else None,
            driver=driver,
            words=self.words if uses.words else tuple(() for _ in self.words),
            labels={name: self.labels[name] for name in uses.labels if name in self.labels},
            arrays={name: self.arrays[name] for name in uses.arrays if name in self.arrays},
        )

    def to(self, device: torch.device | str, **how: Any) -> Request:
        """The same on a device."""
        return map_tensors(self, lambda tensor: tensor.to(device, **how))


def later(words: tuple[Word, ...], first: int) -> tuple[Word, ...]:
    """Words whose times count from frame ``first`` on."""
    past = first / FPS
    return tuple(Word(word.start_s - past, word.end_s - past, word.text) for word in words) if first else words


def _joined(pictures: list[Pictures]) -> Pictures:
    frames = [each.frames for each in pictures if each.frames is not None]
    return Pictures(
        frames=torch.cat(frames, 1) if frames else None, points=torch.cat([each.points for each in pictures], 1)
    )


def map_tensors(value: Tensors, change: Callable[[Tensor], Tensor]) -> Tensors:
    """The same dataclass with every tensor in it changed, those of dataclasses and dicts within it too."""
    changed: dict[str, Any] = {}
    for item in dataclasses.fields(value):  # type: ignore[arg-type]
        content = getattr(value, item.name)
        if isinstance(content, Tensor):
            changed[item.name] = change(content)
        elif isinstance(content, (Pictures, Request)):
            changed[item.name] = map_tensors(content, change)
        elif item.name == "arrays":
            changed[item.name] = {name: change(each) for name, each in content.items()}
    return dataclasses.replace(value, **changed)  # type: ignore[type-var]
