"""The study of audio-video offsets: delays that are known are found, and the command writes a table and a plot."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.cli.analyze import find_store
from zoo.cli.main import run
from zoo.data.store.store import Store
from zoo.evaluation.analyze.av_offset import (
    ClipOffset,
    Study,
    correlations,
    lip_motion,
    pearson,
    sound_change,
    study,
    write_plot,
)
from zoo.support.errors import DataError, UnknownNameError


def test_pearson_by_hand():
    a, b = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 3.0, 2.0, 4.0])
    assert pearson(a, b) == pytest.approx(0.8)
    assert pearson(a, -3 * a + 7) == pytest.approx(-1)
    assert math.isnan(pearson(a, torch.ones(4)))


@pytest.mark.parametrize("delay", [-3, 0, 2, 5])
def test_a_delay_is_found(delay: int):
    sound = torch.rand(74, generator=torch.Generator().manual_seed(0))
    motion = torch.roll(sound, -delay)  # what moves at t is heard at t + delay
    found = correlations(sound, motion, range(-4, 8))
    assert found.index(max(found)) - 4 == delay
    assert max(found) == pytest.approx(1, abs=1e-6)


def test_too_short_to_be_moved():
    with pytest.raises(DataError, match="10 frames are too few to move by 7"):
        correlations(torch.rand(9), torch.rand(9), range(8))


def talking(delay: int, frames: int = 75) -> tuple[Tensor, Tensor]:
    """A picture that jumps, and clicks that are heard ``delay`` frames later; ``(T, 3, 64, 64)`` and a wave."""
    random = torch.Generator().manual_seed(1)
    scene = F.interpolate(torch.rand(1, 3, 20, 20, generator=random), (80, 80), mode="bicubic").clamp(0, 1)
    jumps = [7, 12, 20, 31, 44, 50, 61]
    where = torch.tensor([sum(t >= jump for jump in jumps) % 2 for t in range(frames)])
    pictures = torch.stack([scene[0, :, 8 + 2 * w : 72 + 2 * w, 8:72] for w in where.tolist()])
    level = torch.tensor([0.01 + 0.3 * (sum(t >= jump + delay for jump in jumps) % 2) for t in range(frames)])
    noise = torch.rand(frames * 640, generator=random) - 0.5
    return (pictures * 255).to(torch.uint8), noise * level.repeat_interleave(640)


@pytest.mark.parametrize("delay", [0, 3])
def test_from_pictures_and_sound_to_the_delay(delay: int):
    mouths, wave = talking(delay)
    found = correlations(sound_change(wave, 75, "magnitude"), lip_motion(mouths, "magnitude"), range(8))
    assert found.index(max(found)) == delay
    assert max(found) > 0.8


def test_an_opening_mouth_is_told_from_a_closing_one():
    """The lower part moves down, the upper part up: positive; the same film backwards: negative."""
    random = torch.Generator().manual_seed(2)
    scene = F.interpolate(torch.rand(1, 3, 16, 16, generator=random), (64, 64), mode="bicubic").clamp(0, 1)
    grid = F.affine_grid(torch.tensor([[[1.0, 0, 0], [0, 0.94, 0]]]), [1, 3, 64, 64], align_corners=False)
    wider = F.grid_sample(scene, grid, align_corners=False, padding_mode="border")
    film = (torch.cat([scene, wider]) * 255).to(torch.uint8)
    assert lip_motion(film, "opening").item() > 1
    assert lip_motion(film.flip(0), "opening").item() < -1
    assert lip_motion(film, "magnitude").item() > 0.5


def test_a_study_of_a_store(tiny_store: Path):
    store = Store(tiny_store)
    result = study(store, clips=3, show=False)
    assert [clip.clip for clip in result.clips] == [store.clips[k].id for k in (0, 2, 4)]
    for clip in result.clips:
        assert len(clip.correlations) == 8
        assert clip.best == clip.correlations.index(max(clip.correlations))
    assert sum(result.counts()) == 3
    assert result.means()[0] == pytest.approx(sum(clip.correlations[0] for clip in result.clips) / 3)
    with pytest.raises(DataError, match="no clip is long enough"):
        study(store, offsets=[0, 500], show=False)


def test_silence_has_no_best_offset():
    clips = (ClipOffset("a", "s", (0.1, 0.5), 1), ClipOffset("b", "s", (math.nan, math.nan), None))
    result = Study((0, 1), "magnitude", clips)
    assert result.counts() == [0, 1]
    assert result.means() == [0.1, 0.5]


def test_the_command(tiny_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("matplotlib")
    out = tmp_path / "study"
    asked = ["analyze", "av-offset", str(tiny_store), "--out", str(out), "--clips", "2", "--offsets", "-2", "3"]
    assert run([*asked, "--measure", "opening"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "best audio-video offset of 2 clips" in printed
    assert "-80 ms" in printed
    rows = list(csv.DictReader((out / "av_offset.csv").open()))
    assert len(rows) == 2
    assert -2 <= int(rows[0]["best_offset"]) <= 3
    assert float(rows[0][f"r_{rows[0]['best_offset']}"]) == max(float(rows[0][f"r_{k}"]) for k in range(-2, 4))
    assert (out / "av_offset.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["offsets"] == list(range(-2, 4))
    assert sum(found["best"]) == found["clips"] == 2


def test_what_is_asked_wrongly(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["analyze", "av-offset", "x", "--offsets", "3", "1"]) == 2
    assert "the first is the smaller one" in capsys.readouterr().err
    assert run(["analyze", "av-offset", "x", "--clips", "0"]) == 2
    with pytest.raises(UnknownNameError, match="nowhere: no store here; `zoo data prepare` makes one"):
        find_store("nowhere")
    assert run(["analyze", "av-offset", str(tmp_path)]) == 1
    assert "no store here" in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(DataError, match=r"pip install 'talking-face-zoo\[plots\]'"):
        write_plot(Study((0,), "magnitude", (ClipOffset("a", "s", (0.1,), 0),)), tmp_path / "p.png", "")
