"""Every file below a folder once, through links, without an end in loops, and with a word on the rest."""

from pathlib import Path

import pytest

from zoo.data.sources.walk import walk


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_linked_folders_and_loops(tmp_path: Path):
    root = tmp_path / "root"
    make(root, "s1/a", "s1/deep/b")
    make(tmp_path, "else/c", "else/more/d")
    (root / "s0").symlink_to(root / "s1")  # sorts before what it leads to, and still the folder's own path counts
    (root / "s2").symlink_to(tmp_path / "else")
    (root / "s3").symlink_to(tmp_path / "else" / "more")
    (root / "s1/deep/up").symlink_to(root)
    (root / "s1/above").symlink_to("/")
    (tmp_path / "else/back").symlink_to(root / "s1")
    found = walk(root)
    assert [path.as_posix() for path in found.files] == ["s1/a", "s1/deep/b", "s2/c", "s2/more/d"]
    assert {path.as_posix() for path in found.twice} == {"s0", "s1/above", "s1/deep/up", "s2/back", "s3"}


def test_a_root_that_is_a_link(tmp_path: Path):
    make(tmp_path, "else/s1/a")
    (tmp_path / "root").symlink_to(tmp_path / "else")
    assert walk(tmp_path / "root").files == [Path("s1/a")]


def test_what_was_not_looked_at_is_counted_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path, "a.txt", "b.TXT", "c.xyz", "README", ".hidden.mp4", "s1/a.mp4")
    found = walk(tmp_path)
    told = str(found.without({Path("s1/a.mp4")}))
    assert told.startswith("not looked at: 5 files (")
    for part in (".txt 2", ".xyz 1", "without an ending 1", "hidden 1", "such as .hidden.mp4, README, a.txt"):
        assert part in told
    assert str(found.without(set(found.files))) == ""
    one = str(found.without(set(found.files) - {Path("c.xyz")}))
    assert one == "not looked at: 1 file (.xyz 1), c.xyz"


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import os

    make(tmp_path, "s1/a", "s2/b")
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "s2":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = walk(tmp_path)
    assert found.files == [Path("s1/a")]
    assert str(found.without(found.files)) == "not looked at: 1 folder that cannot be read, s2: Permission denied"


def test_terminal_escapes_in_names(tmp_path: Path):
    make(tmp_path, "a\x1b[31m\n.x\x07y")
    told = str(walk(tmp_path).without(set()))
    assert told == r"not looked at: 1 file (.x\x07y 1), a\x1b[31m\x0a.x\x07y"
