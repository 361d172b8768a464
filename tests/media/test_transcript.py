"""Texts come as people save them, and word times as they can be true; everything else is refused, nothing guessed."""

import codecs
from pathlib import Path

import pytest

from zoo.evaluation.metrics.wer import wer
from zoo.media.clip import Word
from zoo.media.transcript import check_end, check_times, plain_text, read_text, read_transcript
from zoo.support.errors import MediaError

SAID = "Lay Blue\r\nat É  two soon\n"


@pytest.mark.parametrize(
    "data",
    [
        SAID.encode(),
        codecs.BOM_UTF8 + SAID.encode(),
        codecs.BOM_UTF16_LE + SAID.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + SAID.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + SAID.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + SAID.encode("utf-32-be"),
        SAID.replace("É", "E\u0301").encode(),  # decomposed, as macOS writes it
        SAID.replace("\r\n", "\u00a0").encode(),
        (codecs.BOM_UTF8 + b"lay blue\n") + (codecs.BOM_UTF8 + "at é two soon".encode()),  # two files joined
    ],
)
def test_every_unicode_text_is_the_same_words(data: bytes, tmp_path: Path):
    (tmp_path / "clip.txt").write_bytes(data)
    text = read_transcript(tmp_path / "clip.txt")
    assert text == "lay blue at é two soon"
    assert wer(text, "lay blue at e\u0301 two soon") == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("lay blue at é".encode("latin-1"), "not UTF-8 at byte 12"),
        ("lay “blue”".encode("cp1252"), "not UTF-8"),
        ("青い".encode("shift-jis"), "not UTF-8"),
        (codecs.BOM_UTF16_LE + b"a", "not UTF-16-LE"),
        ("lay".encode("utf-16-le"), "NUL"),
        (b"lay\0blue", "NUL"),
        (codecs.BOM_UTF32_LE + b"\xff\xff\xff\xff", "not UTF-32-LE"),
        ("lay bl\ufffde".encode(), "lost"),
    ],
)
def test_what_is_no_unicode_is_refused(data: bytes, reason: str, tmp_path: Path):
    (tmp_path / "clip.txt").write_bytes(data)
    with pytest.raises(MediaError, match=reason) as error:
        read_text(tmp_path / "clip.txt")
    assert "clip.txt" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_text_that_cannot_be_opened(tmp_path: Path):
    with pytest.raises(MediaError, match="cannot be read"):
        read_text(tmp_path)


def test_plain_text():
    assert plain_text("  \ufeffA\u00adb\tc\u200b ") == "ab c"
    assert plain_text("İ") == plain_text("I\u0307")
    assert plain_text("") == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([Word(0.5, 0.2, "bin")], "from 0.5 s to 0.2 s"),
        ([Word(0.5, 0.5, "bin")], "from 0.5"),
        ([Word(-0.1, 0.5, "bin")], "from -0.1"),
        ([Word(float("nan"), 0.5, "bin")], "from nan"),
        ([Word(0.0, float("inf"), "bin")], "to inf"),
        ([Word(0.0, 0.5, "bin"), Word(0.4, 0.9, "blue")], "'blue' begins at 0.4 s, before 'bin' ends"),
        ([Word(1.0, 1.5, "bin"), Word(0.4, 0.9, "blue")], "begins"),
    ],
)
def test_word_times_that_cannot_be_true(words: list[Word], reason: str):
    with pytest.raises(MediaError, match=reason):
        check_times(words, "a.align")


def test_words_after_the_end():
    words = [Word(0.0, 0.5, "bin"), Word(0.5, 2.98, "soon")]
    check_times(words, "a.align")
    check_end(words, 74 / 25, "a.mpg")
    check_end([], 0.0, "a.mpg")
    with pytest.raises(MediaError, match=r"end at 2\.98 s, its pictures at 1\.00 s: the file is cut short"):
        check_end(words, 1.0, "a.mpg")
