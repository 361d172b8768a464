"""A test clip as a method is asked for it: a face, and what drives it."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from zoo.data.store.index import ClipInfo
from zoo.media.clip import FPS, Clip, Word


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
    def transcript_error(self) -> str:
        """Why the transcript of the audible part is unknown; empty otherwise."""
        if self.text or not self.sound.text:
            return ""
        return "the sound is cut to the pictures, and without word times nobody knows which words are left"

    @property
    def foreign(self) -> str:
        """Id of the clip that gives the sound, where it is another one."""
        return "" if self.sound.id == self.clip.id else self.sound.id
