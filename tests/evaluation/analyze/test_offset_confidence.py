"""How sure an audio-video offset is: known shifts are found or not answered, wrong sounds are not answered."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.cli.main import run
from zoo.data.prepare import prepare
from zoo.data.sources.grid import Grid
from zoo.data.store.store import Store
from zoo.evaluation.analyze import lips_from_sound
from zoo.evaluation.analyze.av_offset import REACH, ClipOffset, Study, offset_strength, study
from zoo.evaluation.analyze.confidence import SURE, confidence, evidence, of_store, strengths
from zoo.evaluation.analyze.lips_from_sound import COEFFICIENTS, lip_series, shipped, sound_series
from zoo.face import crop

OFFSETS = range(-REACH, REACH + 1)


def put_off(wave: Tensor, frames: int) -> Tensor:
    """The sound so many frames later, silence before it; or earlier, silence after it."""
    moved = torch.zeros_like(wave)
    if frames >= 0:
        moved[640 * frames :] = wave[: len(wave) - 640 * frames]
    else:
        moved[: 640 * frames] = wave[-640 * frames :]
    return moved


def ask(lips: Tensor, wave: Tensor) -> tuple[int, float]:
    """Best offset and confidence."""
    strength, tried = offset_strength(lips, sound_series(wave, len(lips)), OFFSETS, shipped())
    found = evidence(strength.values, tried)
    return found.best, confidence(found, shipped().calibration, OFFSETS)


def mouths(store: Store) -> list[tuple[Tensor, Tensor]]:
    found = []
    for index, info in enumerate(store.clips):
        landmarks = store.landmarks(index)
        place = crop.place_crops(landmarks, "mouth", (64, 64))
        found.append((lip_series(landmarks, place.cut(store.frames(index), range(info.num_frames))), store.wave(index)))
    return found


def check(talks: Sequence[tuple[Tensor, Tensor]], least: float) -> None:
    """At least 95 % of the answers are right to one frame, in both directions alike, and enough are given."""
    asked = [(shift, *ask(lips, put_off(wave, shift))) for lips, wave in talks for shift in range(-REACH, REACH + 1, 3)]
    given = [(shift, best) for shift, best, sure in asked if sure >= SURE]
    assert len(given) >= least * len(asked)
    assert sum(abs(best - shift) <= 1 for shift, best in given) >= 0.95 * len(given)
    assert {shift < 0 for shift, _ in given} == {True, False}


def test_shifted_drawn_clips(tiny_store: Path):
    check(mouths(Store(tiny_store)), least=0.5)


@pytest.mark.grid
def test_shifted_grid_clips(grid_root: Path, tmp_path: Path):
    """Clips of all speakers but the one whose clips the operator was fitted on."""
    source = Grid(grid_root)
    chosen = [item for item in source.items() if item.speaker != "s1"]
    source.items = lambda: chosen  # type: ignore[method-assign]
    prepare(source, tmp_path / "store", dataset="grid", workers=1, progress=False)
    check(mouths(Store(tmp_path / "store")), least=0.5)


def test_what_has_no_offset_is_not_answered(tiny_store: Path):
    (lips, wave), (_, other), *_ = mouths(Store(tiny_store))
    noise = torch.rand(len(wave), generator=torch.Generator().manual_seed(0)) * 0.1
    for sound in (torch.zeros_like(wave), noise, other.flip(0)):
        assert ask(lips, sound)[1] < SURE
    assert ask(lips[:1].expand_as(lips), wave)[1] < SURE  # a photo


@pytest.mark.parametrize("shift", [-25, 25])
def test_out_of_reach_is_not_answered(tiny_store: Path, shift: int):
    sure = [ask(lips, put_off(wave, shift))[1] for lips, wave in mouths(Store(tiny_store))]
    assert sum(level >= SURE for level in sure) <= 1


def test_short_overlaps_do_not_win():
    assert strengths([0.5, 0.5], [-15, 0], 75).tolist() == pytest.approx(
        [np.arctanh(0.5), np.arctanh(0.5) * (75 / 60) ** 0.5]
    )
    assert strengths([float("nan"), 1.0], [0, 1], 75)[0] == 0


def test_a_second_peak_costs_confidence():
    one, two = np.zeros(31), np.zeros(31)
    one[20] = two[20] = 0.6
    two[5] = 0.55
    sure = [confidence(evidence(each, OFFSETS), shipped().calibration, OFFSETS) for each in (one, two)]
    assert sure[0] > sure[1]
    assert confidence(evidence(one, OFFSETS), shipped().calibration, range(-3, 4)) == 0


def peaks(*offsets: int) -> np.ndarray:
    found = np.zeros((len(offsets), 31))
    for row, offset in zip(found, offsets, strict=True):
        row[offset + 15] = 1.0
    return found


def test_a_store_has_one_offset_only_where_its_clips_agree():
    own = [3, 3, 4, 3, 2, 3, 3, 3]
    together = of_store(peaks(*own), OFFSETS, own, [0.9] * 8)
    assert (together.offset, together.confident, together.agree) == (3, 8, 8)
    assert together.confidence > 0.95
    apart = [-9, -6, -3, 0, 3, 6, 9, 12]
    assert of_store(peaks(*apart), OFFSETS, apart, [0.9] * 8).reason == "the clips do not agree on one offset"
    assert of_store(peaks(*own), OFFSETS, own, [0.1] * 8).offset is None
    assert of_store(peaks(5), OFFSETS, [5], [0.9]) == (5, 0.9, 1, 1, "")


def test_the_series_do_not_depend_on_size_or_place(tiny_store: Path):
    store = Store(tiny_store)
    landmarks = store.landmarks(0)
    place = crop.place_crops(landmarks, "mouth", (64, 64))
    pictures = place.cut(store.frames(0), range(len(landmarks)))
    one = lip_series(landmarks, pictures)
    two = lip_series(landmarks * 2 + 50, pictures)
    assert torch.allclose(one, two, atol=1e-5)
    assert sound_series(store.wave(0), 75).shape == (75, COEFFICIENTS)
    assert lips_from_sound.lips_of(torch.ones(75, 5, dtype=torch.float64)).abs().max() < 1e-6


def test_the_command_tries_both_ways_alike_and_says_how_sure_it_is(
    tiny_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    asked = ["analyze", "av-offset", str(tiny_store), "--out", str(tmp_path)]
    assert run(asked) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "-600 ms" in printed
    assert "+600 ms" in printed
    assert "of 6 are sure" in printed
    assert "store +0 frames: lips and sound together (confidence" in printed
    rows = list(csv.DictReader((tmp_path / "av_offset.csv").open()))
    for row in rows:
        assert row["offset"] == (row["best_offset"] if float(row["confidence"]) >= SURE else "cannot tell")
    assert run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["offsets"] == list(OFFSETS)
    assert abs(found["store"]["offset"]) <= 1
    assert sum(found["confident"]) == found["store"]["confident"]


def test_clips_that_are_too_short_are_counted(tiny_store: Path):
    result = study(Store(tiny_store), offsets=[0, 71], show=False)
    assert result.short + len(result.clips) == 6
    assert Study((0,), "magnitude", (ClipOffset("a", "s", (0.1,), 0),)).verdict() is None
