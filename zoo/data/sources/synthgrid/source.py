"""SynthGRID as a source of clips: nothing to download, any size, the same clips for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from zoo.data.sources.base import RawClip, Source, SourceItem
from zoo.data.sources.synthgrid import grammar
from zoo.data.sources.synthgrid.face import Face
from zoo.data.sources.synthgrid.motion import sample_motion
from zoo.data.sources.synthgrid.portrait import paint
from zoo.data.sources.synthgrid.render import render, sample_light
from zoo.data.sources.synthgrid.skin import Skin
from zoo.data.sources.synthgrid.speaker import Speaker, sample_speaker
from zoo.data.sources.synthgrid.viseme import mouth_track
from zoo.data.sources.synthgrid.voice import Speech, Voice, speak
from zoo.media.audio import cut, num_samples
from zoo.media.clip import FPS, SAMPLE_RATE, Word
from zoo.support.errors import ConfigError, DataError, ZooError

SPLITS = {"train": 0.80, "val": 0.08, "test": 0.12}
"""Share of the clips; the name of a speaker begins with their split."""

CLIPS_PER_SPEAKER = 8

_QUIET_S = 0.12
"""Least silence before and after a sentence."""

_ROOM_NOISE = 3e-4
"""Standard deviation of the noise of the room (-70 dB): no recording is silent."""

_FASTEST = 450


def _share(total: int) -> dict[str, int]:
    """Divide a number among the splits; each gets at least one."""
    val, test = (max(1, round(total * SPLITS[split])) for split in ("val", "test"))
    return {"train": total - val - test, "val": val, "test": test}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: with several, the last bits would depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class SynthGrid(Source):
    """The embedded corpus. Everything follows from ``seed``, the speaker's and the clip's number.

    Args:
        root: ignored; there is nothing to read.
        clips: how many, at least 3; about 80 % train, 8 % val and 12 % test.
        speakers: how many, 3 to ``clips``; by default one for every 8 clips. No speaker is in two splits.
        seed: another seed gives other speakers and sentences.
        frames: frames per clip at 25 fps, at least 40.

    Raises:
        ConfigError: a number is out of range.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        clips: int = 160,
        speakers: int | None = None,
        seed: int = 0,
        frames: int = 75,
    ) -> None:
        super().__init__(root)
        speakers = max(3, -(-clips // CLIPS_PER_SPEAKER)) if speakers is None else speakers
        if clips < 3:
            raise ConfigError(f"clips={clips}: give at least 3, one each for train, val and test")
        if not 3 <= speakers <= clips:
            raise ConfigError(
                f"speakers={speakers}: give 3 to {clips} (clips={clips}), at least one each for train, val and test"
            )
        if frames < 40:
            raise ConfigError(f"frames={frames}: give at least 40 (1.6 s), a sentence does not fit into less")
        if seed < 0:
            raise ConfigError(f"seed={seed}: give 0 or more")
        self.clips, self.speakers, self.seed, self.frames = clips, speakers, seed, frames
        self.settings = {"clips": clips, "speakers": speakers, "seed": seed, "frames": frames}

    def items(self) -> Sequence[SourceItem]:
        """All clips, speaker by speaker; an id such as ``train03/bbaf2n-00042`` names speaker, sentence and number."""
        people = _share(self.speakers)
        items, number = [], 0
        for split, count in _share(self.clips).items():
            for k in range(count):
                speaker = f"{split}{k * min(people[split], count) // count:02d}"
                code = grammar.encode(grammar.sample(self._random(1, number)))
                items.append(SourceItem(f"{speaker}/{code}-{number:05d}", speaker))
                number += 1
        return items

    def read(self, item: SourceItem) -> RawClip:
        """Speak and draw one clip.

        Raises:
            DataError: the item is not one of :meth:`items` (its id names no speaker, sentence and number).
            ZooError: espeak-ng is missing.
        """
        rng, words, speaker_number = self._parse(item)
        face, skin = _portrait(self.seed, *speaker_number)
        speech, start = self._utter(rng, words, face.speaker.voice)
        spans = tuple((a + start, b + start) for a, b in speech.words)
        time = (torch.arange(self.frames, dtype=torch.float64) + 0.5) / FPS - start
        with _one_thread():
            track = mouth_track(speech.phonemes, time, lead_s=face.speaker.lead_s)
            motion = sample_motion(rng, self.frames, face.unit, face.speaker.liveliness, spans)
            frames = render(face, skin, sample_light(rng, face.speaker.backdrop), track, motion)
            landmarks = face.landmarks(track, motion).float()
        noise = rng.standard_normal(num_samples(self.frames)).astype(np.float32) * _ROOM_NOISE
        offset = round(start * SAMPLE_RATE)
        wave = (cut(speech.wave, -offset, len(noise) - offset) + torch.from_numpy(noise)).clamp(-1, 1)
        timed = tuple(Word(a, b, word) for (a, b), word in zip(spans, words, strict=True))
        return RawClip(frames, wave, " ".join(words), timed, landmarks)

    def _random(self, kind: int, *numbers: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, kind, *numbers]))

    def _parse(self, item: SourceItem) -> tuple[np.random.Generator, tuple[str, ...], tuple[int, int]]:
        """The clip's source of chance, its words, and the speaker's split and number."""
        names = list(SPLITS)
        split = item.speaker.rstrip("0123456789")
        try:
            number = int(item.id.rsplit("-", 1)[1])
            speaker = (names.index(split), int(item.speaker[len(split) :]))
        except (ValueError, IndexError):
            raise DataError(f"{item.id}: not a clip of SynthGRID; take one that items() gives") from None
        rng = self._random(1, number)
        words = grammar.sample(rng)
        if item.id != f"{item.speaker}/{grammar.encode(words)}-{number:05d}":
            raise DataError(f"{item.id}: not a clip of SynthGRID with seed={self.seed}; take one that items() gives")
        return rng, words, speaker

    def _utter(self, rng: np.random.Generator, words: tuple[str, ...], voice: Voice) -> tuple[Speech, float]:
        """Speak a sentence so that it fits, and choose when it starts (seconds)."""
        room = self.frames / FPS - 2 * _QUIET_S
        rate = round(voice.rate * rng.uniform(0.94, 1.06))
        while True:
            speech = speak(words, Voice(voice.name, rate, voice.pitch, voice.pitch_range, voice.level))
            length = speech.words[-1][1]
            if length <= room:
                start = _QUIET_S + rng.uniform(0.25, 0.75) * (room - length)
                return speech, round(start * SAMPLE_RATE) / SAMPLE_RATE
            if rate >= _FASTEST:
                raise ZooError(f"'{' '.join(words)}' does not fit into {self.frames} frames; give more frames")
            rate = min(_FASTEST, max(rate + 8, round(rate * length / room * 1.03)))


@lru_cache(maxsize=32)
def _portrait(seed: int, split: int, number: int) -> tuple[Face, Skin]:
    """A speaker's face, painted; kept, because the clips of a speaker follow each other."""
    speaker: Speaker = sample_speaker(np.random.default_rng(np.random.SeedSequence([seed, 2, split, number])))
    face = Face(speaker)
    with _one_thread():
        return face, paint(face)
