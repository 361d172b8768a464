"""What a user gives beside a face: which mode it is for, and the request that it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from zoo.media.clip import Word
from zoo.media.transcript import check_times, plain_text, read_text
from zoo.registry.spec import MethodSpec, Uses
from zoo.support.errors import ConfigError, MediaError

LETTERS_PER_S = 14.0
"""Letters and blanks of English speech in a second (GRID: 14), for words without times."""


@dataclass(frozen=True)
class Conditions:
    """What is given beside the face.

    Attributes:
        sound: a sound file.
        driver: a driving video.
        text: what is said, or a file with it: NAME.txt, or NAME.align with times in GRID's form.
        labels: values by name.
        arrays: ``.npy`` files by name, one row per frame at 25 fps.
        seconds: how long the video is to be where neither sound nor driver nor words say it.
    """

    sound: Path | None = None
    driver: Path | None = None
    text: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, Path] = field(default_factory=dict)
    seconds: float | None = None

    def missing(self, uses: Uses, *, moving: bool) -> list[str]:
        """The arguments that a mode needs and that are not there.

        Args:
            uses: what the mode is given.
            moving: whether the face is a video, which is its own driver.
        """
        needs = {
            "--audio SOUND": uses.sound and self.sound is None,
            "--driver VIDEO (or a video as --face)": bool(uses.driver) and self.driver is None and not moving,
            "--text WORDS": uses.words and not self.text,
        }
        needs |= {f"--label {name}=VALUE": name not in self.labels for name in uses.labels}
        needs |= {f"--array {name}=FILE.npy": name not in self.arrays for name in uses.arrays}
        return [argument for argument, lacks in needs.items() if lacks]

    def unused(self, uses: Uses) -> list[str]:
        """The arguments that are there and that a mode does not use; sound may always be put under the video."""
        idle = {"--driver": self.driver is not None and not uses.driver, "--text": bool(self.text) and not uses.words}
        idle["--seconds"] = self.seconds is not None and bool(self.sound or self.text or uses.driver)
        idle |= {f"--label {name}": name not in uses.labels for name in self.labels}
        idle |= {f"--array {name}": name not in uses.arrays for name in self.arrays}
        return [argument for argument, is_idle in idle.items() if is_idle]

    def words(self, seconds: float | None) -> tuple[Word, ...]:
        """The words with their times; without any they are spread over the clip by their length.

        Args:
            seconds: of the clip; ``None``: as long as it takes to say them.

        Raises:
            MediaError: a file of words that cannot be read.
        """
        path = Path(self.text)
        if path.suffix == ".align":
            from zoo.data.sources.grid import read_alignment

            words = read_alignment(path)
            check_times(words, path)
            return words
        text = plain_text(read_text(path)) if path.suffix == ".txt" else plain_text(self.text)
        return spread(text.split(), seconds)


def spread(words: Sequence[str], seconds: float | None = None) -> tuple[Word, ...]:
    """Words one after the other, each as long as its share of letters.

    Args:
        words: what is said.
        seconds: in which time; ``None``: at :data:`LETTERS_PER_S`.

    Example:
        >>> [(word.text, word.start_s, word.end_s) for word in spread(["set", "red"], 2.0)]
        [('set', 0.0, 1.0), ('red', 1.0, 2.0)]
    """
    lengths = np.array([0, *(len(word) + 1 for word in words)], dtype=float).cumsum()
    total = lengths[-1] / LETTERS_PER_S if seconds is None else seconds
    times = (lengths / max(lengths[-1], 1.0) * total).tolist()
    return tuple(Word(begin, end, word) for begin, end, word in zip(times, times[1:], words, strict=False))


def choose_mode(spec: MethodSpec, named: str, given: Conditions, *, moving: bool) -> str:
    """The mode that is meant: the named one, or the first for which all is there and which uses all that is there.

    Args:
        spec: of the method.
        named: by the user; may be empty.
        given: beside the face.
        moving: whether the face is a video.

    Raises:
        ConfigError: there is no such mode, something is missing, or something that is given has no use.
    """
    modes = [(named, spec.uses(named))] if named else list(spec.modes)
    if spec.api_version == 1:  # whose one mode does without a driver where the face is a photo
        moving = True
    fitting = [name for name, uses in modes if not given.missing(uses, moving=moving)]
    if not fitting:
        raise ConfigError("; ".join(_needs(spec, name, given.missing(uses, moving=moving)) for name, uses in modes))
    idle = {name: given.unused(spec.uses(name)) for name in fitting}
    chosen = next((name for name in fitting if not idle[name]), None)
    if chosen is None:
        first = fitting[0]
        raise ConfigError(f"{', '.join(idle[first])}: mode '{first}' of {spec.name} does not use it; leave it out")
    return chosen


def _needs(spec: MethodSpec, mode: str, missing: Iterable[str]) -> str:
    return f"mode '{mode}' of {spec.name} needs {' and '.join(missing)}"


def read_array(path: Path, name: str, frames: int) -> Float32[Tensor, "1 T *rest"]:
    """An array of one entry per frame; the last is held where it is shorter than the clip.

    Args:
        path: an ``.npy`` file.
        name: what the array is called.
        frames: of the clip.

    Raises:
        MediaError: no such file, or it holds no finite numbers, one row per frame.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MediaError(f"{path}: cannot be read as an array ({error})") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.ndim < 1 or not len(values):
        raise MediaError(f"{path}: {name} must be numbers, one row per frame at 25 fps")
    if not np.isfinite(values).all():
        raise MediaError(f"{path}: {name} holds numbers that are not finite")
    rows = np.minimum(np.arange(frames), len(values) - 1)
    return torch.from_numpy(values[rows].astype(np.float32))[None]
