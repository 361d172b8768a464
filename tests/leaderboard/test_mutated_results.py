"""Results whose values have been changed by type or by byte: every command makes a leaderboard of them, or one line."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.cli import main

RESULTS = Path(__file__).parent / "results-1"

FILES = sorted(path.relative_to(RESULTS).as_posix() for path in RESULTS.rglob("*.json*"))

GONE = object()
"""Stands for a field that is not there."""

VALUES = [
    None, True, [], {}, [[[]]], {"a": None}, "", "x", "\ud800", 0, -1, 1.5, 1e308, -1e-320, float("inf"), float("nan"),
    10**30, 10**400, GONE,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a JSON value holds values; of lists the first alone."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return None if new is GONE else new
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if new is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return copy


def survives(folder: Path, capsys: pytest.CaptureFixture[str], what: object) -> None:
    """Every command makes something of the folder, or says in one line why not."""
    for line in (["leaderboard", str(folder), "--html"], ["compare", "alpha", "beta", "--dir", str(folder)]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            code = main.run(line)
        _, err = capsys.readouterr()
        lines = err.splitlines()
        if code == 0:  # rows that do not count are told of
            lines = [said for said in lines if not said.startswith(f"zoo compare: {folder}: ")]
        assert (code, len(lines)) in {(0, 0), (1, 1), (2, 1)}, (what, err)


@pytest.mark.parametrize("name", FILES)
def test_values_of_another_type(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = shutil.copytree(RESULTS, tmp_path / "results")
    text = (RESULTS / name).read_text()
    first, newline, rest = text.partition("\n") if name.endswith(".jsonl") else (text, "", "")
    value, rng = json.loads(first), random.Random(name)
    for path in places(value):
        for new in rng.sample(VALUES, 2):
            (folder / name).write_text(json.dumps(changed(value, path, new)) + newline + rest)
            survives(folder, capsys, (name, path, new))


@pytest.mark.parametrize("seed", range(20))
def test_bytes_that_changed(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rng = random.Random(seed)
    folder = shutil.copytree(RESULTS, tmp_path / "results")
    path = folder / rng.choice(FILES)
    data = bytearray(path.read_bytes())
    at, size = rng.randrange(len(data)), rng.randrange(1, 200)
    match seed % 5:
        case 0:
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            data[at : at + size] = bytes(min(size, len(data) - at))
        case 2:
            del data[at : at + size]
        case 3:
            data[at:at] = b"[" * 50_000
        case 4:
            data[at:at] = rng.randbytes(size)
    path.write_bytes(data)
    survives(folder, capsys, (path.name, seed))
