"""Names of files stay storable, short and apart, whatever bytes they consist of."""

import os
import random

from zoo.support.names import LONGEST, id_to_name, name_to_id, storable


def test_plain_names_stay_as_they_are():
    for name in (
        "s1/bbaf2n",
        "ann lee/day 1/take.1.final",
        "Zoë/日本 語/😀",
        "-a",
        "a\\b",
        "100%",
        "e\u0301",
        "a\u00a0b",
    ):
        assert name_to_id(name) == storable(name) == name


def test_what_cannot_be_printed_is_its_bytes():
    assert name_to_id(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
    assert name_to_id("a\nb\tc\x1b[31m") == r"a\x0ab\x09c\x1b[31m"
    assert name_to_id("a\u202eb") == r"a\xe2\x80\xaeb"
    assert storable("a\ud800") == r"a\xed\xa0\x80"


def test_no_two_names_have_the_same_id():
    draw = random.Random(0)
    parts = [b"\xe9", b"\\xe9", b"\\", b"\\\\", b"x", b"e9", b"\\x", b"5c", b"a", b"\n", b"\xc3", b"\xa9", b"\x7f"]
    names = {b"".join(draw.choices(parts, k=draw.randrange(1, 6))) for _ in range(20_000)}
    ids = {name_to_id(os.fsdecode(name)) for name in names}
    assert len(ids) == len(names)
    for clip in ids:
        assert storable(clip) == clip  # nothing is escaped a second time
        clip.encode()


def test_names_for_files_of_clips():
    assert id_to_name("s1/bbaf2n") == "s1-bbaf2n"
    long = ["s1/" + "é" * 200 + end for end in "ab"]
    assert len({id_to_name(clip) for clip in long}) == 2
    assert all(len(id_to_name(clip).encode()) <= LONGEST for clip in long)
    assert id_to_name("..") not in (".", "..")
