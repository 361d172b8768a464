"""The wave that a sound track becomes: resampled as it comes, held once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

if TYPE_CHECKING:
    from av import AudioResampler

BLOCK = 2**16
"""Room for at least so many samples is added at once."""

SILENCE = 2**16
"""Samples of silence that are resampled at once."""


class Wave:
    """Takes sound of any rate, piece after piece, and gives it at one rate.

    Attributes:
        channels: 1 or 2.
        rate: samples per second of the result.
        start: when the first piece begins, in seconds; silence comes before it, and what is before 0 is dropped.
    """

    def __init__(self, channels: int, rate: int, start: float) -> None:
        self.channels, self.rate, self.start = channels, rate, start
        self._since, self._given, self._source = start, 0, 0
        self._resampler: AudioResampler | None = None
        begin = round(start * rate)
        self._drop, self._held = max(-begin, 0), 0
        self._wave = np.zeros((0, channels), np.float32)
        self._hold(np.zeros((channels, max(begin, 0)), np.float32))

    @property
    def end(self) -> float:
        """When the next sample sounds, in seconds."""
        return self._since + (self._given / self._source if self._source else 0.0)

    def add(self, samples: Float32[np.ndarray, "channels n"], rate: int) -> None:
        """Append sound."""
        self._switch(rate)
        self._given += samples.shape[1]
        self._resample(np.ascontiguousarray(samples))

    def add_silence(self, seconds: float, rate: int | None = None) -> None:
        """Append silence in steps of a sample of the sound around it: of ``rate`` a second, or as it was before."""
        self._switch(rate or self._source or self.rate)
        left = max(round(seconds * self._source), 0)
        self._given += left
        nothing = np.zeros((self.channels, min(left, SILENCE)), np.float32)
        while left:
            self._resample(nothing[:, :left])
            left -= min(left, SILENCE)

    def _switch(self, rate: int) -> None:
        """Begin anew with another rate, at the sample where its time says."""
        import av

        if rate == self._source:
            return
        if self._source:
            self._flush()
            self._since = self.end
            self._fit(max(round(self._since * self.rate), 0))
        self._given, self._source = 0, rate
        layout = "mono" if self.channels == 1 else "stereo"
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=self.rate)

    def _resample(self, samples: Float32[np.ndarray, "channels n"]) -> None:
        import av

        if not samples.shape[1]:
            return
        assert self._resampler is not None
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono" if self.channels == 1 else "stereo")
        frame.sample_rate = self._source
        for done in self._resampler.resample(frame):
            self._hold(done.to_ndarray())

    def _flush(self) -> None:
        if self._resampler is not None:
            for done in self._resampler.resample(None):
                if done is not None:  # where nothing is resampled the question itself comes back
                    self._hold(done.to_ndarray())

    def _hold(self, samples: Float32[np.ndarray, "channels n"]) -> None:
        dropped = min(self._drop, samples.shape[1])
        self._drop -= dropped
        until = self._held + samples.shape[1] - dropped
        if until > len(self._wave):
            # One piece of memory, which the system lets grow in place: many small ones would be held twice at the end.
            self._wave.resize((until + max(BLOCK, until // 8), self.channels), refcheck=False)
        self._wave[self._held : until] = samples[:, dropped:].T
        self._held = until

    def _fit(self, wanted: int) -> None:
        """Correct the sample or two by which a resampler's end is off."""
        if wanted > self._held:
            self._hold(np.zeros((self.channels, wanted - self._held), np.float32))
        self._held = wanted

    def take(self, until: float | None = None) -> Float32[Tensor, "channels S"]:
        """All of it, up to a time in seconds; nothing can be added any more."""
        self._flush()
        count = self._held if until is None else min(self._held, max(round(until * self.rate), 0))
        self._wave.resize((count, self.channels), refcheck=False)
        return torch.from_numpy(self._wave).T
