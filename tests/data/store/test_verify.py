"""Damage of every kind is found and named."""

import json
import random
from pathlib import Path

import pytest
import torch

from zoo.data.store.shard import sha256, write_store
from zoo.data.store.verify import verify
from zoo.media.clip import Clip
from zoo.support.errors import DataError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    clips = (
        Clip(
            f"s1/{n}", "s1", "", torch.full((3, 3, 8, 8), n, dtype=torch.uint8), torch.zeros(1920), torch.ones(3, 68, 2)
        )
        for n in range(6)
    )
    write_store(tmp_path / "store", clips, dataset="test", shard_clips=2)
    return tmp_path / "store"


def findings(store: Path) -> str:
    report = verify(store, progress=False)
    assert report.exit_code == bool(report.findings)
    assert all("\n" not in line for line in report.findings)
    return "\n".join(report.findings)


def test_sound_store(store: Path):
    report = verify(store, progress=False)
    assert (report.shards, report.clips, report.findings, report.exit_code) == (3, 6, (), 0)
    assert "no error found" in str(report)


@pytest.mark.parametrize("suffix", [".zip", ".jsonl", ".sha256"])
def test_a_flipped_byte_anywhere(store: Path, suffix: str):
    file = store / "shards" / f"00001{suffix}"
    data = file.read_bytes()
    draw = random.Random(0)
    ends = {0, 1, len(data) - 1, len(data) - 30}
    for position in sorted(ends | {draw.randrange(len(data)) for _ in range(60)}):
        flipped = bytearray(data)
        flipped[position] ^= 1 << draw.randrange(8)
        file.write_bytes(flipped)
        found = findings(store)
        assert "shards/00001" in found, position
        assert "shards/00000" not in found
    file.write_bytes(data)
    assert not findings(store)


def test_the_clip_that_is_hit_is_named(store: Path):
    file = store / "shards" / "00001.zip"
    data = bytearray(file.read_bytes())
    data[data.index(bytes([3]) * 100)] ^= 1  # a pixel of clip 3
    file.write_bytes(data)
    assert "s1/3/frames.npy is damaged" in findings(store)


def test_cut_short(store: Path):
    file = store / "shards" / "00002.zip"
    file.write_bytes(file.read_bytes()[:1000])
    assert "shards/00002.zip: does not match" in findings(store)


@pytest.mark.parametrize("suffix", [".zip", ".jsonl", ".sha256"])
def test_a_missing_file(store: Path, suffix: str):
    (store / "shards" / f"00001{suffix}").unlink()
    assert findings(store) == f"shards/00001: missing: {suffix}"


@pytest.mark.parametrize("name", ["00000", "00001", "00002"])
def test_a_missing_shard(store: Path, name: str):
    for file in store.glob(f"shards/{name}.*"):
        file.unlink()
    assert findings(store) == f"shards/{name}: the shard is missing"


@pytest.mark.parametrize(
    ("key", "value"), [("num_frames", 4), ("height", 9), ("num_samples", 7), ("offsets", [1, 2, 3])]
)
def test_an_index_that_does_not_fit_its_shard(store: Path, key: str, value: object):
    index = store / "shards" / "00000.jsonl"
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    rows[1][key] = value
    index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sums = "".join(f"{sha256(file)}  {file.name}\n" for file in (index.with_suffix(".zip"), index))
    index.with_suffix(".sha256").write_text(sums)
    assert "s1/1/" in findings(store)


def test_a_clip_twice(store: Path):
    for file in store.glob("shards/00000.*"):
        (store / "shards" / f"00007{file.suffix}").write_bytes(file.read_bytes())
    sums = store / "shards" / "00007.sha256"
    sums.write_text(sums.read_text().replace("00000", "00007"))
    assert "clip 's1/0' is in shard" in findings(store)


def test_no_store(tmp_path: Path):
    with pytest.raises(DataError, match="zoo data prepare"):
        verify(tmp_path)
    with pytest.raises(DataError, match="local"):
        verify("memory://somewhere")
