"""Voice, grammar and mouth: every sound has a viseme, closures close and lips run ahead of the sound."""

import subprocess
import sys
from hashlib import sha256

import pytest
import torch

from zoo.data.sources.synthgrid import grammar
from zoo.data.sources.synthgrid.speaker import ACCENTS, VOICES_MAN, VOICES_WOMAN
from zoo.data.sources.synthgrid.viseme import VISEMES, MouthTrack, mouth_track
from zoo.data.sources.synthgrid.voice import Speech, Voice, speak
from zoo.support.errors import ZooError

DIGEST = """
import sys
from hashlib import sha256
from zoo.data.sources.synthgrid.voice import Voice, speak
for name in sys.argv[1:]:
    wave = speak(("bin", "blue", "at", "f", "two", "now"), Voice(name, 120, 50, 50, 0.7)).wave
    print(sha256(wave.numpy().tobytes()).hexdigest())
"""
SENTENCE = ("bin", "blue", "at", "f", "two", "now")


def voice(name: str = "en", rate: int = 120) -> Voice:
    return Voice(name, rate, 50, 50, 0.7)


def said(speech: Speech, word: int) -> str:
    start, end = speech.words[word]
    return "".join(sound.name for sound in speech.phonemes if start <= sound.start_s < end)


def finely(speech: Speech) -> tuple[torch.Tensor, MouthTrack]:
    time = torch.arange(-0.3, speech.words[-1][1] + 0.3, 0.001, dtype=torch.float64)
    return time, mouth_track(speech.phonemes, time)


def test_code_of_the_example() -> None:
    assert grammar.encode(SENTENCE) == "bbaf2n"
    assert grammar.encode(("place", "white", "with", "z", "zero", "again")) == "pwwzza"
    assert len(grammar.vocabulary()) == 51


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_sound_of_every_word_has_a_viseme(accent: str) -> None:
    unknown = {}
    for k in range(max(len(slot) for slot in grammar.SLOTS)):
        words = tuple(slot[k % len(slot)] for slot in grammar.SLOTS)
        sounds = speak(words, voice(accent, 300)).phonemes
        unknown |= {sound.name: words for sound in sounds if sound.name not in VISEMES}
    assert not unknown


def test_the_letter_a_is_spelt() -> None:
    assert said(speak(("set", "red", "in", "a", "one", "soon"), voice()), 3).startswith("eI")


def test_same_words_sound_the_same_whatever_came_before() -> None:
    first = speak(SENTENCE, voice("en-us+f2"))
    speak(("lay", "green", "with", "q", "nine", "please"), voice("en-gb-scotland+m3", 170))
    second = speak(SENTENCE, voice("en-us+f2"))
    assert torch.equal(first.wave, second.wave)
    assert first.phonemes == second.phonemes
    assert not torch.equal(first.wave, speak(SENTENCE, voice("en-us+f3")).wave)


def test_every_voice_sounds_the_same_in_every_process() -> None:
    names = [f"{ACCENTS[k % len(ACCENTS)]}+{variant}" for k, variant in enumerate((*VOICES_MAN, *VOICES_WOMAN))]
    here = [sha256(speak(SENTENCE, voice(name)).wave.numpy().tobytes()).hexdigest() for name in names]
    assert len(set(here)) == len(names)
    output = subprocess.run([sys.executable, "-c", DIGEST, *names], capture_output=True, text=True, check=True).stdout
    assert output.split() == here


def test_unknown_voice_is_named() -> None:
    with pytest.raises(ZooError, match="nobody"):
        speak(SENTENCE, voice("nobody"))


@pytest.mark.parametrize("rate", [100, 135, 220])
@pytest.mark.parametrize("words", [SENTENCE, ("place", "blue", "by", "m", "seven", "please")])
def test_bilabials_close_the_lips_in_a_frame_at_25_fps(words: tuple[str, ...], rate: int) -> None:
    speech = speak(words, voice(rate=rate))
    stops = [sound for sound in speech.phonemes if sound.name in ("p", "b", "m")]
    assert len(stops) >= 2
    for shift in torch.linspace(0, 0.04, 9, dtype=torch.float64)[:-1]:
        time = torch.arange(100, dtype=torch.float64) / 25 + shift - 0.2
        opening = mouth_track(speech.phonemes, time).open
        for stop in stops:
            near = (time - stop.start_s + 0.02).abs() < 0.03
            assert opening[near].min() < 1e-6, stop


def test_labiodentals_bring_the_lower_lip_to_the_teeth() -> None:
    speech = speak(("set", "red", "at", "v", "five", "now"), voice())
    time, track = finely(speech)
    for sound in speech.phonemes:
        if sound.name in ("f", "v"):
            middle = (time - (sound.start_s + sound.end_s) / 2).abs().argmin()
            assert track.tuck[middle] > 0.9
            assert track.open[middle] < 0.25


def test_lips_lead_the_sound() -> None:
    speech = speak(("lay", "red", "in", "i", "one", "again"), voice())
    time, track = finely(speech)
    first = next(sound for sound in speech.phonemes if not sound.name.startswith("_"))
    opens = time[track.open > 0.05][0]
    assert 0.03 < first.start_s - opens < 0.15
    late = mouth_track(speech.phonemes, time, lead_s=0.0)
    assert torch.allclose(late.open[40:], track.open[:-40], atol=1e-6)


def test_round_vowels_narrow_and_spread_vowels_widen() -> None:
    speech = speak(("bin", "blue", "by", "e", "two", "please"), voice())
    time, track = finely(speech)
    for sound in speech.phonemes:
        during = (time > sound.start_s) & (time < sound.end_s)
        if sound.name == "u:":
            assert track.wide[during].min() < -0.6
        if sound.name == "i:":
            assert track.wide[during].max() > 0.5


def test_mouth_rests_in_silence() -> None:
    time, track = finely(speak(SENTENCE, voice()))
    assert track.open[time < -0.2].max() < 1e-3
    assert track.open[-100:].max() < 1e-2
    assert track.open.max() > 0.5
