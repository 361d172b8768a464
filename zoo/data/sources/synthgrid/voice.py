"""Speech with true phoneme times: espeak-ng, driven through its C interface."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int16
from torch import Tensor
from torchaudio.transforms import Resample

from zoo.media.clip import SAMPLE_RATE
from zoo.support.errors import ZooError

_SYNCHRONOUS = 2
_PHONEME_EVENTS = 1
_DONT_EXIT = 1 << 15
_WORD, _PHONEME = 1, 7
_RATE, _PITCH, _RANGE = 1, 3, 4
_UTF8_AND_PHONEMES = 1 | 0x100
_SAY_AS = {"a": "[[eI]]"}
"""Words that espeak would misread: alone, ``a`` is an article, not a letter."""

_lock = threading.Lock()


class Phoneme(NamedTuple):
    """One sound as espeak names it (its own mnemonics, without stress marks), with its time in seconds."""

    start_s: float
    end_s: float
    name: str


@dataclass(frozen=True)
class Voice:
    """How a speaker sounds.

    Attributes:
        name: espeak's voice and variant, for example ``en-us+f2``.
        rate: words per minute.
        pitch: 0..100.
        pitch_range: 0 (monotone) .. 100.
        level: peak of the wave, in (0, 1].
    """

    name: str
    rate: int
    pitch: int
    pitch_range: int
    level: float


@dataclass
class Speech:
    """An utterance.

    Attributes:
        wave: ``(S,)`` float32 in [-1, 1], mono at 16 kHz.
        phonemes: its sounds in order.
        words: start and end of each word in seconds.
    """

    wave: Float32[Tensor, " S"]
    phonemes: tuple[Phoneme, ...]
    words: tuple[tuple[float, float], ...]


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def _open_library() -> tuple[Any, bytes]:
    """Load libespeak-ng and say where its data lies."""
    try:
        loader: Any = import_module("espeakng_loader")
        return ctypes.CDLL(loader.get_library_path()), str(loader.get_data_path()).encode()
    except (ImportError, OSError) as error:
        raise ZooError(f"espeak-ng cannot be loaded ({error}); install it with: pip install espeakng-loader") from error


@contextmanager
def _fresh_library() -> Iterator[tuple[Any, int]]:
    """A newly loaded, initialised library and its sample rate.

    The library keeps the state of its noise, flutter and echo from one utterance to the next, so the same sentence
    would sound different each time. Unloading it (1 ms) is the only reset it has; ``srand`` resets the C library's
    noise, which it draws on.
    """
    process = ctypes.CDLL(None)
    library, data = _open_library()
    try:
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _DONT_EXIT)
        if rate <= 0:
            raise ZooError(
                "espeak-ng finds no voice data; install it with: pip install --force-reinstall espeakng-loader"
            )
        process.srand(1)
        yield library, rate
        library.espeak_Terminate()
    finally:
        process.dlclose(ctypes.c_void_p(library._handle))


@cache
def _resampler(rate: int) -> Resample:
    return Resample(rate, SAMPLE_RATE, lowpass_filter_width=64, rolloff=0.945, resampling_method="sinc_interp_kaiser")


def _synthesise(text: str, voice: Voice) -> tuple[Int16[np.ndarray, " S"], list[tuple[int, int, str]], int]:
    """Speak: samples, events as (type, sample, phoneme) in order, sample rate."""
    chunks: list[Any] = []
    events: list[tuple[int, int, str]] = []

    def receive(wave: Any, count: int, event: Any) -> int:
        if wave and count > 0:
            chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while event[index].type:
            kind = event[index].type
            name = event[index].id.string.decode("utf-8", "replace") if kind == _PHONEME else ""
            events.append((kind, event[index].sample, name))
            index += 1
        return 0

    callback = _Callback(receive)
    with _lock, _fresh_library() as (library, rate):
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise ZooError(f"espeak-ng has no voice '{voice.name}'")
        for parameter, value in ((_RATE, voice.rate), (_PITCH, voice.pitch), (_RANGE, voice.pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode()
        library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8_AND_PHONEMES, None, None)
    if not chunks:
        raise ZooError(f"espeak-ng made no sound for '{text}'")
    return np.concatenate(chunks), events, rate


def _phonemes(events: list[tuple[int, int, str]], rate: int, total: int) -> tuple[list[Phoneme], list[int]]:
    """The sounds, and for each the index of the word it belongs to (-1: pause)."""
    sounds, owners, starts = [], [], [sample for kind, sample, _ in events if kind == _PHONEME] + [total]
    word, count = -1, 0
    for kind, sample, name in events:
        if kind == _WORD:
            word += 1
        elif kind == _PHONEME:
            count += 1
            name = name.strip("',=%|")
            sounds.append(Phoneme(sample / rate, starts[count] / rate, name))
            owners.append(-1 if name.startswith("_") else word)
    return sounds, owners


def speak(words: tuple[str, ...], voice: Voice) -> Speech:
    """Speak a sentence; the same words and voice always give the same samples, whatever was spoken before.

    Args:
        words: lower-case words; a single letter is spelt.
        voice: how it sounds.

    Returns:
        The utterance without silence around it, at 16 kHz; its times count from its first sample.

    Raises:
        ZooError: espeak-ng is missing, or does not know the voice.
    """
    samples, events, rate = _synthesise(" ".join(_SAY_AS.get(word, word) for word in words), voice)
    sounds, owners = _phonemes(events, rate, len(samples))
    spans = []
    for index in range(len(words)):
        own = [sound for sound, owner in zip(sounds, owners, strict=True) if owner == index]
        if not own:
            raise ZooError(f"espeak-ng gave no sounds for '{words[index]}' of '{' '.join(words)}'")
        spans.append((own[0].start_s, own[-1].end_s))
    wave = _resampler(rate)(torch.from_numpy(samples.astype(np.float32)))
    wave = wave * (voice.level / wave.abs().max().clamp(min=1e-6))
    return Speech(wave, tuple(sounds), tuple(spans))
