"""A face and a sound become a talking video: find the face, generate, paste back, write with sound."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo import audio, trainable
from zoo.clip import FPS, SAMPLE_RATE
from zoo.corpora import drawn_only
from zoo.data.request import Pictures, Request
from zoo.errors import ConfigError, MediaWarning
from zoo.face import crop
from zoo.face.paste import paste
from zoo.method import TalkingFaceMethod
from zoo.portrait import LARGE_BYTES, Face, check_memory, cut_crops, read_face, sound_seconds
from zoo.progress import Progress
from zoo.synthesis.make import make
from zoo.train import provenance
from zoo.video import write_video

__all__ = ["Face", "Prediction", "check_out", "choose_device", "composed", "generate", "predict", "read_face"]

PASTED_AT_ONCE = 64 * 2**20
"""Bytes of pictures that are pasted together, so that long and large videos need no more memory than their input."""


@dataclass(frozen=True)
class Prediction:
    """What was written: number of frames and their rate."""

    frames: int
    fps: float


def predict(
    name: str,
    checkpoint: Path,
    *,
    face: Path,
    sound: Path,
    out: Path,
    face_index: int | None = None,
    detector: str = "dlib",
    device: str = "auto",
    progress: bool = True,
) -> Prediction:
    """Make the face talk and write the video.

    The video is as long as the sound, to one frame. A face video keeps its own frame rate; where the sound is
    longer, it is played back and forth. Everything outside the mouth region stays as it was.

    Args:
        name: the method.
        checkpoint: of ``zoo fit``.
        face: a photo or a video.
        sound: any sound file.
        out: the video to write.
        face_index: which face, 0 is the largest; ``None``: the largest, with a warning where there are others.
        detector: face detector.
        device: ``auto``, ``cpu``, ``cuda``, ...
        progress: show bars on stderr.

    Raises:
        ZooError: an input that cannot be used, with the reason.
    """
    check_out(out, face, sound, checkpoint)
    module = trainable.load_checkpoint(checkpoint, name).to(choose_device(device))
    if not isinstance(module, TalkingFaceMethod):
        raise ConfigError(f"{name}: an expert, which judges faces and makes none; `zoo list methods` names methods")
    say_large(check_memory(face, sound_seconds(sound), module.input_spec))
    wave = audio.read_audio(sound)
    with warnings.catch_warnings(action="ignore", category=MediaWarning):  # it was said once
        heard, rate = audio.read_sound(sound)
    seconds = len(wave) / SAMPLE_RATE
    check_memory(face, seconds, module.input_spec)  # the file may have told another length, or none
    shown = read_face(face, face_index=face_index, detector=detector, seconds=seconds, progress=progress)
    say_drawn(module)
    count = audio.num_frames(len(wave))
    with Progress(f"generating with {name}", count, "frames", show=progress) as bar:
        made = generate(module, shown, wave, count)
        bar.advance(count)
    total = audio.num_frames(len(wave), fps=shown.fps)
    tags = provenance(module, checkpoint)
    with Progress("writing", total, "frames", show=progress) as bar:
        frames = composed(module, shown, made, total, bar)
        write_video(out, frames, fps=shown.fps, wave=heard, sample_rate=rate, metadata=tags, colour=shown.colour)
    return Prediction(total, shown.fps)


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


def generate(
    module: TalkingFaceMethod, shown: Face, wave: Float32[Tensor, " S"], count: int
) -> Float32[Tensor, "T 3 h w"]:
    """Generate ``count`` crops at 25 fps, RGB in [0, 1].

    Args:
        module: the method.
        shown: the face; its first frame is the reference frame; its frames at 25 fps are the driver, of which the
            method gets no more than its spec says.
        wave: the sound at 16 kHz.
        count: number of frames.
    """
    spec = module.input_spec
    which = shown.at((torch.arange(count) + 0.5) / FPS)
    used = sorted(set(which))
    crops = cut_crops(shown, used, spec, max(1, PASTED_AT_ONCE // shown.frames[0].nbytes))
    pictures = Pictures(frames=crops.frames[None].float() / 255, points=crops.points[None])
    place = {number: index for index, number in enumerate(used)}
    stills = [round(k * (len(used) - 1) / module.uses.stills) for k in range(module.uses.stills)]
    request = Request(
        num_frames=count,
        identity=pictures.chosen(stills),
        sound=audio.cut(wave, 0, audio.num_samples(count))[None],
        # Of a photo there is no more to show than the reference frame, which stands still without a driver.
        driver=None if len(used) == 1 else pictures.chosen([place[number] for number in which]),
    )
    return make(module, module.spec, request.to(module.device))[0].float().cpu()


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
