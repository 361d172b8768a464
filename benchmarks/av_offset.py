"""Fit the operator behind `zoo analyze av-offset`, and hold its answers against clips shifted by known amounts.

    python benchmarks/av_offset.py GRID_STORE SYNTHGRID_STORE [--write]

Of the one speaker s1 of GRID, and of SynthGRID, every second clip fits the operator, every fourth the confidence;
every other fourth, and all clips of GRID's other speakers, are reported. `--write` replaces the weights that come with
the zoo.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo.data.store.store import Store
from zoo.evaluation.analyze import lips_from_sound
from zoo.evaluation.analyze.av_offset import MOUTH_SIZE, REACH, offset_strength
from zoo.evaluation.analyze.confidence import NEAR, SURE, Evidence, confidence, evidence
from zoo.evaluation.analyze.lips_from_sound import Operator, fit, lip_series, shipped, sound_series
from zoo.face import crop
from zoo.media.clip import FPS, SAMPLE_RATE

SHIFTS = (-15, -12, -9, -6, -4, -2, -1, 0, 1, 3, 5, 7, 10, 13, 15)
"""Frames by which the sound is put off; positive: lips first."""

WRONG = 4
"""Times that every clip gets the sound of another clip, of which no offset is right."""

OFFSETS = range(-REACH, REACH + 1)


class Talk(NamedTuple):
    """A clip: its mouth, measured once, and its sound."""

    lips: Tensor
    wave: Tensor


class Answer(NamedTuple):
    """What was answered: the evidence, and whether it was right."""

    best: int
    peak: float
    lead: float
    right: bool


def read(store: Store) -> Iterator[tuple[str, Talk]]:
    """Measure all mouths of a store."""
    for index, info in enumerate(store.clips):
        landmarks = store.landmarks(index)
        place = crop.place_crops(landmarks, "mouth", (MOUTH_SIZE, MOUTH_SIZE))
        mouths = place.cut(store.frames(index), range(info.num_frames))
        yield info.speaker, Talk(lip_series(landmarks, mouths), store.wave(index))


def put_off(wave: Tensor, frames: int) -> Tensor:
    """The sound that many frames later, or earlier; silence fills what is missing."""
    samples = round(frames * SAMPLE_RATE / FPS)
    moved = torch.zeros_like(wave)
    if samples >= 0:
        moved[samples:] = wave[: len(wave) - samples]
    else:
        moved[:samples] = wave[-samples:]
    return moved


def answer(talk: Talk, wave: Tensor, shift: int | None, operator: Operator) -> Answer:
    """Ask for the offset of a mouth and a sound; ``shift`` is the right one, if there is one."""
    heard = sound_series(wave, len(talk.lips))
    strength, tried = offset_strength(talk.lips, heard, OFFSETS, operator)
    found = evidence(strength.values, tried)
    right = shift is not None and abs(found.best - shift) <= NEAR
    return Answer(*found, right)


def ask(talks: Sequence[Talk], others: Sequence[Talk], operator: Operator) -> tuple[list[Answer], list[Answer]]:
    """Answers to all clips at all shifts, and with sounds of others."""
    draw = np.random.default_rng(0)
    known = [answer(talk, put_off(talk.wave, shift), shift, operator) for talk in talks for shift in SHIFTS]
    wrong = []
    for talk in talks:
        for _ in range(WRONG):
            other = others[int(draw.integers(len(others)))]
            if other is not talk:
                sound = put_off(other.wave, int(draw.integers(-12, 13)))[: len(talk.wave)]
                sound = torch.cat([sound, torch.zeros(len(talk.wave) - len(sound))])
                wrong.append(answer(talk, sound, None, operator))
    return known, wrong


def calibrate(answers: Sequence[Answer]) -> Tensor:
    """Log-odds of being right from peak and lead, by logistic regression."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    used = [item for item in answers if item.best in OFFSETS]
    model = LogisticRegression(C=100).fit([(item.peak, item.lead) for item in used], [item.right for item in used])
    return torch.tensor([*model.coef_[0], model.intercept_[0]], dtype=torch.float64)


def report(name: str, talks: Sequence[Talk], others: Sequence[Talk], operator: Operator) -> None:
    """Print how many answers are given, and how many of them are right."""
    known, wrong = ask(talks, others, operator)
    sure = [[_sure(item, operator) for item in items] for items in (known, wrong)]
    given = [item for item, level in zip(known, sure[0], strict=True) if level >= SURE]
    expected = sum(level for level in sure[0] if level >= SURE) / max(1, len(given))
    print(
        f"{name}: {len(talks)} clips, {len(known)} shifts: {len(given) / len(known):.1%} answered, "
        f"{sum(item.right for item in given) / max(1, len(given)):.1%} of them right to one frame "
        f"(mean confidence {expected:.1%}); {sum(item.right for item in known) / len(known):.1%} were right in all; "
        f"answered with another clip's sound: {sum(level >= SURE for level in sure[1]) / max(1, len(wrong)):.1%}"
    )


def _sure(item: Answer, operator: Operator) -> float:
    return confidence(Evidence(item.best, item.peak, item.lead), operator.calibration, OFFSETS)


def main() -> None:
    """Fit, report, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grid", type=Path)
    parser.add_argument("synthgrid", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    grid, drawn = list(read(Store(args.grid))), [talk for _, talk in read(Store(args.synthgrid))]
    one = [talk for speaker, talk in grid if speaker == "s1"]
    others = [talk for speaker, talk in grid if speaker != "s1"]
    if args.write:
        pairs = [(talk.lips, sound_series(talk.wave, len(talk.lips))) for talk in [*one[::2], *drawn[::2]]]
        operator = Operator(*fit(pairs), torch.zeros(3, dtype=torch.float64))
        asked = [*ask(one[1::4], one, operator), *ask(drawn[1::4], drawn, operator)]
        operator = operator._replace(calibration=calibrate([item for items in asked for item in items]))
        write(operator)
    else:
        operator = shipped()
    print(f"calibration: {operator.calibration.tolist()}")
    report("GRID s1", one[3::4], one, operator)
    report("GRID, other speakers", others, one, operator)
    report("SynthGRID", drawn[3::4], drawn, operator)


def write(operator: Operator) -> None:
    """Replace the weights that come with the zoo."""
    from safetensors.torch import save

    path = Path(lips_from_sound.__file__).with_suffix(".safetensors")
    tensors = {name: value.float().contiguous() for name, value in operator._asdict().items()}
    path.write_bytes(save(tensors, {"source": "benchmarks/av_offset.py on GRID s1 (CC BY 4.0) and SynthGRID"}))
    shipped.cache_clear()


if __name__ == "__main__":
    main()
