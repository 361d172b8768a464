"""NewDataset keeps the zoo's contract, and says what is wrong with a folder that is none."""

from pathlib import Path

import pytest
from zoo.data.prepare import prepare
from zoo.data.store.store import Store
from zoo.support.errors import DataError, MediaError
from zoo.testing import check

from zoo_new_dataset.example import write
from zoo_new_dataset.source import TABLE, NewDataset


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    write(folder)
    return folder


def test_it_keeps_the_contract():
    report = check("new-dataset", kind="dataset", quick=True)
    assert report.ok, report.text()


def test_clips_come_with_speaker_sentence_and_sound(root: Path):
    source = NewDataset(root)
    items = source.items()
    assert [item.id for item in items] == sorted(item.id for item in items)
    assert len({item.speaker for item in items}) == 3
    clip = source.read(items[0])
    assert clip.frames.shape[:2] == (40, 3)
    assert abs(len(clip.wave) - 40 * 640) < 640
    assert len(clip.text.split()) == 6


def test_it_becomes_a_store(root: Path, tmp_path: Path):
    source, out = NewDataset(root), tmp_path / "store"
    prepare(source, out, dataset="new-dataset", splits=("by-speaker",), workers=1)
    store = Store(out)
    assert len(store) == 3
    assert store.clip(0).text == source.read(source.items()[0]).text


def test_what_is_missing_is_named(root: Path, tmp_path: Path):
    with pytest.raises(DataError, match=f"no {TABLE} here"):
        NewDataset(tmp_path).items()
    (tmp_path / TABLE).write_text("speaker\ttake\ttext\nanna\tone\thello\n")
    source = NewDataset(tmp_path)
    with pytest.raises(MediaError, match="not there"):
        source.read(source.items()[0])
    (tmp_path / TABLE).write_text("name\ttext\n")
    with pytest.raises(DataError, match="needs columns"):
        source.items()
