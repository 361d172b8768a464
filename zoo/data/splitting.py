"""How long videos become clips: at cuts, where the face is lost, where another person appears, and at silences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from zoo.face.faces import Faces
from zoo.media.audio import cut, num_samples
from zoo.media.clip import FPS, Word

CLIP_SECONDS = 20.0
"""Longest clip that is made of a longer video, in seconds."""

SHORTEST_S = 1.0
"""Shortest clip that is made of a part of a video, in seconds."""

SAME_PERSON = 0.6
"""Distance of dlib's embeddings below which two faces are one person (its author's threshold)."""

_QUIET_S = 0.2  # a silence is looked for as the quietest stretch of this length


@dataclass(frozen=True)
class Splitting:
    """How the videos of a source are cut into clips.

    Attributes:
        clip_seconds: longest clip; a longer one is cut at silences.
        faces: which faces become clips: the largest, or each.
    """

    clip_seconds: float = CLIP_SECONDS
    faces: Faces = "largest"

    @property
    def settings(self) -> dict[str, float | str]:
        """What differs from the default, for ``store.json``."""
        plain = Splitting()
        pairs = ((name, getattr(self, name)) for name in ("clip_seconds", "faces"))
        return {name: value for name, value in pairs if value != getattr(plain, name)}


@dataclass
class Stretch:
    """One face from the frame in which it appears to the one in which it is lost, within a shot.

    Attributes:
        first: number of its first frame in the video.
        landmarks: ``(T, 68, 2)`` in pixels of the whole picture.
        looks: numbers of some frames, and the embedding of the face there (:mod:`zoo.face.embed`).
        person: 0 is who is seen longest in the video.
    """

    first: int
    landmarks: Float32[Tensor, "T 68 2"]
    looks: list[tuple[int, Float32[Tensor, " D"]]] = field(default_factory=list)
    person: int = 0

    @property
    def stop(self) -> int:
        """The frame after its last."""
        return self.first + len(self.landmarks)

    def part(self, first: int, stop: int) -> Stretch:
        """Some of its frames."""
        looks = [look for look in self.looks if first <= look[0] < stop]
        return Stretch(first, self.landmarks[first - self.first : stop - self.first], looks, self.person)


def split_persons(stretch: Stretch) -> list[Stretch]:
    """Cut a stretch where one person turns into another without a visible cut (a dissolve).

    What lies between the two looks that tell them apart is left out. Three looks on either side decide, so that one
    turned head does not.
    """
    looks = stretch.looks
    first, parts = stretch.first, []
    for k in range(1, len(looks)):
        before = [look for number, look in looks[max(k - 3, 0) : k] if number >= first]
        after = [look for _, look in looks[k : k + 3]]
        pairs = [float((one - two).norm()) for one in before for two in after]
        if pairs and min(pairs) > SAME_PERSON:
            parts.append(stretch.part(first, looks[k - 1][0] + 1))
            first = looks[k][0]
    return [*parts, stretch.part(first, stretch.stop)]


def name_persons(stretches: Sequence[Stretch]) -> int:
    """Note in each stretch whose face it shows, by the embeddings; returns how many persons there are.

    A stretch without embeddings counts as the main person's.
    """
    persons: list[list[Tensor]] = []
    owners: dict[int, int] = {}
    for k in sorted(range(len(stretches)), key=lambda k: -len(stretches[k].landmarks)):
        looks = [look for _, look in stretches[k].looks]
        if not looks:
            continue
        mean = torch.stack(looks).mean(0)
        distances = [float((torch.stack(known).mean(0) - mean).norm()) for known in persons]
        nearest = min(range(len(persons)), key=distances.__getitem__, default=0)
        if not persons or distances[nearest] > SAME_PERSON:
            nearest = len(persons)
            persons.append([])
        persons[nearest].extend(looks)
        owners[k] = nearest
    seen = [sum(len(stretches[k].landmarks) for k, owner in owners.items() if owner == p) for p in range(len(persons))]
    main = max(range(len(persons)), key=seen.__getitem__, default=0)
    order = [main] + [owners[k] for k in sorted(owners, key=lambda k: stretches[k].first) if owners[k] != main]
    rank = {person: number for number, person in enumerate(dict.fromkeys(order))}
    for k, owner in owners.items():
        stretches[k].person = rank[owner]
    return max(len(persons), 1)


def cut_long(stretch: Stretch, wave: Float32[Tensor, " S"], seconds: float) -> list[Stretch]:
    """Cut a stretch into parts of at most ``seconds``, each where it is quietest in the second half of that time.

    Args:
        stretch: of any length.
        wave: the sound of the whole video, 16 kHz.
        seconds: longest part.
    """
    longest, least = max(2, int(seconds * FPS)), min(round(SHORTEST_S * FPS), int(seconds * FPS) // 2)
    loudness = _loudness(wave, stretch.first, stretch.stop)
    first, parts = stretch.first, []
    while stretch.stop - first > longest:
        # No cut so late that the rest would be too short to be a clip.
        low, high = first + longest // 2, min(first + longest, stretch.stop - least)
        quiet = loudness[low - stretch.first : high - stretch.first + 1]
        stop = low + int(quiet.argmin())
        parts.append(stretch.part(first, stop))
        first = stop
    return [*parts, stretch.part(first, stretch.stop)]


def _loudness(wave: Float32[Tensor, " S"], first: int, stop: int) -> Float32[Tensor, " T"]:
    """Mean square of the sound around the beginning of each frame."""
    reach = round(_QUIET_S * FPS / 2)
    step = num_samples(1)
    energy = cut(wave, (first - reach) * step, (stop + reach) * step).square().view(-1, step).mean(1)
    return F.avg_pool1d(energy[None], 2 * reach, 1)[0]


def words_within(words: Iterable[Word], first: int, stop: int) -> tuple[Word, ...]:
    """The words whose middle lies in these frames, their times counted from the first of them."""
    start_s, stop_s = first / FPS, stop / FPS
    return tuple(
        Word(max(word.start_s - start_s, 0.0), min(word.end_s, stop_s) - start_s, word.text)
        for word in words
        if start_s <= (word.start_s + word.end_s) / 2 < stop_s
    )
