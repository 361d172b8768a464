"""Whatever happens to the files of a store, what is read of it is what was written, or one clear line."""

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.data.store.verify import verify
from zoo.media.clip import Clip, Word
from zoo.support.errors import DataError


def make_clip(number: int) -> Clip:
    torch.manual_seed(number)
    return Clip(
        id=f"s{number % 2}/é{number}",
        speaker=f"s{number % 2}",
        text="bin blue",
        frames=torch.randint(0, 256, (4, 3, 9, 8 + number), dtype=torch.uint8),
        wave=torch.rand(4 * 640) * 2 - 1,
        landmarks=torch.rand(4, 68, 2) * 8,
        words=(Word(0.0, 0.1, "bin"),),
    )


CLIPS = [make_clip(number) for number in range(4)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_store(tmp_path / "store", CLIPS, dataset="test", shard_clips=2)
    return tmp_path / "store"


def read(path: Path) -> list[Any]:
    """Everything of every clip: first windows, which see only some bytes, then the whole."""
    store = Store(path)
    windows = [(store.frames(n, [2]), store.wave(n, 5, 9)) for n in range(len(store))]
    clips = [vars(store.clip(n)) for n in range(len(store))]
    return [windows, clips, [store.clips[n] for n in range(len(store))], store.meta["dataset"]]


def same(one: Any, other: Any) -> bool:
    if torch.is_tensor(one):
        return torch.equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def mutate(data: bytes, draw: random.Random) -> bytes:
    """A flipped bit, zeroed or doubled or lost bytes, a number made larger, the end cut off, or nothing left."""
    kind, place = draw.randrange(8), draw.randrange(len(data))
    size = draw.choice([1, 7, 200, 2000])
    before, hit, after = data[:place], data[place : place + size], data[place + size :]
    if kind == 0:
        return before + bytes([hit[0] ^ 1 << draw.randrange(8)]) + hit[1:] + after
    if kind == 1:
        return before + bytes(len(hit)) + after
    if kind == 2:
        return before + hit + hit + after
    if kind == 3:
        return before + after
    if kind == 4:
        return before + draw.randbytes(len(hit)) + after
    if kind == 5:
        return data.replace(b"4", b"9999999999", 1) if b"4" in data else before
    return before if kind == 6 else draw.choice([b"", b"[]", b"{}", b"null", b"[" * 9999, b"\xff\xfe"])


def attempt(look: Callable[[Path], Any], path: Path) -> Any:
    """What a look at a store gives, or the one line of its refusal; nothing else may happen."""
    try:
        found = look(path)
    except DataError as error:
        found = str(error)
    assert not isinstance(found, str) or "\n" not in found
    return found


def test_mutated_files_never_give_other_values(store: Path, tmp_path: Path):
    right = read(store)
    draw = random.Random(5)
    outcomes = {"same": 0, "refused": 0}
    files = sorted(path.relative_to(store) for path in store.rglob("*") if path.is_file())
    for number in range(240):
        name = files[number % len(files)]
        copy = tmp_path / "copy"
        shutil.copytree(store, copy)
        data = mutate((store / name).read_bytes(), draw)
        (copy / name).write_bytes(data)
        found = attempt(read, copy)
        outcomes["refused" if isinstance(found, str) else "same"] += 1
        if not isinstance(found, str):
            if name.name != "store.json":  # people change it by hand; the clips do not depend on it
                assert same(found, right), (number, name)
            assert same(found[:3], right[:3]), (number, name)
        report = attempt(lambda path: verify(path, progress=False), copy)
        unchanged = data == (store / name).read_bytes() or name.name == "store.json"
        assert isinstance(report, str) or bool(report.findings) != unchanged, (number, name, report)
        shutil.rmtree(copy)
    assert outcomes["refused"] > 100


def rewrite_index(store: Path, **change: Any) -> None:
    """A stranger's store: an index of wrong values with checksums that fit it."""
    index = store / "shards/00000.jsonl"
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    rows[0] |= change
    rewrite(index, "".join(json.dumps(row) + "\n" for row in rows).encode())


def rewrite(index: Path, data: bytes) -> None:
    index.write_bytes(data)
    files = (index.with_suffix(".zip"), index)
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    index.with_suffix(".sha256").write_text(sums)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 3},
        {"id": "../../x"},
        {"id": "/etc/x"},
        {"id": ""},
        {"id": "s1/other"},
        {"text": None},
        {"words": "bin"},
        {"words": [["0", 1, "bin"]]},
        {"words": [[0, float("nan"), "bin"]]},
        {"words": [[0, 1]]},
        {"num_frames": "4"},
        {"num_frames": -4},
        {"num_frames": 0},
        {"num_frames": 3},
        {"num_frames": True},
        {"num_frames": 10**15},
        {"num_frames": 2**31, "height": 2**31},
        {"height": 9.5},
        {"width": None},
        {"num_samples": float("inf")},
        {"num_samples": 2**40},
        {"num_samples": 2559},
        {"fps": 0},
        {"fps": float("nan")},
        {"sample_rate": [16000]},
        {"offsets": [1, 2, 3]},
        {"offsets": [-5, 2, 3]},
        {"offsets": [0, 0, 0]},
        {"offsets": [10**18, 2, 3]},
        {"offsets": "123"},
    ],
)
def test_an_index_of_wrong_values_is_one_line(store: Path, change: dict[str, Any]):
    rewrite_index(store, **change)
    with pytest.raises(DataError) as error:
        read(store)
    assert "\n" not in str(error.value)
    assert verify(store, progress=False).findings


