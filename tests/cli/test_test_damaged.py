"""`zoo test` on a store that was damaged: one line, and no score."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.tiny import TINY
from zoo.cli import main


def test_a_damaged_shard_ends_a_test_with_one_line(
    tiny_run: Path, tiny_store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], one_thread: None
):
    store = tmp_path / "store"
    shutil.copytree(tiny_store, store)
    for index in (store / "shards").glob("*.jsonl"):
        data = bytearray(index.with_suffix(".zip").read_bytes())
        for line in index.read_text().splitlines():
            data[json.loads(line)["offsets"][0] + 7] ^= 1  # a picture of each clip
        index.with_suffix(".zip").write_bytes(data)
    checkpoint, out = str(tiny_run / "checkpoints" / "last.ckpt"), tmp_path / "out"
    code = main.run(["test", "lipgan", *TINY, f"data.root={store}", "--ckpt", checkpoint, "--out", str(out)])
    (line,) = capfd.readouterr().err.splitlines()
    assert code == 1
    assert line.startswith("zoo test: ")
    assert "frames.npy is damaged" in line
    assert not (out / "summary.json").exists()
