"""Reading one sound track of a file: choice, decoding, placing, mixing and resampling, and what went wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jaxtyping import Float32
from torch import Tensor

from zoo.media.files import audio_stream, open_media
from zoo.media.pictures.decode import JUMPS
from zoo.media.sound.chain import chain_links
from zoo.media.sound.claim import claimed_seconds
from zoo.media.sound.decode import Heard, Lost, decode
from zoo.media.sound.mix import Mixer
from zoo.media.sound.pictures import picture_clock
from zoo.media.sound.place import Placer
from zoo.media.sound.wave import Wave
from zoo.support.errors import MediaError, MediaWarning

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from zoo.media.sound.pictures import PictureClock

SHORT_S = 0.1
"""A track that is shorter than its file says by more than this is told of; encoders' padding is less."""


@dataclass(frozen=True)
class SoundTrack:
    """A sound track as it was read.

    Attributes:
        wave: ``(C, S)`` float32 in [-1, 1]; its first sample belongs to the first picture.
        sample_rate: samples per second.
        lost_s: seconds that are damaged or missing and therefore silent.
        notes: what a person should know of it, in words.
    """

    wave: Float32[Tensor, "C S"]
    sample_rate: int
    lost_s: float
    notes: tuple[str, ...]


def read_track(
    path: str | Path, *, sample_rate: int | None = None, channels: int | None = None, rates: tuple[int, ...] = ()
) -> SoundTrack:
    """Read the sound track that a player would play.

    Args:
        path: any file that FFmpeg reads.
        sample_rate: samples per second of the result; ``None`` keeps the track's own where it is one of ``rates``, else
            it is the last of them.
        channels: 1 or 2; ``None`` is mono where all of the track is, else stereo.
        rates: where ``sample_rate`` is ``None``.

    Raises:
        MediaError: no such file, no sound track, or not one sample of it decodes.
    """
    path = Path(path)
    pictures = picture_clock(path)
    outputs = channels
    alone: Mapping[tuple[str, ...], int] = {}
    while True:
        reader = _Reader(path, pictures, sample_rate, rates, outputs, alone)
        try:
            track = reader.read()
        except MemoryError as error:
            raise MediaError(f"{path}: not enough memory for its sound") from error
        # Only the whole track says which channel speaks, or that a mono beginning becomes stereo; then it is read anew.
        lost = {} if alone else reader.mixer.lost()
        wider = channels is None and reader.mixer.outputs == 1 and reader.mixer.widest > 1
        if not lost and not wider:
            return track
        outputs, alone = 2 if wider else outputs, lost
        del track, reader  # or the sound would be held twice


def warn_of(path: str | Path, track: SoundTrack) -> None:
    """Say in one warning what is wrong with a track, and no second time where it is read again."""
    if track.notes:
        # Python shows a text once per place in the program: the place is here, whoever reads.
        warnings.warn(f"{path}: {'; '.join(track.notes)}", MediaWarning, stacklevel=1)


