"""Tracks: a mode runs where there is what it uses, and nowhere twice."""

from __future__ import annotations

import pytest

from zoo.evaluation.tracks import TRACKS
from zoo.registry.spec import Uses


@pytest.mark.parametrize(
    ("uses", "tracks"),
    [
        (Uses(), ["reconstruction", "cross"]),
        (Uses(driver="upper half"), ["reconstruction", "cross"]),
        (Uses(sound=False, words=True), ["reconstruction", "cross"]),
        (Uses(sound=False, driver="video"), ["video", "video-cross"]),
        (Uses(sound=False), ["video"]),
    ],
)
def test_a_mode_runs_on_the_tracks_that_have_what_it_uses(uses: Uses, tracks: list[str]):
    assert [name for name, track in TRACKS.items() if track.takes(uses)] == tracks


def test_nothing_true_is_there_to_compare_with_where_another_drives():
    assert [name for name, track in TRACKS.items() if track.foreign] == ["cross", "video-cross"]
