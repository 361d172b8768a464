"""From frame-wise character probabilities to text: greedy, prefix beam search, and the best sentence of a grammar."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
"""Characters of labels 1, 2, ...; label 0 is the blank (order of LipNet-PyTorch)."""

BEAM = 10
"""Prefixes that beam search keeps."""

ZERO = -1e4
"""Log probability that stands for less: sums over time stay finite, and e**-10000 is 0 in any sum."""

Method = Literal["greedy", "beam", "grammar"]
Grammar = Sequence[Sequence[str]]
"""Words allowed at each place of a sentence."""

Array = NDArray[np.float64]


class Unreadable(ValueError):
    """Well-formed input that says nothing: no frame, NaN, or too few frames for any sentence."""


def ctc_decode(
    log_probs: Float[Tensor, "T V"],
    *,
    method: Method = "greedy",
    beam: int = BEAM,
    grammar: Grammar | None = None,
    alphabet: str = ALPHABET,
) -> str:
    """Text that a CTC reader read.

    ``greedy`` takes the best label of every frame, drops repetitions, then blanks (LipNet-PyTorch). ``beam`` is prefix
    beam search over summed alignments (:func:`prefix_beam_search`). ``grammar`` gives the most probable sentence of a
    grammar (:func:`best_sentence`); it cannot read anything else, so its error rate goes by another name.
    The first two may see spaces at the ends or side by side: these are removed.

    Args:
        log_probs: natural logarithms of the probabilities of the labels in each frame; label 0 is the blank.
        method: see above.
        beam: prefixes kept by ``beam``.
        grammar: for ``grammar``: the words allowed at each place, such as
            :data:`zoo.data.sources.synthgrid.grammar.SLOTS`.
        alphabet: characters of labels 1 to V - 1.

    Returns:
        Words with one blank between them; may be empty.

    Raises:
        ValueError: rows that are no log probabilities (probabilities or logits), a size that does not fit the alphabet,
            an unknown method, no grammar where one is due.
        Unreadable: no frame, NaN, or no sentence that fits into so few frames; also a ``ValueError``.

    Example:
        >>> frames = torch.tensor([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
        >>> ctc_decode(frames.log(), alphabet="ab")
        'aab'
    """
    values = _checked(log_probs, len(alphabet) + 1)
    if method == "grammar":
        if grammar is None:
            raise ValueError(
                "ctc_decode: method='grammar' needs a grammar, such as zoo.data.sources.synthgrid.grammar.SLOTS"
            )
        return " ".join(best_sentence(log_probs, grammar, alphabet=alphabet)[0])
    if method == "beam":
        labels = prefix_beam_search(log_probs, beam)[0]
    elif method == "greedy":
        labels = tuple(label for label, _ in itertools.groupby(values.argmax(1).tolist()) if label)
    else:
        raise ValueError(f"ctc_decode: method is greedy, beam or grammar, not {method!r}")
    return " ".join("".join(alphabet[label - 1] for label in labels).split())


def prefix_beam_search(log_probs: Float[Tensor, "T V"], beam: int = BEAM) -> tuple[tuple[int, ...], float]:
    """The labelling of highest summed probability that a beam finds (Graves 2012, section 7.5.3; Hannun et al. 2014).

    Probabilities of all alignments of a prefix are summed, apart for those that end in a blank; with a beam wider than
    the number of prefixes the result is exact.

    Args:
        log_probs: natural logarithms of probabilities; label 0 is the blank.
        beam: prefixes kept after each frame.

    Returns:
        Labels, and the logarithm of their summed probability (of the alignments that stayed in the beam).

    Raises:
        ValueError: a beam below 1.
    """
    if beam < 1:
        raise ValueError(f"prefix_beam_search: the beam is at least 1, not {beam}")
    tree, nodes = _Prefixes(), [0]
    blank, label = np.zeros(1), np.full(1, -np.inf)
    for frame in _checked(log_probs):
        last = np.array([tree.last[node] for node in nodes])
        both = np.logaddexp(blank, label)
        stay_blank = both + frame[0]
        stay_label = np.where(last > 0, label + frame[last], -np.inf)
        grown = both[:, None] + frame
        grown[np.arange(len(nodes)), last] = blank + frame[last]  # one label twice: only with a blank between
        grown[:, 0] = -np.inf
        place = {node: row for row, node in enumerate(nodes)}
        for row, node in enumerate(nodes):  # prefixes of the beam that are also another one grown by a label
            if (origin := place.get(tree.parent[node])) is not None:
                stay_label[row] = np.logaddexp(stay_label[row], grown[origin, last[row]])
                grown[origin, last[row]] = -np.inf
        blank = np.concatenate([stay_blank, np.full(grown.size, -np.inf)])
        label = np.concatenate([stay_label, grown.ravel()])
        scores = np.logaddexp(blank, label)
        kept = np.argsort(-scores, kind="stable")[:beam]
        kept = kept[scores[kept] > -np.inf]
        blank, label = blank[kept], label[kept]
        nodes = [
            nodes[index] if index < len(nodes) else tree.grow(nodes[grower], new)
            for index, (grower, new) in ((index, divmod(index - len(nodes), len(frame))) for index in kept.tolist())
        ]
    both = np.logaddexp(blank, label)
    return tree.labels(nodes[int(both.argmax())]), float(both.max())


class _Prefixes:
    """All prefixes that were ever kept, as a tree: one that comes back is the same node again; node 0 is empty."""

    def __init__(self) -> None:
        self.parent, self.last = [-1], [0]
        self.grown: dict[tuple[int, int], int] = {}

    def grow(self, node: int, label: int) -> int:
        """The node of a prefix and one label more."""
        if (node, label) not in self.grown:
            self.grown[node, label] = len(self.parent)
            self.parent.append(node)
            self.last.append(label)
        return self.grown[node, label]

    def labels(self, node: int) -> tuple[int, ...]:
        """The labels of a prefix."""
        found: list[int] = []
        while node:
            found.append(self.last[node])
            node = self.parent[node]
        return tuple(reversed(found))


def best_sentence(
    log_probs: Float[Tensor, "T V"], grammar: Grammar, *, alphabet: str = ALPHABET
) -> tuple[tuple[str, ...], float]:
    """The most probable sentence of a grammar, by the sum over all its alignments: exact, without a beam.

    The grammar is cut in two near the middle. What the first half can have said by each frame (CTC's forward variables)
    and what the second half can say from each frame on (the same on reversed time) are found once per half sentence; a
    sentence is then a sum over the frame of the cut. GRID's 64,000 sentences need 64 + 1000 halves.

    Args:
        log_probs: natural logarithms of probabilities; label 0 is the blank.
        grammar: the words allowed at each place; sentences are those words with one space between.
        alphabet: characters of labels 1 to V - 1.

    Returns:
        The words, and the logarithm of the probability of the sentence; the first in the grammar's order where several
        are equal.

    Raises:
        ValueError: an empty place or word, or a character outside the alphabet.
        Unreadable: no sentence fits into so few frames.
    """
    places = [list(words) for words in grammar]
    _check_grammar(places, alphabet)
    labels = {character: label for label, character in enumerate(alphabet, start=1)}
    values = np.maximum(_checked(log_probs, len(alphabet) + 1), ZERO)
    counts = [math.prod(map(len, places[:cut])) + math.prod(map(len, places[cut:])) for cut in range(len(places))]
    cut = int(np.argmin(counts))
    space = labels.get(" ", 0)
    first = [[[labels[character] for character in word] for word in words] for words in places[:cut]]
    second = [
        [[labels[character] for character in reversed(word)] for word in words] for words in reversed(places[cut:])
    ]
    heads = np.logaddexp(*_forward(values, first, space, close=True))
    tails = _forward(values[::-1], second, space, close=False)[0][:, ::-1]
    # A sum of n terms lies between its largest and n times that, so most sentences need no sum.
    largest = np.stack([(head + tails).max(1) for head in heads])
    if largest.max() == -np.inf:
        raise Unreadable(f"no sentence of the grammar fits into {len(values)} frames")
    near = np.argwhere(largest >= largest.max() - math.log(heads.shape[1]))
    sums = np.logaddexp.reduce(heads[near[:, 0]] + tails[near[:, 1]], axis=1)
    sizes = [len(words) for words in places]
    # Rows of the second half were walked from the last place to the cut; ranks follow the grammar.
    order = np.arange(math.prod(sizes[cut:])).reshape(sizes[cut:]).transpose().ravel()
    ranks = near[:, 0] * len(order) + order[near[:, 1]]
    best = int(np.lexsort((ranks, -sums))[0])
    chosen = np.unravel_index(ranks[best], sizes)
    return tuple(words[number] for words, number in zip(places, chosen, strict=True)), float(sums[best])


def _forward(values: Array, places: list[list[list[int]]], space: int, *, close: bool) -> tuple[Array, Array]:
    """Forward variables of all half sentences, by frames used up so far: ending in their last label, and in a blank.

    Rows ``(n, T + 1)`` run over the places from left to right, the last one fastest; with ``close`` a space ends each.
    """
    total = {label: np.concatenate([[0.0], values[:, label].cumsum()]) for label in range(values.shape[1])}
    label, blank = np.full((1, len(values) + 1), -np.inf), total[0][None]
    for number, words in enumerate(places):
        ends: list[tuple[Array, Array]] = []
        for word in words:
            state, previous = (label, blank), space if number else 0
            for character in [*word, space] if close or number < len(places) - 1 else word:
                came = state[1] if character == previous else np.logaddexp(*state)
                inside = _hold(came, total[character])
                state, previous = (inside, _hold(inside, total[0])), character
            ends.append(state)
        label, blank = (np.stack(part, 1).reshape(-1, len(values) + 1) for part in zip(*ends, strict=True))
    return label, blank


def _hold(came: Array, total: Array) -> Array:
    """Enter a label from ``came`` (n, T + 1) and stay for one frame or more: ``h[t] = (h[t-1] + came[t-1]) p[t]``.

    ``total`` holds the running sums of ``log p``, so that the recursion over time becomes one running sum.
    """
    held = np.full_like(came, -np.inf)
    held[:, 1:] = total[1:] + np.logaddexp.accumulate(came[:, :-1] - total[:-1], axis=1)
    return held


def _check_grammar(places: list[list[str]], alphabet: str) -> None:
    if not places or not all(places):
        raise ValueError("best_sentence: every place of the grammar needs a word")
    if len(places) > 1 and " " not in alphabet:
        raise ValueError("best_sentence: sentences of several words need a space in the alphabet")
    for word in itertools.chain(*places):
        if not word or not set(word) <= set(alphabet) - {" "}:
            raise ValueError(
                f"best_sentence: the word {word!r} is empty or has characters that the reader does not know"
            )


def _checked(log_probs: Float[Tensor, "T V"], size: int | None = None) -> Array:
    """Log probabilities as an array, after checking that they are some; ``size`` is the number of labels."""
    values = torch.as_tensor(log_probs).detach().cpu().double().numpy()
    if values.ndim != 2 or values.shape[1] != (size or values.shape[1]):
        raise ValueError(f"ctc_decode: needs log probabilities (T, {size or 'V'}), blank first; got {values.shape}")
    if not len(values) or np.isnan(values).any():
        raise Unreadable("the lip reader gave NaN" if len(values) else "no frame to read")
    sums = np.logaddexp.reduce(values, axis=1)
    wrong = ~(np.abs(sums) < 0.02)  # 0.02: half precision
    if wrong.any():
        raise ValueError(
            "ctc_decode: needs natural-log probabilities (log_softmax), whose exponentials sum to 1 in each frame; "
            f"frame {int(wrong.argmax())} sums to {np.exp(sums[wrong][0]):.3g}"
        )
    return np.asarray(values)
