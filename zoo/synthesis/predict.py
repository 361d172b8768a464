"""A face and what drives it become a talking video: find the face, generate, paste back, write with sound."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo import registry
from zoo.data.request import Pictures, Request
from zoo.face import crop
from zoo.face.backends import Finders
from zoo.face.paste import paste
from zoo.media import audio
from zoo.media.clip import FPS, SAMPLE_RATE
from zoo.media.kind import media_kind
from zoo.media.video import probe_video, write_video
from zoo.methods import trainable
from zoo.methods.corpora import drawn_only
from zoo.methods.landmarks import LandmarkMethod, MovedFace
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.config import resolve
from zoo.registry.spec import Uses
from zoo.support.errors import ConfigError, MediaError, MediaWarning
from zoo.support.progress import Progress
from zoo.synthesis.conditions import Conditions, choose_mode, read_array
from zoo.synthesis.make import make, make_motion
from zoo.synthesis.portrait import LARGE_BYTES, Face, check_memory, cut_crops, has_sound, read_face, sound_seconds
from zoo.synthesis.provenance import provenance

__all__ = [
    "Conditions",
    "Face",
    "Prediction",
    "check_out",
    "choose_device",
    "composed",
    "generate",
    "make_request",
    "motion_of",
    "moved",
    "predict",
    "read_face",
]

PASTED_AT_ONCE = 64 * 2**20
"""Bytes of pictures that are pasted together, so that long and large videos need no more memory than their input."""


@dataclass(frozen=True)
class Prediction:
    """What was written: number of frames, their rate, and the mode they were generated in."""

    frames: int
    fps: float
    mode: str


def predict(
    name: str,
    checkpoint: Path | None = None,
    *,
    face: Path,
    out: Path,
    given: Conditions,
    mode: str = "",
    options: Sequence[str] = (),
    face_index: int | None = None,
    detector: str = "dlib",
    landmarker: str = "dlib",
    device: str = "auto",
    progress: bool = True,
) -> Prediction:
    """Make the face talk and write the video.

    The video is as long as the sound, to one frame; in a mode without sound as the driver, or else the words. A face
    video keeps its own frame rate; where it is too short, it is played back and forth. Everything outside the region
    that the method draws stays as it was.

    Args:
        name: the method.
        checkpoint: of ``zoo fit``; ``None``: the weights that come with the method.
        face: a photo or a video.
        out: the video to write.
        given: what is given beside the face: sound, driver, words, labels, arrays.
        mode: of the method; empty: the first that fits what is given.
        options: ``key=value`` items of the method's options.
        face_index: which face, 0 is the largest; ``None``: the largest, with a warning where there are others.
        detector: face detector.
        landmarker: who finds the 68 points.
        device: ``auto``, ``cpu``, ``cuda``, ...
        progress: show bars on stderr.

    Raises:
        ZooError: an input that cannot be used, with the reason.
    """
    if checkpoint is None:
        checkpoint = trainable.own_weights(registry.method(name))
    inputs = [face, checkpoint, *filter(None, (given.sound, given.driver))]
    check_out(out, *inputs)
    module = trainable.load_checkpoint(checkpoint, name).to(choose_device(device))
    if not isinstance(module, TalkingFaceMethod):
        raise ConfigError(f"{name}: an expert, which judges faces and makes none; `zoo list methods` names methods")
    if given.driver is not None and media_kind(given.driver) != "video":
        raise MediaError(f"--driver: {given.driver} is no video")
    mode = choose_mode(module.spec, mode, given, moving=media_kind(face) == "video")
    chosen = resolve(module.spec, options).options
    uses = module.spec.uses(mode)
    track = _soundtrack(given, uses, face)
    look = partial(read_face, face_index=face_index, finders=Finders(detector, landmarker), progress=progress)
    say_large(check_memory(face, None if track is None else track.seconds, module.input_spec))
    if track is not None:
        track.read()
    known = _seconds(given, uses, track)
    for video in {face, given.driver or face}:  # the sound may last longer than its file told
        check_memory(video, known or probe_video(given.driver or face).seconds, module.input_spec)
    driver = None if not uses.driver else look(given.driver or face, seconds=known)
    seconds = len(driver.frames) / driver.fps if driver is not None and known is None else known
    assert seconds is not None
    shown = driver if driver is not None and given.driver is None else look(face, seconds=seconds)
    say_drawn(module)
    count = audio.num_frames(round(seconds * SAMPLE_RATE))
    request = replace(
        make_request(module, shown, driver, count),
        sound=None if track is None or not uses.sound else audio.cut(track.wave, 0, audio.num_samples(count))[None],
        words=(given.words(seconds),) if uses.words else (),
        labels={name: (value,) for name, value in given.labels.items()},
        arrays={name: read_array(path, name, count) for name, path in given.arrays.items()},
        options=chosen,
    )
    with Progress(f"generating with {name}", count, "frames", show=progress) as bar:
        if isinstance(module, LandmarkMethod):
            draw = partial(moved, shown, motion_of(module, request, mode))
        else:
            draw = partial(composed, module, shown, generate(module, request, mode))
        bar.advance(count)
    total = audio.num_frames(round(seconds * SAMPLE_RATE), fps=shown.fps)
    tags = provenance(module, checkpoint)
    with Progress("writing", total, "frames", show=progress) as bar:
        frames = draw(total, bar)
        heard, rate = (None, SAMPLE_RATE) if track is None else (track.heard, track.rate)
        write_video(out, frames, fps=shown.fps, wave=heard, sample_rate=rate, metadata=tags, colour=shown.colour)
    return Prediction(total, shown.fps, mode)


@dataclass
class _Track:
    """The sound of the result.

    Attributes:
        path: where it is read from.
        wave: as the method hears it, 16 kHz.
        heard: as it is written, at :attr:`rate` samples per second.
        rate: of ``heard``.
    """

    path: Path
    wave: Float32[Tensor, " S"] = field(default_factory=lambda: torch.zeros(0))
    heard: Float32[Tensor, "C S"] = field(default_factory=lambda: torch.zeros(1, 0))
    rate: int = SAMPLE_RATE

    @property
    def seconds(self) -> float | None:
        """How long it lasts by what its file says."""
        return sound_seconds(self.path)

    def read(self) -> None:
        """Read it."""
        self.wave = audio.read_audio(self.path)
        with warnings.catch_warnings(action="ignore", category=MediaWarning):  # it was said once
            self.heard, self.rate = audio.read_sound(self.path)


def _soundtrack(given: Conditions, uses: Uses, face: Path) -> _Track | None:
    """The given sound; in a mode that is driven by a video and uses none, the driver's own, where it has one."""
    if given.sound is not None:
        return _Track(given.sound)
    driver = given.driver or face
    if not uses.driver or not has_sound(driver):
        return None
    return _Track(driver)


