"""GRID as its archives unzip: names, alignments, layouts, and what is said when it is not there."""

import shutil
from pathlib import Path

import pytest
import torch

from zoo.data.sources.grid import Grid, decode_name, read_alignment
from zoo.media.clip import Word
from zoo.media.video import write_video
from zoo.support.errors import DataError, MediaError


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


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("0 17500 sil\n23000 17500 bin\n", "from 0.92 s to 0.7 s"),
        ("0 17500 sil\n17500 17500 bin\n", "from 0.7 s to 0.7 s"),
        ("-1000 17500 bin\n", "from -0.04 s"),
        ("0 9000 bin\n8000 20000 blue\n", "'blue' begins"),
        ("9000 8000 sil\n17500 23000 bin\n", "'sil' lasts"),
    ],
)
def test_alignments_that_cannot_be_true(lines: str, reason: str, tmp_path: Path):
    (tmp_path / "a.align").write_text(lines)
    with pytest.raises(MediaError, match=reason):
        read_alignment(tmp_path / "a.align")


def test_alignment_with_a_mark_of_byte_order(tmp_path: Path):
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "a.align").write_text("17500 23000 bin\n", encoding=encoding)
        assert read_alignment(tmp_path / "a.align") == (Word(0.7, 0.92, "bin"),)
    (tmp_path / "a.align").write_bytes(b"17500 23000 b\xefn\n")
    with pytest.raises(MediaError, match="not UTF-8"):
        read_alignment(tmp_path / "a.align")


def write_clip(path: Path, frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".mp4")
    write_video(made, torch.zeros(frames, 3, 32, 48, dtype=torch.uint8), wave=torch.zeros(frames * 640))
    made.rename(path)  # what a file is its content decides


def test_a_clip_that_is_cut_short_does_not_keep_its_sentence(tmp_path: Path):
    write_clip(tmp_path / "s1" / "bbaf2n.mpg", 25)
    grid = Grid(tmp_path)
    with pytest.raises(MediaError, match="25 pictures, a clip of GRID has 75: the file is cut short"):
        grid.read(grid.items()[0])


def test_words_beyond_the_clip(tmp_path: Path):
    write_clip(tmp_path / "s1" / "bbaf2n.mpg", 74)
    (tmp_path / "align" / "s1").mkdir(parents=True)
    align = tmp_path / "align" / "s1" / "bbaf2n.align"
    grid = Grid(tmp_path)
    align.write_text("0 74500 bin\n")
    assert grid.read(grid.items()[0]).words == (Word(0, 2.98, "bin"),)
    align.write_text("0 80000 bin\n")
    with pytest.raises(MediaError, match=r"words end at 3\.20 s"):
        grid.read(grid.items()[0])


@pytest.mark.grid
def test_a_real_clip_cut_to_a_third(grid_root: Path, tmp_path: Path):
    whole = (grid_root / "s2" / "swwp2s.mpg").read_bytes()
    (tmp_path / "s2").mkdir()
    (tmp_path / "s2" / "swwp2s.mpg").write_bytes(whole[: len(whole) // 3])
    grid = Grid(tmp_path)
    with pytest.raises(MediaError, match="cut short"):
        grid.read(grid.items()[0])
