"""Rules of what a method says of itself (:data:`zoo.registry.spec.CAPABILITIES`); what it does not say is left out."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from PIL import Image
from torch import Tensor

from zoo.data.request import Request
from zoo.media.audio import num_samples
from zoo.media.clip import SAMPLE_RATE
from zoo.registry.spec import Uses
from zoo.testing.cases import MethodCase
from zoo.testing.corpus import source
from zoo.testing.generation import VISIBLE, generated, seen
from zoo.testing.methods import any_length, repeats, sound_matters
from zoo.testing.rules import Broken, NotHere, Rules, rule
from zoo.testing.trainables import comes_back

if TYPE_CHECKING:
    from zoo.synthesis.conditions import Conditions

RULES: Rules = []

FRAME_COST = 12.0
"""Memory that a further frame of a clip may need, in frames of the result (float32): its sound, and a copy or two."""

VIDEO_FRAMES = 12
"""Frames of the video that gets another mouth."""

STREAMED = 50
"""Frames of the clip that is streamed: 2 s."""

PARTS = {"equal": (1600,) * 20, "unequal": (1, 700, 5000, 0, 333, 9966, 16_000)}
"""Samples of the parts in which its sound comes."""

SAME_FRAMES = 1e-5
"""Largest difference in [0, 1] between a clip that is streamed and one that is made at once."""


def _require(case: MethodCase, capability: str) -> None:
    if capability not in case.spec.capabilities:
        raise NotHere(f"it does not declare the capability {capability}")


@rule(
    RULES,
    "memory of a long clip",
    f"each further frame of a clip needs no more memory than {FRAME_COST:g} frames of the result",
    "make some frames at a time, and keep only the result (see zoo.methods.nn.masked.draw_clips)",
    needs=(any_length,),
)
def _memory(case: MethodCase) -> None:
    _require(case, "any-length")
    (short, (_, less)), (long, (_, more)) = list(case.lengths.items())[-2:]
    height, width = case.ready.input_spec.size
    cost = (more - less) / (long - short) / (4 * 3 * height * width)
    if cost > FRAME_COST:
        raise Broken(
            f"each further frame needs {cost:.1f} frames of memory: {less / 2**20:.0f} MiB for {short} frames, "
            f"{more / 2**20:.0f} MiB for {long}"
        )


@rule(
    RULES,
    "a photo talks",
    "`zoo predict` makes a video of a photo and what else a mode uses: as long as the sound, as large as the photo",
    "run `zoo predict` on a photo of your own and read the error; without the capability photo this is left out",
    needs=(
        any_length,
        comes_back,
    ),
)
def _photo(case: MethodCase) -> None:
    from zoo.media.video import read_video
    from zoo.synthesis.predict import predict

    _require(case, "photo")
    picture, face, out = photograph(), case.folder / "face.png", case.folder / "talks.mp4"
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(face)
    uses = next((uses for _, uses in case.spec.modes if not uses.driver), case.spec.uses())
    given = _conditions(case, uses, 25)
    if uses.driver and case.spec.api_version > 1:
        given = replace(given, driver=_write_video(case.folder / "driver.mp4", 25))
    done = predict(case.config.method, case.trained, face=face, given=given, out=out, device="cpu", progress=False)
    video = read_video(out).frames
    wanted = (25, 3, picture.shape[1] // 2 * 2, picture.shape[2] // 2 * 2)
    if done.frames != wanted[0] or tuple(video.shape) != wanted:
        raise Broken(f"a video of {tuple(video.shape)}, not {wanted}")


@rule(
    RULES,
    "a video gets another mouth",
    "`zoo predict` makes a video of a video, as long as the sound; the lower half of the face is not the video's "
    "and changes with the sound",
    "draw the mouth from the sound where a pose is given, too; without the capability video this is left out",
    needs=(
        sound_matters,
        comes_back,
    ),
)
def _video(case: MethodCase) -> None:
    from zoo.media.video import read_video
    from zoo.synthesis.predict import predict

    _require(case, "video")
    true = case.clips[0].frames[:, :VIDEO_FRAMES]
    one, two = (generated(case.listener, case.request(VIDEO_FRAMES, sound=sound, driver=True)) for sound in (0, 1))
    lower = true.shape[-2] // 2
    apart = float((one - true)[..., lower:, :].abs().mean())
    if apart < VISIBLE:
        raise Broken(f"the mouth of the video itself: its lower half differs by {apart:.2g} on average")
    moved = float(seen(one[..., lower:, :], two[..., lower:, :]).max())
    least = VISIBLE if case.ckpt else SAME_FRAMES  # beside a driver, few steps teach little of the sound
    if moved < least:
        raise Broken(f"the same mouths for two sounds: they differ by {moved:.2g}, at least {least:.2g} is expected")
    face, out = _write_video(case.folder / "face.mp4", VIDEO_FRAMES), case.folder / "other-mouth.mp4"
    given = _conditions(case, case.spec.uses(), VIDEO_FRAMES)
    predict(case.config.method, case.trained, face=face, given=given, out=out, device="cpu", progress=False)
    made, wanted = tuple(read_video(out).frames.shape), (VIDEO_FRAMES, *tuple(read_video(face).frames.shape[1:]))
    if made != wanted:
        raise Broken(f"a video of {made}, not {wanted}")


@rule(
    RULES,
    "frames come while the sound comes",
    "stream() gives the frames of generate(), in whatever parts the sound comes, and the first one before the "
    f"last tenth of a second of {STREAMED // 25} s is asked for",
    "override TalkingFaceMethod.stream, whose default waits for all sound, or leave out the capability stream",
    needs=(
        any_length,
        repeats,
    ),
)
def _stream(case: MethodCase) -> None:
    _require(case, "stream")
    whole = case.make(STREAMED)
    for kind, parts in PARTS.items():
        made, waited = _streamed(case, parts)
        if made.shape != whole.shape:
            raise Broken(f"{tuple(made.shape)} from {kind} parts, {tuple(whole.shape)} at once")
        apart = float((made - whole).abs().max())
        if not apart <= SAME_FRAMES:
            raise Broken(f"frames from {kind} parts that differ by up to {apart:.3g} from those made at once")
        if kind == "equal" and waited >= len(parts):
            raise Broken("the first frame comes after all sound was asked for")


def _streamed(case: MethodCase, parts: Sequence[int]) -> tuple[Float[Tensor, "1 T 3 H W"], int]:
    """The frames of a sound that comes in parts, and how many of them were asked for before the first frame."""
    sound, asked, start = case.wave(STREAMED), 0, case.request(STREAMED)

    def chunks() -> Iterator[Request]:
        nonlocal asked
        for end in accumulate(parts):
            asked += 1
            yield replace(start, num_frames=0, sound=sound[:, end - parts[asked - 1] : end])

    with torch.no_grad():
        stream = iter(case.ready.stream(start, chunks()))
        first = next(stream, None)
        waited = asked
        if first is None:
            raise Broken("no frame")
        return torch.stack([first, *stream], 1), waited


def photograph() -> UInt8[Tensor, "3 H W"]:
    """A face: the portrait that comes with scikit-image where that is installed, else a drawn one."""
    try:
        from skimage.data import astronaut
    except ImportError:
        drawn = source()
        return drawn.read(drawn.items()[0]).frames[0]
    return torch.from_numpy(astronaut()).permute(2, 0, 1)  # type: ignore[no-untyped-call]


def _conditions(case: MethodCase, uses: Uses, frames: int) -> Conditions:
    """What a user gives for a mode beside a face, in files, so long; a driver is left out."""
    from zoo.synthesis.conditions import Conditions

    clip, sound = case.clips[0], case.folder / "sound.wav"
    _write_wave(sound, case.wave(frames)[0])
    for name in uses.arrays:
        np.save(case.folder / f"{name}.npy", clip.given.arrays[name][0].numpy())
    return Conditions(
        sound,
        text=" ".join(word.text for word in clip.words[0]) if uses.words else "",
        labels={name: clip.given.labels[name][0] for name in uses.labels},
        arrays={name: case.folder / f"{name}.npy" for name in uses.arrays},
    )


def _write_video(path: Path, frames: int) -> Path:
    """The first frames of a drawn clip, with their sound."""
    from zoo.media.video import write_video

    clip = source().read(source().items()[0])
    write_video(path, clip.frames[:frames], wave=clip.wave[: num_samples(frames)])
    return path


def _write_wave(path: Path, sound: Float32[Tensor, " S"]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((sound.numpy() * 32767).round().astype("<i2").tobytes())
