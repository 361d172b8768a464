"""``zoo compare A B``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.cli import main

Run = Callable[..., Any]


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``zoo compare``: its JSON by track and metric, or the error."""

    def run(*arguments: object, code: int = 0) -> Any:
        assert main.run(["compare", *map(str, arguments), "--json"]) == code
        out, err = capsys.readouterr()
        if code:
            return err
        return {(item["track"], item["metric"]): item for item in json.loads(out)["comparisons"]}

    return run


def test_by_hand(compare: Run, old_results: Path):
    found = compare("alpha", "beta", "--dir", old_results)
    lmd, wer = found["reconstruction", "lmd"], found["reconstruction", "wer"]
    assert (lmd["a"], lmd["b"], lmd["difference"]) == pytest.approx((3.6, 4.5, -0.9))
    assert (lmd["low"], lmd["high"]) == pytest.approx((-0.9, -0.9))
    assert (lmd["p"], lmd["p_holm"], lmd["winner"], lmd["clips"]) == (2**-5, 2**-4, "", 6)
    assert (wer["a"], wer["b"], wer["clips"]) == (pytest.approx(6 / 24), pytest.approx(9 / 24), 5)
    back = compare("beta", "alpha", "--dir", old_results)["reconstruction", "lmd"]
    assert back["difference"] == pytest.approx(0.9)


def test_direction_is_known(compare: Run, results: Path):
    found = compare("lipgan", "still", "--dir", results)
    assert {track for track, _ in found} == {"reconstruction", "cross"}
    for name, winner in (("lse_d", "A"), ("lse_c", "A"), ("sync_acc", "A"), ("motion", "A"), ("cpbd", "B")):
        assert found["reconstruction", name]["winner"] == winner, name
    assert found["reconstruction", "lse_d"]["difference"] < 0
    assert found["reconstruction", "lse_c"]["difference"] > 0


def test_two_folders_and_cells(compare: Run, results: Path, tmp_path: Path):
    other = shutil.copytree(results, tmp_path / "other")
    found = compare(f"{results}/lipgan", f"{other}/lipgan")
    assert all(item["difference"] == 0 and item["p"] == 1 and not item["winner"] for item in found.values())
    found = compare("lipgan-seed0-cross", "lipgan-seed1-cross", "--dir", results)
    assert {track for track, _ in found} == {"cross"}
    suite = other / "suite.json"
    suite.write_text(json.dumps(json.loads(suite.read_text()) | {"data": "beef"}))
    assert "different test data" in compare(f"{results}/lipgan", f"{other}/lipgan", code=1)


def test_other_protocols_are_not_compared(compare: Run, results: Path, tmp_path: Path):
    other = shutil.copytree(results, tmp_path / "other")
    for path in other.glob("cells/lipgan-*/rows.jsonl"):
        for file in (path, path.with_name("cell.json")):
            file.write_text(file.read_text().replace("lmd|crop:face256", "lmd|crop:mouth"))
    found = compare(f"{results}/lipgan", f"{other}/lipgan")
    assert found["cross", "lmd"]["difference"] is None
    assert "different protocols" in found["cross", "lmd"]["reason"]
    assert found["cross", "wer"]["difference"] == 0


def test_other_sounds_are_not_compared(compare: Run, results: Path, tmp_path: Path):
    other = shutil.copytree(results, tmp_path / "other")
    for path in other.glob("cells/lipgan-*-cross/rows.jsonl"):
        lines = path.read_text().splitlines(keepends=True)
        changed = [line.replace('"sound":"s1/clip00"', '"sound":"s2/clip00"') for line in lines[: len(lines) // 2]]
        path.write_text("".join(changed + lines[len(lines) // 2 :]))
    found = compare(f"{results}/lipgan", f"{other}/lipgan")
    assert (found["reconstruction", "lmd"]["clips"], found["cross", "lmd"]["clips"]) == (20, 10)
    for path in other.glob("cells/lipgan-*-cross/rows.jsonl"):
        path.write_text(path.read_text().replace('"sound":"s1/clip00"', '"sound":"s2/clip00"'))
    found = compare(f"{results}/lipgan", f"{other}/lipgan")
    assert found["cross", "lmd"]["difference"] is None
    assert found["cross", "lmd"]["reason"] == "every clip with another sound"


def test_fewer_seeds_are_told(compare: Run, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = shutil.copytree(results, tmp_path / "results")
    (folder / "cells" / "lipgan-seed1-cross" / "rows.jsonl").unlink()
    found = compare("lipgan", "still", "--dir", folder)
    assert (found["reconstruction", "lmd"]["seeds_a"], found["cross", "lmd"]["seeds_a"]) == ([2, 2], [1, 2])
    assert found["cross", "lmd"]["seeds_b"] == [1, 1]
    assert main.run(["compare", "lipgan", "still", "--dir", str(folder)]) == 0
    assert "lipgan: 1 of 2 seeds have a value: lmd (cross)" in capsys.readouterr().out


def test_bad_names(compare: Run, results: Path, old_results: Path):
    assert "has no 'lipgun'" in compare("lipgun", "still", "--dir", results, code=2)
    assert "no results there" in compare("nowhere/lipgan", "still", "--dir", results, code=1)
    assert "nothing to pair" in compare(f"{old_results}/alpha", "still", "--dir", results, code=1)
    assert "in common" in compare("gamma", "alpha", "--dir", old_results, code=1)


def test_table(results: Path, capsys: pytest.CaptureFixture[str]):
    assert main.run(["compare", "lipgan", "at-a-glance", "--dir", str(results)]) == 0
    shown = capsys.readouterr().out
    assert "A − B" in shown
    assert "lipgan" in shown
    assert "20 clips" in shown


def test_rows_that_do_not_count_are_told(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = shutil.copytree(results, tmp_path / "out")
    rows = out / "cells" / "lipgan-seed0-reconstruction" / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-10])
    assert main.run(["compare", "lipgan", "still", "--dir", str(out)]) == 0
    assert "lipgan-seed0-reconstruction: 1 row damaged or lost, and not counted" in capsys.readouterr().err