def _seconds(given: Conditions, uses: Uses, track: _Track | None) -> float | None:
    """How long the result is to be; ``None``: as long as the driver."""
    if track is not None and (uses.sound or not uses.driver):
        return len(track.wave) / SAMPLE_RATE
    if uses.driver:
        return None
    if uses.words and (words := given.words(None)):
        return words[-1].end_s
    if given.seconds is None:
        raise ConfigError("--seconds: say how long the video is to be; neither sound nor driver nor words do")
    return given.seconds


def make_request(module: TalkingFaceMethod, face: Face, driver: Face | None, count: int) -> Request:
    """The pictures of a request: reference frames out of the face, and the driver where there is one.

    Args:
        module: the method.
        face: whose first frame is the first reference frame; further ones are spread over its frames.
        driver: whose frames at 25 fps are the driver, of which the method gets no more than its spec says; ``None``,
            and a photo: none.
        count: number of frames.
    """
    at_once = max(1, PASTED_AT_ONCE // face.frames[0].nbytes)
    stills = module.uses.stills
    spread = [round(k * (len(face.frames) - 1) / stills) for k in range(stills)]
    crops = cut_crops(face, spread, module.input_spec, at_once)
    request = Request(
        num_frames=count, identity=Pictures(frames=crops.frames[None].float() / 255, points=crops.points[None])
    )
    if driver is None or len(driver.frames) == 1:
        return request
    which = driver.at((torch.arange(count) + 0.5) / FPS)
    used = sorted(set(which))
    crops = cut_crops(driver, used, module.input_spec, at_once)
    order = {number: index for index, number in enumerate(used)}
    index = [order[number] for number in which]
    return replace(
        request, driver=Pictures(frames=crops.frames[index][None].float() / 255, points=crops.points[index][None])
    )


def generate(module: TalkingFaceMethod, request: Request, mode: str = "") -> Float32[Tensor, "T 3 h w"]:
    """The crops of one clip at 25 fps, RGB in [0, 1]."""
    return make(module, module.spec, request.to(module.device), mode)[0].float().cpu()


def motion_of(module: LandmarkMethod, request: Request, mode: str = "") -> Float32[Tensor, "T 68 2"]:
    """How the landmarks of one clip move at 25 fps (:meth:`zoo.methods.landmarks.LandmarkMethod.motion`)."""
    return make_motion(module, module.spec, request.to(module.device), mode)[0].float().cpu()


def say_large(need: int) -> None:
    """Warn of much memory that will be needed, in bytes."""
    if need > LARGE_BYTES:
        warnings.warn(f"this will take about {need / 1e9:.2g} GB of memory", MediaWarning, stacklevel=2)


def say_drawn(module: TalkingFaceMethod) -> None:
    """Warn of a network that knows drawn faces only."""
    if known := drawn_only(module.corpora):
        fit = f"zoo fit {module.method_name} data=grid data.root=STORE"
        text = (
            f"{module.method_name}: its weights know drawn faces only ({known}): with real people they are no more "
            f"than a trial; for real faces train on some ({fit})"
        )
        warnings.warn(text, MediaWarning, stacklevel=2)


def check_out(out: Path, *inputs: Path) -> None:
    """Find out before the work what would keep the video from being written after it.

    Raises:
        ConfigError: the file's ending is unknown, a folder has its name, or it is one of the inputs.
    """
    if out.suffix.lower() not in (".mp4", ".mov", ".mkv"):
        raise ConfigError(f"--out: {out.name} must end in .mp4, .mov or .mkv")
    if out.is_dir():
        raise ConfigError(f"--out: {out} is a folder; give the name of a file in it")
    if out.exists() and any(path.exists() and out.samefile(path) for path in inputs):
        raise ConfigError(f"--out: {out} is one of the inputs and would be overwritten; choose another name")


def choose_device(name: str) -> torch.device:
    """The device by its name; ``auto`` is a GPU where there is one.

    Raises:
        ConfigError: torch does not know it or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()  # a device may be known and yet hold no numbers
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device: '{name}' cannot be used here ({str(error).splitlines()[0]})") from error
    return torch.device(name)


def composed(
    module: TalkingFaceMethod, shown: Face, made: Float32[Tensor, "T 3 h w"], total: int, bar: Progress
) -> Iterator[UInt8[Tensor, "3 H W"]]:
    """The frames of the result, one by one: the face's own pictures with the crop of that moment pasted in."""
    spec = module.input_spec
    matrices = crop.place_crops(shown.landmarks, spec.crop, spec.size).matrices
    times = (torch.arange(total) + 0.5) / shown.fps
    pictures = shown.at(times)
    crops = [min(int(t * FPS + 1e-4), len(made) - 1) for t in times]
    step = max(1, PASTED_AT_ONCE // shown.frames[0].nbytes)
    for begin in range(0, total, step):
        these = pictures[begin : begin + step]
        yield from paste(shown.frames[these], made[crops[begin : begin + step]], matrices[these], spec.paste)
        bar.advance(len(these))


def moved(
    shown: Face, motion: Float32[Tensor, "T 68 2"], total: int, bar: Progress
) -> Iterator[UInt8[Tensor, "3 H W"]]:
    """The frames of the result, one by one: the face's own pictures, moved as a method's landmarks say.

    Between two frames of 25 fps the motion is interpolated.
    """
    times = (torch.arange(total) + 0.5) / shown.fps
    places = (times * FPS - 0.5).clamp(0, len(motion) - 1)
    before = places.long().clamp_max(max(len(motion) - 2, 0))
    after = (before + 1).clamp_max(len(motion) - 1)
    share = (places - before)[:, None, None]
    motion = (1 - share) * motion[before] + share * motion[after]
    last, warp = -1, None
    for number, each in zip(shown.at(times), motion, strict=True):
        if warp is None or number != last:
            last, warp = number, MovedFace(shown.frames[number].float() / 255, shown.landmarks[number])
        yield (warp.render(each[None])[0] * 255).round().to(torch.uint8)
        bar.advance(1)
