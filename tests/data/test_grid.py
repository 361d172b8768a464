"""GRID as its archives unzip: names, alignments, layouts, and what is said when it is not there."""

import shutil
from pathlib import Path

import pytest

from zoo.clip import Word
from zoo.data.grid import Grid, decode_name, read_alignment
from zoo.errors import DataError, MediaError


def test_names_encode_sentences():
    assert decode_name("bbaf2n") == "bin blue at f two now"
    assert decode_name("pwizzs") == "place white in z zero soon"
    assert decode_name("srwu9p") == "set red with u nine please"


@pytest.mark.parametrize("code", ["bbaf2", "bbaw2n", "xbaf2n", "bbaf0n", "bbaf2nn", "holiday"])
def test_other_names_are_refused(code: str):
    with pytest.raises(MediaError, match=code):
        decode_name(code)


def test_alignment_without_silences(tmp_path: Path):
    file = tmp_path / "a b.align"
    file.write_bytes(b"0 17500 sil\r\n17500 23000 BIN\r\n23000 24000 sp\r\n24000 30500 blue\r\n30500 74500 sil\r\n\r\n")
    assert read_alignment(file) == (Word(0.7, 0.92, "bin"), Word(0.96, 1.22, "blue"))
    file.write_text("0 x sil\n")
    with pytest.raises(MediaError, match=r"a b\.align"):
        read_alignment(file)


@pytest.mark.parametrize("layout", ["s{}", "s{}/video", "s{}/video/mpg_6000", "s{}.mpg_vcd"])
def test_layouts(tmp_path: Path, layout: str):
    for speaker in (10, 2):
        folder = tmp_path / layout.format(speaker)
        folder.mkdir(parents=True)
        (folder / "bbaf2n.mpg").touch()
        (folder / "._bbaf2n.mpg").touch()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "bbaf2n.mpg").touch()
    items = Grid(tmp_path).items()
    assert [(item.id, item.speaker) for item in items] == [("s2/bbaf2n", "s2"), ("s10/bbaf2n", "s10")]


def test_missing_root(tmp_path: Path):
    with pytest.raises(DataError, match="no such folder"):
        Grid(tmp_path / "nowhere").items()
    with pytest.raises(DataError, match="--root"):
        Grid().items()
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DataError, match=r"expected ROOT/s1.*found: holiday"):
        Grid(tmp_path).items()


@pytest.mark.grid
def test_names_and_alignments_of_all_real_clips_agree(grid_root: Path):
    grid = Grid(grid_root)
    items = grid.items()
    assert len(items) == 246
    aligned = 0
    for item in items:
        text = decode_name(Path(item.path).stem)
        file = grid_root / "alignments" / item.speaker / f"{Path(item.path).stem}.align"
        if file.exists():
            aligned += 1
            words = read_alignment(file)
            assert " ".join(word.text for word in words) == text
            assert all(word.start_s < word.end_s <= 3 for word in words)
    assert aligned == 241


@pytest.mark.grid
def test_real_clip(grid_root: Path, tmp_path: Path):
    (tmp_path / "s2").mkdir()
    shutil.copy(grid_root / "s2" / "swwp2s.mpg", tmp_path / "s2")
    grid = Grid(tmp_path)
    raw = grid.read(grid.items()[0])
    assert raw.text == "set white with p two soon"
    assert raw.words == ()  # no alignment there
    assert raw.frames.shape == (75, 3, 288, 360)
    assert len(raw.wave) == pytest.approx(2.978 * 16000, abs=20)
    with_times = Grid(grid_root)
    item = next(item for item in with_times.items() if item.id == "s2/swwp2s")
    assert [word.text for word in with_times.read(item).words] == raw.text.split()
