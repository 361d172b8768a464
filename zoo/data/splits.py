"""Named ways to divide the clips of a store into train, val and test; each is a pure function of ids and speakers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from typing import Literal

from zoo.data.store.index import ClipInfo
from zoo.support.errors import ConfigError, DataError

Part = Literal["train", "val", "test"]
Split = dict[Part, list[int]]

SPEAKER_DEPENDENT = frozenset({"by-clip", "grid-overlapped"})
"""Splits that test on speakers seen in training: an easier task, so leaderboards label it."""

GRID_UNSEEN = frozenset({"s1", "s2", "s20", "s22"})
"""The four speakers that LipNet holds out (Assael et al. 2016, section 4.1; the split lists of its implementations)."""

GRID_OVERLAPPED_SHARE = 0.255
"""LipNet's overlapped split holds out 255 of the 1000 sentences of each speaker."""

VAL_SHARE = 0.08
TEST_SHARE = 0.12
GRID_VAL_SHARE = 0.05
"""Share of the training clips kept for validation in GRID's published splits, which have no third part (our choice)."""


def split_clips(clips: Sequence[ClipInfo], name: str) -> Split:
    """Divide clips by a named split.

    - ``by-speaker``: whole speakers, 80 : 8 : 12 by a hash of the speaker; names like ``train003`` or ``test1`` decide
      for themselves, and ``s1+talk.face2``, another face in a video of ``s1``, is where ``s1`` is.
    - ``by-clip``: clips, 80 : 8 : 12 by a hash of the id.
    - ``grid-unseen``: LipNet's four held-out speakers.
    - ``grid-overlapped``: 255 of 1000 sentences of each speaker, those with the lowest hash; the same share where a
      speaker has fewer clips.

    A clip keeps its part when others are added; only in ``grid-overlapped``, whose counts are exact, clips near the
    limit may change parts until the corpus is complete.

    Args:
        clips: what is known of each clip.
        name: name of the split.

    Returns:
        Numbers of the clips of ``train``, ``val`` and ``test``, in order; each clip is in exactly one of them.

    Raises:
        ConfigError: no such split.
    """
    if name not in SPLITS:
        near = get_close_matches(name, SPLITS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"no split '{name}'{hint} (there are: {', '.join(SPLITS)})")
    divided: Split = {"train": [], "val": [], "test": []}
    for number, part in enumerate(SPLITS[name](clips)):
        divided[part].append(number)
    return divided


def require_train(split: Split, name: str, *, least: int = 1) -> None:
    """Check that a split leaves enough to train on.

    Raises:
        DataError: fewer than ``least`` training clips; the message names a split that has some.
    """
    if len(split["train"]) >= least:
        return
    total = sum(map(len, split.values()))
    way_out = "prepare more clips" if name == "by-clip" else "use data.split=by-clip or prepare more speakers"
    raise DataError(f"split '{name}' leaves {len(split['train'])} of {total} clips to train on; {way_out}")


def _share(key: str) -> float:
    """A number in [0, 1) that depends on the key alone, the same on every machine."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64


def _part(share: float) -> Part:
    if share < TEST_SHARE:
        return "test"
    return "val" if share < TEST_SHARE + VAL_SHARE else "train"


def _by_clip(clips: Sequence[ClipInfo]) -> list[Part]:
    return [_part(_share(f"clip {clip.id}")) for clip in clips]


def _by_speaker(clips: Sequence[ClipInfo]) -> list[Part]:
    return [_part_of_speaker(clip.speaker) for clip in clips]


def _part_of_speaker(speaker: str) -> Part:
    # Others in a speaker's video may be nobody else, seen badly: they stay together.
    speaker = re.sub(r"\+(.*\.)?face\d+$", "", speaker)
    named = re.fullmatch(r"(train|val|test)\d+", speaker)
    if named:
        return named[1]  # type: ignore[return-value]
    return _part(_share(f"speaker {speaker}"))


def _train_or_val(clip_id: str) -> Part:
    return "val" if _share(f"val {clip_id}") < GRID_VAL_SHARE else "train"


def _grid_unseen(clips: Sequence[ClipInfo]) -> list[Part]:
    return ["test" if clip.speaker in GRID_UNSEEN else _train_or_val(clip.id) for clip in clips]


def _grid_overlapped(clips: Sequence[ClipInfo]) -> list[Part]:
    speakers: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        speakers[clip.speaker].append(clip.id)
    held: set[str] = set()
    for ids in speakers.values():
        ids.sort(key=lambda clip_id: _share(f"clip {clip_id}"))
        held.update(ids[: round(GRID_OVERLAPPED_SHARE * len(ids))])
    return ["test" if clip.id in held else _train_or_val(clip.id) for clip in clips]


SPLITS: dict[str, Callable[[Sequence[ClipInfo]], list[Part]]] = {
    "by-speaker": _by_speaker,
    "by-clip": _by_clip,
    "grid-unseen": _grid_unseen,
    "grid-overlapped": _grid_overlapped,
}
