"""The table of agreements: it covers every metric, holds, and notices a metric that is wrong."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from functools import wraps
from importlib.metadata import PackageNotFoundError, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.paths import ROOT

MOST = 3
"""Inputs per row."""

OF_METRIC = {
    "lmd": ("landmark_distance",),
    "motion": ("motion_ratio",),
    "motion_outside": ("motion_ratio",),
    "cpbd": ("cpbd", "sobel_edges", "canny"),
    "acd": ("average_content_distance",),
    "sync_acc": ("sync_acc", "expert_quality"),
    "wer, cer": ("ctc_decode", "prefix_beam_search"),
    "wer_grammar, cer_grammar": ("ctc_decode", "best_sentence"),
    "psnr": ("psnr",),
    "ssim": ("ssim",),
    "lpips": ("lpips",),
    "fdbm": ("fdbm",),
    "fid": ("frechet_distance",),
}
"""The functions behind the rows of a metric; those that the tables SYNC and RATES name are falsified there."""


@pytest.fixture(scope="module")
def agreements() -> ModuleType:
    path = ROOT / "benchmarks" / "agreements.py"
    spec = importlib.util.spec_from_file_location("agreements", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["agreements"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def falsified(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with an answer that is off by a hundredth, or by a letter."""

    def wrong(answer: Any) -> Any:
        if isinstance(answer, str):
            return answer + "x"
        if isinstance(answer, tuple) and len(answer) == 2:  # a text and its probability
            return wrong(str(answer[0])), answer[1] + 0.01
        values = np.asarray(answer)
        return ~values if values.dtype == bool else torch.tensor(values * 1.01 + 0.01)

    return wraps(function)(lambda *arguments, **options: wrong(function(*arguments, **options)))


def run(agreements: ModuleType, row: Any) -> str:
    """What is wrong with a row; rows that read MATLAB's fixtures are not asked here."""
    return agreements.tabled(row, None, MOST)[1]


def test_every_metric_has_a_row(agreements: ModuleType):
    held = {name for row in agreements.ROWS for name in row.metric.split(", ")}
    assert held == {point.name for point in entry_points(group="zoo.metrics") if point.value.startswith("zoo.")}
    assert len({(row.metric, row.variant, row.oracle) for row in agreements.ROWS}) == len(agreements.ROWS)