@pytest.mark.parametrize("line", [b"", b"[]\n", b"null\n", b"{}\n", b'"x"\n', b"\xff\n", b"[" * 9999 + b"\n"])
def test_an_index_that_is_none(store: Path, line: bytes):
    rewrite(store / "shards/00000.jsonl", line)
    if line:
        with pytest.raises(DataError, match=r"00000\.jsonl"):
            read(store)
    assert verify(store, progress=False).findings


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1"},
        {"version": None},
        {"dataset": 5},
        {"dataset": None},
        {"splits": "by-clip"},
        {"splits": [1]},
        {"shards": "00000"},
        {"shards": ["x"]},
        {"shards": [0]},
        {"settings": []},
        {"licence": ["CC0"]},
        {"root": 1},
    ],
)
def test_a_store_json_of_wrong_types_is_one_line(store: Path, change: dict[str, Any]):
    meta = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps(meta | change))
    for look in (Store, verify):
        with pytest.raises(DataError, match=r"store\.json"):
            look(store)


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"\xff\xfe\x00", b"[" * 99_999, b'{"format": 1}'])
def test_a_store_json_that_is_none(store: Path, text: bytes):
    (store / "store.json").write_bytes(text)
    with pytest.raises(DataError, match=r"store\.json|newer"):
        Store(store)


def test_a_shard_that_is_gone(store: Path):
    for file in store.glob("shards/00001.*"):
        file.unlink()
    with pytest.raises(DataError, match=r"shards that were written are missing \(00001\)"):
        Store(store)


@pytest.mark.parametrize("which", ["double", "other order", "no end", "capitals", "one", "more"])
def test_checksums_are_exactly_two(store: Path, which: str):
    file = store / "shards/00000.sha256"
    first, second = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(
        {
            "double": first + second + second,
            "other order": second + first,
            "no end": first + second[:-1],
            "capitals": first.upper() + second,
            "one": second,
            "more": first + second + b"\n",
        }[which]
    )
    assert any("00000.sha256" in line for line in verify(store, progress=False).findings)
    with pytest.raises(DataError, match=r"00000\.sha256"):
        Store(store)


def test_a_damaged_picture_is_found_by_a_window_of_others(store: Path):
    shard = store / "shards/00000.zip"
    data = bytearray(shard.read_bytes())
    pixels = CLIPS[1].frames.permute(0, 2, 3, 1).contiguous().numpy().tobytes()
    data[data.index(pixels)] ^= 1  # in the first frame
    shard.write_bytes(data)
    opened = Store(store)
    assert torch.equal(opened.frames(0), CLIPS[0].frames)
    for _ in range(2):  # never remembered as right
        with pytest.raises(DataError, match=r"s1/é1/frames\.npy is damaged"):
            opened.frames(1, [3])
    assert torch.equal(opened.wave(1), CLIPS[1].wave)


def test_each_array_is_checked_once(store: Path, monkeypatch: pytest.MonkeyPatch):
    from zoo.data.store import store as module

    checked: list[str] = []
    check = module.check_member
    monkeypatch.setattr(module, "check_member", lambda *given: (checked.append(given[2]), check(*given)))
    opened = Store(store)
    for _ in range(3):
        opened.clip(0)
        opened.frames(0, [1])
    assert checked == ["s0/é0/frames.npy", "s0/é0/wave.npy", "s0/é0/landmarks.npy"]