class _Reader:
    """Reads a track once, with the mix that is asked for."""

    def __init__(
        self,
        path: Path,
        pictures: PictureClock | None,
        rate: int | None,
        rates: tuple[int, ...],
        outputs: int | None,
        alone: Mapping[tuple[str, ...], int],
    ) -> None:
        self.path, self.pictures, self.rate, self.rates = path, pictures, rate, rates
        self.outputs, self.alone = outputs, alone
        self.wave: Wave | None = None
        self.padding = self.begun = 0.0

    def read(self) -> SoundTrack:
        links = [(0, 0)] if self.pictures else chain_links(self.path)
        claim, lost = None, False
        for number, link in enumerate(links):
            with open_media(self.path, link if len(links) > 1 else None) as container:
                stream = audio_stream(container, self.path)
                if number == 0:
                    self._begin(container, stream)
                else:
                    self.placer.begin_again()
                lost |= self._place(container, stream)
                if len(links) == 1 and self.wave is not None:
                    claim = claimed_seconds(self.path, container, stream, self.begun)
        if self.wave is None:
            reason = "cannot be read: not one packet of it can be decoded" if lost else "is empty"
            raise MediaError(f"{self.path}: the sound track {reason}")
        assert self.rate is not None
        return self._finish(self.wave, self.rate, claim)

    def _begin(self, container: InputContainer, stream: AudioStream) -> None:
        if self.rate is None:
            self.rate = stream.rate if stream.rate in self.rates else self.rates[-1]
        self.mixer = Mixer(self.outputs or (1 if stream.channels == 1 else 2), self.alone)
        self.placer = Placer(self.pictures, bool(container.format.flags & JUMPS))
        self.kind = container.format.name

    def _place(self, container: InputContainer, stream: AudioStream) -> bool:
        """Put all pieces into the wave; whether any was lost."""
        try:
            return self._place_all(decode(container, stream))
        except MediaError as error:
            raise MediaError(f"{self.path}: {error}") from error

    def _place_all(self, events: Iterator[Heard | Lost]) -> bool:
        begin: float | None = None
        lost = False
        for event in events:
            begin = event.time if begin is None else begin
            if isinstance(event, Lost):
                lost = True
                self.placer.lose(event)
                continue
            if self.wave is None:
                assert self.rate is not None
                self.wave = Wave(self.mixer.outputs, self.rate, self.placer.begin(begin))
                self.begun = begin or 0.0
            self._put(self.wave, event)
        if self.wave is not None:
            self.wave.add_silence(self.placer.rest(self.wave.end))
        return lost

    def _put(self, wave: Wave, heard: Heard) -> None:
        gap = self.placer.gap(heard, wave.end)
        if gap > 0:
            wave.add_silence(gap, heard.rate)
        samples = heard.samples[:, max(round(-gap * heard.rate), 0) :]
        if samples.shape[1]:
            wave.add(self.mixer(samples, heard.channels), heard.rate)
            self.padding = heard.length

    def _finish(self, wave: Wave, rate: int, claim: float | None) -> SoundTrack:
        long = 0.0 if claim is None else wave.end - wave.start - claim
        # What an edit list leaves out at the end FFmpeg gives all the same, up to a packet; so does MP3 after damage.
        exact = self.kind == "mp3" or "mov" in self.kind
        until = wave.end - long if exact and 0 < long < self.padding else None
        sound = wave.take(until)
        if not sound.numel():
            raise MediaError(f"{self.path}: the sound track ends before the pictures begin")
        peak = float(max(sound.max(), -sound.min())) if self.mixer.can_clip else 1.0
        sound = sound.div_(peak) if peak > 1 else sound.clamp_(-1, 1)
        short = 0.0 if claim is None or self.placer.joins else -long
        return SoundTrack(sound, rate, self.placer.lost_s, tuple(self._notes(short, claim)))

    def _notes(self, short: float, claim: float | None) -> list[str]:
        notes = []
        if self.kind == "ogg" and self.pictures is None and self.begun > SHORT_S:  # damage takes whole pages
            notes.append(f"its clock begins at {self.begun:.2f} s: what was before is not in the file")
        if self.placer.lost_s:
            lost, first = self.placer.lost_s, self.placer.first_loss
            notes.append(f"{lost:.2f} s of its sound are damaged or missing, from {first:.2f} s on, and are silent")
        if self.placer.joins:
            times = ", ".join(f"{time:.2f}" for time in self.placer.joins[:3])
            more = ", ..." if len(self.placer.joins) > 3 else ""
            notes.append(f"the clock of its sound jumps at {times}{more} s, where the parts are joined")
        if short > SHORT_S:
            notes.append(
                f"its sound ends {short:.2f} s before the {claim:.2f} s that the file claims; is it cut short?"
            )
        return notes + self.mixer.notes()