def test_it_holds_on_few_inputs_that_differ(
    agreements: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked: dict[str, list[str]] = {}
    compare = agreements.difference

    def difference(got: Any, want: Any, relative: bool) -> float:
        asked.setdefault(current[0], []).append(str(want))
        return compare(got, want, relative)

    current = [""]
    measure = agreements.measure

    def measured(row: Any, *arguments: Any) -> Any:
        current[0] = f"{row.metric} {row.variant} {row.oracle}"
        return measure(row, *arguments)

    monkeypatch.setattr(agreements, "difference", difference)
    monkeypatch.setattr(agreements, "measure", measured)
    monkeypatch.delenv("ZOO_CPBD_ROOT", raising=False)
    page = tmp_path / "docs" / "page.md"
    assert agreements.main(["--most", str(MOST), "--out", str(page)]) == 0
    out, err = capsys.readouterr()
    text = page.read_text()
    assert out.strip() in text
    assert err == ""
    rows = text.splitlines()[-len(agreements.ROWS) :]
    skipped = [line for line in rows if "not run" in line]
    assert len(skipped) == 5
    assert all("name their folder with --cpbd" in line for line in skipped)
    assert "| psnr | float | scikit-image " in text
    assert f"`python benchmarks/agreements.py --cpbd FOLDER --most {MOST}`" in text
    assert str(tmp_path) not in text
    same = [name for name, wants in asked.items() if len(set(wants)) == 1]
    assert same == []  # the oracle has more than one answer
    assert len(asked) == len(agreements.ROWS) - len(skipped)


@pytest.mark.parametrize("metric", OF_METRIC)
def test_a_wrong_metric_is_named(agreements: ModuleType, metric: str, monkeypatch: pytest.MonkeyPatch):
    for name in OF_METRIC[metric]:
        monkeypatch.setattr(agreements, name, falsified(getattr(agreements, name)))
    monkeypatch.setattr("zoo.evaluation.metrics.fid.frechet_distance", lambda *moments: 1.0)
    monkeypatch.setattr("zoo.face.embed.DlibEmbedder.embed", lambda *arguments: torch.zeros(1, 128))
    rows = [row for row in agreements.ROWS if row.metric == metric]
    problems = {row.variant: run(agreements, row) for row in rows}
    assert problems
    for variant, problem in problems.items():
        assert problem.startswith(f"{metric} ({variant}): differs from ") or "no MATLAB fixtures" in problem


def test_matlabs_fixtures(agreements: ModuleType, monkeypatch: pytest.MonkeyPatch):
    root = Path(os.environ.get("ZOO_CPBD_ROOT", ROOT.parent / "shared" / "data" / "cpbd"))
    if not root.is_dir():
        message = f"no MATLAB fixtures in {root}: set ZOO_CPBD_ROOT"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    rows = [row for row in agreements.ROWS if "MATLAB" in row.oracle + row.variant]
    assert [agreements.tabled(row, root, MOST)[1:] for row in rows] == [("", True)] * 5
    for name in ("cpbd", "sobel_edges", "edge_widths", "sharp_share"):
        monkeypatch.setattr(agreements, name, falsified(getattr(agreements, name)))
    for row in rows:
        assert agreements.tabled(row, root, MOST)[1].startswith(f"cpbd ({row.variant}): differs from ")


@pytest.mark.parametrize("table", ["SYNC", "RATES"])
def test_a_wrong_sync_metric_or_rate_is_named(agreements: ModuleType, table: str, monkeypatch: pytest.MonkeyPatch):
    functions = getattr(agreements, table)
    for metric in list(functions):
        monkeypatch.setitem(functions, metric, falsified(functions[metric]))
        for row in agreements.ROWS:
            if row.metric == metric:
                assert run(agreements, row).startswith(f"{metric} ({row.variant}): differs from ")


def test_exit_codes(agreements: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.delenv("ZOO_CPBD_ROOT", raising=False)
    chosen = [row for row in agreements.ROWS if row.metric in ("psnr", "cpbd") and "python" not in row.variant]
    monkeypatch.setattr(agreements, "ROWS", chosen)
    assert agreements.main(["--most", "2"]) == 0
    assert agreements.main(["--most", "2", "--strict", "--cpbd", "/nowhere"]) == 1
    err = capsys.readouterr().err
    assert "agreements: cpbd (matlab): not run: no reference_img1_input.txt in the folder of --cpbd" in err
    monkeypatch.setattr("zoo.evaluation.metrics.psnr._decibels", lambda error: 10 * (256.0**2 / error).log10())
    assert agreements.main(["--most", "2"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["psnr (float)", "psnr (video)", "psnr (legacy-uint8)"]
    assert lines[0] == "agreements: psnr (float): differs from scikit-image by 0.034, allowed 1e-06"


def test_a_missing_oracle_is_said(agreements: ModuleType, monkeypatch: pytest.MonkeyPatch):
    (row,) = (row for row in agreements.ROWS if row.oracle == "piq")
    monkeypatch.setitem(sys.modules, "piq", None)
    assert run(agreements, row) == "ssim (wang): not run: piq cannot be imported"

    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(agreements, "version", version)
    line, problem, asked = agreements.tabled(row, None, 1)
    assert line == "| ssim | wang | piq | 0 | not run: piq is not installed | 1e-06 |"
    assert problem.endswith("not run: piq is not installed")
    assert not asked


@pytest.mark.parametrize(
    ("got", "want", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([np.nan, np.inf], [np.nan, np.inf], 0.0),
        ([np.nan], [1.0], np.inf),
        ([1.0], [1.0, 1.0], np.inf),
        ("a", "b", 1.0),
        ("a", "a", 0.0),
    ],
)
def test_differences(agreements: ModuleType, got: Any, want: Any, expected: float):
    assert agreements.difference(got, want, False) == expected
    assert agreements.difference([3.0], [2.0], True) == 0.5
