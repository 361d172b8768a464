"""Labels and arrays of clips: from the source through the store into a batch; stores without any are as they were."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch

from zoo.data.loading import batch_bytes
from zoo.data.module import TalkingFaceData
from zoo.data.pieces import find_pieces
from zoo.data.sources.base import OpenClip, SourceItem
from zoo.data.sources.folder import Folder
from zoo.data.splitting import Splitting
from zoo.data.store.shard import ShardWriter, write_store
from zoo.data.store.store import Store
from zoo.data.store.verify import verify
from zoo.data.windows import Draw, Windows, collate
from zoo.face.backends import Finders
from zoo.media.clip import Clip
from zoo.media.video import write_video
from zoo.registry.config import DataConfig
from zoo.registry.spec import InputSpec, Uses
from zoo.support.errors import DataError, MediaError

SPEC = InputSpec(size=(16, 16), frames=3, context=640)


def numbers(*shape: int) -> torch.Tensor:
    count = int(np.prod(shape))
    return (torch.arange(count, dtype=torch.float32) % 97 / 97).view(shape)


def make_clip(number: int, frames: int = 8) -> Clip:
    """A clip with an emotion, three numbers of the mouth and one of loudness for each frame."""
    return Clip(
        id=f"s{number}/é{number}",
        speaker=f"s{number}",
        text="bin",
        frames=(numbers(frames, 3, 40, 40) * 255).to(torch.uint8),
        wave=numbers(frames * 640) * 2 - 1,
        landmarks=numbers(frames, 68, 2) * 30 + 4,
        labels={"emotion": "happy" if number % 2 else "sad", "take": str(number)},
        arrays={"mouth": numbers(frames, 3) + number, "loudness": numbers(frames)},
    )


CLIPS = [make_clip(number) for number in range(4)]

PLAIN = [replace(clip, labels={}, arrays={}) for clip in CLIPS]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_store(tmp_path / "store", CLIPS, dataset="test", shard_clips=2)
    return tmp_path / "store"


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_they_come_back_bit_for_bit(where: str, store: Path):
    if where == "memory":
        fsspec.filesystem("memory").put(str(store), "/labels/store", recursive=True)
    found = Store(store if where == "folder" else "memory://labels/store")
    for number, clip in enumerate(CLIPS):
        assert found.clips[number].labels == clip.labels == found.clip(number).labels
        assert found.shapes(number) == {"mouth": (3,), "loudness": ()}
        for name, values in clip.arrays.items():
            assert torch.equal(found.clip(number).arrays[name], values)
            assert torch.equal(found.array(number, name), values)
            assert torch.equal(found.array(number, name, 2, 3), values[2:5])
            assert torch.equal(found.array(number, name, 6), values[6:])
    assert torch.equal(pickle.loads(pickle.dumps(found)).array(3, "mouth"), CLIPS[3].arrays["mouth"])
    with pytest.raises(DataError, match=r"clip 's0/é0' has no array 'jaw'; it has loudness, mouth"):
        found.array(0, "jaw")


def test_any_zip_tool_and_numpy_read_them(store: Path):
    with zipfile.ZipFile(store / "shards" / "00000.zip") as archive, archive.open("s1/é1/mouth.npy") as file:
        assert np.array_equal(np.load(file), CLIPS[1].arrays["mouth"].numpy())
    assert verify(store, progress=False).findings == ()


def test_without_any_the_bytes_are_those_of_before(tmp_path: Path):
    """Recorded from the version before there were any: old stores are read, and new ones are no others."""
    write_store(tmp_path, PLAIN[:1], dataset="test")
    sums = [hashlib.sha256((tmp_path / "shards" / f"00000.{kind}").read_bytes()).hexdigest()[:16] for kind in SUMS]
    assert sums == list(SUMS.values())
    line = json.loads((tmp_path / "shards" / "00000.jsonl").read_text())
    assert not {"labels", "arrays"} & set(line)
    old = Store(tmp_path)
    assert (old.clips[0].labels, old.shapes(0), old.clip(0).arrays) == ({}, {}, {})
    with pytest.raises(DataError, match="has no array 'mouth'; it has none"):
        old.array(0, "mouth")


SUMS = {"zip": "8ee7eea5726a0fc6", "jsonl": "d0377e14d962d4c0"}


@pytest.mark.parametrize("name", ["frames", "../x", "a/b", "", "1st", "x" * 41, "a b"])
def test_names_that_could_not_be_files(name: str, tmp_path: Path):
    for kind in ("labels", "arrays"):
        if kind == "labels" and name == "frames":
            continue
        value: Any = "x" if kind == "labels" else numbers(8, 2)
        with pytest.raises(ValueError, match=r"name|each clip has"):
            write_store(tmp_path / kind, [replace(CLIPS[0], **{kind: {name: value}})], dataset="test")


@pytest.mark.parametrize("values", [numbers(7, 2), numbers(8, 2).double(), numbers(8, 0)])
def test_arrays_that_are_not_one_entry_of_floats_per_frame(values: torch.Tensor, tmp_path: Path):
    clip = replace(PLAIN[0])
    clip.arrays = {"mouth": values}
    with pytest.raises(ValueError, match=r"mouth is|no shape"):
        write_store(tmp_path, [clip], dataset="test")


def test_a_clip_is_taken_back_with_its_arrays(tmp_path: Path):
    """Its video ends early after the first of three clips: what follows lies where the index says."""
    (tmp_path / "shards").mkdir()
    with ShardWriter(tmp_path / "shards", "00000") as writer:
        writer.add(CLIPS[0])
        mark = writer.mark()
        writer.add(CLIPS[1])
        with pytest.raises(MediaError):
            writer.add(CLIPS[2], pictures=iter(CLIPS[2].frames[:3]))
        writer.rewind(mark)
        writer.add(CLIPS[3])
        writer.close()
    (tmp_path / "store.json").write_text('{"format": "zoo-store", "version": 1, "dataset": "test"}')
    assert verify(tmp_path, progress=False).findings == ()
    assert torch.equal(Store(tmp_path).array(1, "mouth"), CLIPS[3].arrays["mouth"])


def test_a_flipped_byte_of_an_array(store: Path):
    row = json.loads((store / "shards" / "00000.jsonl").read_text().splitlines()[0])
    file = store / "shards" / "00000.zip"
    data = bytearray(file.read_bytes())
    data[row["arrays"]["mouth"]["start"] + 5] ^= 1
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"s0/é0/mouth.npy is damaged"):
        Store(store).array(0, "mouth", 6, 1)
    assert torch.equal(Store(store).array(0, "loudness"), CLIPS[0].arrays["loudness"])
    assert any("s0/é0/mouth.npy is damaged" in line for line in verify(store, progress=False).findings)


def reindex(store: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the first line of an index, and make its checksum fit."""
    index, sums = store / "shards" / "00000.jsonl", store / "shards" / "00000.sha256"
    before = hashlib.sha256(index.read_bytes()).hexdigest()
    first, *rest = index.read_text().splitlines()
    row = json.loads(first)
    change(row)
    index.write_text("\n".join([json.dumps(row, ensure_ascii=False), *rest]) + "\n")
    sums.write_text(sums.read_text().replace(before, hashlib.sha256(index.read_bytes()).hexdigest()))


