"""The sentences of GRID (Cooke, Barker, Cunningham and Shao, JASA 120(5), 2006) and the file names that encode them."""

from __future__ import annotations

import numpy as np

COMMANDS = ("bin", "lay", "place", "set")
COLOURS = ("blue", "green", "red", "white")
PREPOSITIONS = ("at", "by", "in", "with")
LETTERS = tuple("abcdefghijklmnopqrstuvxyz")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ADVERBS = ("again", "now", "please", "soon")
SLOTS = (COMMANDS, COLOURS, PREPOSITIONS, LETTERS, DIGITS, ADVERBS)
"""The six words of a sentence; no letter is ``w``, the only one with more than one syllable."""

_DIGIT_CODES = "z123456789"
_PREPOSITION_CODES = {"at": "a", "by": "b", "in": "i", "with": "w"}


def sample(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw one of the 64,000 sentences: six lower-case words."""
    return tuple(str(slot[rng.integers(len(slot))]) for slot in SLOTS)


def encode(words: tuple[str, ...]) -> str:
    """Name a sentence the way GRID names its files, for example ``bbaf2n``: "bin blue at f two now"."""
    command, colour, preposition, letter, digit, adverb = words
    digit_code = _DIGIT_CODES[DIGITS.index(digit)]
    return command[0] + colour[0] + _PREPOSITION_CODES[preposition] + letter + digit_code + adverb[0]


def vocabulary() -> tuple[str, ...]:
    """All words that occur, each once."""
    return tuple(word for slot in SLOTS for word in slot)
