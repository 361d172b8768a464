"""CTC decoding against all alignments of short inputs, and against PyTorch's CTC loss over a grammar's sentences."""

import itertools
import math
from collections.abc import Sequence

import jaxtyping
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.sources.synthgrid.grammar import SLOTS
from zoo.evaluation.metrics.wer import ctc_decode as as_the_issue_imports_it
from zoo.experts.lip_reader.ctc import ALPHABET, Unreadable, best_sentence, ctc_decode, prefix_beam_search


def random_log_probs(frames: int, labels: int, seed: int, sharpness: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(frames, labels, dtype=torch.float64, generator=generator) * sharpness).log_softmax(1)


def spoken(text: str, frames_each: int = 2, sure: float = 0.9) -> Tensor:
    """Log probabilities in which every character stands for some frames, with a blank after it."""
    labels = [label for character in text for label in [ALPHABET.index(character) + 1] * frames_each + [0]]
    probabilities = torch.full((len(labels), len(ALPHABET) + 1), (1 - sure) / len(ALPHABET))
    probabilities[torch.arange(len(labels)), torch.tensor(labels)] = sure
    return probabilities.log()


def all_labellings(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """Probability of each labelling: the sum over all alignments, one by one."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label)
        found[labels] = found.get(labels, 0.0) + math.exp(sum(log_probs[t, c].item() for t, c in enumerate(path)))
    return found


def ctc_log_probs(log_probs: Tensor, sentences: Sequence[str], alphabet: str = ALPHABET) -> list[float]:
    """Log probability of each sentence from PyTorch."""
    targets = torch.tensor([alphabet.index(character) + 1 for character in "".join(sentences)])
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    frames = torch.full((len(sentences),), len(log_probs))
    copies = log_probs.double()[:, None].expand(-1, len(sentences), -1)
    return (-F.ctc_loss(copies, targets, frames, lengths, reduction="none")).tolist()


def ctc_log_prob(log_probs: Tensor, sentence: str, alphabet: str = ALPHABET) -> float:
    return ctc_log_probs(log_probs, [sentence], alphabet)[0]


@pytest.mark.parametrize("seed", range(24))
def test_a_wide_beam_finds_the_most_probable_labelling(seed: int):
    frames, labels = [(1, 4), (2, 4), (3, 4), (4, 4), (5, 3), (6, 3)][seed % 6]
    log_probs = random_log_probs(frames, labels, seed, sharpness=0.5 + seed / 12)
    every = all_labellings(log_probs)
    assert sum(every.values()) == pytest.approx(1)
    best = max(every, key=every.__getitem__)
    found, log_prob = prefix_beam_search(log_probs, beam=1000)
    assert found == best
    assert log_prob == pytest.approx(math.log(every[best]), abs=1e-12)


def test_beam_sums_alignments_where_greedy_takes_the_best_one():
    log_probs = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()  # blank blank: 0.36; "a" in three ways: 0.64
    assert ctc_decode(log_probs, alphabet="a") == ""
    assert ctc_decode(log_probs, method="beam", alphabet="a") == "a"
    assert prefix_beam_search(log_probs)[1] == pytest.approx(math.log(0.64))


def beam_by_hand(log_probs: Tensor, beam: int) -> tuple[tuple[int, ...], float]:
    """The same search with a dictionary from whole prefixes to their two probabilities."""
    kept = {(): (1.0, 0.0)}
    for frame in log_probs.exp().tolist():
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, label) in kept.items():
            for new, chance in enumerate(frame):
                if new == 0:
                    grown.setdefault(prefix, [0.0, 0.0])[0] += (blank + label) * chance
                elif prefix and new == prefix[-1]:
                    grown.setdefault(prefix, [0.0, 0.0])[1] += label * chance
                    grown.setdefault((*prefix, new), [0.0, 0.0])[1] += blank * chance
                else:
                    grown.setdefault((*prefix, new), [0.0, 0.0])[1] += (blank + label) * chance
        kept = dict(sorted(grown.items(), key=lambda item: -sum(item[1]))[:beam])
    best = max(kept, key=lambda prefix: sum(kept[prefix]))
    return best, math.log(sum(kept[best]))


@pytest.mark.parametrize("beam", [1, 2, 3, 10])
def test_a_narrow_beam_keeps_what_it_should(beam: int):
    """Prefixes that leave the beam, come back, and are reached in two ways count once."""
    for seed in range(20):
        log_probs = random_log_probs(25, 4, seed, sharpness=0.5 + seed / 8)
        labels, log_prob = prefix_beam_search(log_probs, beam=beam)
        expected = beam_by_hand(log_probs, beam)
        assert labels == expected[0]
        assert log_prob == pytest.approx(expected[1], abs=1e-9)
        exact = ctc_log_prob(log_probs, "".join("abc"[label - 1] for label in labels), "abc")
        assert log_prob <= exact + 1e-9


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_repetitions_blanks_and_spaces(method: str):
    assert ctc_decode(spoken("hello"), method=method) == "hello"  # the blank keeps both l
    assert ctc_decode(spoken(" bin  blue "), method=method) == "bin blue"
    without_blanks = spoken("hello")[[k for k in range(15) if k % 3 != 2]]
    assert ctc_decode(without_blanks, method=method) == "helo"
    silence = torch.full((5, 28), 0.001)
    silence[:, 0] = 1 - 0.027
    assert ctc_decode(silence.log(), method=method) == ""
    certain = torch.full((2, 28), -torch.inf)
    certain[0, 2] = certain[1, 0] = 0.0
    assert ctc_decode(certain, method=method) == "a"
    assert as_the_issue_imports_it is ctc_decode


SMALL = (("bin", "lay", "see"), ("at", "by"), ("b", "aa"), ("two", "o", "six"))
"""Doubled letters within words, words of several lengths, an ``e`` before and after nothing but a space."""


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("grammar", [SMALL, SMALL[:1], SMALL[:2], SMALL[1:]])
def test_the_best_sentence_is_that_of_the_least_ctc_loss(seed: int, grammar: tuple[tuple[str, ...], ...]):
    frames = 20 if seed % 2 else 45
    log_probs = random_log_probs(frames, 28, seed, sharpness=[0.3, 1, 3, 8][seed % 4])
    losses = {words: ctc_log_prob(log_probs, " ".join(words)) for words in itertools.product(*grammar)}
    words, log_prob = best_sentence(log_probs, grammar)
    assert words == max(losses, key=losses.__getitem__)
    assert log_prob == pytest.approx(losses[words], rel=1e-9)
    assert ctc_decode(log_probs, method="grammar", grammar=grammar) == " ".join(words)


def test_sums_decide_and_not_the_best_alignment():
    # "b" in one alignment of 0.36; "a" in three, none of which is better than 0.24.
    log_probs = torch.tensor([[0.0, 0.4, 0.6], [0.4, 0.6, 0.0]], dtype=torch.float64).log()
    best = {"a": 0.4 * 0.6 + 0.4 * 0.4, "b": 0.6 * 0.4}
    words, log_prob = best_sentence(log_probs, [["b", "a"]], alphabet="ab")
    assert words == ("a",)
    assert math.exp(log_prob) == pytest.approx(best["a"])
    assert math.exp(best_sentence(log_probs, [["b"]], alphabet="ab")[1]) == pytest.approx(best["b"])


@pytest.mark.parametrize("seed", range(3))
def test_all_of_grid(seed: int):
    generator = torch.Generator().manual_seed(seed)
    sentence = " ".join(words[int(torch.randint(len(words), (1,), generator=generator))] for words in SLOTS)
    clear = spoken(sentence)
    assert ctc_decode(clear) == sentence
    noisy = (clear + torch.randn(clear.shape, generator=generator) * 1.8).log_softmax(1)
    words, log_prob = best_sentence(noisy, SLOTS)
    assert log_prob == pytest.approx(ctc_log_prob(noisy, " ".join(words)), rel=1e-9)
    neighbours = {  # all sentences that differ in one word or two
        " ".join((*words[:i], a, *words[i + 1 : j], b, *words[j + 1 :]))
        for i, j in itertools.combinations(range(6), 2)
        for a, b in itertools.product(SLOTS[i], SLOTS[j])
    }
    assert len(neighbours) == 666 + 45 + 1  # two words, one word, and the sentence itself
    assert max(ctc_log_probs(noisy, sorted(neighbours))) == pytest.approx(log_prob, rel=1e-9)
    assert sum(a != b for a, b in zip(words, sentence.split(), strict=True)) <= 1
    assert ctc_decode(noisy) != sentence  # greedy reads letters that are no words
    misspelt = ctc_decode(spoken(sentence.replace("e", "i")), method="grammar", grammar=SLOTS)
    assert misspelt == sentence


def test_wrong_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    log_probs = spoken("bin")
    with pytest.raises(ValueError, match="natural-log probabilities"):
        ctc_decode(log_probs.exp())
    with pytest.raises(ValueError, match="natural-log probabilities"):
        ctc_decode(torch.randn(5, 28) * 3)
    with pytest.raises(ValueError, match=r"\(T, 28\).*got \(9, 27\)"):
        ctc_decode(log_probs[:, 1:])
    with pytest.raises(Unreadable, match="NaN"):
        ctc_decode(log_probs * torch.nan)
    with pytest.raises(Unreadable, match="no frame"):
        ctc_decode(log_probs[:0])
    with pytest.raises(Unreadable, match="fits into 9 frames"):
        ctc_decode(log_probs, method="grammar", grammar=SLOTS)
    with pytest.raises(ValueError, match="needs a grammar"):
        ctc_decode(log_probs, method="grammar")
    with pytest.raises(ValueError, match="greedy, beam or grammar"):
        ctc_decode(log_probs, method="viterbi")
    with pytest.raises(ValueError, match="at least 1"):
        ctc_decode(log_probs, method="beam", beam=0)
    with pytest.raises(ValueError, match='the word "it\'s"'):
        best_sentence(log_probs, [["it's"]])
    with pytest.raises(ValueError, match="needs a word"):
        best_sentence(log_probs, [["bin"], []])
    assert ctc_decode(log_probs.half()) == "bin"
    assert ctc_decode(log_probs.numpy()) == "bin"