def of_mouth(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row["arrays"]["mouth"].update(values)


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a path": lambda row: row["arrays"].update({"../../x": row["arrays"]["mouth"]}),
    "a name that each clip has": lambda row: row["arrays"].update(frames=row["arrays"]["mouth"]),
    "arrays are a list": lambda row: row.update(arrays=[1]),
    "labels are numbers": lambda row: row.update(labels={"emotion": 1}),
    "a label of no name": lambda row: row.update(labels={"../x": "y"}),
    "a start below 0": of_mouth(start=-1),
    "a start that is a word": of_mouth(start="x"),
    "a start beyond the file": of_mouth(start=2**40),
    "an entry of no size": of_mouth(shape=[0]),
    "an entry below 0": of_mouth(shape=[-3]),
    "an entry of any size": of_mouth(shape=[2**20, 2**20]),
    "an entry of any axes": of_mouth(shape=[1] * 99),
    "an entry that is longer than the file": of_mouth(shape=[2**20]),
    "another place": lambda row: row["arrays"]["mouth"].update(start=row["arrays"]["loudness"]["start"]),
    "another size": of_mouth(shape=[2]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_index_is_one_line(kind: str, store: Path):
    reindex(store, HOSTILE[kind])
    with pytest.raises(DataError) as caught:
        Store(store).clip(0)
    assert "\n" not in str(caught.value)
    report = verify(store, progress=False)
    assert report.findings
    assert all("\n" not in line for line in report.findings)


def test_they_are_cut_with_the_frames_and_labels_are_copied():
    """A face that is away for a second makes two clips of a video."""
    landmarks = numbers(90, 68, 2) * 30 + 4
    landmarks[30:60] = torch.nan
    clip = OpenClip(
        torch.zeros(90, 3, 40, 40, dtype=torch.uint8), numbers(90 * 640), landmarks=landmarks,
        labels={"emotion": "sad"}, arrays={"mouth": numbers(90, 3)},
    )  # fmt: skip

    def pieces(clip: OpenClip, splitting: Splitting | None) -> Any:
        finding = find_pieces(clip, SourceItem("talk", "s"), finders=Finders(), splitting=splitting)
        try:
            while True:
                next(finding)
        except StopIteration as end:
            return end.value.pieces

    first, second = pieces(clip, Splitting())
    assert (first.first, second.first) == (0, 60)
    for piece in (first, second):
        assert piece.clip.labels == {"emotion": "sad"}
        assert torch.equal(piece.clip.arrays["mouth"], clip.arrays["mouth"][piece.first : piece.stop])
    for splitting in (None, Splitting()):
        short = replace(clip, landmarks=numbers(90, 68, 2) * 30 + 4, arrays={"mouth": numbers(89, 3)})
        with pytest.raises(MediaError, match="'mouth' has 89 entries for 90 frames"):
            pieces(short, splitting)
    with pytest.raises(MediaError, match="'mouth' has 89 entries for 90 frames"):
        short.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A video ``ann.take.1.mp4`` of ten frames."""
    write_video(tmp_path / "ann.take.1.mp4", torch.zeros(10, 3, 32, 48, dtype=torch.uint8), wave=torch.zeros(6400))
    return tmp_path


def test_a_folder_has_them_in_files_beside_the_videos(folder: Path):
    (folder / "ann.take.1.labels.json").write_text('{"emotion": "happy"}')
    np.save(folder / "ann.take.1.mouth.array.npy", np.arange(30).reshape(10, 3))
    np.save(folder / "ann.take.1.landmarks.npy", np.random.default_rng(0).uniform(0, 30, (10, 68, 2)))
    np.save(folder / "ben.mouth.array.npy", np.arange(30))
    np.save(folder / "ann.take.1.mel.npy", np.zeros((7, 3)))
    (folder / "ann.take.1.json").write_text("[1, 2]")
    source = Folder(folder)
    (item,) = source.items()
    assert str(source.not_looked_at).count("ben.mouth.array.npy") == 1
    assert "ann.take.1.labels.json" not in str(source.not_looked_at)
    assert "ann.take.1.mouth.array.npy" not in str(source.not_looked_at)
    raw = source.read(item)
    assert raw.labels == {"emotion": "happy"}
    assert list(raw.arrays) == ["mouth"]
    assert torch.equal(raw.arrays["mouth"], torch.arange(30, dtype=torch.float32).view(10, 3))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("labels.json", b"{", "ann.take.1.labels.json"), ("labels.json", b'["happy"]', "ann.take.1.labels.json"),
        ("labels.json", b'{"emotion": 3}', "words by name"), ("labels.json", b'{"a/b": "x"}', "is no name"),
        ("labels.json", b" " * 2**21, "too large"), ("mouth.array.npy", b"hello", "mouth.array.npy: cannot be read"),
        ("mouth.array.npy", np.array([{}] * 10), "mouth.array.npy: cannot be read"),
        ("mouth.array.npy", np.array(3.0), "one row per picture"),
        ("mouth.array.npy", np.full(10, np.nan), "not finite"),
        ("mouth.array.npy", np.array(["a"] * 10), "must hold numbers"),
        ("mouth.array.npy", np.zeros(9), "9 entries for 10 frames"),
        ("wave.array.npy", np.zeros(10), "call the array otherwise"), ("1st.array.npy", np.zeros(10), "is no name"),
        ("mouth.array.npy", np.zeros((10, 0)), "must hold numbers"),
    ],
)  # fmt: skip
def test_files_that_are_none_are_told(name: str, content: bytes | np.ndarray, said: str, folder: Path):
    path = folder / f"ann.take.1.{name}"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    source = Folder(folder)
    with pytest.raises(MediaError, match=said) as caught:
        source.open(source.items()[0]).read()
    assert "\n" not in str(caught.value)


def test_a_batch_has_those_that_are_used_and_no_others(tmp_path: Path):
    clips = [make_clip(0), make_clip(1, frames=6)]
    write_store(tmp_path, clips, dataset="test")
    uses = Uses(labels=("emotion", "age"), arrays=("mouth",))
    windows = Windows(Store(tmp_path), SPEC, uses)
    whole = collate([windows[Draw(clip, None)] for clip in (0, 1)])
    assert whole.given.labels == {"emotion": ("sad", "happy"), "age": ("", "")}
    assert list(whole.given.arrays) == ["mouth"]
    mouth = whole.given.arrays["mouth"]
    assert torch.equal(mouth[0], clips[0].arrays["mouth"])
    assert torch.equal(mouth[1], torch.cat([clips[1].arrays["mouth"], clips[1].arrays["mouth"][-1:].expand(2, -1)]))
    estimate = [batch_bytes(SPEC, 1, 2, 8, 100, numbers) for numbers in (3, 0)]
    assert estimate[0] - estimate[1] == mouth.nbytes
    window = windows[Draw(0, (5,))]
    assert torch.equal(collate([window]).given.arrays["mouth"][0], clips[0].arrays["mouth"][window.first :][:3])
    none = collate([Windows(Store(tmp_path), SPEC)[Draw(0, None)]]).given
    assert (dict(none.labels), dict(none.arrays)) == ({}, {})


def test_a_store_without_an_array_that_is_used_is_refused(tmp_path: Path):
    def set_up(clips: list[Clip]) -> None:
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        write_store(path, clips, dataset="synthgrid")
        data = TalkingFaceData(DataConfig(root=str(path), split="by-clip"), SPEC, 0, Uses(arrays=("mouth",)))
        data.setup()

    set_up(CLIPS)
    with pytest.raises(DataError, match=r"clip 's0/é0' has no array 'mouth', which the method uses"):
        set_up(PLAIN)
    with pytest.raises(DataError, match=r"the array 'mouth' has \(2,\) numbers a frame in clip"):
        set_up([*CLIPS[:3], replace(CLIPS[3], arrays={"mouth": numbers(8, 2)})])
